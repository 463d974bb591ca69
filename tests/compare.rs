//! What came out of a play against what the reference says.

use jobwright_api::{Reason, StepPhase, StepStatus, WorkflowStatus, status::ItemCounts};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Debug};

use crate::{
    graphs::{Case, Kind, Outcome},
    laws::{Fault, History},
    reference::{self, Cancelled, ForkEnd, Item, Verdict, Witness},
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
    for (id, verdict) in &verdicts.steps {
        step(play, (id, verdict))?;
    }
    let known = |id: &&String| !verdicts.steps.contains_key(*id);
    let shown = play.stored.steps.keys().chain(play.history.ended.keys());
    if let Some(id) = shown.chain(play.history.created.keys().map(|(id, _)| id)).find(known) {
        return Err(format!("{id} came to be, and the reference knows nothing of it"));
    }
    if let Some(words) = verdicts.impossible.first() {
        return Err(words.clone());
    }
    for (id, takes_a_stop) in &verdicts.gave_way {
        let is_free = if *takes_a_stop {
            !verdicts.may_be_stopped(id)
        } else {
            !verdicts.may_be_cut(id)
        };
        if is_free {
            return Err(format!("{id} did not go on, and nothing kept it from that"));
        }
    }
    let status = &play.stored;
    let phase = status.phase.unwrap_or_default();
    if phase != verdicts.phase {
        return Err(format!(
            "the run is {phase} ({:?}), the reference says {}",
            status.reason, verdicts.phase
        ));
    }
    if status.reason != verdicts.reason {
        return Err(format!(
            "the run is {phase} for {:?}, the reference says {:?}",
            status.reason, verdicts.reason
        ));
    }
    if status.outputs != verdicts.outputs {
        return Err(format!(
            "the run gives {:?}, the reference {:?}",
            status.outputs, verdicts.outputs
        ));
    }
    if status.loop_counts != verdicts.loop_counts {
        return Err(format!(
            "the run counts {:?}, the reference {:?}",
            status.loop_counts, verdicts.loop_counts
        ));
    }
    Ok(())
}

/// Which way the races of this play went.
fn witness(play: &Ended) -> Witness {
    let mut witness = Witness::default();
    for (id, status) in steps(play) {
        let is_created = created(play, id) > 0;
        if status.phase == StepPhase::Omitted && (!is_created || play.is_double) {
            witness.cut.insert(id.clone());
        }
        let place = play.case.place(id);
        let step = place.as_ref().map(|place| (play.case.step(place), place.is_item()));
        if status.phase == StepPhase::Cancelled {
            // Between two iterations: else what became of the open one tells.
            let is_loop = step.is_some_and(|(step, _)| matches!(step.kind, Kind::Loop(_)));
            let is_between = is_loop && !is_open(play, id, status.iterations);
            let cancelled = Cancelled {
                attempts: status.attempts.count,
                iterations: is_between.then_some(status.iterations),
            };
            witness.cancelled.insert(id.clone(), cancelled);
        }
        if step.is_some_and(|(step, is_item)| step.each.is_some() && !is_item) {
            let fork = ForkEnd {
                opened: status.counts.as_ref().map_or(0, |counts| counts.opened),
                phase: status.phase,
                reason: status.reason.clone(),
            };
            witness.forks.insert(id.clone(), fork);
        }
        if let Some(unseen) = &status.unseen {
            witness.unseen.insert(id.clone(), unseen.clone());
        }
        witness.order.insert(id.clone(), status.seq);
    }
    witness.exit = play.stored.exit.as_ref().map(|exit| exit.step.clone());
    for ((id, number), (phase, reason)) in &play.history.recorded {
        let Some(place) = play.case.place(id) else { continue };
        let at = (id.clone(), *number);
        let outcome = play.case.outcome(&place, *number);
        let is_ours = matches!(outcome, Outcome::JobDeleted { .. });
        if vanishes(outcome) && (is_ours || !play.is_calm) {
            let cause = if *phase == StepPhase::Succeeded {
                None
            } else {
                reason.clone()
            };
            witness.recorded.insert(at.clone(), cause);
        }
        let is_deadline = *reason == Some(Reason::DeadlineExceeded);
        if is_deadline && !play.is_calm && !play.history.started.contains(&at) {
            witness.unstarted.insert(at);
        }
    }
    witness
}

