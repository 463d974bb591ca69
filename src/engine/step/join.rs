//! Joins: what the needs of a step say, and what a met join does to the others.

use jobwright_api::{
    Reason, StepPhase,
    flow::{Counted, Join as Policy, Others},
    status::Stop,
};

use crate::{draft::Draft, flow::handler, frame::Instance};

/// What the needs of a step say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Join {
    Waits,
    Met,
    /// It can never be met: the first need that ended badly.
    Lost(String),
}

/// Whether as many needs count as the join requires.
pub(crate) fn join(draft: &Draft, instance: Instance<'_>) -> Join {
    let all = Policy::default();
    let policy = instance.definition().join.as_ref().unwrap_or(&all);
    let (mut needs, mut counting, mut lost) = (0_usize, 0_usize, Vec::new());
    for need in instance.needs() {
        needs = needs.saturating_add(1);
        let phase = draft.phase_of(need.key());
        if counts(policy, need, phase) && handler::is_over(draft, need) {
            counting = counting.saturating_add(1);
        } else if phase.is_terminal() && !is_being_handled(draft, need) {
            lost.push((need.key(), phase));
        }
    }
    let required = policy.required(needs);
    if counting >= required {
        return Join::Met;
    }
    match lost.first() {
        Some((key, phase)) if needs.saturating_sub(lost.len()) < required => Join::Lost(format!("{key} is {phase}")),
        _ => Join::Waits,
    }
}

fn counts(policy: &Policy, need: Instance<'_>, phase: StepPhase) -> bool {
    match (phase, policy.count) {
        (StepPhase::Succeeded, _) | (StepPhase::Skipped, Counted::Done) => true,
        (StepPhase::Failed, Counted::Done) => need.failure_counts_as_done(),
        _ => false,
    }
}

/// It will count once what follows its failure has ended.
fn is_being_handled(draft: &Draft, need: Instance<'_>) -> bool {
    need.failure_counts_as_done() && !handler::is_over(draft, need)
}

/// The step has failed, and nothing new may start beside it: no `then` lets that pass, and no join below it
/// that is met, or may still be met, by others.
pub(crate) fn is_failure(draft: &Draft, instance: Instance<'_>) -> bool {
    draft.phase_of(instance.key()) == StepPhase::Failed
        && !instance.failure_counts_as_done()
        && !is_absorbed(draft, instance)
}

fn is_absorbed(draft: &Draft, failed: Instance<'_>) -> bool {
    let steps = failed.frame().instances();
    let mut below = steps
        .filter(|step| step.needs().any(|need| need.key() == failed.key()))
        .peekable();
    below.peek().is_some() && below.all(|step| !matches!(join(draft, step), Join::Lost(_)))
}

/// The needs that a join does not need any more, and why they are stopped.
pub(crate) fn superfluous<'f>(draft: &Draft, instance: Instance<'f>) -> Option<(Stop, Vec<Instance<'f>>)> {
    let policy = instance.definition().join.as_ref()?;
    let phase = draft.phase_of(instance.key());
    // Only a step that has been let start has judged its join.
    if policy.others != Others::Cancel || matches!(phase, StepPhase::Pending | StepPhase::Omitted) {
        return None;
    }
    let needs = instance.needs();
    let others: Vec<Instance<'_>> = needs.filter(|need| !draft.phase_of(need.key()).is_terminal()).collect();
    let stop = Stop {
        reason: Reason::JoinMet,
        timeout: None,
        message: Some(format!("{} needs it no more: its join is met", instance.key())),
        at: draft.now(),
    };
    (!others.is_empty()).then_some((stop, others))
}
