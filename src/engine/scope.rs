//! What an expression can see of a run.

use jobwright_api::{StepPhase, StepStatus};
use serde_json::{Map, Value, json};

use crate::{
    draft::Draft,
    expr::{Expression, Scope},
    run::Run,
};

/// The roots that `expression` reads, and no others.
pub(crate) fn of<'a>(run: &Run<'a>, draft: &Draft, expression: &Expression) -> Scope<'a> {
    let references = expression.references();
    let mut scope = Scope::new().typed(run.graph.types());
    if references.roots.contains("inputs") {
        scope = scope.with("inputs", inputs(run));
    }
    if references.roots.contains("workflow") {
        scope = scope.with("workflow", workflow(run, draft));
    }
    if !references.steps.is_empty() {
        let steps: Map<String, Value> = references
            .steps
            .keys()
            .filter_map(|name| Some((name.clone(), step(draft.step(name)?))))
            .collect();
        scope = scope.with("steps", Value::Object(steps));
    }
    scope
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

/// A member that has no value is absent, so that `has()` and `or()` see it.
fn step(step: &StepStatus) -> Value {
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
    if step.phase == StepPhase::Succeeded {
        let outputs = step.outputs.clone().into_iter().collect();
        members.insert("outputs".into(), Value::Object(outputs));
    }
    Value::Object(members)
}
