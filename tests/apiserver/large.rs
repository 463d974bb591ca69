//! Runs of many steps: what has ended moves into records, and is read from there.

use crate::{run, task};
use anyhow::{Context, Result, ensure};
use jobwright_api::{RecordKind, WorkflowRecord, WorkflowStatus};
use jobwright_tests::harness::World;
use kube::api::ListParams;
use serde_json::json;

/// etcd rewrites an object whole at each write, and refuses one above 1.5 MiB.
const STATUS_BYTES_MAX: usize = 512 * 1024;

const ONE: &str = r#"{fake-kubelet/message: '{"n": 1}', fake-kubelet/run-ms: "1"}"#;

async fn ensure_sealed(world: &World, status: &WorkflowStatus, steps: u32) -> Result<()> {
    let progress = status.progress.clone().unwrap_or_default();
    ensure!(progress.done == steps, "{progress:?}");
    let bytes = serde_json::to_vec(status)?.len();
    ensure!(bytes < STATUS_BYTES_MAX, "{bytes} bytes");
    // Those of the last seconds are shown: their Jobs are not over yet for the Job controller.
    ensure!(
        status.steps.len() < steps as usize - 32,
        "{} steps are shown",
        status.steps.len()
    );
    let records = world.api::<WorkflowRecord>().list(&ListParams::default()).await?;
    let pages = records
        .items
        .iter()
        .filter(|record| record.spec.kind == RecordKind::Page);
    let sealed: u32 = status.records.values().map(|record| record.total).sum();
    ensure!(
        pages.clone().count() >= status.records.len() && sealed > 0,
        "{sealed} steps in {} records",
        status.records.len()
    );
    let owned = |record: &WorkflowRecord| {
        record
            .metadata
            .owner_references
            .as_ref()
            .is_some_and(|owners| owners.len() == 1)
    };
    ensure!(pages.clone().all(owned), "pages go with their Workflow");
    Ok(())
}

#[test]
fn a_fork_of_two_hundred_items_is_summed_up() -> Result<()> {
    run(async |world| {
        world
            .create_all(&(task("one", ONE, "[{name: n, type: integer}]") + FORK))
            .await?;
        let half = |status: &WorkflowStatus| status.records.len() > 1;
        world.until("fork", 60, "has records", half).await?;
        // What only memory knew is asked for again.
        world.operator.kill()?;
        world.operator.start_again()?;
        let status = world.succeeded("fork", 120).await?;
        ensure!(status.outputs["sum"] == json!(200), "{:?}", status.outputs);
        ensure_sealed(world, &status, 202).await?;
        ensure!(world.ensure_invariants().await? == 201, "each item ran once");
        Ok(())
    })
}

const FORK: &str = r"
apiVersion: jobwright.dev/v1alpha1
kind: Workflow
metadata: {name: fork}
spec:
  steps:
  - {name: items, forEach: {count: 200, maxConcurrent: 50}, task: {name: one}}
  - {name: after, needs: [items], task: {name: one}}
  outputs:
  - {name: sum, type: integer, expression: 'sum(steps.items.results.map(r, r.n))'}
";

#[test]
fn a_loop_of_many_iterations_shows_the_last() -> Result<()> {
    run(async |world| {
        world
            .create_all(&(task("one", ONE, "[{name: n, type: integer}]") + LOOP))
            .await?;
        let status = world.succeeded("long", 120).await?;
        ensure!(status.outputs["found"] == json!(1), "{:?}", status.outputs);
        let count = status.loop_counts.get("poll").copied();
        ensure!(count == Some(300), "{count:?}");
        ensure_sealed(world, &status, 301).await?;
        let last = status.steps.get("poll[299].probe").context("the last iteration")?;
        ensure!(
            last.phase.is_terminal() && !status.steps.contains_key("poll[0].probe"),
            "{last:?}"
        );
        Ok(())
    })
}

const LOOP: &str = r"
apiVersion: jobwright.dev/v1alpha1
kind: Workflow
metadata: {name: long}
spec:
  blocks:
    body:
      steps: [{name: probe, task: {name: one}}]
      outputs: [{name: n, type: integer, expression: steps.probe.outputs.n}]
  steps:
  - {name: poll, loop: {block: body, until: 'iteration == 299', maxIterations: 300}}
  outputs:
  - {name: found, type: integer, expression: steps.poll.outputs.n}
";
