//! What the cluster and its other users do to a run.

use crate::{chain, run, task};
use anyhow::{Context, Result, ensure};
use jobwright_api::{Reason, StepPhase, SubStatus, Task, Workflow, WorkflowStatus};
use jobwright_engine::{
    id::{RunIdentity, StepId},
    job::job_name,
};
use jobwright_tests::harness::wait::let_pass;
use jobwright_tests::harness::{World, step};
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Namespace, ResourceQuota},
};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;
use std::collections::BTreeMap;

/// Whether the first step waits for this.
fn waits_for(word: SubStatus) -> impl Fn(&WorkflowStatus) -> bool {
    move |status| {
        status
            .steps
            .values()
            .any(|step| step.sub_status.as_ref() == Some(&word))
    }
}

fn is_running(status: &WorkflowStatus) -> bool {
    status.steps.values().any(|step| step.phase == StepPhase::Running)
}

/// One step that runs for a while, and one after it.
async fn create_running(world: &World, run_ms: u32) -> Result<WorkflowStatus> {
    let annotations = format!(r#"{{fake-kubelet/run-ms: "{run_ms}"}}"#);
    world.create_all(&task("long", &annotations, "[]")).await?;
    world.create_all(&chain("w", "long", 2, "")).await?;
    world.until("w", 30, "runs", is_running).await
}

fn quota(name: &str, hard: &str) -> String {
    format!("apiVersion: v1\nkind: ResourceQuota\nmetadata: {{name: {name}}}\nspec: {{hard: {hard}}}")
}

#[test]
fn a_job_denied_by_quota_waits_and_goes_on() -> Result<()> {
    run(async |world| {
        world.create_all(&quota("none", r#"{count/jobs.batch: "0"}"#)).await?;
        world.create_all(&task("quick", "{}", "[]")).await?;
        world.create_all(&chain("w", "quick", 2, "")).await?;
        let status = world
            .until("w", 30, "says QuotaBlocked", waits_for(SubStatus::QuotaBlocked))
            .await?;
        let blocked = step(&status, "s1")?;
        ensure!(blocked.phase == StepPhase::Queued, "{blocked:?}");
        ensure!(
            blocked.message.as_deref().unwrap_or_default().contains("quota"),
            "{blocked:?}"
        );
        world.delete::<ResourceQuota>("none").await?;
        world.succeeded("w", 90).await?;
        Ok(())
    })
}

#[test]
fn a_pod_denied_by_quota_says_so_and_goes_on() -> Result<()> {
    run(async |world| {
        world.create_all(&quota("none", r#"{pods: "0"}"#)).await?;
        world.create_all(&task("quick", "{}", "[]")).await?;
        world.create_all(&chain("w", "quick", 1, "")).await?;
        let status = world
            .until("w", 30, "says QuotaBlocked", waits_for(SubStatus::QuotaBlocked))
            .await?;
        let words = step(&status, "s1")?.message.clone().unwrap_or_default();
        ensure!(words.contains("quota"), "{words}");
        world.delete::<ResourceQuota>("none").await?;
        world.succeeded("w", 120).await?;
        Ok(())
    })
}

#[test]
fn a_pod_denied_by_pod_security_says_so() -> Result<()> {
    run(async |world| {
        let labels = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "restricted" } } });
        let namespaces: Api<Namespace> = Api::all(world.client.clone());
        namespaces
            .patch(&world.namespace, &PatchParams::default(), &Patch::Merge(labels))
            .await?;
        let strong = task("strong", "{}", "[]").replace(
            "image: none",
            "image: none, securityContext: {runAsNonRoot: false, runAsUser: 0}",
        );
        world.create_all(&strong).await?;
        let (reason, message) = world.task_ready("strong", "False", 20).await?;
        ensure!(
            reason == "PodRefused" && message.contains("PodSecurity"),
            "{reason}: {message}"
        );
        world
            .create_all(
                &chain("w", "strong", 1, "")
                    .replace("{name: strong}", "{name: strong}, timeouts: {scheduleToStart: 6s}"),
            )
            .await?;
        let status = world
            .until("w", 30, "says PodRefused", waits_for(SubStatus::PodRefused))
            .await?;
        let words = step(&status, "s1")?.message.clone().unwrap_or_default();
        ensure!(words.contains("PodSecurity"), "{words}");
        let status = world
            .failed("w", 30, &Reason::StepFailed, &["scheduleToStart of 6s", "PodSecurity"])
            .await?;
        ensure!(
            step(&status, "s1")?.reason == Some(Reason::DeadlineExceeded),
            "{status:?}"
        );
        // A plain pod is taken there: ours are restricted unless a Task says otherwise.
        world.create_all(&task("plain", "{}", "[]")).await?;
        world.task_ready("plain", "True", 20).await?;
        world.create_all(&chain("fine", "plain", 1, "")).await?;
        world.succeeded("fine", 30).await?;
        Ok(())
    })
}

#[test]
fn a_foreign_job_with_our_name_is_left_alone() -> Result<()> {
    run(async |world| {
        create_running(world, 2500).await?;
        let workflow = world.workflow("w").await?;
        let identity = RunIdentity {
            namespace: world.namespace.clone(),
            name: "w".to_owned(),
            uid: workflow.uid().context("no uid")?,
            run: 1,
        };
        let name = job_name(&identity, &StepId::root("s2"), 1);
        let foreign = format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}}}\nspec: {{suspend: true, template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: none}}]}}}}}}"
        );
        world.create_all(&foreign).await?;
        let before = world.api::<Job>().get(&name).await?;
        let status = world
            .failed("w", 30, &Reason::StepFailed, &["NameTaken", &name])
            .await?;
        ensure!(step(&status, "s2")?.reason == Some(Reason::NameTaken), "{status:?}");
        let after = world.api::<Job>().get(&name).await?;
        ensure!(
            before.uid() == after.uid() && after.metadata.deletion_timestamp.is_none(),
            "it was touched"
        );
        ensure!(before.spec == after.spec, "it was changed");
        Ok(())
    })
}

