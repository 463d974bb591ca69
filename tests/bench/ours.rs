//! The same work as Workflows.

use crate::machine::{IMAGE, IN_FLIGHT, create_namespace, settle};
use anyhow::{Result, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use jobwright_api::{Workflow, WorkflowPhase};
use kube::{
    Api, Client, ResourceExt,
    api::PostParams,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

fn workflow(name: &str, steps: u32) -> Result<Workflow> {
    let step = |number: u32| {
        let needs: Vec<String> = (number > 1).then(|| format!("s{}", number - 1)).into_iter().collect();
        json!({ "name": format!("s{number}"), "needs": needs, "job": { "image": IMAGE, "command": ["true"] } })
    };
    let steps: Vec<Value> = (1..=steps).map(step).collect();
    Ok(serde_json::from_value(json!({
        "apiVersion": "jobwright.dev/v1alpha1", "kind": "Workflow",
        "metadata": { "name": name }, "spec": { "steps": steps },
    }))?)
}

/// One Workflow, from its creation until its success is seen.
pub(crate) async fn chain(client: &Client, namespace: &str, steps: u32) -> Result<Duration> {
    create_namespace(client, namespace).await?;
    run(client, namespace, vec![workflow("chain", steps)?]).await
}

/// Many Workflows of one step.
pub(crate) async fn crowd(client: &Client, namespace: &str, count: u32) -> Result<Duration> {
    create_namespace(client, namespace).await?;
    let workflows: Result<Vec<Workflow>> = (1..=count).map(|number| workflow(&format!("w{number}"), 1)).collect();
    run(client, namespace, workflows?).await
}

async fn run(client: &Client, namespace: &str, workflows: Vec<Workflow>) -> Result<Duration> {
    let api: Api<Workflow> = Api::namespaced(client.clone(), namespace);
    let mut events = watcher(api.clone(), watcher::Config::default())
        .default_backoff()
        .boxed();
    let count = workflows.len();
    let begun = Instant::now();
    let all = async {
        let mut ended = BTreeSet::new();
        while ended.len() < count {
            match events.next().await {
                Some(Ok(Event::Apply(workflow) | Event::InitApply(workflow))) => {
                    let phase = workflow
                        .status
                        .as_ref()
                        .and_then(|status| status.phase)
                        .unwrap_or_default();
                    ensure!(
                        phase == WorkflowPhase::Succeeded || !phase.is_terminal(),
                        "{} is {phase}",
                        workflow.name_any()
                    );
                    if phase == WorkflowPhase::Succeeded {
                        ended.insert(workflow.name_any());
                    }
                }
                Some(_) => {}
                None => bail!("the watch ended"),
            }
        }
        Ok(())
    };
    let api = &api;
    let create = stream::iter(workflows)
        .map(|workflow| async move {
            api.create(&PostParams::default(), &workflow)
                .await
                .map_err(anyhow::Error::from)
        })
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<Vec<Workflow>>();
    futures::try_join!(all, create)?;
    let took = begun.elapsed();
    settle(client, namespace).await?;
    Ok(took)
}
