//! Templates, and Workflows that run for steps of others.

use crate::{chain, run, task};
use anyhow::{Context, Result, ensure};
use jobwright_api::{Reason, Workflow, WorkflowPhase, WorkflowTemplate, WorkflowTemplateStatus, meta::label};
use jobwright_tests::harness::{
    World,
    wait::{let_pass, wait},
};
use kube::{ResourceExt, api::ListParams};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

const HANGS: &str = r#"{fake-kubelet/run-ms: "600000"}"#;

/// A template of these steps.
fn template(name: &str, steps: &str) -> String {
    format!(
        "---\napiVersion: jobwright.dev/v1alpha1\nkind: WorkflowTemplate\nmetadata: {{name: {name}}}\nspec:\n  steps:\n{steps}\n"
    )
}

/// A Workflow of these steps, with what else its spec has.
fn workflow(name: &str, steps: &str, more: &str) -> String {
    format!(
        "---\napiVersion: jobwright.dev/v1alpha1\nkind: Workflow\nmetadata: {{name: {name}}}\nspec:\n{more}\n  steps:\n{steps}\n"
    )
}

/// Waits until `Ready` of a template is so, for this reason.
async fn ready(world: &World, name: &str, value: &str, reason: &str) -> Result<WorkflowTemplateStatus> {
    let fits = |template: &WorkflowTemplate| {
        let status = template.status.iter();
        let mut conditions = status.flat_map(|status| &status.conditions);
        let is_current =
            template.status.as_ref().and_then(|status| status.observed_generation) == template.metadata.generation;
        is_current && conditions.any(|ready| ready.status == value && ready.reason == reason)
    };
    let what = format!("is Ready={value}, {reason}");
    let found = wait(
        &world.api::<WorkflowTemplate>(),
        name,
        Duration::from_secs(20),
        &what,
        fits,
    )
    .await?;
    found.status.context("it was there a moment ago")
}

/// All Workflows that run for steps of others.
async fn children(world: &World) -> Result<Vec<Workflow>> {
    let list = ListParams::default().labels(label::PARENT_UID);
    Ok(world.api::<Workflow>().list(&list).await?.items)
}

#[test]
fn a_template_says_whether_a_run_of_it_could_begin_now() -> Result<()> {
    run(async |world| {
        let outer = template("outer", "  - {name: c, workflow: {templateRef: {name: inner}}}");
        world.create_all(&outer).await?;
        ready(world, "outer", "False", "TemplateNotFound").await?;
        world
            .create_all(&template("inner", "  - {name: a, task: {name: quick}}"))
            .await?;
        ready(world, "outer", "False", "TaskNotFound").await?;
        world.create_all(&task("quick", "{}", "[]")).await?;
        ready(world, "outer", "True", "Accepted").await?;
        let first = ready(world, "inner", "True", "Accepted").await?;
        ensure!(first.revision == Some(1), "{first:?}");
        let with = |total: serde_json::Value| json!({ "spec": { "timeouts": total } });
        world
            .patch::<WorkflowTemplate>("inner", with(json!({ "total": "5m" })))
            .await?;
        let second = ready(world, "inner", "True", "Accepted").await?;
        ensure!(second.revision == Some(2) && second.hash != first.hash, "{second:?}");
        world.patch::<WorkflowTemplate>("inner", with(json!(null))).await?;
        let third = ready(world, "inner", "True", "Accepted").await?;
        ensure!(third.revision == Some(3) && third.hash == first.hash, "{third:?}");
        world.delete::<WorkflowTemplate>("inner").await?;
        ready(world, "outer", "False", "TemplateNotFound").await?;
        Ok(())
    })
}

#[test]
fn a_run_keeps_the_templates_it_began_with() -> Result<()> {
    run(async |world| {
        world.create_all(&task("quick", "{}", "[]")).await?;
        world
            .create_all(&template("t", "  - {name: a, task: {name: quick}}"))
            .await?;
        let of_template = "apiVersion: jobwright.dev/v1alpha1\nkind: Workflow\nmetadata: {name: own}\nspec: {templateRef: {name: t}}\n";
        let known = ready(world, "t", "True", "Accepted").await?;
        world.create_all(of_template).await?;
        let own = world.succeeded("own", 30).await?;
        let used = own.template.context("no template in the status")?;
        ensure!(
            (Some(&used.hash), used.revision) == (known.hash.as_ref(), Some(1)),
            "{used:?}"
        );
        let late = "  - {name: w, wait: {for: 3s}}\n  - {name: c, needs: [w], workflow: {templateRef: {name: t}}}";
        world.create_all(&workflow("late", late, "")).await?;
        world
            .until("late", 30, "has begun", |status| status.snapshot.is_some())
            .await?;
        let two = json!([{"name": "a", "task": {"name": "quick"}}, {"name": "b", "task": {"name": "quick"}}]);
        world
            .patch::<WorkflowTemplate>("t", json!({ "spec": { "steps": two } }))
            .await?;
        world.delete::<WorkflowTemplate>("t").await?;
        world.succeeded("late", 30).await?;
        let children = children(world).await?;
        let [child] = children.as_slice() else {
            anyhow::bail!("{} children", children.len());
        };
        let status = child.status.clone().unwrap_or_default();
        ensure!(
            status.steps.len() == 1,
            "the child runs what the template became: {:?}",
            status.steps
        );
        ensure!(
            status
                .template
                .is_some_and(|template| Some(template.hash) == known.hash)
        );
        world.ensure_invariants().await?;
        Ok(())
    })
}

