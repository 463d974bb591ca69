//! What a workflow costs the API server, counted in its audit log, and how fresh its status is.

use crate::{chain, run, task};
use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use jobwright_tests::harness::wait::let_pass;
use jobwright_tests::{
    audit::{Event, counts::Counts, text},
    harness::{World, indented},
};
use serde_json::Value;
use std::time::Duration;

/// What the begin and the end of a run may cost, whatever its steps.
const PER_RUN_MAX: u32 = 5;

/// Requests of the operator over the steps of one run: an error where there are more than allowed.
async fn ensure_cheap(world: &World, steps: u32, tenths_per_step: u32) -> Result<()> {
    let mut counts = Counts::of(&world.requests().await?);
    // The review of a Task is no part of a run: one dry run of its pod, one write of its condition.
    let of_tasks = counts.0.remove("patch tasks/status").unwrap_or_default();
    if let Some(dry_runs) = counts.0.get_mut("create pods (dry run)") {
        *dry_runs = dry_runs.saturating_sub(of_tasks);
    }
    let max = steps * tenths_per_step / 10 + PER_RUN_MAX;
    eprintln!("{steps} steps: {counts}; at most {max}");
    ensure!(counts.total() <= max, "{counts}; at most {max} for {steps} steps");
    ensure!(counts.reads() == 0, "reads in steady state: {counts}");
    Ok(())
}

#[test]
fn a_slow_chain_costs_three_requests_a_step() -> Result<()> {
    run(async |world| {
        world
            .create_all(&task(
                "slow",
                r#"{fake-kubelet/run-ms: "1300", fake-kubelet/phase-ms: "900"}"#,
                "[]",
            ))
            .await?;
        world.create_all(&chain("chain", "slow", 8, "")).await?;
        world.succeeded("chain", 60).await?;
        ensure_cheap(world, 8, 30).await
    })
}

#[test]
fn a_slow_chain_with_a_ttl_costs_four() -> Result<()> {
    run(async |world| {
        world
            .create_all(&task(
                "slow",
                r#"{fake-kubelet/run-ms: "1300", fake-kubelet/phase-ms: "900"}"#,
                "[]",
            ))
            .await?;
        world
            .create_all(&chain(
                "chain",
                "slow",
                8,
                "  jobDefaults: {ttlSecondsAfterFinished: 600}",
            ))
            .await?;
        world.succeeded("chain", 60).await?;
        let all_expire = |counts: &Counts| counts.0.get("patch jobs") == Some(&8);
        let mut counts = Counts::of(&world.requests().await?);
        for _ in 0..20 {
            if all_expire(&counts) {
                break;
            }
            let_pass(Duration::from_millis(500), "the audit log cannot be watched").await;
            counts = Counts::of(&world.requests().await?);
        }
        ensure!(all_expire(&counts), "each Job gets its TTL: {counts}");
        world.ensure_invariants().await?;
        ensure_cheap(world, 8, 40).await
    })
}

#[test]
fn two_hundred_steps_at_once_cost_little_more_than_their_jobs() -> Result<()> {
    run(async |world| {
        world.create_all(&fan(200)).await?;
        world.succeeded("fan", 240).await?;
        ensure_cheap(world, 200, 22).await
    })
}

fn fan(steps: u32) -> String {
    let lines: Vec<String> = (1..=steps)
        .map(|number| format!("- {{name: s{number}, job: {{image: none}}}}"))
        .collect();
    format!(
        r"
apiVersion: jobwright.dev/v1alpha1
kind: Workflow
metadata: {{name: fan}}
spec:
  steps:
  {}
",
        indented(&lines.join("\n"), 2)
    )
}

#[test]
fn at_rest_nothing_is_asked_for_a_minute() -> Result<()> {
    run(async |world| {
        world.create_all(&task("quick", "{}", "[]")).await?;
        world
            .create_all(&task("endless", r#"{fake-kubelet/run-ms: "600000"}"#, "[]"))
            .await?;
        world.create_all(&chain("done", "quick", 3, "")).await?;
        world.create_all(&chain("waits", "absent", 2, "")).await?;
        world.create_all(&chain("runs", "endless", 1, "")).await?;
        world.create_all(&chain("rests", "quick", 2, "  suspend: true")).await?;
        world.succeeded("done", 30).await?;
        world
            .until("runs", 30, "runs", |status| {
                status.progress.as_ref().is_some_and(|p| p.running == 1)
            })
            .await?;
        // What is written "within a second" is over by then.
        let_pass(Duration::from_secs(4), "the last writes and events of what ran before").await;
        let before = world.requests().await?.len();
        let_pass(Duration::from_secs(60), "the minute of rest itself").await;
        let requests = world.requests().await?;
        let new: Vec<String> = requests
            .iter()
            .skip(before)
            .map(|event| format!("{} {}", event.what(), event.name))
            .collect();
        ensure!(new.is_empty(), "at rest there was {new:?}");
        Ok(())
    })
}

const FRESH: SignedDuration = SignedDuration::from_secs(1);
/// The machine is busy with the other tests: what holds in one round is what the operator does.
const ROUNDS: u32 = 4;

#[test]
fn the_status_is_never_older_than_a_second() -> Result<()> {
    run(async |world| {
        world
            .create_all(&task(
                "short",
                r#"{fake-kubelet/run-ms: "400", fake-kubelet/phase-ms: "700"}"#,
                "[]",
            ))
            .await?;
        let mut worst = Vec::new();
        for round in 1..=ROUNDS {
            for number in 1..=3 {
                world
                    .create_all(&chain(&format!("r{round}-{number}"), "short", 10, ""))
                    .await?;
            }
            for number in 1..=3 {
                world.succeeded(&format!("r{round}-{number}"), 60).await?;
            }
            let ages = ages(&world.audit().await?, &format!("r{round}-"))?;
            ensure!(ages.len() == 30, "30 steps ended, the log has {}", ages.len());
            worst.extend(ages.into_iter().max());
            if worst.last().is_some_and(|age| *age <= FRESH) {
                eprintln!("worst age of a status, by round: {worst:?}");
                return Ok(());
            }
        }
        anyhow::bail!("a status was behind its pod by {worst:?}, by round")
    })
}

/// For each Job: how long after the report of its containers' end the status says so.
fn ages(events: &[Event], prefix: &str) -> Result<Vec<SignedDuration>> {
    let mut ages = Vec::new();
    let is_report = |event: &&Event| {
        let state = event.request.pointer("/status/containerStatuses/0/state/terminated");
        event.resource == "pods"
            && event.subresource == "status"
            && state.is_some()
            && event.is_done()
            && event.name.starts_with(prefix)
    };
    for report in events.iter().filter(is_report) {
        let job = text(&report.response, "/metadata/labels/batch.kubernetes.io~1job-name");
        let tells = |event: &&Event| {
            let steps = event
                .stored_status()
                .and_then(|status| status.get("steps"))
                .and_then(Value::as_object);
            steps
                .into_iter()
                .flatten()
                .any(|(_, step)| text(step, "/attempts/recent/0/job") == job && text(step, "/phase") == "Succeeded")
        };
        let told = events.iter().filter(tells).map(|event| event.completed).min();
        let told = told.with_context(|| format!("no status tells of Job {job}"))?;
        ages.push(told.duration_since(report.completed));
    }
    Ok(ages)
}