#[test]
fn a_job_deleted_by_hand_is_a_lost_result_and_never_runs_again() -> Result<()> {
    run(async |world| {
        let status = create_running(world, 60_000).await?;
        let job = step(&status, "s1")?
            .attempts
            .recent
            .first()
            .context("no attempt")?
            .job
            .clone();
        world.delete::<Job>(&job).await?;
        let status = world.failed("w", 30, &Reason::StepFailed, &["s1"]).await?;
        let lost = step(&status, "s1")?;
        ensure!(
            matches!(lost.reason, Some(Reason::ResultLost | Reason::Interrupted)),
            "{:?} {:?}",
            lost.reason,
            lost.message
        );
        ensure!(
            lost.reason == Some(Reason::ResultLost),
            "{:?}: {:?}",
            lost.reason,
            lost.message
        );
        ensure!(step(&status, "s2")?.phase == StepPhase::Omitted, "{status:?}");
        ensure!(world.ensure_invariants().await? == 1, "it is not run again");
        Ok(())
    })
}

#[test]
fn a_task_edited_or_deleted_mid_run_changes_nothing() -> Result<()> {
    run(async |world| {
        world
            .create_all(&task(
                "next",
                r#"{fake-kubelet/message: '{"n": 1}'}"#,
                "[{name: n, type: integer}]",
            ))
            .await?;
        world
            .create_all(&task(
                "gone",
                r#"{fake-kubelet/message: '{"n": 1}'}"#,
                "[{name: n, type: integer}]",
            ))
            .await?;
        world
            .create_all(&task("first", r#"{fake-kubelet/run-ms: "2500"}"#, "[]"))
            .await?;
        world
            .create_all(
                r"
apiVersion: jobwright.dev/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  steps:
  - {name: a, task: {name: first}}
  - {name: b, needs: [a], task: {name: next}}
  - {name: c, needs: [b], task: {name: gone}}
  outputs: [{name: n, type: integer, expression: steps.b.outputs.n + steps.c.outputs.n}]
",
            )
            .await?;
        world.until("w", 30, "runs", is_running).await?;
        let edit = json!({ "spec": {
            "outputs": [{ "name": "other" }],
            "job": { "image": "other", "metadata": { "annotations": { "fake-kubelet/exit": "1" } } },
        }});
        world.patch::<Task>("next", edit).await?;
        world.delete::<Task>("gone").await?;
        let status = world.succeeded("w", 30).await?;
        ensure!(status.outputs.get("n") == Some(&json!(2)), "{:?}", status.outputs);
        Ok(())
    })
}

#[test]
fn a_workflow_deleted_mid_run_takes_everything_along() -> Result<()> {
    run(async |world| {
        create_running(world, 60_000).await?;
        world.delete::<Workflow>("w").await?;
        world.jobs_until(60, "no Job is left", BTreeMap::is_empty).await?;
        world.pods_until(60, "no pod is left", BTreeMap::is_empty).await?;
        let_pass(std::time::Duration::from_secs(3), "whether anything comes back").await;
        world.jobs_until(5, "no Job is left", BTreeMap::is_empty).await?;
        let log = world.operator.log();
        ensure!(!log.contains("ERROR") && !log.contains("panic"), "{log}");
        // The same name again is another run.
        world
            .create_all(&chain("w", "long", 1, "").replace("task: {name: long}", "job: {image: none}"))
            .await?;
        world.succeeded("w", 30).await?;
        Ok(())
    })
}

#[test]
fn an_evicted_pod_is_tried_again_on_the_platforms_budget() -> Result<()> {
    run(async |world| {
        world
            .create_all(&task("unlucky", r#"{fake-kubelet/evict: "yes"}"#, "[]"))
            .await?;
        world.create_all(&chain("w", "unlucky", 1, "")).await?;
        let status = world.failed("w", 60, &Reason::StepFailed, &["Evicted"]).await?;
        let unlucky = step(&status, "s1")?;
        ensure!(unlucky.attempts.platform_failures >= 3, "{:?}", unlucky.attempts);
        ensure!(unlucky.attempts.count == 4, "three more tries: {:?}", unlucky.attempts);
        Ok(())
    })
}
