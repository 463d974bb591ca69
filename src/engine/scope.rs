//! What an expression can see of a run.

use jobwright_api::{StepPhase, StepStatus};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

use crate::{
    definition::Kind,
    draft::Draft,
    expr::{self, Expression, Scope, TypeEnv},
    flow,
    frame::{Frame, Instance},
    graph::{CompiledFlow, Given},
    run::Run,
};

/// The roots that an expression of a step reads, and no others.
pub(crate) fn of<'f>(run: &Run<'_>, draft: &Draft, reader: Instance<'f>, expression: &Expression) -> Scope<'f> {
    let unseen = draft.step(reader.key()).and_then(|step| step.unseen.as_deref());
    let sees = Sees {
        writers: reader.node().writers(),
        unseen: unseen.unwrap_or_default(),
    };
    build(run, draft, reader.frame(), &sees, expression)
}

/// The same of an expression that is judged once all steps of a frame have ended.
pub(crate) fn at_end<'f>(run: &Run<'_>, draft: &Draft, frame: &'f Frame<'_>, expression: &Expression) -> Scope<'f> {
    let sees = Sees {
        writers: frame.body().writers(),
        unseen: &[],
    };
    build(run, draft, frame, &sees, expression)
}

/// Which of the steps beside it an expression sees.
struct Sees<'s> {
    /// Those that set variables.
    writers: &'s [usize],
    /// Those that had not ended when the step began: to it they run for good, so that what it reads never changes.
    unseen: &'s [String],
}

impl Sees<'_> {
    fn has_ended(&self, name: &str) -> bool {
        !self.unseen.iter().any(|unseen| unseen == name)
    }
}

fn build<'f>(
    run: &Run<'_>,
    draft: &Draft,
    frame: &'f Frame<'_>,
    sees: &Sees<'_>,
    expression: &Expression,
) -> Scope<'f> {
    let references = expression.references();
    let mut scope = Scope::new().typed(frame.body().types());
    if references.roots.contains("inputs") {
        scope = scope.with_ref("inputs", frame.inputs());
    }
    for (name, value) in frame.roots() {
        scope = scope.with_ref(*name, value);
    }
    if references.roots.contains("workflow") {
        scope = scope.with("workflow", workflow(run, draft));
    }
    if references.roots.contains("vars") {
        scope = scope.with("vars", variables(draft, frame, sees));
    }
    if !references.steps.is_empty() {
        let steps: Map<String, Value> = references
            .steps
            .iter()
            .filter_map(|(name, paths)| {
                let found = draft.step(frame.find(name)?.key())?;
                let shown = if sees.has_ended(name) {
                    step(run, draft, found, paths)
                } else {
                    running()
                };
                Some((name.clone(), shown))
            })
            .collect();
        scope = scope.with("steps", Value::Object(steps));
    }
    scope
}

/// Of steps that set the same variable, the later one counts.
fn variables(draft: &Draft, frame: &Frame<'_>, sees: &Sees<'_>) -> Value {
    let writers = frame.writers(sees.writers);
    let writers = writers.filter(|writer| sees.has_ended(&writer.definition().name));
    let set = writers.filter_map(|writer| draft.step(writer.key()));
    let set = set.filter(|step| step.phase == StepPhase::Succeeded);
    let values: Map<String, Value> = set.flat_map(|step| step.outputs.clone()).collect();
    Value::Object(values)
}

/// The value that a step is given.
pub(crate) fn value(run: &Run<'_>, draft: &Draft, reader: Instance<'_>, given: &Given) -> Result<Value, expr::Error> {
    match (given, reader.flow()) {
        (Given::Literal(value), _) => Ok(value.clone()),
        (Given::Computed(expression), Some(CompiledFlow::Loop(looped))) => {
            expression.evaluate(&of_loop(run, draft, reader, &looped.types, expression))
        }
        (Given::Computed(expression), _) => expression.evaluate(&of(run, draft, reader, expression)),
    }
}

/// What a loop's own expressions see beside that: its condition, and the inputs of its body.
pub(crate) fn of_loop<'f>(
    run: &Run<'_>,
    draft: &Draft,
    instance: Instance<'f>,
    types: &'f TypeEnv,
    expression: &Expression,
) -> Scope<'f> {
    let step = draft.step(instance.key());
    let (iterations, last) = step.map_or_else(Default::default, |step| (step.iterations, step.last.clone()));
    of(run, draft, instance, expression)
        .typed(types)
        .with("iteration", iterations.into())
        .with("last", Value::Object(last.into_iter().collect()))
}

fn workflow(run: &Run, draft: &Draft) -> Value {
    json!({
        "name": run.identity.name,
        "namespace": run.identity.namespace,
        "uid": run.identity.uid,
        "run": run.identity.run,
        "startedAt": draft.status.started_at.as_ref().map(|at| at.0.to_string()),
        "inputs": run.inputs(),
    })
}

/// A loop without an iteration has succeeded, and there is nothing that it could give.
fn is_empty_loop(step: &StepStatus) -> bool {
    step.kind == Kind::Loop.word() && step.iterations == 0
}

/// A step that had not ended when its reader began.
fn running() -> Value {
    json!({ "phase": StepPhase::Running.to_string(), "attempts": 0, "iterations": 0 })
}

/// Whether any of the paths that an expression reads of a fork goes through its items, which may be thousands.
fn reads_items(paths: &BTreeSet<Vec<String>>) -> bool {
    let is_of_items = |member: &String| matches!(member.as_str(), "outputs" | "results" | "failedItems");
    paths.iter().any(|path| path.first().is_none_or(is_of_items))
}

/// A member that has no value is absent, so that `has()` and `or()` see it.
fn step(run: &Run<'_>, draft: &Draft, step: &StepStatus, paths: &BTreeSet<Vec<String>>) -> Value {
    let last = step.attempts.recent.last();
    let mut members = Map::new();
    members.insert("phase".into(), step.phase.to_string().into());
    members.insert("attempts".into(), step.attempts.count.into());
    if let Some(reason) = &step.reason {
        members.insert("reason".into(), reason.to_string().into());
    }
    if let Some(message) = &step.message {
        members.insert("message".into(), message.clone().into());
    }
    if let Some(exit_code) = last.and_then(|attempt| attempt.exit_code) {
        members.insert("exitCode".into(), exit_code.into());
    }
    members.insert("iterations".into(), step.iterations.into());
    if let Some(selected) = &step.selected {
        members.insert("selected".into(), selected.clone().into());
    }
    if let Some(counts) = &step.counts {
        members.insert("counts".into(), json!(counts));
        if reads_items(paths)
            && let Some(items) = flow::items_given(run, draft, step)
        {
            let results = items.outputs.iter().filter(|output| !output.is_null());
            members.insert("results".into(), results.cloned().collect());
            members.insert("failedItems".into(), items.failed.into());
            if step.phase == StepPhase::Succeeded {
                members.insert("outputs".into(), items.outputs.into());
            }
        }
    } else if step.phase == StepPhase::Succeeded && !is_empty_loop(step) {
        let outputs = step.outputs.clone().into_iter().collect();
        members.insert("outputs".into(), Value::Object(outputs));
    }
    Value::Object(members)
}
