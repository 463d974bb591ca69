//! Every write of every sample, with every trouble: the end must be the undisturbed run's.

use std::{collections::BTreeMap, sync::Mutex, thread};

use crate::{
    faults::Trouble,
    play::{Report, Script, essence, play},
    samples,
};
use jobwright_tests::graphs::Case;

const SEED: u64 = 7;

#[test]
fn the_samples_end_as_the_reference_says() {
    for (name, case) in samples::all() {
        let report = undisturbed(name, &case);
        println!(
            "{name}: {} writes, {} events, {:?}",
            report.writes.len(),
            report.events,
            report.requests
        );
    }
}

/// DESIGN 1, "cheap": no GET, no LIST, and few writes for each step.
#[test]
fn an_undisturbed_chain_costs_three_requests_for_each_step() {
    let (name, case) = samples::all().remove(0);
    let report = undisturbed(name, &case);
    let reads: usize = report
        .requests
        .iter()
        .filter(|(what, _)| what.starts_with("GET"))
        .map(|(_, count)| count)
        .sum();
    assert_eq!(reads, 0, "{:?}", report.requests);
    // One more for the TTL of each Job, five for the run, two for the review of each Task.
    let steps = case.root.steps.len();
    let limit = 4 * steps + 5 + 2 * case.tasks().len();
    let all: usize = report.requests.values().sum();
    assert!(all <= limit, "{all} requests, at most {limit}: {:?}", report.requests);
}

#[test]
fn trouble_at_any_write_changes_nothing_but_time() {
    let mut plays = Vec::new();
    for (name, case) in samples::all() {
        let report = undisturbed(name, &case);
        let writes = report.writes.len();
        for at in 0..writes {
            for trouble in Trouble::AT_EACH_WRITE {
                let script = Script {
                    troubles: BTreeMap::from([(at, trouble)]),
                    ..Script::default()
                };
                let words = format!("{name}: {trouble:?} at write {at}, {}", report.writes[at]);
                plays.push((words, case.clone(), script, essence(&report)));
            }
        }
    }
    all_end_alike(plays);
}

#[test]
fn any_event_that_no_watch_tells_of_changes_nothing_but_time() {
    let mut plays = Vec::new();
    for (name, case) in samples::all() {
        let report = undisturbed(name, &case);
        for event in 0..report.events {
            let script = Script {
                loses: Some(event),
                ..Script::default()
            };
            plays.push((
                format!("{name}: event {event} is lost"),
                case.clone(),
                script,
                essence(&report),
            ));
        }
    }
    all_end_alike(plays);
}

fn undisturbed(name: &str, case: &Case) -> Report {
    play(case, SEED, &Script::default()).unwrap_or_else(|fault| panic!("{name}, undisturbed: {fault}"))
}

type Scene = (String, Case, Script, String);

fn all_end_alike(plays: Vec<Scene>) {
    let count = plays.len();
    let rest = Mutex::new(plays);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let next = rest.lock().unwrap().pop();
                    let Some((words, case, script, expected)) = next else {
                        return;
                    };
                    let found = play(&case, SEED, &script).map(|report| essence(&report));
                    // Where an event is lost a race may go the other way: then the reference alone judges.
                    let is_fine = script.loses.is_some() && found.is_ok();
                    if !is_fine && found.as_ref() != Ok(&expected) {
                        failed
                            .lock()
                            .unwrap()
                            .push(format!("{words}\n  {found:?}\n  not {expected:?}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    println!("{count} runs");
    assert!(
        failed.is_empty(),
        "{} of {count} end otherwise:\n{}",
        failed.len(),
        failed.join("\n")
    );
}
