//! Random graphs under random faults.

use jobwright_tests::{graphs::Case, laws::Fault, rng::Rng};
use std::{
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
    faults::Mood,
    play::{Script, play},
};

const SIMS_DEFAULT: u64 = 2_000;

#[test]
fn random_graphs_survive_random_faults() {
    if let Some(seed) = number("JOBWRIGHT_SEED") {
        let (case, script) = scene(seed);
        let script = Script {
            is_told: true,
            ..script
        };
        println!("{script:?}");
        case.steps.iter().for_each(|step| println!("{step:?}"));
        let result = safely(&case, seed, &script);
        return assert!(result.is_ok(), "seed {seed}: {:?}", result.err());
    }
    let sims = number("JOBWRIGHT_SIMS").unwrap_or(SIMS_DEFAULT);
    let first = number("JOBWRIGHT_FIRST").unwrap_or(0);
    let failures_max = number("JOBWRIGHT_SURVEY").map_or(3, |max| usize::try_from(max).unwrap());
    let begun = Instant::now();
    let next = AtomicU64::new(first);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + sims || failed.lock().unwrap().len() >= failures_max {
                        return;
                    }
                    let (case, script) = scene(seed);
                    if let Err(fault) = safely(&case, seed, &script) {
                        failed.lock().unwrap().push((seed, fault));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    println!(
        "{} runs in {:?}",
        next.into_inner().min(first + sims) - first,
        begun.elapsed()
    );
    for (seed, fault) in &failed {
        println!("seed {seed}: {}", fault.chars().take(300).collect::<String>());
    }
    if let Some((seed, fault)) = failed.first() {
        panic!(
            "{} runs failed, such as seed {seed}: {fault}\nreplay: JOBWRIGHT_SEED={seed} cargo test -p jobwright-tests --test sim random",
            failed.len()
        );
    }
}

fn scene(seed: u64) -> (Case, Script) {
    let mut rng = Rng::new(seed ^ 0xACE);
    let mood = Mood::random(&mut rng);
    let steps = usize::try_from(rng.between(1, 8)).unwrap();
    let case = Case::of_size(&mut rng, steps);
    (
        case,
        Script {
            mood,
            ..Script::default()
        },
    )
}

fn safely(case: &Case, seed: u64, script: &Script) -> Result<(), Fault> {
    let played = catch_unwind(AssertUnwindSafe(|| play(case, seed, script).map(drop)));
    played.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        Err(format!("panic: {}", words.unwrap_or_else(|| "?".to_owned())))
    })
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap())
}
