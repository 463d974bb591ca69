//! What came out of a play against what the reference says.

use jobwright_api::{Reason, StepPhase, WorkflowPhase, WorkflowStatus};
use serde_json::Value;
use std::collections::BTreeMap;

use crate::{
    graphs::{Case, Outcome, StepCase},
    laws::{Fault, History},
    reference::{self, Verdict, Verdicts, Witness},
};

/// A run that has ended.
pub struct Ended<'a> {
    pub case: &'a Case,
    pub stored: &'a WorkflowStatus,
    pub history: &'a History,
    /// Every event was seen as it happened.
    pub is_calm: bool,
    /// Two operators were at work: one may make a Job while the other decides that there is none to make.
    pub is_double: bool,
}

/// Compares it with what the reference makes of the same case.
pub fn compare(play: &Ended) -> Result<(), Fault> {
    let witness = witness(play);
    let verdicts = reference::judge(play.case, &witness);
    for place in 0..play.case.steps.len() {
        step(play, &verdicts, place, witness.cut.contains(&place))?;
    }
    let status = &play.stored;
    let phase = status.phase.unwrap_or_default();
    if phase != verdicts.phase {
        return Err(format!(
            "the run is {phase} ({:?}), the reference says {}",
            status.reason, verdicts.phase
        ));
    }
    let reason = match (verdicts.is_timed_out, phase) {
        (true, _) => Some(Reason::DeadlineExceeded),
        (false, WorkflowPhase::Failed) => Some(Reason::StepFailed),
        _ => None,
    };
    if status.reason != reason {
        return Err(format!(
            "the run is {phase} for {:?}, the reference says {reason:?}",
            status.reason
        ));
    }
    if status.outputs != verdicts.outputs {
        return Err(format!(
            "the run gives {:?}, the reference {:?}",
            status.outputs, verdicts.outputs
        ));
    }
    Ok(())
}

/// Which way the races of this play went.
fn witness(play: &Ended) -> Witness {
    let mut witness = Witness::default();
    for (place, step) in play.case.steps.iter().enumerate() {
        let status = play.stored.steps.get(&step.name);
        let is_created = created(play, place) > 0;
        if status.is_some_and(|status| status.phase == StepPhase::Omitted) && (!is_created || play.is_double) {
            witness.cut.insert(place);
        }
    }
    for ((place, number), (phase, reason)) in &play.history.recorded {
        let outcome = play.case.outcome(*place, *number);
        let is_ours = matches!(outcome, Outcome::JobDeleted { .. });
        if vanishes(outcome) && (is_ours || !play.is_calm) {
            let cause = if *phase == StepPhase::Succeeded {
                None
            } else {
                reason.clone()
            };
            witness.recorded.insert((*place, *number), cause);
        }
        let is_deadline = *reason == Some(Reason::DeadlineExceeded);
        if is_deadline && !play.is_calm && !play.history.started.contains(&(*place, *number)) {
            witness.unstarted.insert((*place, *number));
        }
    }
    witness
}

/// How many Jobs of a step there were that anybody can know of. The one window that is documented: a Job
/// deleted by hand while the operator, killed in the same second, had not recorded it.
fn created(play: &Ended, place: usize) -> usize {
    let is_in_window = |number: u32| {
        !play.is_calm
            && matches!(play.case.outcome(place, number), Outcome::JobDeleted { .. })
            && !play.history.recorded.contains_key(&(place, number))
    };
    let all = play.history.created.keys();
    all.filter(|(of, number)| *of == place && !is_in_window(*number))
        .count()
}

/// The pod goes away by itself: whoever looks late cannot read it.
const fn vanishes(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Drained { .. }
            | Outcome::Preempted { .. }
            | Outcome::NodeLost { .. }
            | Outcome::PodDeleted { .. }
            | Outcome::JobDeleted { .. }
            | Outcome::JobSuspended { .. }
    )
}

fn step(play: &Ended, verdicts: &Verdicts, place: usize, is_cut: bool) -> Result<(), Fault> {
    let case = &play.case.steps[place];
    let verdict = &verdicts.steps[place];
    let name = &case.name;
    let status = play
        .stored
        .steps
        .get(name)
        .ok_or_else(|| format!("{name} is not in the status"))?;
    if status.phase != verdict.phase {
        return Err(format!(
            "{name} is {} ({:?}, {:?}), the reference says {} {:?}",
            status.phase, status.reason, status.message, verdict.phase, verdict.reason
        ));
    }
    if let Some(reason) = &verdict.reason
        && verdict.phase != StepPhase::Cancelled
        && status.reason.as_ref() != Some(reason)
    {
        return Err(format!(
            "{name} is {} for {:?}, the reference says {reason:?}",
            status.phase, status.reason
        ));
    }
    if status.outputs != verdict.outputs {
        return Err(format!(
            "{name} gives {:?}, the reference says {:?}",
            status.outputs, verdict.outputs
        ));
    }
    if status.attempts.count != verdict.attempts {
        return Err(format!(
            "{name} has {} attempts, the reference says {}",
            status.attempts.count, verdict.attempts
        ));
    }
    if is_cut && is_met(verdicts, case) && !verdicts.is_cut && !verdicts.is_timed_out {
        return Err(format!("{name} is Omitted, and nothing kept it from starting"));
    }
    attempts(play, verdict, place)
}

fn is_met(verdicts: &Verdicts, step: &StepCase) -> bool {
    step.needs.iter().all(|need| verdicts.counts_as_done[*need])
}

/// Each Job: that it was made, with which inputs, and how it ended.
fn attempts(play: &Ended, verdict: &Verdict, place: usize) -> Result<(), Fault> {
    let name = &play.case.steps[place].name;
    let created = created(play, place);
    let wanted = usize::try_from(verdict.attempts).unwrap();
    if created < wanted || (created > wanted && !play.is_double) {
        return Err(format!(
            "{name} had {created} Jobs, the reference says {}",
            verdict.attempts
        ));
    }
    let expected = verdict.inputs.as_ref().map(variables);
    for ((_, number), given) in play.history.inputs.iter().filter(|((of, _), _)| *of == place) {
        let is_orphan = expected.is_none() && play.is_double;
        if created > 0 && Some(given) != expected.as_ref() && !is_orphan {
            return Err(format!(
                "{name} attempt {number} was given {given:?}, the reference says {expected:?}"
            ));
        }
    }
    for (number, cause) in (1..).zip(&verdict.causes) {
        let Some((_, reason)) = play.history.recorded.get(&(place, number)) else {
            continue;
        };
        let is_stop = *cause == Some(Reason::Stopped);
        if reason != cause && !is_stop {
            return Err(format!(
                "{name} attempt {number} ended by {reason:?}, the reference says {cause:?}"
            ));
        }
    }
    Ok(())
}

/// Strings as they are, the rest JSON; every `$` doubled, so that Kubernetes expands nothing.
fn variables(inputs: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let variable =
        |(name, value): (&String, &Value)| (format!("INPUT_{}", name.to_uppercase()), text(value).replace('$', "$$"));
    inputs.iter().map(variable).collect()
}
