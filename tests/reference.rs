//! The slow, obvious twin of the engine: what has to come out of a case, in one page.
//!
//! It shares no code with the engine but the types of the API, knows nothing of Jobs, time or
//! status, and simply recurses over the definition. What hangs on the order of events, it asks the
//! [`Witness`]: which way a race went is no fault, that the rest follows from it is what we check.

use jobwright_api::{Reason, StepPhase, WorkflowPhase, policy::Then};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

use crate::graphs::{Case, Condition, Outcome, Said, ScheduleToClose, Source, StepCase};
use crate::world::go_numbers;

/// Which way each race went.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    /// Steps that the run's failure or end kept from starting.
    pub cut: BTreeSet<usize>,
    /// What is recorded of attempts whose pod went away, and may or may not have been read before:
    /// by step and attempt; none is success.
    pub recorded: BTreeMap<(usize, u32), Option<Reason>>,
    /// Attempts that nobody saw running before the cluster ended them.
    pub unstarted: BTreeSet<(usize, u32)>,
}

/// What has to come out for a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub phase: StepPhase,
    pub reason: Option<Reason>,
    /// Jobs that came to be.
    pub attempts: u32,
    pub outputs: BTreeMap<String, Value>,
    /// What its containers get, where it comes to that.
    pub inputs: Option<BTreeMap<String, Value>>,
    /// What ended each attempt: None is success.
    pub causes: Vec<Option<Reason>>,
}

/// What has to come out for the run.
#[derive(Clone, Debug)]
pub struct Verdicts {
    pub steps: Vec<Verdict>,
    pub phase: WorkflowPhase,
    pub outputs: BTreeMap<String, Value>,
    /// By step: what needs it may start.
    pub counts_as_done: Vec<bool>,
    /// Some step failed and lets nothing new start.
    pub is_cut: bool,
    /// The run's time runs out.
    pub is_timed_out: bool,
}

/// How one attempt ends.
enum End {
    Succeeds(BTreeMap<String, Value>),
    Own(Reason, Option<i32>),
    Platform(Reason),
    Never(Reason),
    RunsOn,
}

pub const PLATFORM_BUDGET: u32 = 3;

#[must_use]
pub fn judge(case: &Case, witness: &Witness) -> Verdicts {
    let mut steps: Vec<Verdict> = Vec::new();
    for place in 0..case.steps.len() {
        let verdict = step(case, place, &steps, witness);
        steps.push(verdict);
    }
    let failed = |then| {
        case.steps
            .iter()
            .zip(&steps)
            .any(|(s, v)| v.phase == StepPhase::Failed && s.then == then)
    };
    let is_timed_out = steps.iter().any(|verdict| verdict.phase == StepPhase::Cancelled);
    let is_failed = is_timed_out || failed(Then::Fail) || failed(Then::FailAtEnd);
    let is_cut = failed(Then::Fail);
    let phase = if is_failed {
        WorkflowPhase::Failed
    } else {
        WorkflowPhase::Succeeded
    };
    let outputs = case.output.iter().filter(|_| !is_failed).map(|(step, name)| {
        (
            "total".to_owned(),
            steps[*step].outputs.get(name).cloned().unwrap_or_else(|| json!(-1)),
        )
    });
    let counts_as_done = (0..steps.len())
        .map(|place| counts_as_done(case, place, &steps[place]))
        .collect();
    Verdicts {
        counts_as_done,
        phase,
        outputs: outputs.collect(),
        is_cut,
        is_timed_out,
        steps,
    }
}

fn counts_as_done(case: &Case, place: usize, verdict: &Verdict) -> bool {
    match verdict.phase {
        StepPhase::Succeeded | StepPhase::Skipped => true,
        StepPhase::Failed => case.steps[place].then != Then::Fail,
        _ => false,
    }
}

fn step(case: &Case, place: usize, before: &[Verdict], witness: &Witness) -> Verdict {
    let step = &case.steps[place];
    let is_done = |need: &usize| counts_as_done(case, *need, &before[*need]);
    if witness.cut.contains(&place) || !step.needs.iter().all(is_done) {
        return ended(StepPhase::Omitted, None);
    }
    match step.when.as_ref().map(|when| holds(case, when, before)) {
        Some(None) => return ended(StepPhase::Failed, Some(Reason::ExpressionError)),
        Some(Some(false)) => return ended(StepPhase::Skipped, Some(Reason::WhenFalse)),
        Some(Some(true)) | None => {}
    }
    let mut inputs = BTreeMap::new();
    for (name, source) in &step.inputs {
        match value(case, source, before) {
            Err(()) => return ended(StepPhase::Failed, Some(Reason::ExpressionError)),
            Ok(None) => {}
            Ok(Some(value)) => drop(inputs.insert(name.clone(), value)),
        }
    }
    let verdict = attempts(case, place, witness);
    Verdict {
        inputs: Some(inputs),
        ..verdict
    }
}