#[test]
fn the_end_of_a_parent_ends_its_children_three_deep() -> Result<()> {
    run(async |world| {
        world.create_all(&task("hangs", HANGS, "[]")).await?;
        world
            .create_all(&template("deepest", "  - {name: s, task: {name: hangs}}"))
            .await?;
        world
            .create_all(&template(
                "deep",
                "  - {name: c, workflow: {templateRef: {name: deepest}}}",
            ))
            .await?;
        world
            .create_all(&template(
                "high",
                "  - {name: c, workflow: {templateRef: {name: deep}}}",
            ))
            .await?;
        let steps = "  - {name: c, workflow: {templateRef: {name: high}}}";
        world
            .create_all(&workflow("top", steps, "  timeouts: {total: 4s}"))
            .await?;
        world
            .jobs_until(20, "a Job at the bottom", |jobs| jobs.len() == 1)
            .await?;
        world.failed("top", 30, &Reason::DeadlineExceeded, &[]).await?;
        let children = children(world).await?;
        ensure!(children.len() == 3, "{} children", children.len());
        for child in children {
            let phase = child.status.as_ref().and_then(|status| status.phase);
            ensure!(
                phase == Some(WorkflowPhase::Terminated),
                "{} is {phase:?}",
                child.name_any()
            );
        }
        world.jobs_until(10, "no Job", BTreeMap::is_empty).await?;
        world.ensure_invariants().await?;
        Ok(())
    })
}

#[test]
fn an_abandoned_child_outlives_its_parent() -> Result<()> {
    run(async |world| {
        world
            .create_all(&task("slow", r#"{fake-kubelet/run-ms: "3000"}"#, "[]"))
            .await?;
        world
            .create_all(&template("t", "  - {name: s, task: {name: slow}}"))
            .await?;
        let steps = "  - {name: c, workflow: {templateRef: {name: t}, wait: false, onParentClose: Abandon}}";
        world.create_all(&workflow("w", steps, "")).await?;
        world.succeeded("w", 30).await?;
        world.delete::<Workflow>("w").await?;
        let children = children(world).await?;
        let [child] = children.as_slice() else {
            anyhow::bail!("{} children", children.len());
        };
        world.succeeded(&child.name_any(), 30).await?;
        Ok(())
    })
}

#[test]
fn a_deleted_parent_takes_its_children_along() -> Result<()> {
    run(async |world| {
        world.create_all(&task("hangs", HANGS, "[]")).await?;
        world
            .create_all(&template("t", "  - {name: s, task: {name: hangs}}"))
            .await?;
        world
            .create_all(&workflow("w", "  - {name: c, workflow: {templateRef: {name: t}}}", ""))
            .await?;
        world.jobs_until(20, "a Job", |jobs| jobs.len() == 1).await?;
        world.delete::<Workflow>("w").await?;
        world.jobs_until(30, "no Job", BTreeMap::is_empty).await?;
        ensure!(children(world).await?.is_empty());
        Ok(())
    })
}

#[test]
fn a_foreign_workflow_under_the_name_of_a_child_is_left_alone() -> Result<()> {
    run(async |world| {
        world.create_all(&task("quick", "{}", "[]")).await?;
        world
            .create_all(&template("t", "  - {name: s, task: {name: quick}}"))
            .await?;
        let steps = "  - {name: w, wait: {for: 2s}}\n  - {name: c, needs: [w], workflow: {templateRef: {name: t}}}";
        world.create_all(&workflow("p", steps, "")).await?;
        let uid = world.workflow("p").await?.uid().unwrap_or_default();
        let identity = jobwright_engine::id::RunIdentity {
            namespace: world.namespace.clone(),
            name: "p".to_owned(),
            uid,
            run: 1,
        };
        let name = jobwright_engine::job::job_name(&identity, &jobwright_engine::id::StepId::root("c"), 1);
        world.create_all(&chain(&name, "quick", 1, "")).await?;
        let status = world.failed("p", 30, &Reason::StepFailed, &[&name]).await?;
        ensure!(
            status.steps["c"].reason == Some(Reason::NameTaken),
            "{:?}",
            status.steps["c"]
        );
        world.succeeded(&name, 30).await?;
        Ok(())
    })
}

#[test]
fn killed_at_any_moment_no_child_is_made_twice() -> Result<()> {
    run(async |world| {
        let outputs = "[{name: n, type: integer}]";
        let gives = r#"{fake-kubelet/message: '{"n": 2}', fake-kubelet/run-ms: "200"}"#;
        world.create_all(&task("gives", gives, outputs)).await?;
        let steps = "  - {name: a, task: {name: gives}}\n  - {name: b, needs: [a], task: {name: gives}}\n  outputs: [{name: n, type: integer, expression: steps.b.outputs.n}]";
        world.create_all(&template("t", steps)).await?;
        let steps = "  - {name: f, forEach: {count: 6}, workflow: {templateRef: {name: t}}}\n  - {name: z, needs: [f], task: {name: gives}}\n  outputs: [{name: sum, type: integer, expression: 'sum(steps.f.results.map(r, r.n)) + steps.z.outputs.n'}]";
        world.create_all(&workflow("w", steps, "")).await?;
        let seed = jiff::Timestamp::now().as_microsecond().unsigned_abs();
        for kill in 0..15_u64 {
            let lives = Duration::from_millis(seed.wrapping_mul(kill.wrapping_add(7)) % 700);
            world.operator.start_again()?; // kills the one before
            let_pass(lives, "the moment of the next kill").await;
        }
        world.operator.start_again()?;
        let status = world.succeeded("w", 90).await?;
        ensure!(
            status.outputs.get("sum") == Some(&json!(14)),
            "seed {seed}: {:?}",
            status.outputs
        );
        let made = children(world).await?.len();
        ensure!(made == 6, "seed {seed}: {made} children");
        let jobs = world.ensure_invariants().await?;
        ensure!(jobs == 13, "seed {seed}: {jobs} Jobs");
        Ok(())
    })
}
