//! Steps without a Job of their own: blocks, choices, loops, waits. Each opens frames below it and ends
//! when they have ended.

mod ended;
mod fork;
pub(crate) mod handler;
mod loops;
mod set;
mod wait;

pub(crate) use ended::{failure, of_body as outputs, typed};
pub(crate) use fork::given as items_given;

use jobwright_api::{
    Reason, StepPhase,
    flow::NONE,
    status::{ItemCounts, Stop},
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

use crate::{
    draft::{Cause, Draft},
    frame::{Frame, Instance},
    graph::{Body, CompiledFlow},
    job::{self, Unbuildable},
    number::as_stored,
    run::{Mood, Run},
    scope,
    step::{deadline, outcome},
};

/// Lets a step begin that is allowed to: judges its choice, notes when it is over.
pub(crate) fn begin(run: &Run, draft: &mut Draft, instance: Instance<'_>, flow: &CompiledFlow) {
    let (mut due, mut total) = (None, None);
    match flow {
        CompiledFlow::Choice(cases, default) => {
            let mut selected = default;
            for (when, block) in cases {
                match when.evaluate(&scope::of(run, draft, instance, when)) {
                    Ok(Value::Bool(true)) => {
                        selected = block;
                        break;
                    }
                    Ok(Value::Bool(false)) => {}
                    Ok(other) => {
                        let found = jobwright_api::ValueType::name_of(&other);
                        let words = format!("the case of block {block}: gives {found} instead of a boolean");
                        return outcome::fail_step(draft, instance, Reason::ExpressionError, &words);
                    }
                    Err(error) => {
                        let words = format!("the case of block {block}: {error}");
                        return outcome::fail_step(draft, instance, Reason::ExpressionError, &words);
                    }
                }
            }
            draft.edit(instance.key(), |step| step.selected = Some(selected.clone()));
        }
        CompiledFlow::Wait(wait) => match wait::due(run, draft, instance, wait) {
            Ok(at) => due = Some(at),
            Err(words) => return outcome::fail_step(draft, instance, Reason::ExpressionError, &words),
        },
        CompiledFlow::ForEach(each) => match fork::items(run, draft, instance, each) {
            Ok(items) => total = u32::try_from(items.len()).ok(),
            Err(cause) => return draft.move_step(instance.key(), StepPhase::Failed, cause),
        },
        CompiledFlow::Block(_) | CompiledFlow::Loop(_) | CompiledFlow::Set(_) | CompiledFlow::Exit(_) => {}
    }
    let now = draft.now();
    draft.move_step(instance.key(), StepPhase::Running, Cause::default());
    // What counts from now is stored at once: a crash would let it count anew.
    if due.is_some() || instance.definition().timeouts.schedule_to_close.is_some() {
        draft.write_now();
    }
    draft.edit(instance.key(), |step| {
        step.scheduled_at = Some(now.clone());
        step.started_at = Some(now);
        step.next_attempt_at = due;
        step.counts = total.map(|total| ItemCounts {
            total,
            ..ItemCounts::default()
        });
    });
}

/// Goes on with a step that has begun, as far as it may go now.
pub(crate) fn advance(run: &Run, draft: &mut Draft, instance: Instance<'_>, flow: &CompiledFlow, mood: Mood<'_>) {
    arm_deadline(draft, instance);
    let own = draft.step(instance.key()).and_then(|step| step.stop.clone());
    // Below, the limit of the step above is no limit of one's own.
    let below = own.as_ref().map(|stop| Stop {
        timeout: None,
        ..stop.clone()
    });
    let mood = Mood {
        stop: below.as_ref().or(mood.stop),
        ..mood
    };
    match flow {
        CompiledFlow::Wait(_) => wait::advance(draft, instance, mood),
        CompiledFlow::Set(variables) => set::set(run, draft, instance, variables),
        CompiledFlow::Exit(exit) => set::exit(run, draft, instance, exit),
        CompiledFlow::ForEach(each) => fork::advance(run, draft, instance, each, mood),
        CompiledFlow::Loop(looped) => loops::advance(run, draft, instance, looped, mood),
        CompiledFlow::Block(block) => once(run, draft, instance, block, mood),
        CompiledFlow::Choice(..) => {
            let selected = draft.step(instance.key()).and_then(|step| step.selected.clone());
            match selected.as_deref() {
                None | Some(NONE) => draft.move_step(instance.key(), StepPhase::Succeeded, Cause::default()),
                Some(block) => once(run, draft, instance, block, mood),
            }
        }
    }
}

/// The frames below a step that has begun and not ended: so that what their Jobs say is seen.
pub(crate) fn below<'f, 'a: 'f>(run: &Run<'a>, draft: &Draft, instance: Instance<'f>) -> Vec<Frame<'f>> {
    let Some(step) = draft.step(instance.key()).filter(|step| step.phase.is_started()) else {
        return Vec::new();
    };
    let (block, index) = match instance.node().flow() {
        Some(CompiledFlow::ForEach(each)) => return fork::open_items(run, draft, instance, each),
        Some(CompiledFlow::Block(block)) => (Some(block.as_str()), None),
        Some(CompiledFlow::Choice(..)) => (step.selected.as_deref(), None),
        Some(CompiledFlow::Loop(looped)) => (Some(looped.definition.block.as_str()), Some(step.iterations)),
        Some(CompiledFlow::Wait(_) | CompiledFlow::Set(_) | CompiledFlow::Exit(_)) | None => (None, None),
    };
    let body = block.and_then(|block| run.graph.block(block));
    let frame = body.and_then(|body| {
        let inputs = inputs(run, draft, instance, body).ok()?;
        Some(Frame::new(body, &instance.id().iteration(index), inputs))
    });
    frame.into_iter().collect()
}

/// Runs a block one time.
fn once(run: &Run, draft: &mut Draft, instance: Instance<'_>, block: &str, mood: Mood<'_>) {
    let Some(frame) = open(run, draft, instance, block, None) else {
        return;
    };
    if !run.go_on(draft, &frame, mood) {
        return;
    }
    if !handler::of_block(run, draft, &frame, mood) {
        return;
    }
    match ended::outputs(run, draft, &frame, mood) {
        Ok(outputs) => {
            draft.edit(instance.key(), |step| step.outputs = outputs);
            draft.move_step(instance.key(), StepPhase::Succeeded, Cause::default());
        }
        Err(failure) => ended::fail(draft, instance, failure),
    }
}

/// The frame of a block below a step, opened if it was not. None if the step has failed over it.
fn open<'a>(
    run: &Run<'a>,
    draft: &mut Draft,
    instance: Instance<'_>,
    block: &str,
    index: Option<u32>,
) -> Option<Frame<'a>> {
    // The graph was compiled: the block is there.
    let body = run.graph.block(block)?;
    let inputs = match inputs(run, draft, instance, body) {
        Ok(inputs) => inputs,
        Err(wrong) => {
            outcome::fail_step(draft, instance, wrong.reason, &wrong.message);
            return None;
        }
    };
    let frame = Frame::new(body, &instance.id().iteration(index), inputs);
    if frame.instances().any(|inner| draft.step(inner.key()).is_none()) {
        draft.open_frame(&frame);
        run.observe(draft, &frame);
    }
    Some(frame)
}