/// Tries until it succeeds, may not be tried again, or hangs.
fn attempts(case: &Case, place: usize, witness: &Witness) -> Verdict {
    let step = &case.steps[place];
    let (mut own, mut platform, mut causes) = (0, 0, Vec::new());
    loop {
        let number = u32::try_from(causes.len()).unwrap() + 1;
        let outcome = case.outcome(place, number);
        let unread = witness
            .recorded
            .get(&(place, number))
            .and_then(|cause| unread(step, outcome, cause.as_ref()));
        let end = match outcome {
            // For all that anybody knows it never started, and that is not tried again.
            Outcome::Forever { .. } if witness.unstarted.contains(&(place, number)) => {
                End::Never(Reason::DeadlineExceeded)
            }
            _ => unread.unwrap_or_else(|| end_of(step, outcome)),
        };
        let (reason, may_retry) = match end {
            End::Succeeds(outputs) => {
                causes.push(None);
                let phase = StepPhase::Succeeded;
                return Verdict {
                    attempts: number,
                    outputs,
                    causes,
                    ..ended(phase, None)
                };
            }
            End::RunsOn => {
                causes.push(Some(Reason::Stopped));
                let phase = StepPhase::Cancelled;
                return Verdict {
                    attempts: number,
                    causes,
                    ..ended(phase, Some(Reason::Stopped))
                };
            }
            End::Own(reason, code) => {
                own += 1;
                (reason, may_try_again(step, own, code))
            }
            End::Platform(reason) => {
                platform += 1;
                (reason, platform <= PLATFORM_BUDGET)
            }
            End::Never(reason) => (reason, false),
        };
        causes.push(Some(reason.clone()));
        // The delay of ten hours does not fit into what is left of ten minutes.
        if !may_retry || step.schedule_to_close == ScheduleToClose::Short {
            let phase = StepPhase::Failed;
            // A Job that was refused never came to be.
            let attempts = if reason == Reason::Refused { number - 1 } else { number };
            return Verdict {
                attempts,
                causes,
                ..ended(phase, Some(reason))
            };
        }
    }
}

/// Whether the program may fail once more, having failed `own` times.
fn may_try_again(step: &StepCase, own: u32, code: Option<i32>) -> bool {
    let Some(retry) = &step.retry else {
        return false;
    };
    let is_barred = code.is_some_and(|code| retry.never.contains(&code));
    let max = retry.max.unwrap_or(3);
    !is_barred && (max == 0 || own < max)
}

fn end_of(step: &StepCase, outcome: &Outcome) -> End {
    match outcome {
        Outcome::Exit { code: 0, said, .. } => match outputs(step, said) {
            Some(outputs) => End::Succeeds(outputs),
            None => End::Own(Reason::OutputInvalid, None),
        },
        Outcome::Exit { code, .. } => End::Own(Reason::ExitCode, Some(*code)),
        Outcome::OomKilled { .. } => End::Own(Reason::OOMKilled, Some(137)),
        Outcome::Evicted { .. } | Outcome::Drained { .. } => End::Platform(Reason::Evicted),
        Outcome::Preempted { .. } => End::Platform(Reason::Preempted),
        Outcome::NodeLost { .. } => End::Platform(Reason::NodeLost),
        Outcome::PodDeleted { .. } | Outcome::JobSuspended { .. } => End::Platform(Reason::Interrupted),
        // Its pod goes with it: nobody knows what it has done.
        Outcome::JobDeleted { .. } => End::Never(Reason::ResultLost),
        Outcome::NeverStarts(_) => End::Never(Reason::DeadlineExceeded),
        Outcome::Forever { .. } if step.start_to_close => End::Own(Reason::DeadlineExceeded, None),
        Outcome::Forever { .. } if step.schedule_to_close == ScheduleToClose::Short => {
            End::Never(Reason::DeadlineExceeded)
        }
        Outcome::Forever { .. } => End::RunsOn,
        Outcome::Refused => End::Never(Reason::Refused),
    }
}

