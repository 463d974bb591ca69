//! What the random cases are like: a generator that makes only dull ones finds nothing.

use jobwright_api::{Reason, StepPhase};
use jobwright_tests::{
    graphs::{Case, Kind},
    reference::{Verdict, Verdicts, Witness, judge},
};

const CASES: u64 = 2_000;

/// How many of a thousand cases have something, at least; measured, and then a third less.
#[test]
fn the_random_cases_have_something_of_everything() {
    let cases: Vec<(Case, Verdicts)> = (0..CASES)
        .map(|seed| {
            let case = Case::random(seed);
            let verdicts = judge(&case, &Witness::default());
            (case, verdicts)
        })
        .collect();
    let mut dull = Vec::new();
    let mut expect = |what: &str, at_least: u64, has: &dyn Fn(&Case, &Verdicts) -> bool| {
        let found = cases.iter().filter(|(case, verdicts)| has(case, verdicts)).count();
        let found = u64::try_from(found).unwrap() * 1_000 / CASES;
        println!("{found:4} of 1000: {what}");
        if found < at_least {
            dull.push(format!("{what}: {found} of 1000 cases, at least {at_least}"));
        }
    };
    let has_step = |verdicts: &Verdicts, is: &dyn Fn(&Verdict) -> bool| verdicts.steps.values().any(is);
    let of_kind = |case: &Case, is: fn(&Kind) -> bool| case.root.steps.iter().any(|step| is(&step.kind));
    expect("flat", 500, &|case, _| case.blocks.is_empty());
    for depth in 1..=3 {
        expect(&format!("{depth} deep"), 15, &|case, _| case.depth(None) == depth);
    }
    expect("a block", 140, &|case, _| {
        of_kind(case, |kind| matches!(kind, Kind::Block(_)))
    });
    expect("a choice", 100, &|case, _| {
        of_kind(case, |kind| matches!(kind, Kind::Choice { .. }))
    });
    expect("a loop", 130, &|case, _| {
        of_kind(case, |kind| matches!(kind, Kind::Loop(_)))
    });
    expect("a wait", 100, &|case, _| {
        of_kind(case, |kind| matches!(kind, Kind::Wait { .. }))
    });
    for iterations in 1..=5 {
        let words = format!("a loop of {iterations} iterations");
        expect(&words, 8, &|_, verdicts| {
            has_step(verdicts, &|step| step.iterations == iterations)
        });
    }
    expect("a loop without an iteration", 20, &|case, verdicts| {
        verdicts.steps.iter().any(|(id, step)| {
            let kind = case.place(id).map(|place| &case.step(&place).kind);
            let is_loop = matches!(kind, Some(Kind::Loop(_)));
            is_loop && step.phase == StepPhase::Succeeded && step.iterations == 0
        })
    });
    for reason in [Reason::MaxIterations, Reason::StepFailed] {
        expect(&reason.to_string(), 30, &|_, verdicts| {
            has_step(verdicts, &|step| step.reason.as_ref() == Some(&reason))
        });
    }
    expect("a choice of no block", 20, &|_, verdicts| {
        has_step(verdicts, &|step| step.selected.as_deref() == Some("none"))
    });
    expect("a time limit that stops what is below", 4, &|_, verdicts| {
        !verdicts.stopped.is_empty()
    });
    expect("thirty steps", 15, &|_, verdicts| verdicts.steps.len() >= 30);
    let largest = cases.iter().map(|(_, verdicts)| verdicts.steps.len()).max();
    println!("at most {largest:?} steps");
    assert!(dull.is_empty(), "{}", dull.join("\n"));
}
