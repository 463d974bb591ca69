//! Random graphs by the hundred thousand: every play obeys the laws and ends as the reference says.

use jobwright_tests::{
    graphs::Case,
    hunt::{hunt, number, safely},
    laws::Fault,
};
use std::collections::BTreeMap;

use crate::{
    play::{Mood, Play},
    shrink::{kind, shrink},
};

const GRAPHS_DEFAULT: u64 = 100_000;

#[test]
fn random_graphs_end_as_the_reference_says() {
    if let Some(seed) = number("JOBWRIGHT_SEED") {
        return replay(seed);
    }
    let graphs = number("JOBWRIGHT_GRAPHS").unwrap_or(GRAPHS_DEFAULT);
    let failed = hunt(graphs, |seed| play(&Case::random(seed), seed, None));
    survey(&failed);
    if let Some((seed, fault)) = failed.first() {
        let (case, mood) = shrink(&Case::random(*seed), *seed, fault);
        panic!(
            "{} failed, such as seed {seed}: {fault}\n{}",
            failed.len(),
            tell(&case, *seed, mood)
        );
    }
}

/// How many there are of each kind, each with its first seed.
fn survey(failed: &[(u64, Fault)]) {
    let mut kinds: BTreeMap<String, (usize, u64, &Fault)> = BTreeMap::new();
    for (seed, fault) in failed {
        let known = kinds.entry(kind(fault).join(" ")).or_insert((0, *seed, fault));
        known.0 += 1;
        if *seed < known.1 {
            *known = (known.0, *seed, fault);
        }
    }
    for (count, seed, fault) in kinds.values() {
        println!(
            "{count} x, first seed {seed}: {}",
            fault.chars().take(300).collect::<String>()
        );
    }
}

/// Plays a case to its end; a panic of the engine is a fault too.
pub(crate) fn play(case: &Case, seed: u64, mood: Option<Mood>) -> Result<(), Fault> {
    safely(|| {
        let mut play = Play::new(case, seed, mood);
        play.run()?;
        play.compare()
    })
}

/// The case, and what happened in it.
fn tell(case: &Case, seed: u64, mood: Option<Mood>) -> String {
    let mut play = Play::new(case, seed, mood);
    play.trace = Some(Vec::new());
    let result = play.run().and_then(|()| play.compare());
    let steps: Vec<String> = case.lines().map(|line| format!("  {line}")).collect();
    let trace = play.trace.unwrap_or_default();
    let last = trace.len().saturating_sub(120);
    format!(
        "smallest case that fails likewise ({result:?}), mood {:?}:\n{}\n{}\nstored steps: {}\nreplay: JOBWRIGHT_SEED={seed} cargo test -p jobwright-tests --test decide random",
        play.mood,
        steps.join("\n"),
        trace[last..].join("\n"),
        serde_json::to_string(&play.stored.steps).unwrap(),
    )
}

fn replay(seed: u64) {
    let case = Case::random(seed);
    let result = play(&case, seed, None);
    println!("{}", tell(&case, seed, None));
    if let Err(fault) = result {
        let (case, mood) = shrink(&case, seed, &fault);
        panic!("seed {seed}: {fault}\n{}", tell(&case, seed, mood));
    }
}
