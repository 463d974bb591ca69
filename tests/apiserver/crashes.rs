//! The operator is killed at any moment: it changes nothing but time.

use crate::{run, task};
use anyhow::{Result, ensure};
use jobwright_api::{Workflow, WorkflowPhase};
use jobwright_tests::harness::World;
use jobwright_tests::harness::wait::let_pass;
use kube::{ResourceExt, api::ListParams};
use serde_json::json;
use std::{fmt::Write, time::Duration};

const WORKFLOWS: u32 = 8;
const KILLS: u32 = 25;

/// A small generator: the moments differ in each run, and a failure names their seed.
struct Moments(u64);

impl Moments {
    fn next(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A graph that has all that can be lost: outputs that flow, a retry, a skip, a TTL.
fn graph(name: &str) -> String {
    let mut text = format!(
        "---\napiVersion: jobwright.dev/v1alpha1\nkind: Workflow\nmetadata: {{name: {name}}}\nspec:\n  jobDefaults: {{ttlSecondsAfterFinished: 1}}\n  steps:\n  - {{name: first, task: {{name: gives}}}}\n"
    );
    for number in 1..=5 {
        writeln!(
            text,
            "  - {{name: side{number}, needs: [first], task: {{name: takes}}, inputs: [{{name: n, expression: steps.first.outputs.n + {number}}}]}}"
        )
        .ok();
    }
    text.push_str(
        "  - {name: fails, needs: [first], task: {name: fails}, onFailure: {then: Continue}}
  - {name: skipped, needs: [fails], when: 'false', task: {name: takes}, inputs: [{name: n, value: 1}]}
  - {name: end, needs: [side1, side2, side3, side4, side5, skipped], task: {name: ends}}
  outputs:
  - {name: sum, type: integer, expression: 'steps.side1.outputs.n + steps.side5.outputs.n + steps.end.outputs.n'}
",
    );
    text
}

async fn create(world: &World) -> Result<()> {
    let gives = r#"{fake-kubelet/message: '{"n": 3}', fake-kubelet/run-ms: "150", fake-kubelet/phase-ms: "300"}"#;
    world
        .create_all(&task("gives", gives, "[{name: n, type: integer}]"))
        .await?;
    let ends = r#"{fake-kubelet/message: '{"n": 3}', fake-kubelet/run-ms: "1500"}"#;
    world
        .create_all(&task("ends", ends, "[{name: n, type: integer}]"))
        .await?;
    let takes = r#"{fake-kubelet/message: '{"n": 4}', fake-kubelet/run-ms: "250", fake-kubelet/phase-ms: "100"}"#;
    let takes = task("takes", takes, "[{name: n, type: integer}]")
        .replace("spec:\n", "spec:\n  inputs: [{name: n, type: integer}]\n");
    world.create_all(&takes).await?;
    let fails = task("fails", r#"{fake-kubelet/exit: "1", fake-kubelet/run-ms: "100"}"#, "[]");
    let fails = fails.replace(
        "spec:\n",
        "spec:\n  retry: {maxAttempts: 2, backoff: {initial: 300ms}}\n",
    );
    world.create_all(&fails).await
}

#[test]
fn killed_at_random_moments_every_step_still_runs_once() -> Result<()> {
    run(async |world| {
        let seed = jiff::Timestamp::now().as_microsecond().unsigned_abs();
        let mut moments = Moments(seed);
        create(world).await?;
        for number in 0..WORKFLOWS {
            world.create_all(&graph(&format!("w{number}"))).await?;
        }
        for _ in 0..KILLS {
            let lives = Duration::from_millis(moments.next(900));
            world.operator.start_again()?; // kills the one before
            let_pass(lives, "the moment of the next kill").await;
        }
        world.operator.start_again()?;
        for number in 0..WORKFLOWS {
            let status = world
                .succeeded(&format!("w{number}"), 120)
                .await
                .map_err(|e| e.context(format!("seed {seed}")))?;
            ensure!(
                status.outputs.get("sum") == Some(&json!(11)),
                "seed {seed}: {:?}",
                status.outputs
            );
        }
        let jobs = world
            .ensure_invariants()
            .await
            .map_err(|e| e.context(format!("seed {seed}")))?;
        let expected = usize::try_from(WORKFLOWS * 9)?;
        ensure!(jobs == expected, "seed {seed}: {jobs} Jobs instead of {expected}");
        Ok(())
    })
}

#[test]
fn killed_right_after_the_start_and_at_the_end() -> Result<()> {
    run(async |world| {
        create(world).await?;
        world.operator.kill()?;
        world.create_all(&graph("w")).await?;
        world.operator.start_again()?;
        world.until("w", 30, "has begun", |status| status.run.is_some()).await?;
        world.operator.start_again()?;
        let almost =
            |status: &jobwright_api::WorkflowStatus| status.progress.as_ref().is_some_and(|p| p.done + 1 == p.total);
        world.until("w", 60, "has one step left", almost).await?;
        world.operator.kill()?;
        // Its last Job ends while nobody looks.
        let_pass(Duration::from_secs(2), "the restarted operator has looked at all").await;
        world.operator.start_again()?;
        world.succeeded("w", 60).await?;
        world.operator.start_again()?;
        let_pass(Duration::from_secs(2), "whether a finished run is touched again").await;
        ensure!(world.ensure_invariants().await? == 9, "each attempt has one Job");
        let all = world.api::<Workflow>().list(&ListParams::default()).await?;
        for workflow in all {
            let phase = workflow.status.as_ref().and_then(|status| status.phase);
            ensure!(
                phase == Some(WorkflowPhase::Succeeded),
                "{} is {phase:?}",
                workflow.name_any()
            );
        }
        Ok(())
    })
}
