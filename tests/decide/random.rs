//! Random graphs by the hundred thousand: every play obeys the laws and ends as the reference says.

use jobwright_tests::{graphs::Case, laws::Fault};
use std::{
    collections::BTreeMap,
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

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
    let first = number("JOBWRIGHT_FIRST").unwrap_or(0);
    // `JOBWRIGHT_SURVEY=1000` goes on after failures and tells how many there are of each kind.
    let failures_max = number("JOBWRIGHT_SURVEY").map_or(3, |max| usize::try_from(max).unwrap());
    let begun = Instant::now();
    let next = AtomicU64::new(first);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + graphs || failed.lock().unwrap().len() >= failures_max {
                        return;
                    }
                    if let Err(fault) = play(&Case::random(seed), seed, None) {
                        failed.lock().unwrap().push((seed, fault));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    println!(
        "{} graphs in {:?}",
        next.into_inner().min(first + graphs) - first,
        begun.elapsed()
    );
    survey(&failed);
    if let Some((seed, fault)) = failed.iter().min() {
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

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// Plays a case to its end; a panic of the engine is a fault too.
pub(crate) fn play(case: &Case, seed: u64, mood: Option<Mood>) -> Result<(), Fault> {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut play = Play::new(case, seed, mood);
        play.run()?;
        play.compare()
    }));
    played.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        Err(format!("panic: {}", words.unwrap_or_else(|| "?".to_owned())))
    })
}

/// The case, and what happened in it.
fn tell(case: &Case, seed: u64, mood: Option<Mood>) -> String {
    let mut play = Play::new(case, seed, mood);
    play.trace = Some(Vec::new());
    let result = play.run().and_then(|()| play.compare());
    let steps: Vec<String> = case.steps.iter().map(|step| format!("  {step:?}")).collect();
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
