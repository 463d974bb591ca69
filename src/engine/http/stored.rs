//! Which results of requests have to be stored before a Job: nobody else can tell of them.

use jobwright_api::{StepStatus, status::PathSegment};

use crate::{definition::Kind, draft::Draft, frame::Instance, id::StepId, run::Run};

/// The Job of this step may rest on the answer to a request that is not stored yet.
///
/// Only what may have let it start counts: else a Job would wait for all requests of a fork beside it, of which
/// there is always one that has just ended.
pub(crate) fn must_store_first(run: &Run, draft: &Draft, instance: Instance<'_>) -> bool {
    let mut ended = draft.status.steps.iter().filter(|(key, step)| {
        step.kind == Kind::Http.word() && step.phase.is_terminal() && !run.is_stored_terminal(key)
    });
    ended.any(|(_, step)| may_let_start(draft, &step.path, instance.id().path()))
}

/// Whether what ended at one place may be why something starts at another.
fn may_let_start(draft: &Draft, ended: &[PathSegment], starts: &[PathSegment]) -> bool {
    let common = ended.iter().zip(starts).take_while(|(one, other)| one == other).count();
    let (Some(theirs), Some(ours)) = (ended.get(common), starts.get(common)) else {
        return true; // one is within the other: what follows its failure
    };
    let mut around = ended.get(..=common).unwrap_or_default().to_vec();
    if let Some(last) = around.last_mut() {
        last.index = None;
    }
    let step = draft.step(&StepId::from(around).to_string());
    if theirs.name == ours.name {
        // Iterations follow each other, items do not.
        return step.is_none_or(|step| step.kind != Kind::ForEach.word());
    }
    // A step that goes on lets nothing beside it start.
    step.is_none_or(|step: &StepStatus| step.phase.is_terminal())
}
