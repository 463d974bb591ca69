//! Definitions that cannot run: each says what is wrong, where and what to do, and nothing else stops.

use crate::{chain, run, task};
use anyhow::{Result, ensure};
use jobwright_api::{Reason, WorkflowPhase};
use jobwright_tests::{
    audit::counts::Counts,
    harness::{World, documents},
};

/// A Workflow named `bad` with these steps.
fn bad(steps: &str) -> String {
    format!("apiVersion: jobwright.dev/v1alpha1\nkind: Workflow\nmetadata: {{name: bad}}\nspec: {{steps: [{steps}]}}")
}

/// It ends with the reason and says all of this; no Job is made.
fn refused(steps: &str, reason: &Reason, says: &[&str]) -> Result<()> {
    run(async |world| {
        world.create_all(&bad(steps)).await?;
        let status = world.failed("bad", 30, reason, says).await?;
        let stalled = status.conditions.iter().find(|condition| condition.type_ == "Stalled");
        ensure!(
            stalled.is_some_and(|condition| condition.status == "True" && condition.reason == reason.to_string()),
            "Stalled=True with the reason: {stalled:?}"
        );
        let counts = Counts::of(&world.requests().await?);
        ensure!(!counts.0.contains_key("create jobs"), "{counts}");
        ensure!(counts.total() <= 3, "told once: {counts}");
        Ok(())
    })
}

/// The API server does not take it, with all of these words.
async fn not_admitted(world: &World, yaml: &str, says: &[&str]) -> Result<()> {
    for object in documents(yaml)? {
        let Err(error) = world.create_one(object).await else {
            anyhow::bail!("it was taken, but should be refused with {says:?}");
        };
        let words = format!("{error:#}");
        let missing = says.iter().find(|part| !words.contains(**part));
        ensure!(missing.is_none(), "the refusal should say {missing:?}: {words}");
    }
    Ok(())
}

const JOB: &str = "job: {image: none}";

#[test]
fn a_cycle_is_named_in_full() -> Result<()> {
    let steps = format!(
        "{{name: a, needs: [c], {JOB}}}, {{name: b, needs: [a], {JOB}}}, {{name: c, needs: [b], {JOB}}}, {{name: d, {JOB}}}"
    );
    refused(&steps, &Reason::Cycle, &["spec.steps[", "needs", "a", "b", "c", "->"])
}

#[test]
fn a_step_that_needs_itself_is_refused() -> Result<()> {
    run(async |world| {
        let steps = format!("{{name: a, needs: [a], {JOB}}}");
        not_admitted(
            world,
            &bad(&steps),
            &["spec.steps[0].needs", "a step cannot need itself"],
        )
        .await
    })
}

#[test]
fn an_unknown_need_is_named_with_the_nearest_step() -> Result<()> {
    let steps = format!("{{name: fetch, {JOB}}}, {{name: b, needs: [fetsh], {JOB}}}");
    refused(
        &steps,
        &Reason::UnknownNeed,
        &["spec.steps[1].needs[0]", "fetsh", "fetch"],
    )
}

#[test]
fn a_reference_to_a_later_step_says_which_need_to_add() -> Result<()> {
    let first = "{name: a, job: {image: none}, inputs: [{name: x, expression: steps.b.phase}]}";
    let steps = format!("{first}, {{name: b, {JOB}}}");
    refused(
        &steps,
        &Reason::NotUpstream,
        &["spec.steps[0].inputs[0].expression", "add b to needs"],
    )
}

#[test]
fn an_expression_that_does_not_parse_says_where() -> Result<()> {
    let steps = r#"{name: a, job: {image: none}, when: "1 +* 2"}"#;
    refused(steps, &Reason::ExpressionError, &["spec.steps[0].when"])
}

#[test]
fn an_expression_of_the_wrong_type_says_which_is_wanted() -> Result<()> {
    let steps = r"{name: a, job: {image: none}, when: '1 + 2'}";
    refused(steps, &Reason::ExpressionError, &["spec.steps[0].when", "int", "bool"])
}

#[test]
fn an_expression_that_adds_a_string_to_a_number_is_refused() -> Result<()> {
    let steps = r#"{name: a, job: {image: none}, inputs: [{name: x, expression: '1 + "a"'}]}"#;
    refused(steps, &Reason::ExpressionError, &["spec.steps[0].inputs[0].expression"])
}

