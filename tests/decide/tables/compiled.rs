//! What the rules of admission cannot say of the steps of blocks, the engine says before anything runs.

use jobwright_api::{WorkflowSpec, settings::JobSettings};
use jobwright_engine::{
    plan::{Plan, Sources, Unready, plan},
    problem::Problem,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The first problem of a definition: where, and what.
#[track_caller]
fn refused(spec: Value, path: &str, words: &str) {
    let spec: WorkflowSpec = serde_json::from_value(spec).unwrap();
    let unready = planned(&spec).map(drop).unwrap_err();
    let Problem { path: at, message, .. } = &unready.problems()[0];
    assert!(at == path && message.contains(words), "{at}: {message}");
}

fn planned(spec: &WorkflowSpec) -> Result<Plan, Unready> {
    let sources = Sources {
        tasks: &BTreeMap::new(),
        templates: &BTreeMap::new(),
        settings: &JobSettings::default(),
    };
    plan(spec, sources)
}

fn job() -> Value {
    json!({ "name": "x", "job": { "image": "tools:1" } })
}

#[test]
fn defaults_and_patterns_of_blocks_are_checked() {
    let spec = |input: Value| {
        let block = json!({ "inputs": [input], "steps": [job()] });
        json!({ "steps": [{ "name": "a", "block": "b" }], "blocks": { "b": block } })
    };
    let path = "spec.blocks.b.inputs[0].default";
    refused(
        spec(json!({ "name": "n", "type": "integer", "default": "many" })),
        path,
        "must be of type integer",
    );
    refused(
        spec(json!({ "name": "n", "default": "B", "pattern": "[a-z]" })),
        path,
        "does not match",
    );
    let path = "spec.blocks.b.inputs[0].pattern";
    refused(
        spec(json!({ "name": "n", "default": "b", "pattern": "[a" })),
        path,
        "not a regular expression",
    );
    refused(
        spec(json!({ "name": "n", "type": "integer", "default": 1, "pattern": "a" })),
        path,
        "a pattern is for strings",
    );
}

#[test]
fn an_input_of_a_choice_has_one_type() {
    let block = |kind: &str| json!({ "inputs": [{ "name": "n", "type": kind, "optional": true }], "steps": [job()] });
    let choice = json!({ "cases": [{ "when": "true", "block": "b" }], "default": { "block": "c" } });
    refused(
        json!({
            "steps": [{ "name": "a", "choice": choice }],
            "blocks": { "b": block("integer"), "c": block("string") },
        }),
        "spec.steps[0].choice",
        "input n is integer in block b and string in block c",
    );
}

#[test]
fn a_binding_has_a_value_or_an_expression() {
    let binding = json!([{ "name": "n", "value": 1, "expression": "2" }]);
    let mut step = job();
    step["inputs"] = binding.clone();
    refused(
        json!({ "steps": [step] }),
        "spec.steps[0].inputs[0]",
        "keep one of the two",
    );
    let block = json!({ "inputs": [{ "name": "n", "type": "integer" }], "steps": [job()] });
    refused(
        json!({ "steps": [{ "name": "a", "block": "b", "inputs": binding }], "blocks": { "b": block } }),
        "spec.steps[0].inputs[0]",
        "keep one of the two",
    );
}

#[test]
fn ids_have_room_for_so_many_names() {
    let spec = |deep: usize| {
        let mut blocks = serde_json::Map::new();
        for at in 0..deep {
            let mut step = job();
            if at + 1 < deep {
                step = json!({ "name": "x", "block": format!("b{}", at + 1) });
            }
            blocks.insert(format!("b{at}"), json!({ "steps": [step] }));
        }
        json!({ "steps": [job(), { "name": "a", "block": "b0" }], "blocks": blocks })
    };
    refused(spec(32), "spec.steps[1]", "goes 33 steps deep");
    let spec: WorkflowSpec = serde_json::from_value(spec(31)).unwrap();
    assert!(planned(&spec).is_ok());
}
