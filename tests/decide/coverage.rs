//! What the random cases are like: a generator that makes only dull ones finds nothing.

use jobwright_api::{Reason, StepPhase};
use jobwright_tests::{
    graphs::{Case, Kind, StepCase},
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
    let mut expect = |what: &str, at_least: u64, has: Has| {
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
    rich(&mut expect);
    expect("thirty steps", 15, &|_, verdicts| verdicts.steps.len() >= 30);
    let largest = cases.iter().map(|(_, verdicts)| verdicts.steps.len()).max();
    println!("at most {largest:?} steps");
    assert!(dull.is_empty(), "{}", dull.join("\n"));
}

type Has<'h> = &'h dyn Fn(&Case, &Verdicts) -> bool;

/// Forks, joins, variables, exits and handlers, and how they end.
fn rich(expect: &mut dyn FnMut(&str, u64, Has)) {
    let has = |case: &Case, is: fn(&StepCase) -> bool| case.all_steps().any(is);
    let at =
        |case: &Case, id: &str, is: fn(&StepCase) -> bool| case.place(id).is_some_and(|place| is(case.step(&place)));
    expect("a fork", 220, &|case, _| has(case, |step| step.each.is_some()));
    expect("a fork of a block", 55, &|case, _| {
        has(case, |step| step.each.is_some() && !step.kind.has_jobs())
    });
    expect("ItemsFailed", 35, &|_, verdicts| {
        let is_it = |step: &Verdict| step.reason == Some(Reason::ItemsFailed);
        verdicts.steps.values().any(is_it)
    });
    expect(
        "a fork that ends by stopWhen or a failed item",
        20,
        &|case, verdicts| {
            let mut stopped = verdicts.stopped.iter();
            stopped.any(|id| at(case, id, |step| step.each.is_some()))
        },
    );
    expect("a join of less than all", 60, &|case, _| {
        has(case, StepCase::is_partial)
    });
    expect("a need that a join cancels", 100, &|_, verdicts| {
        !verdicts.superfluous.is_empty()
    });
    expect("a variable", 120, &|case, _| {
        has(case, |step| matches!(step.kind, Kind::Set(_)))
    });
    expect("an exit", 20, &|case, verdicts| {
        let mut ended = verdicts
            .steps
            .iter()
            .filter(|(_, step)| step.phase == StepPhase::Succeeded);
        ended.any(|(id, _)| at(case, id, |step| matches!(step.kind, Kind::Exit(_))))
    });
    expect("what follows the failure of a step", 10, &|_, verdicts| {
        verdicts.steps.keys().any(|id| id.contains(".onFailure."))
    });
    expect("what follows the failure of the run", 4, &|_, verdicts| {
        verdicts.steps.contains_key("onFailure")
    });
    expect("what follows the end", 15, &|_, verdicts| {
        verdicts.steps.contains_key("onExit")
    });
}
