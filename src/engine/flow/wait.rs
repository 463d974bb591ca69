//! A wait: an instant that is stored when it begins.

use jobwright_api::StepPhase;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde_json::Value;

use super::ended;
use crate::{
    draft::{Cause, Draft},
    frame::Instance,
    graph::CompiledWait,
    run::{Mood, Run},
    scope,
    text::clip,
};

/// When it is over.
pub(super) fn due(run: &Run, draft: &Draft, instance: Instance<'_>, wait: &CompiledWait) -> Result<MicroTime, String> {
    match wait {
        CompiledWait::For(duration) => {
            let due = draft.now().0.saturating_add(duration.signed());
            Ok(MicroTime(due.unwrap_or(jiff::Timestamp::MAX)))
        }
        CompiledWait::At(expression) => {
            let value = expression.evaluate(&scope::of(run, draft, instance, expression));
            match value.map_err(|error| format!("wait.at: {error}"))? {
                Value::String(text) => instant(&text),
                other => {
                    let found = jobwright_api::ValueType::name_of(&other);
                    Err(format!("wait.at: gives {found} instead of a string"))
                }
            }
        }
    }
}

/// RFC 3339, in whole microseconds as a status has it.
fn instant(text: &str) -> Result<MicroTime, String> {
    let at: jiff::Timestamp = text.parse().map_err(|_| {
        let shown = clip(text, 60);
        format!("wait.at: {shown:?} is not an instant: write it as 2026-11-21T06:00:00Z")
    })?;
    Ok(MicroTime(
        jiff::Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at),
    ))
}

/// Ends it when its time has come.
pub(super) fn advance(draft: &mut Draft, instance: Instance<'_>, mood: Mood<'_>) {
    let due = draft.step(instance.key()).and_then(|step| step.next_attempt_at.clone());
    let now = draft.now().0;
    match due {
        Some(due) if now < due.0 => {
            // No program runs: it need not end, and nothing new is to begin behind it.
            if let Some(cut) = ended::cut(mood) {
                ended::fail(draft, instance, cut);
            } else {
                draft.wake(due.0);
            }
        }
        _ => {
            draft.move_step(instance.key(), StepPhase::Succeeded, Cause::default());
            // Nobody else can tell that it is over: it is stored before anything that needs it.
            draft.write_now();
        }
    }
}
