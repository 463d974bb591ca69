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
    let mut below = below(failed).peekable();
    below.peek().is_some() && below.all(|step| !matches!(join(draft, step), Join::Lost(_)))
}

/// Something around the frame of this step has kept it from starting, or stopped it: no join beside it has.
pub(crate) fn is_cut(draft: &Draft, instance: Instance<'_>) -> bool {
    let is_kept = match draft.phase_of(instance.key()) {
        StepPhase::Cancelled => true,
        StepPhase::Omitted => !matches!(join(draft, instance), Join::Lost(_)),
        _ => false,
    };
    is_kept && !below(instance).any(|step| has_cancelled(draft, step))
}

/// A join below it is met and does without it, or is about to: it need not begin.
pub(crate) fn is_doomed(draft: &Draft, instance: Instance<'_>) -> bool {
    below(instance).any(|step| {
        let is_about_to = draft.phase_of(step.key()) == StepPhase::Pending && join(draft, step) == Join::Met;
        has_cancelled(draft, step) || (cancels(step) && is_about_to)
    })
}

fn below(instance: Instance<'_>) -> impl Iterator<Item = Instance<'_>> {
    let steps = instance.frame().instances();
    steps.filter(move |step| step.needs().any(|need| need.key() == instance.key()))
}

fn cancels(instance: Instance<'_>) -> bool {
    let policy = instance.definition().join.as_ref();
    policy.is_some_and(|policy| policy.others == Others::Cancel)
}

/// Only a step that has been let start has judged its join.
fn has_cancelled(draft: &Draft, instance: Instance<'_>) -> bool {
    let phase = draft.phase_of(instance.key());
    cancels(instance) && !matches!(phase, StepPhase::Pending | StepPhase::Omitted)
}

/// The needs that a join does not need any more, and why they are stopped.
pub(crate) fn superfluous<'f>(draft: &Draft, instance: Instance<'f>) -> Option<(Stop, Vec<Instance<'f>>)> {
    if !has_cancelled(draft, instance) {
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
