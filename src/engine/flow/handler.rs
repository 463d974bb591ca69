//! Blocks that follow a failure or the end. Each runs once, under `onFailure` or `onExit` of what it belongs to.

use jobwright_api::{Reason, StepPhase, StepStatus, WorkflowPhase};
use serde_json::{Value, json};

use crate::{
    draft::Draft,
    frame::{Frame, Instance},
    graph::{Body, ON_EXIT, ON_FAILURE},
    id::StepId,
    run::{Mood, Run},
    step::join,
};

/// The step has ended, and so has what follows its failure.
pub(crate) fn is_over(draft: &Draft, instance: Instance<'_>) -> bool {
    match draft.phase_of(instance.key()) {
        StepPhase::Failed => instance.on_failure().is_none() || draft.phase_of(&key(instance)).is_terminal(),
        phase => phase.is_terminal(),
    }
}

fn key(instance: Instance<'_>) -> String {
    id(instance).to_string()
}

fn id(instance: Instance<'_>) -> StepId {
    StepId::below(instance.id().path(), ON_FAILURE)
}

/// Goes on with what follows the failure of a step.
pub(crate) fn of_step(run: &Run, draft: &mut Draft, instance: Instance<'_>, mood: Mood<'_>) {
    if let Some(frame) = frame_of_step(draft, instance) {
        go_on(run, draft, &frame, mood);
    }
}

/// Goes on with what follows a failure within a block. True once there is nothing left to do.
pub(super) fn of_block(run: &Run, draft: &mut Draft, frame: &Frame<'_>, mood: Mood<'_>) -> bool {
    if !run.can_read_at_end(draft, frame) {
        return false;
    }
    match frame_of_body(draft, frame, ON_FAILURE) {
        Some(handler) if first_failure(draft, frame).is_some() => go_on(run, draft, &handler, mood),
        _ => true,
    }
}

/// Goes on with what follows the end of all steps of the run. True once there is nothing left to do.
pub(crate) fn of_run(run: &Run, draft: &mut Draft, root: &Frame<'_>) -> bool {
    // What has stopped the steps does not stop what follows them, unless all is to end.
    let terminated = run.terminated();
    let mood = Mood {
        stop: terminated,
        is_failing: false,
        has_ended: false,
    };
    if !run.can_read_at_end(draft, root) {
        return false;
    }
    // What has not begun by then never will.
    let may_go_on = |draft: &Draft, handler: &Frame<'_>| {
        terminated.is_none() || handler.instances().all(|step| draft.step(step.key()).is_some())
    };
    let is_over = match frame_of_body(draft, root, ON_FAILURE) {
        Some(handler) if has_failed(draft, root) && may_go_on(draft, &handler) => go_on(run, draft, &handler, mood),
        _ => true,
    };
    is_over
        && match frame_of_body(draft, root, ON_EXIT) {
            Some(handler) if may_go_on(draft, &handler) => go_on(run, draft, &handler, mood),
            _ => true,
        }
}

fn has_failed(draft: &Draft, root: &Frame<'_>) -> bool {
    match (&draft.status.exit, &draft.status.stop) {
        (Some(exit), _) => exit.phase == WorkflowPhase::Failed,
        (None, Some(stop)) => stop.reason != Reason::ParentClosed,
        (None, None) => first_failure(draft, root).is_some(),
    }
}

fn go_on(run: &Run, draft: &mut Draft, handler: &Frame<'_>, mood: Mood<'_>) -> bool {
    if handler.instances().any(|step| draft.step(step.key()).is_none()) {
        draft.open_frame(handler);
        run.observe(draft, handler);
    }
    let mood = Mood {
        is_failing: false,
        ..mood
    };
    run.go_on(draft, handler, mood)
}

/// Takes in what the Jobs of handlers say that have begun.
pub(crate) fn observe(run: &Run, draft: &mut Draft, frame: &Frame<'_>) {
    for instance in frame.instances() {
        if let Some(handler) = frame_of_step(draft, instance) {
            run.observe(draft, &handler);
        }
    }
    for name in [ON_FAILURE, ON_EXIT] {
        if let Some(handler) = frame_of_body(draft, frame, name) {
            run.observe(draft, &handler);
        }
    }
}

fn frame_of_step<'f>(draft: &Draft, instance: Instance<'f>) -> Option<Frame<'f>> {
    let body = instance.node().on_failure()?;
    let step = draft
        .step(instance.key())
        .filter(|step| step.phase == StepPhase::Failed)?;
    let error = error_of(instance.key(), step);
    Some(Frame::within(
        instance.frame(),
        body,
        id(instance),
        vec![("error", error)],
    ))
}

fn frame_of_body<'f>(draft: &Draft, frame: &'f Frame<'_>, name: &str) -> Option<Frame<'f>> {
    let body: &Body = match name {
        ON_FAILURE => frame.body().on_failure()?,
        _ => frame.body().on_exit()?,
    };
    let id = StepId::below(frame.path(), name);
    let error = first_failure(draft, frame)
        .map(|(key, step)| error_of(key, step))
        .or_else(|| frame.path().is_empty().then(|| error_of_run(draft))?);
    Some(Frame::within(
        frame,
        body,
        id,
        vec![("error", error.unwrap_or_else(|| json!({})))],
    ))
}

/// The step that failed first, of those whose failure is not let pass.
fn first_failure<'f>(draft: &'f Draft, frame: &'f Frame<'_>) -> Option<(&'f str, &'f StepStatus)> {
    let failed = frame.instances().filter_map(|instance| {
        let step = draft.step(instance.key())?;
        let is_failed = step.phase == StepPhase::Failed && instance.fails_at_end();
        (is_failed || join::is_failure(draft, instance)).then_some((instance.key(), step))
    });
    failed.min_by_key(|(_, step)| step.seq)
}

/// The root `error`. What there is not is absent.
fn error_of(key: &str, step: &StepStatus) -> Value {
    let reason = step.reason.as_ref().map(ToString::to_string).unwrap_or_default();
    let exit_code = step.attempts.recent.last().and_then(|attempt| attempt.exit_code);
    let mut error = json!({ "step": key, "reason": reason, "message": step.message, "exitCode": exit_code });
    if let Some(members) = error.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    error
}

/// The same where the run itself was ended: by an exit, or by its time limit.
fn error_of_run(draft: &Draft) -> Option<Value> {
    let status = &draft.status;
    if let Some(exit) = &status.exit {
        let reason = exit.reason.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut error = json!({ "step": exit.step, "reason": reason });
        if let (Some(message), Some(members)) = (&exit.message, error.as_object_mut()) {
            members.insert("message".into(), message.clone().into());
        }
        return (exit.phase == WorkflowPhase::Failed).then_some(error);
    }
    let stop = status.stop.as_ref()?;
    let message = stop.message.clone().unwrap_or_default();
    Some(json!({ "step": "", "reason": stop.reason.to_string(), "message": message }))
}
