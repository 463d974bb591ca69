//! The operator is killed at random moments while the sample runs: same result, no step runs twice.

use crate::{
    run,
    user::{create_texts, sample, words},
};
use anyhow::{Result, ensure};
use jobwright_api::Workflow;
use jobwright_tests::harness::World;
use jobwright_tests::harness::wait::let_pass;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

const RUNS: u32 = 5;
const KILLS_PER_RUN: u32 = 4;
/// About as long as the sample takes, over the kills.
const LIFE_MS_MAX: u64 = 2_200;

#[test]
fn killed_twenty_times_during_the_sample() -> Result<()> {
    run(async |world| {
        let mut moments = jiff::Timestamp::now().as_microsecond().unsigned_abs();
        let seed = moments;
        create_texts(world).await?;
        let mut outputs = BTreeMap::new();
        for number in 0..RUNS {
            let name = format!("wordcount-{number}");
            let found = one_run(world, &name, &mut moments)
                .await
                .map_err(|error| error.context(format!("seed {seed}")))?;
            ensure!(found.get("words") == Some(&json!(words()?)), "seed {seed}: {found:?}");
            outputs.insert(json!(found).to_string(), name);
        }
        ensure!(outputs.len() == 1, "seed {seed}: the runs differ: {outputs:?}");
        let jobs = world.ensure_invariants().await?;
        ensure!(
            jobs == usize::try_from(RUNS * 7)?,
            "seed {seed}: {jobs} Jobs for {RUNS} runs of seven steps"
        );
        Ok(())
    })
}

async fn one_run(world: &mut World, name: &str, moments: &mut u64) -> Result<BTreeMap<String, serde_json::Value>> {
    let yaml = sample()?.replace("name: wordcount\n", &format!("name: {name}\n"));
    world.kubectl_apply(&yaml).await?.fine()?;
    for _ in 0..KILLS_PER_RUN {
        *moments = moments
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        // The moment of the kill.
        let_pass(
            Duration::from_millis((*moments >> 33) % LIFE_MS_MAX),
            "the moment of the next kill",
        )
        .await;
        world.operator.start_again()?; // kill -9, and the next
    }
    let status = world.succeeded(name, 120).await?;
    ensure!(
        status.steps.values().all(|step| step.attempts.count == 1),
        "{name}: {:?}",
        status.steps
    );
    world.delete::<Workflow>(name).await?;
    Ok(status.outputs)
}
