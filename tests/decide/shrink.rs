//! Makes a failing case smaller while it still fails in the same way.

use jobwright_api::policy::Then;
use jobwright_tests::graphs::{Case, Condition, Outcome, Said, Source};
use jobwright_tests::laws::Fault;

use crate::{play::Mood, random::play};

/// Tries each simplification until none helps.
pub(crate) fn shrink(case: &Case, seed: u64, fault: &Fault) -> (Case, Option<Mood>) {
    let mut best = (case.clone(), None);
    let fails = |case: &Case, mood| play(case, seed, mood).is_err_and(|other| kind(&other) == kind(fault));
    if fails(&best.0, Some(Mood::default())) {
        best.1 = Some(Mood::default());
    }
    loop {
        let smaller = simpler(&best.0)
            .into_iter()
            .find(|case| is_sound(case) && fails(case, best.1));
        match smaller {
            Some(case) => best.0 = case,
            None => return best,
        }
    }
}

/// The words of a fault that do not hang on names and numbers.
pub(crate) fn kind(fault: &str) -> Vec<&str> {
    let is_plain = |word: &&str| !word.contains(|c: char| c.is_ascii_digit());
    fault.split_whitespace().filter(is_plain).take(16).collect()
}

fn simpler(case: &Case) -> Vec<Case> {
    let mut cases: Vec<Case> = (0..case.steps.len())
        .rev()
        .filter_map(|place| without(case, place))
        .collect();
    let mut push = |change: &dyn Fn(&mut Case)| {
        let mut smaller = case.clone();
        change(&mut smaller);
        if format!("{smaller:?}") != format!("{case:?}") {
            cases.push(smaller);
        }
    };
    push(&|case| case.output = None);
    push(&|case| case.ttl_s = None);
    push(&|case| case.reversed = false);
    for place in 0..case.steps.len() {
        push(&|case| case.steps[place].when = None);
        push(&|case| case.steps[place].inputs.clear());
        push(&|case| case.steps[place].retry = None);
        push(&|case| case.steps[place].is_task = false);
        push(&|case| case.steps[place].schedule_to_start = false);
        push(&|case| case.steps[place].then = Then::default());
        push(&|case| {
            let needs = &mut case.steps[place].needs;
            needs.pop();
        });
        push(&|case| {
            let outcomes = &mut case.steps[place].outcomes;
            if outcomes.len() > 1 {
                outcomes.remove(outcomes.len() - 2);
            }
        });
        if case.steps[place].outputs.is_empty() {
            push(&|case| {
                case.steps[place].outcomes = vec![Outcome::Exit {
                    code: 0,
                    start_ms: 10,
                    run_ms: 10,
                    said: Said::Nothing,
                }];
            });
        }
    }
    cases
}

/// Expressions read only what is upstream.
fn is_sound(case: &Case) -> bool {
    (0..case.steps.len()).all(|place| {
        let step = &case.steps[place];
        let by_input = step.inputs.iter().filter_map(|(_, source)| match source {
            Source::Reads(step, _) | Source::Divides(step, _) | Source::ReadsOr(step, ..) | Source::Phase(step) => {
                Some(*step)
            }
            _ => None,
        });
        let by_when = step.when.iter().flat_map(Condition::reads);
        by_input.chain(by_when).all(|read| case.is_upstream(read, place))
    })
}

/// Without one step, where no other reads it.
fn without(case: &Case, place: usize) -> Option<Case> {
    let is_read = |step: &jobwright_tests::graphs::StepCase| {
        let by_when = step.when.as_ref().is_some_and(|when| when.reads().contains(&place));
        let by_input = step.inputs.iter().any(|(_, source)| match source {
            Source::Reads(step, _) | Source::Divides(step, _) | Source::ReadsOr(step, ..) | Source::Phase(step) => {
                *step == place
            }
            _ => false,
        });
        by_when || by_input
    };
    let by_output = case.output.as_ref().is_some_and(|(step, _)| *step == place);
    if case.steps.len() < 2 || by_output || case.steps.iter().any(is_read) {
        return None;
    }
    let mut smaller = case.clone();
    smaller.steps.remove(place);
    let moved = |step: &mut usize| {
        if *step > place {
            *step -= 1;
        }
    };
    for step in &mut smaller.steps {
        step.needs.retain(|need| *need != place);
        step.needs.iter_mut().for_each(moved);
        if let Some(when) = &mut step.when {
            renumber(when, &moved);
        }
        for (_, source) in &mut step.inputs {
            if let Source::Reads(step, _) | Source::Divides(step, _) | Source::ReadsOr(step, ..) | Source::Phase(step) =
                source
            {
                moved(step);
            }
        }
    }
    if let Some((step, _)) = &mut smaller.output {
        moved(step);
    }
    Some(smaller)
}

fn renumber(condition: &mut Condition, moved: &impl Fn(&mut usize)) {
    match condition {
        Condition::Literal(_) | Condition::Flag => {}
        Condition::Phase(step, _)
        | Condition::Has(step, _)
        | Condition::Reads(step, ..)
        | Condition::Guarded(step, ..)
        | Condition::Divides(step, ..) => moved(step),
        Condition::Not(inner) => renumber(inner, moved),
        Condition::And(left, right) | Condition::Or(left, right) => {
            renumber(left, moved);
            renumber(right, moved);
        }
    }
}
