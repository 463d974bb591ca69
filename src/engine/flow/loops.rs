//! A loop: one frame after the other, each under its index.

use jobwright_api::{Reason, StepPhase};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde_json::{Value, json};

use super::{ended, handler, open};
use crate::{
    draft::{Cause, Draft},
    expr::{Expression, Scope},
    frame::{Frame, Instance},
    graph::CompiledLoop,
    job,
    run::{Mood, Run},
    scope,
    step::{outcome, retry},
};

/// With so many steps of its iterations in the status, a loop waits until the first are sealed.
const STEPS_SHOWN_MAX: usize = 256;
/// Iterations without a Job that one look goes through; then others get their turn.
const ITERATIONS_PER_LOOK: u32 = 100;

pub(super) fn advance(run: &Run, draft: &mut Draft, instance: Instance<'_>, looped: &CompiledLoop, mood: Mood<'_>) {
    for _ in 0..ITERATIONS_PER_LOOK {
        let Some(step) = draft.step(instance.key()) else {
            return;
        };
        let index = step.iterations;
        if draft.below(format!("{}[", instance.key())).count() > STEPS_SHOWN_MAX {
            // Sealing has to follow, and that needs them stored.
            return draft.write_now();
        }
        let has_begun = is_open(draft, instance, index) || run.has_begun(instance, index);
        if !has_begun && !may_open(run, draft, instance, looped, mood) {
            return;
        }
        let Some(frame) = open(run, draft, instance, &looped.definition.block, Some(index)) else {
            return;
        };
        if !run.go_on(draft, &frame, mood) || !handler::of_block(run, draft, &frame, mood) {
            return;
        }
        if !close(run, draft, instance, (looped, &frame), mood) {
            return;
        }
    }
    draft.wake_soon();
}

/// Whether the steps of this iteration are in the status.
fn is_open(draft: &Draft, instance: Instance<'_>, index: u32) -> bool {
    let path = instance.id().iteration(Some(index));
    let prefix = format!("{}.", crate::id::StepId::from(path));
    draft.below(prefix).next().is_some()
}

/// Before an iteration: `while`, then the limit, then the delay.
fn may_open(run: &Run, draft: &mut Draft, instance: Instance<'_>, looped: &CompiledLoop, mood: Mood<'_>) -> bool {
    if let Some(cut) = ended::cut(mood) {
        ended::fail(draft, instance, cut);
        return false;
    }
    let Some(step) = draft.step(instance.key()) else {
        return false;
    };
    let (index, due) = (step.iterations, step.next_attempt_at.clone());
    if let Some(before) = &looped.before {
        let scope = scope::of_loop(run, draft, instance, &looped.types, before);
        match judge("while", before, &scope) {
            Ok(true) => {}
            Ok(false) => {
                finish(draft, instance);
                return false;
            }
            Err(words) => {
                outcome::fail_step(draft, instance, Reason::ExpressionError, &words);
                return false;
            }
        }
    }
    if index >= looped.definition.max_iterations {
        let words = format!("{index} iterations, and its condition does not end it: maxIterations is used up");
        outcome::fail_step(draft, instance, Reason::MaxIterations, &words);
        return false;
    }
    if let Some(due) = due.filter(|due| draft.now().0 < due.0) {
        draft.wake(due.0);
        return false;
    }
    if run.is_suspended() && !mood.has_ended {
        return false;
    }
    draft.edit(instance.key(), |step| step.next_attempt_at = None);
    true
}

/// After an iteration: its outputs, the count, `until`. True if there may be another one.
fn close(
    run: &Run,
    draft: &mut Draft,
    instance: Instance<'_>,
    (looped, frame): (&CompiledLoop, &Frame<'_>),
    mood: Mood<'_>,
) -> bool {
    let outputs = match ended::outputs(run, draft, frame, mood) {
        Ok(outputs) => outputs,
        Err(failure) => {
            ended::fail(draft, instance, failure);
            return false;
        }
    };
    // Judged before it is counted: `iteration` is the one that has just ended.
    let is_over = looped.after.as_ref().map(|after| {
        let outputs: Value = outputs.clone().into_iter().collect::<serde_json::Map<_, _>>().into();
        let scope = scope::of_loop(run, draft, instance, &looped.types_after, after)
            .with("block", json!({ "outputs": outputs }));
        judge("until", after, &scope)
    });
    draft.edit(instance.key(), |step| {
        step.iterations = step.iterations.saturating_add(1);
        step.last = outputs;
    });
    let count = draft.status.loop_counts.entry(instance.id().definition()).or_default();
    *count = count.saturating_add(1);
    match is_over {
        Some(Ok(true)) => {
            finish(draft, instance);
            false
        }
        Some(Err(words)) => {
            outcome::fail_step(draft, instance, Reason::ExpressionError, &words);
            false
        }
        Some(Ok(false)) | None => {
            delay(run, draft, instance, looped);
            true
        }
    }
}

pub(super) fn judge(field: &str, expression: &Expression, scope: &Scope) -> Result<bool, String> {
    match expression.evaluate(scope) {
        Ok(Value::Bool(value)) => Ok(value),
        Ok(other) => {
            let found = jobwright_api::ValueType::name_of(&other);
            Err(format!("{field}: gives {found} instead of a boolean"))
        }
        Err(error) => Err(format!("{field}: {error}")),
    }
}

fn finish(draft: &mut Draft, instance: Instance<'_>) {
    draft.edit(instance.key(), |step| {
        step.outputs = step.last.clone();
        step.next_attempt_at = None;
    });
    draft.move_step(instance.key(), StepPhase::Succeeded, Cause::default());
}

fn delay(run: &Run, draft: &mut Draft, instance: Instance<'_>, looped: &CompiledLoop) {
    let Some(backoff) = &looped.definition.delay else {
        return;
    };
    let ended = draft.step(instance.key()).map_or(1, |step| step.iterations);
    let jitter = job::jitter(&run.identity, instance.id(), ended);
    let due = draft
        .now()
        .0
        .saturating_add(retry::backoff(backoff, ended, jitter).signed());
    draft.edit(instance.key(), |step| {
        step.next_attempt_at = Some(MicroTime(due.unwrap_or(jiff::Timestamp::MAX)));
    });
}