#[test]
fn an_expression_of_three_kibibytes_is_refused_with_the_limit() -> Result<()> {
    run(async |world| {
        let long = format!("true || {}", "x".repeat(3072));
        let steps = format!("{{name: a, {JOB}, when: '{long}'}}");
        not_admitted(world, &bad(&steps), &["spec.steps[0].when", "2048"]).await
    })
}

#[test]
fn names_that_are_there_twice_are_refused() -> Result<()> {
    run(async |world| {
        let steps = format!("{{name: a, {JOB}}}, {{name: a, {JOB}}}");
        not_admitted(world, &bad(&steps), &["Duplicate value", "spec.steps[1]"]).await
    })
}

#[test]
fn a_step_without_a_kind_is_told_which_there_are() -> Result<()> {
    run(async |world| not_admitted(world, &bad("{name: a}"), &["task", "job"]).await)
}

#[test]
fn an_unknown_task_is_waited_for() -> Result<()> {
    run(async |world| {
        world.create_all(&chain("early", "late", 2, "")).await?;
        let waits = |status: &jobwright_api::WorkflowStatus| status.reason == Some(Reason::TaskNotFound);
        let status = world.until("early", 20, "says TaskNotFound", waits).await?;
        ensure!(status.phase == Some(WorkflowPhase::Pending), "{:?}", status.phase);
        let message = status.message.unwrap_or_default();
        ensure!(
            message.contains("late") && message.contains("spec.steps[0].task"),
            "{message}"
        );
        world.create_all(&task("late", "{}", "[]")).await?;
        world.succeeded("early", 20).await?;
        Ok(())
    })
}

#[test]
fn names_of_253_characters_run() -> Result<()> {
    run(async |world| {
        let label = "n".repeat(61);
        let name = format!("{label}.{label}.{label}.{label}.{}", "m".repeat(5));
        ensure!(name.len() == 253, "{}", name.len());
        let twin = format!("{}k", &name[..252]);
        let step = "s".repeat(40);
        for name in [&name, &twin] {
            world.create_all(&task(name, "{}", "[]")).await?;
            let yaml = chain(name, name, 2, "").replace("s1", &step);
            world.create_all(&yaml).await?;
        }
        for name in [&name, &twin] {
            world.succeeded(name, 60).await?;
        }
        let jobs = world.jobs_until(10, "four Jobs", |jobs| jobs.len() == 4).await?;
        ensure!(jobs.keys().all(|name| name.len() <= 63), "{:?}", jobs.keys());
        Ok(())
    })
}

#[test]
fn one_bad_workflow_among_a_hundred_stops_no_other() -> Result<()> {
    run(async |world| {
        world.create_all(&task("quick", "{}", "[]")).await?;
        for number in 0..100 {
            let name = format!("w{number}");
            let yaml = match number % 25 {
                7 => bad(&format!(
                    "{{name: a, needs: [b], {JOB}}}, {{name: b, needs: [a], {JOB}}}"
                ))
                .replace("name: bad", &format!("name: {name}")),
                9 => chain(&name, "absent", 2, ""),
                _ => chain(&name, "quick", 2, ""),
            };
            world.create_all(&yaml).await?;
        }
        for number in 0..100 {
            let name = format!("w{number}");
            match number % 25 {
                7 => drop(world.failed(&name, 120, &Reason::Cycle, &["a -> b"]).await?),
                9 => {}
                _ => drop(world.succeeded(&name, 120).await?),
            }
        }
        Ok(())
    })
}

#[test]
fn a_task_says_what_is_wrong_with_it() -> Result<()> {
    run(async |world| {
        world.create_all(&task("fine", "{}", "[]")).await?;
        world.task_ready("fine", "True", 20).await?;
        let cases = [
            (
                "mount",
                "job: {image: none, volumeMounts: [{name: absent, mountPath: /x}]}",
                "absent",
            ),
            (
                "account",
                "job: {image: none, pod: {serviceAccountName: nobody}}",
                "nobody",
            ),
            (
                "default",
                "job: {image: none}, inputs: [{name: a, type: integer, default: x}]",
                "integer",
            ),
        ];
        for (name, spec, _) in cases {
            let yaml =
                format!("apiVersion: jobwright.dev/v1alpha1\nkind: Task\nmetadata: {{name: {name}}}\nspec: {{{spec}}}");
            world.create_all(&yaml).await?;
        }
        for (name, _, says) in cases {
            let (reason, message) = world.task_ready(name, "False", 20).await?;
            ensure!(
                message.contains(says) && !reason.is_empty(),
                "{name}: {reason}: {message:?} should say {says:?}"
            );
        }
        Ok(())
    })
}
