//! A Workflow that runs for a step of another one: it ends when its parent does not want it any more. Nobody has to
//! tell it: what the parent has stored says so, whoever reads it and however late.

use jobwright_api::{Reason, WorkflowPhase, WorkflowStatus, status::Stop, template::OnParentClose};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use crate::{
    draft::{Cause, Draft},
    id::StepId,
    observed::{Observed, Parent},
};

/// Why this Workflow is to end, if its parent has ended or has stopped the attempt that it is.
pub(crate) fn closed(observed: &Observed<'_>) -> Option<Stop> {
    let parent = observed
        .parent
        .as_ref()
        .filter(|parent| parent.on_close != OnParentClose::Abandon)?;
    let status = parent.status?;
    let words = wish(parent, status, observed.name)?;
    Some(Stop {
        reason: Reason::ParentClosed,
        timeout: None,
        message: Some(words),
        at: MicroTime(observed.now),
    })
}

/// What the parent's stored status says against this child, in words.
fn wish(parent: &Parent<'_>, status: &WorkflowStatus, name: &str) -> Option<String> {
    let phase = status.phase.unwrap_or_default();
    if status.run != Some(parent.run) {
        return Some("the parent has begun another run".to_owned());
    }
    if phase.is_terminal() {
        return Some(format!("the parent is {phase}"));
    }
    attempt_stop(parent, status, name)
}

/// The step does not want this attempt, or never knew of it and has ended.
fn attempt_stop(parent: &Parent<'_>, status: &WorkflowStatus, name: &str) -> Option<String> {
    let key = StepId::from(parent.path.clone()).to_string();
    let step = status.steps.get(&key)?;
    let mut recent = step.attempts.recent.iter();
    match recent.find(|attempt| attempt.workflow.as_deref() == Some(name)) {
        Some(attempt) => {
            let intent = attempt.stop.as_ref()?;
            let words = intent.message.clone().unwrap_or_else(|| intent.reason.to_string());
            Some(format!("step {key} of the parent is stopped: {words}"))
        }
        // Made by an operator that knew less than the one that stored the end.
        None if step.phase.is_terminal() && parent.attempt > step.attempts.count => {
            Some(format!("step {key} of the parent is {}", step.phase))
        }
        None => None,
    }
}

/// Ends a Workflow that has not begun.
pub(crate) fn end_unbegun(observed: &Observed<'_>, draft: &mut Draft, stop: &Stop) {
    let cause = Cause::new(stop.reason.clone(), stop.message.as_deref().unwrap_or_default());
    draft.status.finished_at = Some(draft.now());
    draft.move_run(ended(observed), cause);
}

/// How a Workflow ends that its parent has closed.
pub(crate) fn ended(observed: &Observed<'_>) -> WorkflowPhase {
    if is_cancelled(observed) {
        WorkflowPhase::Cancelled
    } else {
        WorkflowPhase::Terminated
    }
}

/// What follows the end may run: the parent asks for a cancel only.
pub(crate) fn is_cancelled(observed: &Observed<'_>) -> bool {
    let parent = observed.parent.as_ref();
    parent.is_some_and(|parent| parent.on_close == OnParentClose::Cancel)
}
