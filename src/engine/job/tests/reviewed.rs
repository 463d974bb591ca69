//! What a Task is told before anybody runs it.

use jobwright_api::{Task, settings::JobSettings};
use serde_json::{Value, json};

use super::merged;
use crate::{job::review, problem::Problem};

fn reviewed(spec: Value) -> Result<Value, Vec<Problem>> {
    let spec = merged(json!({"job": {"image": "i"}}), spec);
    let task: Task = serde_json::from_value(json!({
        "apiVersion": "jobwright.dev/v1alpha1", "kind": "Task", "metadata": {"name": "count", "namespace": "team-a"}, "spec": spec})).unwrap();
    let pod = review(&task, &JobSettings::default(), |name| name == "in")?;
    Ok(serde_json::to_value(pod).unwrap())
}

/// A Task with this has one problem: at this path, with these words.
fn check(spec: &Value, path: &str, words: &str) {
    let problems = reviewed(spec.clone()).unwrap_err();
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1, "{spec}: {told:?}");
    let problem = told.first().unwrap();
    assert!(
        problem.starts_with(&format!("{path}: ")) && problem.contains(words),
        "{spec}: {problem}"
    );
}

#[test]
fn names_and_inputs_are_checked() {
    let inputs = |inputs: Value| json!({"inputs": inputs});
    let outputs = |outputs: Value| json!({"outputs": outputs});
    check(
        &inputs(json!([{"name": "a"}, {"name": "a"}])),
        "spec.inputs[1].name",
        "declared twice",
    );
    check(
        &outputs(json!([{"name": "a"}, {"name": "a"}])),
        "spec.outputs[1].name",
        "declared twice",
    );
    check(&inputs(json!([{"name": "my-file"}])), "spec.inputs[0].name", "not '-'");
    check(
        &inputs(json!([{"name": "x".repeat(41)}])),
        "spec.inputs[0].name",
        "at most 40",
    );
    check(
        &inputs(json!([{"name": "in"}])),
        "spec.inputs[0].name",
        "word of the expression language",
    );
    check(
        &outputs(json!([{"name": "in"}])),
        "spec.outputs[0].name",
        "word of the expression language",
    );
    check(
        &inputs(json!([{"name": "a", "type": "integer", "default": "x"}])),
        "spec.inputs[0].default",
        "must be of type integer, and is of type string",
    );
    check(
        &inputs(json!([{"name": "a", "pattern": "[a-z]+", "default": "A"}])),
        "spec.inputs[0].default",
        "does not match",
    );
    check(
        &inputs(json!([{"name": "a", "pattern": "(", "default": "A"}])),
        "spec.inputs[0].pattern",
        "not a regular expression",
    );
    check(
        &inputs(json!([{"name": "a", "pattern": r"(\w{99}){99}"}])),
        "spec.inputs[0].pattern",
        "too complex",
    );
    check(
        &inputs(json!([{"name": "a", "pattern": "a)|(?:b"}])),
        "spec.inputs[0].pattern",
        "not a regular expression",
    );
    check(
        &inputs(json!([{"name": "a", "type": "integer", "pattern": "1"}])),
        "spec.inputs[0].pattern",
        "for strings",
    );
    check(&inputs(json!([{"name": "a", "default": "\0"}])), "spec.inputs", "NUL");
}

#[test]
fn outputs_are_checked() {
    let outputs = |outputs: Value| json!({"outputs": outputs});
    check(
        &outputs(json!([{"name": "a", "type": "array", "default": {}}])),
        "spec.outputs[0].default",
        "must be of type array",
    );
    check(
        &outputs(json!([{"name": "a", "type": "integer", "format": "Text"}])),
        "spec.outputs[0].format",
        "write type: string",
    );
    check(
        &outputs(json!([{"name": "a", "format": "Text"}, {"name": "b"}])),
        "spec.outputs[0].format",
        "declare this output only",
    );
    check(
        &json!({"job": {"script": "x", "args": ["y"]}}),
        "spec.job.script",
        "whole program",
    );
}

#[test]
fn a_good_task_becomes_a_pod_to_ask_about() {
    let pod = reviewed(json!({
        "inputs": [{"name": "file", "pattern": "[a-z]+"}, {"name": "top", "type": "integer", "default": 10}, {"name": "tags", "type": "array"}],
        "outputs": [{"name": "text", "format": "Text", "default": "x"}],
        "job": {"command": ["/bin/count", "$(INPUT_TOP)"], "fieldsFrom": [{"field": "resources.limits.memory", "expression": "inputs.top"}]}}));
    let pod = pod.unwrap();
    for (pointer, expected) in [
        ("/metadata/namespace", json!("team-a")),
        ("/metadata/labels/jobwright.dev~1task", json!("count")),
        ("/spec/containers/0/env/0", json!({"name": "INPUT_FILE", "value": ""})),
        ("/spec/containers/0/env/1", json!({"name": "INPUT_TAGS", "value": "[]"})),
        ("/spec/containers/0/env/2", json!({"name": "INPUT_TOP", "value": "10"})),
        ("/spec/containers/0/image", json!("i")),
        ("/spec/restartPolicy", json!("Never")),
    ] {
        assert_eq!(pod.pointer(pointer), Some(&expected), "{pointer}");
    }
    assert!(
        pod["metadata"]["generateName"]
            .as_str()
            .unwrap()
            .starts_with("count-review-")
    );
    assert!(pod["metadata"].get("ownerReferences").is_none());
}
