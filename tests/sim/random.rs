//! Random graphs under random faults.

use jobwright_tests::{
    graphs::Case,
    hunt::{hunt, number, safely},
    rng::Rng,
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
        case.lines().for_each(|line| println!("{line}"));
        let result = safely(|| play(&case, seed, &script).map(drop));
        return assert!(result.is_ok(), "seed {seed}: {:?}", result.err());
    }
    let sims = number("JOBWRIGHT_SIMS").unwrap_or(SIMS_DEFAULT);
    let failed = hunt(sims, |seed| {
        let (case, script) = scene(seed);
        play(&case, seed, &script).map(drop)
    });
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