/// What a block is given. Equal at every look: what it reads has ended.
fn inputs(run: &Run, draft: &Draft, instance: Instance<'_>, body: &Body) -> Result<Map<String, Value>, Unbuildable> {
    let is_declared = |name: &str| body.declared().iter().any(|input| input.name == name);
    let mut given = BTreeMap::new();
    for (name, source) in instance.inputs().iter().filter(|(name, _)| is_declared(name)) {
        let value = scope::value(run, draft, instance, source).map_err(|error| Unbuildable {
            reason: Reason::ExpressionError,
            message: format!("input {name}: {error}"),
        })?;
        given.insert(name.clone(), value);
    }
    let checked = job::check_inputs(Some(body.declared()), given)?;
    let stored = checked.into_iter().map(|(name, value)| (name, as_stored(value)));
    Ok(stored.collect())
}

/// A step without a Job of its own has one time limit, over all that is below it.
fn arm_deadline(draft: &mut Draft, instance: Instance<'_>) {
    let open = draft.step(instance.key()).filter(|step| step.stop.is_none());
    let deadline = open.and_then(|step| deadline::to_close(&instance.definition().timeouts, step));
    let Some(deadline) = deadline else { return };
    let now = draft.now().0;
    if now < deadline.at {
        draft.wake(deadline.at);
        return;
    }
    let stop = deadline.stop(now, None);
    draft.stop_below(instance.key(), &stop);
}
