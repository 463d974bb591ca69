//! Seven graphs that between them use everything that a run can do.

use jobwright_api::{StepPhase, ValueType, policy::Then};
use jobwright_tests::graphs::{
    Body, Case, Condition, Kind, Loop, Outcome, Output, Retry, Said, ScheduleToClose, Source, StepCase, Stuck,
};
use serde_json::json;

pub(crate) fn all() -> Vec<(&'static str, Case)> {
    vec![
        ("chain with values", chain()),
        ("diamond with a skip", diamond()),
        ("retries of each kind", retries()),
        ("time limits", limits()),
        ("failures, three ways", failures()),
        ("the run's own limit", total()),
        ("blocks within blocks", nested()),
    ]
}

fn step(name: &str, needs: &[usize], outcomes: Vec<Outcome>) -> StepCase {
    StepCase {
        name: name.to_owned(),
        needs: needs.to_vec(),
        outcomes,
        ..StepCase::default()
    }
}

fn list(steps: Vec<StepCase>) -> Body {
    Body {
        steps,
        ..Body::default()
    }
}

fn exit(code: i32) -> Outcome {
    Outcome::Exit {
        code,
        start_ms: 400,
        run_ms: 900,
        said: Said::Nothing,
    }
}

fn says(number: i64) -> Outcome {
    let said = Said::Values([("n".to_owned(), json!(number))].into());
    Outcome::Exit {
        code: 0,
        start_ms: 400,
        run_ms: 900,
        said,
    }
}

fn integer() -> Vec<Output> {
    vec![Output {
        name: "n".to_owned(),
        kind: ValueType::Integer,
        optional: false,
        default: None,
        is_text: false,
    }]
}

fn retry(max: u32) -> Retry {
    Retry {
        max: Some(max),
        initial_s: Some(2),
        factor: None,
        never: Vec::new(),
    }
}

fn chain() -> Case {
    let mut first = step("first", &[], vec![says(7)]);
    (first.outputs, first.kind) = (integer(), Kind::Task);
    let mut second = step("second", &[0], vec![says(8)]);
    (second.outputs, second.kind) = (integer(), Kind::Task);
    second.inputs = vec![("x".to_owned(), Source::Reads(0, "n".to_owned()))];
    let mut third = step("third", &[1], vec![exit(0)]);
    third.inputs = vec![
        ("x".to_owned(), Source::Reads(1, "n".to_owned())),
        ("l".to_owned(), Source::Level),
    ];
    Case {
        root: Body {
            steps: vec![first, second, third],
            outputs: vec![("total".to_owned(), Source::ReadsOr(1, "n".to_owned(), -1))],
            ..Body::default()
        },
        ttl_s: Some(5),
        ..Case::default()
    }
}

fn diamond() -> Case {
    let mut top = step("top", &[], vec![says(3)]);
    top.outputs = integer();
    let mut left = step("left", &[0], vec![exit(0)]);
    left.when = Some(Condition::Reads(0, "n".to_owned(), 5));
    let right = step("right", &[0], vec![exit(0)]);
    let mut bottom = step("bottom", &[1, 2], vec![exit(0)]);
    bottom.when = Some(Condition::Phase(1, StepPhase::Skipped));
    Case {
        root: list(vec![top, left, right, bottom]),
        ..Case::default()
    }
}

fn retries() -> Case {
    let mut own = step(
        "own",
        &[],
        vec![
            exit(1),
            Outcome::OomKilled {
                start_ms: 100,
                run_ms: 500,
            },
            exit(0),
        ],
    );
    own.retry = Some(retry(3));
    let drained = Outcome::Drained {
        run_ms: 700,
        // With 0 the Job is Complete: who comes too late to read the pod has to believe that.
        exit: 143,
    };
    let platform = step(
        "platform",
        &[],
        vec![Outcome::Evicted { run_ms: 500 }, drained, exit(0)],
    );
    let mut invalid = step("invalid", &[], vec![exit(0), says(1)]);
    (invalid.outputs, invalid.retry) = (integer(), Some(retry(2)));
    let after = step("after", &[0, 1, 2], vec![exit(0)]);
    Case {
        root: list(vec![own, platform, invalid, after]),
        ttl_s: Some(1),
        ..Case::default()
    }
}