/// What may be made of an attempt whose pod nobody could read: only the Job is left, or not even that.
fn unread(step: &StepCase, outcome: &Outcome, cause: Option<&Reason>) -> Option<End> {
    let job_is_complete = match outcome {
        Outcome::Drained { exit, .. } | Outcome::Preempted { exit, .. } | Outcome::PodDeleted { exit, .. } => {
            *exit == 0
        }
        _ => false,
    };
    match cause {
        None if job_is_complete && step.outputs.is_empty() => Some(End::Succeeds(BTreeMap::new())),
        Some(Reason::ResultLost) => Some(End::Never(Reason::ResultLost)),
        Some(Reason::Interrupted) => Some(End::Platform(Reason::Interrupted)),
        _ => None,
    }
}

/// The declared outputs in what the program said; none where one is missing or of another type.
fn outputs(step: &StepCase, said: &Said) -> Option<BTreeMap<String, Value>> {
    if let ([output], Said::Text(text)) = (step.outputs.as_slice(), said)
        && output.is_text
    {
        return Some(BTreeMap::from([(output.name.clone(), json!(text))]));
    }
    let values = match said {
        _ if step.outputs.is_empty() => return Some(BTreeMap::new()),
        Said::Values(values) => values.clone(),
        Said::Nothing => BTreeMap::new(),
        Said::Text(_) => return None,
    };
    let mut found = BTreeMap::new();
    for output in &step.outputs {
        match values.get(&output.name).or(output.default.as_ref()) {
            Some(value) if output.kind.admits(value) => {
                found.insert(output.name.clone(), stored(value));
            }
            None if output.optional => {}
            _ => return None,
        }
    }
    Some(found)
}

/// Whether a condition holds; none where it cannot be judged.
fn holds(case: &Case, condition: &Condition, before: &[Verdict]) -> Option<bool> {
    let integer = |step: &usize, name: &String| before[*step].outputs.get(name).and_then(Value::as_i64);
    match condition {
        Condition::Literal(value) => Some(*value),
        Condition::Flag => Some(case.flag),
        Condition::Phase(step, phase) => Some(before[*step].phase == *phase),
        Condition::Has(step, name) => Some(before[*step].outputs.contains_key(name)),
        Condition::Reads(step, name, bound) => integer(step, name).map(|value| value > *bound),
        Condition::Guarded(step, name, bound) => Some(integer(step, name).is_some_and(|value| value > *bound)),
        Condition::Divides(step, name, bound) => 12_i64.checked_div(integer(step, name)?).map(|value| value > *bound),
        Condition::Not(inner) => holds(case, inner, before).map(|value| !value),
        Condition::And(left, right) => {
            if holds(case, left, before)? {
                holds(case, right, before)
            } else {
                Some(false)
            }
        }
        Condition::Or(left, right) => {
            if holds(case, left, before)? {
                Some(true)
            } else {
                holds(case, right, before)
            }
        }
    }
}

fn value(case: &Case, source: &Source, before: &[Verdict]) -> Result<Option<Value>, ()> {
    let read = |step: &usize, name: &String| before[*step].outputs.get(name).cloned();
    match source {
        Source::Literal(value) | Source::Default(value) => Ok(Some(stored(value))),
        Source::Absent => Ok(None),
        Source::Level => Ok(Some(json!(case.level))),
        Source::Reads(step, name) => read(step, name).map(Some).ok_or(()),
        Source::Divides(step, name) => {
            let quotient = read(step, name).and_then(|value| 12_i64.checked_div(value.as_i64()?));
            quotient.map(|value| Some(json!(value))).ok_or(())
        }
        Source::ReadsOr(step, name, otherwise) => Ok(Some(read(step, name).unwrap_or_else(|| json!(otherwise)))),
        Source::Phase(step) => Ok(Some(json!(before[*step].phase.to_string()))),
    }
}

fn stored(value: &Value) -> Value {
    let mut value = value.clone();
    go_numbers(&mut value);
    value
}

fn ended(phase: StepPhase, reason: Option<Reason>) -> Verdict {
    Verdict {
        phase,
        reason,
        attempts: 0,
        outputs: BTreeMap::new(),
        inputs: None,
        causes: Vec::new(),
    }
}
