//! Cases from a seed: mostly small, now and then large; mostly sound, now and then sick.

use jobwright_api::{StepPhase, ValueType, policy::Then};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::{Case, Condition, Outcome, Output, Retry, Said, ScheduleToClose, Source, StepCase, Stuck};
use crate::rng::Rng;

impl Case {
    /// The case of this seed, for ever the same within one version of the generator.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let steps = match rng.below(1_000) {
            0..10 => rng.between(13, 60),
            10..250 => rng.between(6, 12),
            _ => rng.between(1, 5),
        };
        Self::of_size(&mut rng, usize::try_from(steps).unwrap())
    }

    #[must_use]
    pub fn of_size(rng: &mut Rng, steps: usize) -> Self {
        let mut case = Self {
            flag: rng.chance(50),
            level: i64::try_from(rng.below(7)).unwrap() - 3,
            reversed: rng.chance(10),
            ttl_s: rng.chance(20).then(|| i32::try_from(rng.below(30)).unwrap()),
            ..Self::default()
        };
        let sick = *rng.pick(&[5, 20, 60]);
        for place in 0..steps {
            let step = random_step(rng, &case, place, sick);
            case.steps.push(step);
        }
        if rng.chance(40) {
            case.output = pick_integer(rng, &case, case.steps.len());
        }
        case.total = rng.chance(10) || case.steps.iter().any(needs_total);
        case
    }
}

/// A step that nothing but the end of the run may stop.
fn needs_total(step: &StepCase) -> bool {
    let forever = step
        .outcomes
        .iter()
        .any(|outcome| matches!(outcome, Outcome::Forever { .. }));
    forever && !step.start_to_close && step.schedule_to_close != ScheduleToClose::Short
}

fn random_step(rng: &mut Rng, case: &Case, place: usize, sick: u64) -> StepCase {
    let needs = random_needs(rng, place);
    let mut step = StepCase {
        name: format!("s{place}"),
        needs,
        is_task: rng.chance(50),
        then: *rng.pick(&[Then::Fail, Then::Fail, Then::Continue, Then::FailAtEnd]),
        outputs: random_outputs(rng),
        schedule_to_start: rng.chance(20),
        ..StepCase::default()
    };
    random_retry(rng, &mut step);
    step.outcomes = random_outcomes(rng, &step, sick);
    let readable = readable(case, &step.needs);
    if rng.chance(30) {
        step.when = Some(random_condition(rng, case, &readable, 2));
    }
    for number in 0..rng.below(3) {
        let source = random_source(rng, case, &readable, step.is_task);
        step.inputs.push((format!("in{number}"), source));
    }
    step
}

fn random_needs(rng: &mut Rng, place: usize) -> Vec<usize> {
    if place == 0 || rng.chance(20) {
        return Vec::new();
    }
    let mut needs: Vec<usize> = (0..rng.between(1, 3)).map(|_| rng.index(place)).collect();
    // Near neighbours make long chains.
    if rng.chance(40) {
        needs = vec![place - 1];
    }
    needs.sort_unstable();
    needs.dedup();
    if rng.chance(50) {
        needs.reverse();
    }
    needs
}

/// The steps upstream: what expressions may read.
fn readable(case: &Case, needs: &[usize]) -> Vec<usize> {
    (0..case.steps.len())
        .filter(|place| {
            needs
                .iter()
                .any(|need| need == place || case.is_upstream(*place, *need))
        })
        .collect()
}

fn random_outputs(rng: &mut Rng) -> Vec<Output> {
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

fn random_value(rng: &mut Rng, kind: ValueType) -> Value {
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

fn random_retry(rng: &mut Rng, step: &mut StepCase) {
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

fn random_outcomes(rng: &mut Rng, step: &StepCase, sick: u64) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for _ in 0..rng.between(1, 5) {
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

fn pick_integer(rng: &mut Rng, case: &Case, below: usize) -> Option<(usize, String)> {
    let all: Vec<usize> = (0..below).collect();
    pick_output(rng, case, &all, Some(ValueType::Integer))
}

fn pick_output(rng: &mut Rng, case: &Case, from: &[usize], kind: Option<ValueType>) -> Option<(usize, String)> {
    let outputs = from.iter().flat_map(|place| {
        let outputs = case.steps[*place].outputs.iter();
        outputs
            .filter(|output| kind.is_none_or(|kind| output.kind == kind))
            .map(|output| (*place, output.name.clone()))
    });
    let outputs: Vec<_> = outputs.collect();
    (!outputs.is_empty()).then(|| rng.pick(&outputs).clone())
}

fn random_condition(rng: &mut Rng, case: &Case, readable: &[usize], depth: u32) -> Condition {
    if depth > 0 && rng.chance(30) {
        let right = Box::new(random_condition(rng, case, readable, depth - 1));
        let left = Box::new(random_condition(rng, case, readable, depth - 1));
        return match (rng.below(3), left.can_fail()) {
            (0, _) | (_, true) => Condition::Not(left),
            (1, false) => Condition::And(left, right),
            (_, false) => Condition::Or(left, right),
        };
    }
    let integer = pick_output(rng, case, readable, Some(ValueType::Integer));
    let bound = i64::try_from(rng.below(5)).unwrap() - 3;
    match (rng.below(12), integer) {
        (0, _) => Condition::Literal(rng.chance(70)),
        (1..5, _) if !readable.is_empty() => {
            let phase = *rng.pick(&[
                StepPhase::Succeeded,
                StepPhase::Succeeded,
                StepPhase::Failed,
                StepPhase::Skipped,
            ]);
            Condition::Phase(*rng.pick(readable), phase)
        }
        (5..7, _) => match pick_output(rng, case, readable, None) {
            Some((step, output)) => Condition::Has(step, output),
            None => Condition::Flag,
        },
        (7..9, Some((step, output))) => Condition::Guarded(step, output, bound),
        (9..11, Some((step, output))) if case.is_certain(step, &output) => Condition::Reads(step, output, bound),
        (11, Some((step, output))) if case.is_certain(step, &output) => Condition::Divides(step, output, bound),
        _ => Condition::Flag,
    }
}

fn random_source(rng: &mut Rng, case: &Case, readable: &[usize], is_task: bool) -> Source {
    let kinds = [
        ValueType::Integer,
        ValueType::String,
        ValueType::Boolean,
        ValueType::Array,
        ValueType::Object,
    ];
    let kind = *rng.pick(&kinds);
    let output = pick_output(rng, case, readable, None);
    let integer = pick_output(rng, case, readable, Some(ValueType::Integer));
    match (rng.below(10), output, integer) {
        (0, _, _) if is_task => Source::Default(random_value(rng, kind)),
        (1, _, _) if is_task => Source::Absent,
        (2, _, _) => Source::Level,
        (3 | 4, Some((step, output)), _) if case.is_certain(step, &output) => Source::Reads(step, output),
        (9, _, Some((step, output))) if case.is_certain(step, &output) => Source::Divides(step, output),
        (5..8, _, Some((step, output))) => Source::ReadsOr(step, output, 7),
        (8, _, _) if !readable.is_empty() => Source::Phase(*rng.pick(readable)),
        _ => Source::Literal(random_value(rng, kind)),
    }
}
