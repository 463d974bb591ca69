//! What an expression can see of a run.

use jobwright_api::{StepPhase, StepStatus};
use serde_json::{Map, Value, json};

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
    build(run, draft, reader.frame(), reader.node().writers(), expression)
}

/// The same of an expression that is judged once all steps of a frame have ended.
pub(crate) fn at_end<'f>(run: &Run<'_>, draft: &Draft, frame: &'f Frame<'_>, expression: &Expression) -> Scope<'f> {
    build(run, draft, frame, frame.body().writers(), expression)
}

fn build<'f>(
    run: &Run<'_>,
    draft: &Draft,
    frame: &'f Frame<'_>,
    writers: &[usize],
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
        scope = scope.with("vars", variables(draft, frame, writers));
    }
    if !references.steps.is_empty() {
        let steps: Map<String, Value> = references
            .steps
            .keys()
            .filter_map(|name| {
                let key = frame.find(name)?.key();
                Some((name.clone(), step(run, draft, draft.step(key)?)))
            })
            .collect();
        scope = scope.with("steps", Value::Object(steps));
    }
    scope
}

/// Of steps that set the same variable, the later one counts.
fn variables(draft: &Draft, frame: &Frame<'_>, writers: &[usize]) -> Value {
    let set = frame.writers(writers).filter_map(|writer| draft.step(writer.key()));
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

fn inputs(run: &Run) -> Value {
    let inputs = run.graph.definition().inputs.iter();
    Value::Object(inputs.map(|input| (input.name.clone(), input.value.clone())).collect())
}

fn workflow(run: &Run, draft: &Draft) -> Value {
    json!({
        "name": run.identity.name,
        "namespace": run.identity.namespace,
        "uid": run.identity.uid,
        "run": run.identity.run,
        "startedAt": draft.status.started_at.as_ref().map(|at| at.0.to_string()),
        "inputs": inputs(run),
    })
}

/// A loop without an iteration has succeeded, and there is nothing that it could give.
fn is_empty_loop(step: &StepStatus) -> bool {
    step.kind == Kind::Loop.word() && step.iterations == 0
}

/// A member that has no value is absent, so that `has()` and `or()` see it.
fn step(run: &Run<'_>, draft: &Draft, step: &StepStatus) -> Value {
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
        if let Some(items) = flow::items_given(run, draft, step) {
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