fn limits() -> Case {
    let mut slow = step("slow", &[], vec![Outcome::Forever { start_ms: 300, exit: 0 }, exit(0)]);
    (slow.start_to_close, slow.retry) = (true, Some(retry(2)));
    let mut stuck = step("stuck", &[], vec![Outcome::NeverStarts(Stuck::Unschedulable)]);
    (stuck.schedule_to_start, stuck.then) = (true, Then::Continue);
    let mut podless = step("podless", &[], vec![Outcome::NeverStarts(Stuck::NoPod)]);
    (podless.schedule_to_start, podless.then) = (true, Then::Continue);
    let mut close = step(
        "close",
        &[1],
        vec![Outcome::Forever {
            start_ms: 300,
            exit: 143,
        }],
    );
    (close.schedule_to_close, close.then) = (ScheduleToClose::Short, Then::Continue);
    let after = step("after", &[0, 1, 2, 3], vec![exit(0)]);
    Case {
        root: list(vec![slow, stuck, podless, close, after]),
        ..Case::default()
    }
}

fn failures() -> Case {
    let mut passes = step("passes", &[], vec![exit(4)]);
    passes.then = Then::Continue;
    let mut counts = step("counts", &[0], vec![exit(5)]);
    counts.then = Then::FailAtEnd;
    let fails = step("fails", &[1], vec![Outcome::Refused]);
    let below = step("below", &[2], vec![exit(0)]);
    let lost = step(
        "lost",
        &[],
        vec![Outcome::JobDeleted {
            run_ms: 20_000,
            exit: 0,
        }],
    );
    Case {
        root: list(vec![passes, counts, fails, below, lost]),
        ..Case::default()
    }
}

fn total() -> Case {
    let endless = step("endless", &[], vec![Outcome::Forever { start_ms: 200, exit: 0 }]);
    let below = step("below", &[0], vec![exit(0)]);
    let beside = step("beside", &[], vec![exit(0)]);
    Case {
        root: list(vec![endless, below, beside]),
        total: true,
        ..Case::default()
    }
}

/// A choice of a block with a loop in it, a wait, and another loop over the same block.
fn nested() -> Case {
    let mut counts = step("counts", &[], vec![says(4)]);
    counts.outputs = integer();
    let body = Body {
        steps: vec![counts],
        outputs: vec![("n".to_owned(), Source::ReadsOr(0, "n".to_owned(), 0))],
        defaults: Some((true, 3)),
        ..Body::default()
    };
    let looped = |before, after| {
        Kind::Loop(Loop {
            block: 1,
            before,
            after,
            max: 3,
            delay_s: Some(1),
        })
    };
    let mut inner = step("inner", &[], Vec::new());
    inner.kind = looped(Some(Condition::Iteration(2)), None);
    let around = Body {
        defaults: Some((false, 1)),
        ..list(vec![inner, step("behind", &[0], vec![exit(0)])])
    };
    let mut first = step("first", &[], vec![says(2)]);
    first.outputs = integer();
    let mut chooses = step("chooses", &[0], Vec::new());
    chooses.kind = Kind::Choice {
        cases: vec![(Condition::Reads(0, "n".to_owned(), 1), Some(0))],
        default: None,
    };
    let mut waits = step("waits", &[1], Vec::new());
    waits.kind = Kind::Wait { seconds: 3 };
    let mut outer = step("outer", &[2], Vec::new());
    outer.kind = looped(None, Some(Condition::Not(Box::new(Condition::Iteration(1)))));
    outer.inputs = vec![("level".to_owned(), Source::LastOr("n".to_owned(), 1))];
    let mut ends = step("ends", &[3], vec![exit(0)]);
    ends.inputs = vec![("n".to_owned(), Source::Reads(3, "n".to_owned()))];
    Case {
        root: list(vec![first, chooses, waits, outer, ends]),
        blocks: vec![around, body],
        ttl_s: Some(5),
        ..Case::default()
    }
}
