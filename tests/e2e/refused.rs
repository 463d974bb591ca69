//! What keeps a container from starting: said in one word and the cluster's own, then ended in time.

use crate::{IMAGE, one, run};
use anyhow::{Result, ensure};
use jobwright_api::{Reason, StepPhase, SubStatus, WorkflowStatus};
use jobwright_tests::harness::{World, step};
use serde_json::json;
use std::collections::BTreeMap;

const LIMIT: &str = "    timeouts: {scheduleToStart: 8s}";

fn waits_for(word: SubStatus) -> impl Fn(&WorkflowStatus) -> bool {
    move |status| {
        status
            .steps
            .values()
            .any(|step| step.sub_status.as_ref() == Some(&word))
    }
}

/// It waits with the word, whose message says all of this, and fails once its time is over.
async fn refused(world: &World, definition: &str, because: SubStatus, says: &str) -> Result<()> {
    world.create_all(definition).await?;
    let status = world
        .until("w", 20, &format!("says {because}"), waits_for(because))
        .await?;
    let waiting = step(&status, "a")?;
    ensure!(
        waiting.message.as_deref().unwrap_or_default().contains(says),
        "{says:?} is not in {waiting:?}"
    );
    ensure!(waiting.phase == StepPhase::Scheduled, "{waiting:?}");
    let status = world
        .failed("w", 60, &Reason::StepFailed, &["scheduleToStart of 8s passed", says])
        .await?;
    ensure!(
        step(&status, "a")?.reason == Some(Reason::DeadlineExceeded),
        "{status:?}"
    );
    world.pods_until(60, "no pod is left", BTreeMap::is_empty).await?;
    world.ensure_invariants().await.map(drop)
}

#[test]
fn an_image_that_cannot_be_pulled() -> Result<()> {
    run(async |world| {
        let yaml = one("w", "true", LIMIT).replace(IMAGE, "registry.local/absent:1");
        refused(world, &yaml, SubStatus::ImagePull, "registry.local/absent:1").await
    })
}

#[test]
fn an_illegal_image_name() -> Result<()> {
    run(async |world| {
        let yaml = one("w", "true", LIMIT).replace(IMAGE, "'Not An Image!'");
        let complaint = world.kubectl_apply(&yaml).await?.complaint()?;
        ensure!(
            complaint.contains("spec.steps[0].job.image") && complaint.contains("host/name:tag"),
            "{complaint}"
        );
        // One that is known only when the step starts: there the kubelet says so.
        let computed = "    job:\n      fieldsFrom: [{field: image, expression: inputs.image}]\n";
        let more = format!("    inputs: [{{name: image, value: 'registry.local/Not/AnImage'}}]\n{LIMIT}");
        let yaml = one("w", "true", &more).replace("    job:\n", computed);
        refused(world, &yaml, SubStatus::ImagePull, "registry.local/Not/AnImage").await
    })
}

#[test]
fn a_missing_secret() -> Result<()> {
    run(async |world| {
        let env = "    job:\n      env: [{name: X, valueFrom: {secretKeyRef: {name: absent, key: k}}}]\n";
        let yaml = one("w", "true", LIMIT).replace("    job:\n", env);
        refused(world, &yaml, SubStatus::ConfigMissing, "absent").await
    })
}

#[test]
fn a_missing_config_map_of_a_volume() -> Result<()> {
    run(async |world| {
        let task = format!(
            "
apiVersion: jobwright.dev/v1alpha1
kind: Task
metadata: {{name: t}}
spec:
  timeouts: {{scheduleToStart: 8s}}
  job:
    image: {IMAGE}
    script: cat /x/k
    volumeMounts: [{{name: x, mountPath: /x}}]
    pod: {{volumes: [{{name: x, configMap: {{name: absent}}}}]}}
---
apiVersion: jobwright.dev/v1alpha1
kind: Workflow
metadata: {{name: w}}
spec: {{steps: [{{name: a, task: {{name: t}}}}]}}
"
        );
        world.create_all(&task).await?;
        // The kubelet says why in an event alone; that it did not start, the run says.
        world
            .failed("w", 60, &Reason::StepFailed, &["scheduleToStart of 8s passed"])
            .await?;
        Ok(())
    })
}

#[test]
fn a_secret_that_comes_late() -> Result<()> {
    run(async |world| {
        let env = "    job:\n      env: [{name: X, valueFrom: {secretKeyRef: {name: late, key: k}}}]\n";
        let yaml = one("w", r#"[ "$X" = yes ]"#, "").replace("    job:\n", env);
        world.create_all(&yaml).await?;
        world
            .until("w", 20, "says ConfigMissing", waits_for(SubStatus::ConfigMissing))
            .await?;
        let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "late" }, "stringData": { "k": "yes" } });
        world.create_all(&secret.to_string()).await?;
        let status = world.succeeded("w", 150).await?;
        ensure!(step(&status, "a")?.sub_status.is_none(), "{status:?}");
        Ok(())
    })
}
