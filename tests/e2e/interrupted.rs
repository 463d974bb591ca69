//! A program that traps TERM and exits 0 was stopped, not successful, whoever stopped it.

use crate::{one, run};
use anyhow::{Context, Result, ensure};
use jobwright_api::{AttemptStatus, Reason, StepPhase, WorkflowPhase, WorkflowStatus};
use jobwright_tests::{
    audit::text,
    harness::{World, step},
};
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::api::{DeleteParams, EvictParams};
use serde_json::{Value, json};

/// Ends well when it is told to end; a second attempt ends well by itself.
const SCRIPT: &str = r#"[ "$JOBWRIGHT_ATTEMPT" = 1 ] || exit 0
trap 'exit 0' TERM
while :; do sleep 0.1; done"#;

/// Starts it, and gives its Job and its pod once it runs.
async fn start(world: &World, more: &str) -> Result<(String, String)> {
    world.create_all(&one("w", SCRIPT, more)).await?;
    let runs = |status: &WorkflowStatus| status.steps.values().any(|step| step.phase == StepPhase::Running);
    let status = world.until("w", 60, "runs", runs).await?;
    let attempt = first(&status)?;
    Ok((attempt.job.clone(), attempt.pod.clone().context("no pod")?))
}

fn first(status: &WorkflowStatus) -> Result<&AttemptStatus> {
    step(status, "a")?.attempts.recent.first().context("no attempt")
}

/// The first attempt failed with this reason; that its program did exit 0, the log shows.
async fn ensure_stopped(world: &World, status: &WorkflowStatus, reason: &Reason) -> Result<()> {
    let attempt = first(status)?;
    ensure!(
        attempt.phase == StepPhase::Failed && attempt.reason.as_ref() == Some(reason),
        "the attempt should have Failed, {reason}: {attempt:?}"
    );
    let events = world.audit().await?;
    let exits: Vec<i64> = events
        .iter()
        .filter(|event| event.resource == "pods" && text(&event.response, "/metadata/labels/job-name") == attempt.job)
        .filter_map(|event| {
            event
                .response
                .pointer("/status/containerStatuses/0/state/terminated/exitCode")
        })
        .filter_map(Value::as_i64)
        .collect();
    ensure!(
        exits.contains(&0),
        "the program should have exited 0, or nothing is shown: {exits:?}"
    );
    world.ensure_invariants().await.map(drop)
}

/// The platform's failures are tried again: the second attempt ends the run well.
async fn ensure_tried_again(world: &World, reason: &Reason) -> Result<()> {
    let status = world.succeeded("w", 90).await?;
    ensure_stopped(world, &status, reason).await?;
    let attempts = &step(&status, "a")?.attempts;
    ensure!(attempts.count == 2 && attempts.platform_failures == 1, "{attempts:?}");
    Ok(())
}

#[test]
fn the_deadline_of_its_job_passes() -> Result<()> {
    run(async |world| {
        let (job, _) = start(world, "").await?;
        world
            .patch::<Job>(&job, json!({ "spec": { "activeDeadlineSeconds": 1 } }))
            .await?;
        let status = world.ended("w", 90).await?;
        ensure!(status.phase == Some(WorkflowPhase::Failed), "{:?}", status.phase);
        ensure_stopped(world, &status, &Reason::DeadlineExceeded).await
    })
}

#[test]
fn its_job_is_suspended() -> Result<()> {
    run(async |world| {
        let (job, _) = start(world, "").await?;
        world.patch::<Job>(&job, json!({ "spec": { "suspend": true } })).await?;
        ensure_tried_again(world, &Reason::Interrupted).await
    })
}

#[test]
fn it_is_evicted() -> Result<()> {
    run(async |world| {
        let (_, pod) = start(world, "").await?;
        world.api::<Pod>().evict(&pod, &EvictParams::default()).await?;
        ensure_tried_again(world, &Reason::Evicted).await
    })
}

#[test]
fn its_pod_is_deleted() -> Result<()> {
    run(async |world| {
        let (_, pod) = start(world, "").await?;
        world.api::<Pod>().delete(&pod, &DeleteParams::default()).await?;
        ensure_tried_again(world, &Reason::Interrupted).await
    })
}

#[test]
fn the_start_to_close_of_its_step_passes() -> Result<()> {
    run(async |world| {
        start(world, "    timeouts: {startToClose: 3s}").await?;
        let status = world.ended("w", 90).await?;
        ensure!(status.phase == Some(WorkflowPhase::Failed), "{:?}", status.phase);
        let message = step(&status, "a")?.message.clone().unwrap_or_default();
        ensure!(message.contains("startToClose of 3s passed"), "{message}");
        ensure_stopped(world, &status, &Reason::DeadlineExceeded).await?;
        intent_before_deletion(world).await
    })
}

/// Why a Job is deleted is stored before it is deleted.
async fn intent_before_deletion(world: &World) -> Result<()> {
    let events = world.audit().await?;
    let user = world.operator.user();
    let deletion = events
        .iter()
        .find(|event| event.what() == "delete jobs" && event.user == user);
    let deletion = deletion.context("no deletion of a Job")?;
    let intent = events.iter().find(|event| {
        let attempt = event
            .stored_status()
            .and_then(|status| status.pointer("/steps/a/attempts/recent/0/stop"));
        attempt.is_some()
    });
    let intent = intent.context("no stored intent")?;
    // A watch may tell of a write before its answer is out: the order is that of etcd.
    ensure!(
        intent.version() < deletion.version(),
        "{:?} is not before {:?}",
        intent.version(),
        deletion.version()
    );
    Ok(())
}
