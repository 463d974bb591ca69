//! All steps of a frame have ended: how the step above ends.

use jobwright_api::{Reason, StepPhase, ValueType};
use serde_json::Value;
use std::collections::BTreeMap;

use crate::{
    draft::{Cause, Draft},
    frame::{Frame, Instance},
    number::as_stored,
    run::{Mood, Run},
    scope,
    step::{join, output::integral},
    summary,
};

/// What a step or a run may give in all. A termination message has as much.
const OUTPUTS_BYTES_MAX: usize = 4096;

/// Why a frame gives no outputs.
pub(super) struct Unsuccessful {
    pub(super) phase: StepPhase,
    pub(super) cause: Cause,
}

/// The outputs of a frame that has ended well.
pub(super) fn outputs(
    run: &Run,
    draft: &Draft,
    frame: &Frame<'_>,
    mood: Mood<'_>,
) -> Result<BTreeMap<String, Value>, Unsuccessful> {
    // A failure of its own decides, whatever happened around it.
    if let Some(words) = failure(draft, frame) {
        return Err(Unsuccessful {
            phase: StepPhase::Failed,
            cause: Cause::new(Reason::StepFailed, &words),
        });
    }
    if frame.instances().any(|inner| join::is_cut(draft, inner))
        && let Some(cut) = cut(mood)
    {
        return Err(cut);
    }
    of_body(run, draft, frame).map_err(|cause| Unsuccessful {
        phase: StepPhase::Failed,
        cause,
    })
}

/// What stops a step that is under way: a stop from above, or the failure of another step.
pub(super) fn cut(mood: Mood<'_>) -> Option<Unsuccessful> {
    let cancelled = |cause| Unsuccessful {
        phase: StepPhase::Cancelled,
        cause,
    };
    match mood.stop {
        Some(stop) => Some(cancelled(Cause::new(
            stop.reason.clone(),
            stop.message.as_deref().unwrap_or_default(),
        ))),
        None if mood.is_failing => Some(cancelled(Cause::new(Reason::Stopped, "another step failed"))),
        None => None,
    }
}

/// The first failure that is not let pass, in a sentence.
pub(crate) fn failure(draft: &Draft, frame: &Frame<'_>) -> Option<String> {
    frame.instances().find_map(|inner| {
        let step = draft.step(inner.key())?;
        let counts = join::is_failure(draft, inner) || (step.phase == StepPhase::Failed && inner.fails_at_end());
        counts.then(|| summary::failure_of(inner.key(), step))
    })
}

/// Evaluates the outputs that a body declares.
pub(crate) fn of_body(run: &Run, draft: &Draft, frame: &Frame<'_>) -> Result<BTreeMap<String, Value>, Cause> {
    if let Some(words) = run
        .lost_page_at_end(draft, frame)
        .filter(|_| frame.body().outputs().next().is_some())
    {
        return Err(Cause::new(Reason::ResultLost, &words));
    }
    let mut outputs = BTreeMap::new();
    for (output, expression) in frame.body().outputs() {
        let value = expression
            .evaluate(&scope::at_end(run, draft, frame, expression))
            .map_err(|error| Cause::new(Reason::ExpressionError, &format!("output {}: {error}", output.name)))?;
        outputs.insert(
            output.name.clone(),
            typed(&format!("output {}", output.name), output.kind, &value)?,
        );
    }
    bounded(outputs)
}

/// A value as it is stored, which has to be of its declared type.
pub(crate) fn typed(what: &str, kind: ValueType, value: &Value) -> Result<Value, Cause> {
    let value = integral(kind, value);
    if kind.admits(&value) {
        return Ok(as_stored(value));
    }
    let found = ValueType::name_of(&value);
    Err(Cause::new(
        Reason::ExpressionError,
        &format!("{what}: gives {found} instead of {kind}"),
    ))
}

/// What a step gives stands in the status: it has to be small.
pub(super) fn bounded(outputs: BTreeMap<String, Value>) -> Result<BTreeMap<String, Value>, Cause> {
    let bytes = serde_json::to_string(&outputs).map_or(usize::MAX, |text| text.len());
    if bytes <= OUTPUTS_BYTES_MAX {
        return Ok(outputs);
    }
    let words = format!(
        "the outputs are {bytes} bytes, {OUTPUTS_BYTES_MAX} are kept: give a reference to what is large, such as a URL"
    );
    Err(Cause::new(Reason::TooLarge, &words))
}

/// Ends the step above. Its own stop decides over what became of the steps below: a time limit fails it.
pub(super) fn fail(draft: &mut Draft, instance: Instance<'_>, failure: Unsuccessful) {
    let own = draft.step(instance.key()).and_then(|step| step.stop.clone());
    let Unsuccessful { phase, cause } = match own {
        Some(stop) => Unsuccessful {
            phase: if stop.timeout.is_some() || stop.reason == Reason::ResultLost {
                StepPhase::Failed
            } else {
                StepPhase::Cancelled
            },
            cause: Cause::new(stop.reason, stop.message.as_deref().unwrap_or_default()),
        },
        None => failure,
    };
    draft.move_step(instance.key(), phase, cause);
}
