//! A step with a Job: what it gives, how often it is tried, and what becomes of each attempt.

use jobwright_api::ValueType;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::{
    graphs::{Outcome, Output, Retry, Said, ScheduleToClose, StepCase, Stuck},
    rng::Rng,
};

pub(super) fn outputs(rng: &mut Rng) -> Vec<Output> {
    let kinds = [
        ValueType::Integer,
        ValueType::Integer,
        ValueType::String,
        ValueType::Boolean,
        ValueType::Number,
        ValueType::Array,
        ValueType::Object,
    ];
    if rng.chance(5) {
        let text = Output {
            name: "text".to_owned(),
            kind: ValueType::String,
            optional: false,
            default: None,
            is_text: true,
        };
        return vec![text];
    }
    let count = rng.below(4);
    (0..count)
        .map(|number| {
            let kind = *rng.pick(&kinds);
            let is_defaulted = rng.chance(20);
            Output {
                name: format!("out{number}"),
                kind,
                optional: rng.chance(20),
                default: is_defaulted.then(|| random_value(rng, kind)),
                is_text: false,
            }
        })
        .collect()
}

pub(super) fn random_value(rng: &mut Rng, kind: ValueType) -> Value {
    let number = i64::try_from(rng.below(9)).unwrap() - 3;
    match kind {
        ValueType::Integer => json!(number),
        // Whole floats too: the API server writes them without a point.
        ValueType::Number => json!(f64::from(u32::try_from(rng.between(1, 9)).unwrap()) + *rng.pick(&[0.0, 0.5])),
        ValueType::Boolean => json!(rng.chance(50)),
        ValueType::Array => json!([number, "x"]),
        ValueType::Object => json!({ "k": number, "mean": f64::from(i32::try_from(number).unwrap()) }),
        ValueType::String => {
            let texts = [
                "",
                "plain",
                "$(HOME) $$x",
                "a\nb \"q\" 'p'",
                "{{ inputs.x }}",
                "steps.s0.outputs.out0",
                "\u{7edf}\u{8ba1} \u{202e}",
                "'; id; '",
            ];
            json!(rng.pick(&texts))
        }
    }
}

pub(super) fn set_retry(rng: &mut Rng, step: &mut StepCase) {
    step.start_to_close = rng.chance(30);
    if rng.chance(45) {
        step.retry = Some(Retry {
            max: *rng.pick(&[None, Some(1), Some(2), Some(3), Some(4), Some(7), Some(0)]),
            initial_s: rng.chance(60).then(|| rng.between(0, 20)),
            factor: rng.chance(30).then(|| *rng.pick(&[1.0, 1.5, 3.0])),
            never: if rng.chance(25) { vec![2, 137] } else { Vec::new() },
        });
    }
    let unlimited = step.retry.as_ref().is_some_and(|retry| retry.max == Some(0));
    if unlimited || rng.chance(8) {
        step.schedule_to_close = ScheduleToClose::Ample;
    } else if rng.chance(8) {
        step.schedule_to_close = ScheduleToClose::Short;
        let retry = step.retry.get_or_insert_with(|| Retry {
            max: None,
            initial_s: None,
            factor: None,
            never: Vec::new(),
        });
        retry.initial_s = Some(36_000);
    }
}

/// At least as many as asked for.
pub(super) fn outcomes(rng: &mut Rng, step: &StepCase, sick: u64, at_least: u64) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for _ in 0..rng.between(at_least, 5) {
        let outcome = if rng.chance(sick) {
            random_sick(rng, step)
        } else {
            random_exit(rng, step, 0)
        };
        outcomes.push(outcome);
    }
    // Without a bound on its attempts a step has to get well.
    if step.retry.as_ref().is_some_and(|retry| retry.max == Some(0)) {
        let said = Said::Values(random_message(rng, &step.outputs, false));
        outcomes.push(exit(
            rng,
            0,
            if is_text(step) {
                Said::Text("well".to_owned())
            } else {
                said
            },
        ));
    }
    outcomes
}

fn is_text(step: &StepCase) -> bool {
    step.outputs.iter().any(|output| output.is_text)
}

fn exit(rng: &mut Rng, code: i32, said: Said) -> Outcome {
    Outcome::Exit {
        code,
        start_ms: rng.between(1, 2_000),
        run_ms: rng.below(5_000),
        said,
    }
}

fn random_exit(rng: &mut Rng, step: &StepCase, code: i32) -> Outcome {
    let said = if is_text(step) {
        Said::Text((*rng.pick(&["one line", "two\nlines", "{\"a\":1}"])).to_owned())
    } else if rng.chance(4) {
        (*rng.pick(&[
            Said::Nothing,
            Said::Text("all is well".to_owned()),
            Said::Text("[1,2]".to_owned()),
            Said::Text("{\"out0\":".to_owned()),
        ]))
        .clone()
    } else {
        let may_be_wrong = rng.chance(6);
        Said::Values(random_message(rng, &step.outputs, may_be_wrong))
    };
    exit(rng, code, said)
}

fn random_message(rng: &mut Rng, outputs: &[Output], may_be_wrong: bool) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    for output in outputs {
        let may_be_left_out = output.optional || output.default.is_some() || may_be_wrong;
        if may_be_left_out && rng.chance(40) {
            continue;
        }
        let kind = if may_be_wrong && rng.chance(40) {
            ValueType::Array
        } else {
            output.kind
        };
        values.insert(output.name.clone(), random_value(rng, kind));
    }
    values
}

fn random_sick(rng: &mut Rng, step: &StepCase) -> Outcome {
    let start_ms = rng.between(1, 2_000);
    let run_ms = rng.between(1, 5_000);
    let code = *rng.pick(&[0, 0, 143, 1]);
    match rng.below(100) {
        0..45 => {
            let code = *rng.pick(&[1, 2, 2, 125, 137, 143, 255]);
            random_exit(rng, step, code)
        }
        45..52 => Outcome::OomKilled { start_ms, run_ms },
        52..58 => Outcome::Evicted { run_ms },
        58..64 => Outcome::Drained { run_ms, exit: code },
        64..68 => Outcome::Preempted { run_ms, exit: code },
        68..72 => Outcome::NodeLost { run_ms },
        72..77 => Outcome::PodDeleted { run_ms, exit: code },
        77..80 => Outcome::JobDeleted { run_ms, exit: code },
        80..83 => Outcome::JobSuspended { run_ms, exit: code },
        83..89 => Outcome::NeverStarts(*rng.pick(&[Stuck::Unschedulable, Stuck::ImagePull, Stuck::NoPod])),
        89..97 => Outcome::Forever { start_ms, exit: code },
        _ => Outcome::Refused,
    }
}
