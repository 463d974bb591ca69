//! What a user may do to a run, and what settings do.

use crate::{chain, run, task};
use anyhow::{Result, ensure};
use jobwright_api::{Reason, StepPhase, Workflow, WorkflowPhase};
use jobwright_tests::harness::wait::let_pass;
use jobwright_tests::{
    audit::counts::Counts,
    harness::{self, Kubelet, step},
};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

#[test]
fn a_suspended_run_starts_nothing_new_until_it_is_resumed() -> Result<()> {
    run(async |world| {
        world
            .create_all(&task("short", r#"{fake-kubelet/run-ms: "1500"}"#, "[]"))
            .await?;
        world.create_all(&chain("w", "short", 3, "")).await?;
        world
            .until("w", 30, "runs", |status| {
                status.progress.as_ref().is_some_and(|p| p.running == 1)
            })
            .await?;
        world
            .patch::<Workflow>("w", json!({ "spec": { "suspend": true } }))
            .await?;
        // What runs goes on, and is recorded.
        let first_ended = |status: &jobwright_api::WorkflowStatus| {
            status.phase == Some(WorkflowPhase::Suspended) && status.progress.as_ref().is_some_and(|p| p.done == 1)
        };
        world
            .until("w", 30, "is Suspended with one step done", first_ended)
            .await?;
        let_pass(Duration::from_secs(2), "whether anything starts").await;
        world.jobs_until(5, "one Job", |jobs| jobs.len() == 1).await?;
        world
            .patch::<Workflow>("w", json!({ "spec": { "suspend": false } }))
            .await?;
        world.succeeded("w", 30).await?;
        ensure!(world.ensure_invariants().await? == 3, "each step ran once");
        Ok(())
    })
}

#[test]
fn a_workflow_created_suspended_waits() -> Result<()> {
    run(async |world| {
        world.create_all(&task("quick", "{}", "[]")).await?;
        world.create_all(&chain("w", "quick", 2, "  suspend: true")).await?;
        world
            .until("w", 30, "is Suspended", |status| {
                status.phase == Some(WorkflowPhase::Suspended)
            })
            .await?;
        world
            .patch::<Workflow>("w", json!({ "spec": { "suspend": false } }))
            .await?;
        world.succeeded("w", 30).await?;
        Ok(())
    })
}

#[test]
fn a_changed_definition_is_a_new_run_where_the_policy_says_so() -> Result<()> {
    run(async |world| {
        world.create_all(&task("quick", "{}", "[]")).await?;
        world.create_all(&task("other", "{}", "[]")).await?;
        world
            .create_all(&chain("w", "quick", 2, "  runPolicy: OnChange"))
            .await?;
        let first = world.succeeded("w", 30).await?;
        ensure!(first.run == Some(1), "{:?}", first.run);
        // Not part of the definition.
        world
            .patch::<Workflow>("w", json!({ "metadata": { "labels": { "a": "b" } } }))
            .await?;
        let steps = json!([{ "name": "s1", "task": { "name": "other" } }]);
        world
            .patch::<Workflow>("w", json!({ "spec": { "steps": steps } }))
            .await?;
        let second = world
            .until("w", 30, "has run again", |status| {
                status.run == Some(2) && status.phase == Some(WorkflowPhase::Succeeded)
            })
            .await?;
        ensure!(second.steps.len() == 1 && second.seq > first.seq, "{second:?}");
        ensure!(world.ensure_invariants().await? == 3, "two Jobs and one");
        Ok(())
    })
}

#[test]
fn a_definition_that_runs_once_cannot_be_changed() -> Result<()> {
    run(async |world| {
        world.create_all(&task("quick", "{}", "[]")).await?;
        world.create_all(&chain("w", "quick", 2, "")).await?;
        let steps = json!([{ "name": "s1", "task": { "name": "other" } }]);
        let refused = world
            .patch::<Workflow>("w", json!({ "spec": { "steps": steps } }))
            .await;
        let words = refused.err().map(|error| format!("{error:#}")).unwrap_or_default();
        ensure!(words.contains("create another Workflow"), "{words:?}");
        Ok(())
    })
}

#[test]
fn a_skipped_step_lets_the_next_run_and_a_failed_one_does_not() -> Result<()> {
    run(async |world| {
        world.create_all(&task("quick", "{}", "[]")).await?;
        world
            .create_all(&task("fails", r#"{fake-kubelet/exit: "3"}"#, "[]"))
            .await?;
        world
            .create_all(
                r"
apiVersion: jobwright.dev/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  inputs: [{name: full, type: boolean, value: false}]
  steps:
  - {name: skipped, when: inputs.full, task: {name: quick}}
  - {name: after_skipped, needs: [skipped], task: {name: quick}}
  - {name: let_pass, needs: [after_skipped], task: {name: fails}, onFailure: {then: Continue}}
  - {name: after_let_pass, needs: [let_pass], task: {name: quick}}
  - {name: fails, needs: [after_let_pass], task: {name: fails}}
  - {name: omitted, needs: [fails], task: {name: quick}}
",
            )
            .await?;
        let status = world
            .failed("w", 60, &Reason::StepFailed, &["step fails failed", "exit code 3"])
            .await?;
        for (name, phase) in [
            ("skipped", StepPhase::Skipped),
            ("after_skipped", StepPhase::Succeeded),
            ("let_pass", StepPhase::Failed),
            ("after_let_pass", StepPhase::Succeeded),
            ("fails", StepPhase::Failed),
            ("omitted", StepPhase::Omitted),
        ] {
            ensure!(
                step(&status, name)?.phase == phase,
                "{name} is {}",
                step(&status, name)?.phase
            );
        }
        world.ensure_invariants().await?;
        Ok(())
    })
}

#[test]
fn a_ttl_takes_the_job_away_once_its_result_is_stored() -> Result<()> {
    run(async |world| {
        let outputs = task(
            "said",
            r#"{fake-kubelet/message: '{"n": 5}', fake-kubelet/phase-ms: "600"}"#,
            "[{name: n, type: integer}]",
        );
        world.create_all(&outputs).await?;
        world
            .create_all(&chain("w", "said", 3, "  jobDefaults: {ttlSecondsAfterFinished: 0}"))
            .await?;
        let status = world.succeeded("w", 60).await?;
        ensure!(
            status
                .steps
                .values()
                .all(|step| step.outputs.get("n") == Some(&json!(5))),
            "{status:?}"
        );
        world.jobs_until(60, "no Job is left", BTreeMap::is_empty).await?;
        // The TTL comes after the result, for each: the checker holds the order.
        world.ensure_invariants().await?;
        let counts = Counts::of(&world.requests().await?);
        ensure!(counts.0.get("patch jobs") == Some(&3), "{counts}");
        // And they do not run again.
        let_pass(Duration::from_secs(2), "whether anything more happens").await;
        ensure!(world.ensure_invariants().await? == 3, "a Job was made again");
        Ok(())
    })
}

#[test]
fn the_total_time_of_a_run_ends_it() -> Result<()> {
    run(async |world| {
        world
            .create_all(&task(
                "endless",
                r#"{fake-kubelet/run-ms: "600000", fake-kubelet/term-exit: "0"}"#,
                "[]",
            ))
            .await?;
        world
            .create_all(&chain("w", "endless", 2, "  timeouts: {total: 2s}"))
            .await?;
        let status = world
            .failed("w", 60, &Reason::DeadlineExceeded, &["timeouts.total of 2s"])
            .await?;
        ensure!(step(&status, "s1")?.phase == StepPhase::Cancelled, "{status:?}");
        ensure!(step(&status, "s2")?.phase == StepPhase::Omitted, "{status:?}");
        world.jobs_until(30, "no Job is left", BTreeMap::is_empty).await?;
        Ok(())
    })
}

#[test]
fn sigterm_ends_the_operator_in_time_and_nothing_is_lost() -> Result<()> {
    run(async |world| {
        world
            .create_all(&task("short", r#"{fake-kubelet/run-ms: "800"}"#, "[]"))
            .await?;
        world.create_all(&chain("w", "short", 4, "")).await?;
        world
            .until("w", 30, "is at its second step", |s| {
                s.progress.as_ref().is_some_and(|p| p.done == 1)
            })
            .await?;
        let status = world.operator.stop(Duration::from_secs(15)).await?;
        ensure!(status.success(), "{status}");
        world.operator.start_again()?;
        world.succeeded("w", 30).await?;
        ensure!(world.ensure_invariants().await? == 4, "each step ran once");
        Ok(())
    })
}

#[test]
fn settings_of_the_operator_reach_jobs_and_enforced_ones_win() -> Result<()> {
    let config = "jobs: {defaults: {labels: {team: core}, nodeSelector: {disk: slow}}, enforced: {nodeSelector: {pool: batch}}, jobClasses: {fast: {nodeSelector: {disk: ssd}}}}";
    harness::run(Kubelet::Fake, config, async |world| {
        world
            .create_all(
                r"
apiVersion: jobwright.dev/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  steps:
  - {name: plain, job: {image: none}}
  - {name: fast, job: {image: none, class: fast, nodeSelector: {pool: mine}}}
",
            )
            .await?;
        world.succeeded("w", 30).await?;
        let jobs = world.jobs_until(5, "two Jobs", |jobs| jobs.len() == 2).await?;
        for (name, job) in jobs {
            let pod = job.spec.and_then(|spec| spec.template.spec).unwrap_or_default();
            let disk = if name.contains("fast") { "ssd" } else { "slow" };
            let expected = json!({ "disk": disk, "pool": "batch" });
            ensure!(json!(pod.node_selector) == expected, "{name}: {:?}", pod.node_selector);
            let labels = job.metadata.labels.unwrap_or_default();
            ensure!(
                labels.get("team").is_some_and(|team| team == "core"),
                "{name}: {labels:?}"
            );
        }
        Ok(())
    })
}
