//! A step with a Job: what its attempts come to.

use jobwright_api::{Reason, StepPhase};
use serde_json::json;

use super::{
    Values, Verdict, Witness,
    value::stored,
    verdict::{cancelled, ended},
};
use crate::graphs::{Case, Outcome, Place, Said, ScheduleToClose, StepCase};

/// How one attempt ends.
enum End {
    Succeeds(Values),
    Own(Reason, Option<i32>),
    Platform(Reason),
    Never(Reason),
    RunsOn,
}

pub const PLATFORM_BUDGET: u32 = 3;

/// Tries until it succeeds, may not be tried again, or hangs.
pub(super) fn attempts(case: &Case, place: &Place, witness: &Witness) -> Verdict {
    let step = case.step(place);
    let (mut own, mut platform, mut causes) = (0, 0, Vec::new());
    let stopped = witness.cancelled.get(&place.id).map(|cancelled| cancelled.attempts);
    loop {
        let number = u32::try_from(causes.len()).unwrap() + 1;
        let outcome = case.outcome(place, number);
        let unread = witness
            .recorded
            .get(&(place.id.clone(), number))
            .and_then(|cause| unread(step, outcome, cause.as_ref()));
        let end = match outcome {
            // For all that anybody knows it never started, and that is not tried again.
            Outcome::Forever { .. } if witness.unstarted.contains(&(place.id.clone(), number)) => {
                End::Never(Reason::DeadlineExceeded)
            }
            _ => unread.unwrap_or_else(|| end_of(step, outcome)),
        };
        if stopped == Some(number) && !matches!(end, End::RunsOn) {
            return stopped_at(number, causes);
        }
        let (reason, may_retry, exit_code) = match end {
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
                return Verdict {
                    hangs: true,
                    ..stopped_at(number, causes)
                };
            }
            End::Own(reason, code) => {
                own += 1;
                (reason, may_try_again(step, own, code), code)
            }
            End::Platform(reason) => {
                platform += 1;
                (reason, platform <= PLATFORM_BUDGET, None)
            }
            End::Never(reason) => (reason, false, None),
        };
        causes.push(Some(reason.clone()));
        // The delay of ten hours does not fit into what is left of ten minutes.
        if !may_retry || step.schedule_to_close == ScheduleToClose::Short {
            let phase = StepPhase::Failed;
            // A Job that was refused never came to be.
            let attempts = if reason == Reason::Refused { number - 1 } else { number };
            return Verdict {
                attempts,
                exit_code,
                causes,
                ..ended(phase, Some(reason))
            };
        }
    }
}

/// Something around the step stopped this attempt, or kept the next from coming.
fn stopped_at(number: u32, mut causes: Vec<Option<Reason>>) -> Verdict {
    causes.push(Some(Reason::Stopped));
    Verdict {
        attempts: number,
        causes,
        ..cancelled()
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
            None => End::Own(Reason::OutputInvalid, Some(0)),
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
        None if job_is_complete && step.outputs.is_empty() => Some(End::Succeeds(Values::new())),
        Some(Reason::ResultLost) => Some(End::Never(Reason::ResultLost)),
        Some(Reason::Interrupted) => Some(End::Platform(Reason::Interrupted)),
        _ => None,
    }
}

/// The declared outputs in what the program said; none where one is missing or of another type.
fn outputs(step: &StepCase, said: &Said) -> Option<Values> {
    if let ([output], Said::Text(text)) = (step.outputs.as_slice(), said)
        && output.is_text
    {
        return Some(Values::from([(output.name.clone(), json!(text))]));
    }
    let values = match said {
        _ if step.outputs.is_empty() => return Some(Values::new()),
        Said::Values(values) => values.clone(),
        Said::Nothing => Values::new(),
        Said::Text(_) => return None,
    };
    let mut found = Values::new();
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
