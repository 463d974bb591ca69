//! Whether a step becomes dearer with what has ended before it: a long loop and a wide fork, the last hundred
//! against the first.

use anyhow::{Context, Result, bail, ensure};
use futures::StreamExt;
use jobwright_api::{Workflow, WorkflowPhase, WorkflowStatus};
use kube::{
    Api, Client,
    api::PostParams,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use serde_json::json;
use std::time::{Duration, Instant};

use crate::machine::{IMAGE, create_namespace, settle};

/// Steps at the begin and at the end that are compared.
const COMPARED: u32 = 100;

/// What became of a run of many steps.
pub(crate) struct Growth {
    pub(crate) took: Duration,
    /// Time of the first hundred, and of the last.
    pub(crate) first: Duration,
    pub(crate) last: Duration,
    pub(crate) status_bytes_max: usize,
    pub(crate) records: usize,
}

/// A loop of so many iterations of one Job.
pub(crate) async fn looped(client: &Client, namespace: &str, count: u32) -> Result<Growth> {
    let spec = json!({
        "blocks": { "body": { "steps": [{ "name": "work", "job": { "image": IMAGE, "command": ["true"] } }] } },
        "steps": [{ "name": "many", "loop": {
            "block": "body", "while": format!("iteration < {count}"), "maxIterations": count,
        } }],
    });
    grow(client, namespace, spec, count, |status| {
        let count = status.loop_counts.get("many").copied().unwrap_or_default();
        u32::try_from(count).unwrap_or(u32::MAX)
    })
    .await
}

/// A fork of so many Jobs, fifty at once.
pub(crate) async fn forked(client: &Client, namespace: &str, count: u32) -> Result<Growth> {
    let spec = json!({
        "steps": [{
            "name": "many", "forEach": { "count": count, "maxConcurrent": 50 },
            "job": { "image": IMAGE, "command": ["true"] },
        }],
    });
    grow(client, namespace, spec, count, |status| {
        let step = status.steps.get("many");
        let counts = step.and_then(|step| step.counts.as_ref());
        counts.map_or(0, |counts| counts.succeeded)
    })
    .await
}

async fn grow(
    client: &Client,
    namespace: &str,
    spec: serde_json::Value,
    count: u32,
    done: fn(&WorkflowStatus) -> u32,
) -> Result<Growth> {
    ensure!(count > COMPARED, "growth shows from {COMPARED} steps on");
    create_namespace(client, namespace).await?;
    let api: Api<Workflow> = Api::namespaced(client.clone(), namespace);
    let workflow: Workflow = serde_json::from_value(json!({
        "apiVersion": "jobwright.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": "many" }, "spec": spec,
    }))?;
    let mut events = watcher(api.clone(), watcher::Config::default())
        .default_backoff()
        .boxed();
    let begun = Instant::now();
    api.create(&PostParams::default(), &workflow).await?;
    // Each time at which so many were seen to be done, from none on.
    let mut seen = vec![(0, begun)];
    let mut status_bytes_max = 0;
    loop {
        let workflow = match events.next().await {
            Some(Ok(Event::Apply(workflow) | Event::InitApply(workflow))) => workflow,
            Some(_) => continue,
            None => bail!("the watch ended"),
        };
        let Some(status) = workflow.status else { continue };
        status_bytes_max = status_bytes_max.max(serde_json::to_vec(&status)?.len());
        seen.push((done(&status), Instant::now()));
        match status.phase {
            Some(WorkflowPhase::Succeeded) => {
                let took = begun.elapsed();
                let first = time_between(&seen, 0, COMPARED).context("the first hundred")?;
                let last = time_between(&seen, count - COMPARED, count).context("the last hundred")?;
                settle(client, namespace).await?;
                return Ok(Growth {
                    took,
                    first,
                    last,
                    status_bytes_max,
                    records: status.records.len(),
                });
            }
            Some(phase) if phase.is_terminal() => bail!("the run is {phase}: {:?}", status.message),
            _ => {}
        }
    }
}

/// From the moment at which `from` were done to that at which `to` were: a status tells of several at once, so both
/// are reckoned between the two that tell of it.
fn time_between(seen: &[(u32, Instant)], from: u32, to: u32) -> Option<Duration> {
    let at = |wanted: u32| {
        let after = seen.iter().position(|(count, _)| *count >= wanted)?;
        let (count, time) = *seen.get(after)?;
        let (count_before, time_before) = *seen.get(after.saturating_sub(1))?;
        let span = time.duration_since(time_before);
        let part = match count - count_before {
            0 => 1.0,
            steps => f64::from(wanted - count_before) / f64::from(steps),
        };
        Some(time_before + span.mul_f64(part))
    };
    Some(at(to)?.duration_since(at(from)?))
}
