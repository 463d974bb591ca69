//! The inputs of a run: what is declared, against what the Workflow gives.

use jobwright_api::{Input, Reason, ValueType, value::WorkflowInput};
use serde_json::Value;
use std::collections::BTreeMap;

use crate::{job::admit, problem::Problem, step::output::integral, text::nearest};

/// The value of each declared input that has one, and what is wrong.
///
/// With the name of a template the inputs are declared there: then mending either helps.
pub(crate) fn given(
    declared: &[Input],
    given: &[WorkflowInput],
    template: Option<&str>,
) -> (BTreeMap<String, Value>, Vec<Problem>) {
    let reason = if template.is_some() {
        Reason::TemplateMismatch
    } else {
        Reason::InvalidInput
    };
    let whose = template.map_or_else(|| "the Workflow".to_owned(), |name| format!("WorkflowTemplate {name}"));
    let mut values = BTreeMap::new();
    let mut problems = Vec::new();
    for (index, input) in given.iter().enumerate() {
        let path = |field: &str| format!("spec.inputs[{index}].{field}");
        let Some(known) = declared.iter().find(|known| known.name == input.name) else {
            let words = unknown(&whose, &input.name, declared);
            problems.push(Problem::new(reason.clone(), path("name"), words));
            continue;
        };
        if input.kind.is_some_and(|kind| kind != known.kind) {
            let words = format!(
                "{whose} declares {} as {}: write that, or leave it out",
                known.name, known.kind
            );
            problems.push(Problem::new(reason.clone(), path("type"), words));
            continue;
        }
        let value = integral(known.kind, &input.value);
        if !known.kind.admits(&value) {
            let words = format!("is {} instead of {}", ValueType::name_of(&input.value), known.kind);
            problems.push(Problem::new(reason.clone(), path("value"), words));
        } else if let Err(words) = admit(known, &value) {
            problems.push(Problem::new(reason.clone(), path("value"), words));
        } else {
            values.insert(known.name.clone(), value);
        }
    }
    for input in declared {
        if given.iter().any(|given| given.name == input.name) {
            continue;
        }
        match &input.default {
            Some(default) => {
                values.insert(input.name.clone(), integral(input.kind, default));
            }
            None if input.optional => {}
            None => {
                let words = format!("{whose} requires input {}: give it a value", input.name);
                problems.push(Problem::new(reason.clone(), "spec.inputs", words));
            }
        }
    }
    (values, problems)
}

/// What to say of an input that is not declared.
pub(crate) fn unknown(whose: &str, name: &str, declared: &[Input]) -> String {
    let known: Vec<&str> = declared.iter().map(|input| input.name.as_str()).collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("{whose} has no input {name}; did you mean {near}?"),
        None if known.is_empty() => format!("{whose} has no inputs"),
        None => format!("{whose} has no input {name}; it has {}", known.join(", ")),
    }
}