/// Whether an iteration came to be.
fn is_open(play: &Ended, id: &str, iteration: u32) -> bool {
    let prefix = format!("{id}[{iteration}].");
    let mut behind = play.stored.steps.range(prefix.clone()..);
    behind.next().is_some_and(|(id, _)| id.starts_with(&prefix))
}

/// Every step that came to be, as it was when it had ended.
fn steps<'a>(play: &Ended<'a>) -> impl Iterator<Item = (&'a String, &'a StepStatus)> {
    let stored = play.stored;
    let folded = play.history.ended.iter();
    let folded = folded.filter(|(id, _)| !stored.steps.contains_key(*id));
    stored.steps.iter().chain(folded)
}

/// How many Jobs of a step there were that anybody can know of. The one window that is documented: a Job
/// deleted by hand while the operator, killed in the same second, had not recorded it.
fn created(play: &Ended, id: &str) -> usize {
    let Some(place) = play.case.place(id) else { return 0 };
    let is_in_window = |number: u32| {
        !play.is_calm
            && matches!(play.case.outcome(&place, number), Outcome::JobDeleted { .. })
            && !play.history.recorded.contains_key(&(place.id.clone(), number))
    };
    let jobs = play.history.jobs_of(id);
    jobs.filter(|(number, _)| !is_in_window(*number)).count()
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

fn step(play: &Ended, (id, verdict): (&String, &Verdict)) -> Result<(), Fault> {
    let found = play.stored.steps.get(id).or_else(|| play.history.ended.get(id));
    let status = found.ok_or_else(|| format!("{id} is not in the status"))?;
    let differs = |what: &str, found: &dyn Debug, wanted: &dyn Debug| {
        Err(format!("{id} has {what} {found:?}, the reference says {wanted:?}"))
    };
    if status.phase != verdict.phase {
        return Err(format!(
            "{id} is {} ({:?}, {:?}), the reference says {} {:?}",
            status.phase, status.reason, status.message, verdict.phase, verdict.reason
        ));
    }
    if let Some(reason) = &verdict.reason
        && verdict.phase != StepPhase::Cancelled
        && status.reason.as_ref() != Some(reason)
    {
        return differs("reason", &status.reason, reason);
    }
    if status.outputs != verdict.outputs {
        return differs("outputs", &status.outputs, &verdict.outputs);
    }
    if status.attempts.count != verdict.attempts {
        return differs("attempts", &status.attempts.count, &verdict.attempts);
    }
    if status.selected != verdict.selected {
        return differs("selected", &status.selected, &verdict.selected);
    }
    if status.iterations != verdict.iterations {
        return differs("iterations", &status.iterations, &verdict.iterations);
    }
    let counts = verdict.items.as_deref().map(counts);
    if status.counts != counts {
        return differs("items", &status.counts, &counts);
    }
    attempts(play, (id, verdict))
}

/// How the items of a fork have to stand.
fn counts(items: &[Item]) -> ItemCounts {
    let mut counts = ItemCounts {
        total: u32::try_from(items.len()).unwrap(),
        ..ItemCounts::default()
    };
    let opened = items.iter().filter_map(|item| item.phase);
    opened.for_each(|phase| counts.add(phase));
    counts
}

/// Each Job: that it was made, with which inputs, and how it ended.
fn attempts(play: &Ended, (id, verdict): (&String, &Verdict)) -> Result<(), Fault> {
    let created = created(play, id);
    let wanted = usize::try_from(verdict.attempts).unwrap();
    if created < wanted || (created > wanted && !play.is_double) {
        return Err(format!(
            "{id} had {created} Jobs, the reference says {}",
            verdict.attempts
        ));
    }
    let expected = verdict.inputs.as_ref().map(variables);
    for (number, _) in play.history.jobs_of(id) {
        let given = &play.history.inputs[&(id.clone(), number)];
        let is_orphan = expected.is_none() && play.is_double;
        if created > 0 && Some(given) != expected.as_ref() && !is_orphan {
            return Err(format!(
                "{id} attempt {number} was given {given:?}, the reference says {expected:?}"
            ));
        }
    }
    for (number, cause) in (1..).zip(&verdict.causes) {
        let Some((_, reason)) = play.history.recorded.get(&(id.clone(), number)) else {
            continue;
        };
        let is_stop = *cause == Some(Reason::Stopped);
        if reason != cause && !is_stop {
            return Err(format!(
                "{id} attempt {number} ended by {reason:?}, the reference says {cause:?}"
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
