//! What may change in an object that exists.

use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{NAMESPACE, object};
use crate::server;

const WHOLE: &str = "
inputs: [{name: day, value: {a: [1]}}]
steps:
- {name: a, task: {name: b}, inputs: [{name: x, value: {deep: [1, {y: z}]}}]}
- {name: c, needs: [a], job: {image: i, env: [{name: E, value: v}]}}
outputs: [{name: o, expression: '1'}]
timeouts: {total: 1h}
jobDefaults: {class: small}
";

fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("jobwright.dev", "v1alpha1", kind);
    Api::namespaced_with(client.clone(), NAMESPACE, &ApiResource::from_gvk(&kind))
}

/// Creates the object, tries each change by itself without storing it, and deletes it.
async fn check(object: Value, changes: &[(Value, Option<&str>)]) {
    let client = server::client().await;
    server::namespace(&client, NAMESPACE).await;
    let api = api(&client, object["kind"].as_str().unwrap());
    let name = object["metadata"]["name"].as_str().unwrap();
    api.delete(name, &DeleteParams::default()).await.ok();
    server::create(&client, &object, false).await.unwrap();
    let params = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let mut wrong = Vec::new();
    for (change, refusal) in changes {
        let answer = api.patch(name, &params, &Patch::Merge(change)).await;
        match (answer, refusal) {
            (Ok(_), None) => {}
            (Err(error), Some(words)) if error.to_string().contains(words) => {}
            (answer, _) => wrong.push(format!("{change}: expected {refusal:?}, got {answer:?}")),
        }
    }
    api.delete(name, &DeleteParams::default()).await.unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_workflow_that_runs_once_keeps_its_definition() {
    let step = |name: &str, deep: &str| {
        json!({
            "name": name, "task": { "name": "b" },
            "inputs": [{ "name": "x", "value": { "deep": [1, { "y": deep }] } }],
        })
    };
    let second =
        json!({ "name": "c", "needs": ["a"], "job": { "image": "i", "env": [{ "name": "E", "value": "v" }] } });
    let steps = Some("the steps of a Workflow with runPolicy Once cannot change");
    let mut changes = vec![
        (json!([step("a", "z"), second]), None),
        (json!([step("a", "other"), second]), steps),
        (json!([step("d", "z"), second]), steps),
        (json!([step("a", "z")]), steps),
        (json!([step("a", "z"), second, step("d", "z")]), steps),
    ];
    for (list, _) in &mut changes {
        *list = json!({ "spec": { "steps": list } });
    }
    check(object("Workflow", "once", WHOLE), &changes).await;
}

#[tokio::test]
async fn of_all_else_only_suspend_may_change() {
    let inputs = Some("inputs of a Workflow with runPolicy Once cannot change");
    let outputs = Some("outputs of a Workflow with runPolicy Once cannot change");
    let timeouts = Some("timeouts of a Workflow with runPolicy Once cannot change");
    let defaults = Some("jobDefaults of a Workflow with runPolicy Once cannot change");
    let other_input = json!([{ "name": "day", "value": { "a": [2] } }]);
    let other_output = json!([{ "name": "o", "expression": "2" }]);
    let mut changes = vec![
        (json!({ "inputs": other_input }), inputs),
        (json!({ "inputs": null }), inputs),
        (json!({ "outputs": other_output }), outputs),
        (json!({ "outputs": null }), outputs),
        (json!({ "timeouts": { "total": "2h" } }), timeouts),
        (json!({ "timeouts": null }), timeouts),
        (json!({ "jobDefaults": { "class": "large" } }), defaults),
        (json!({ "jobDefaults": { "labels": { "a": "b" } } }), defaults),
        (json!({ "jobDefaults": null }), defaults),
        (json!({ "runPolicy": "OnChange" }), Some("runPolicy cannot change")),
        (json!({ "suspend": true }), None),
        (json!({ "suspend": null }), None),
    ];
    for (spec, _) in &mut changes {
        *spec = json!({ "spec": spec });
    }
    changes.push((json!({ "metadata": { "labels": { "a": "b" } } }), None));
    check(object("Workflow", "once-all-else", WHOLE), &changes).await;
}

#[tokio::test]
async fn what_a_workflow_did_not_have_cannot_be_added() {
    check(
        object("Workflow", "bare", "{steps: [{name: a, task: {name: b}}]}"),
        &[
            (
                json!({ "spec": { "inputs": [{ "name": "a", "value": 1 }] } }),
                Some("inputs of a Workflow"),
            ),
            (
                json!({ "spec": { "outputs": [{ "name": "a", "expression": "1" }] } }),
                Some("outputs of a Workflow"),
            ),
            (
                json!({ "spec": { "timeouts": { "total": "1h" } } }),
                Some("timeouts of a Workflow"),
            ),
            (
                json!({ "spec": { "jobDefaults": { "class": "a" } } }),
                Some("jobDefaults of a Workflow"),
            ),
            (json!({ "spec": { "runPolicy": null } }), None),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_workflow_that_runs_on_change_may_change() {
    let spec = format!("runPolicy: OnChange{WHOLE}");
    check(
        object("Workflow", "on-change", &spec),
        &[
            (
                json!({ "spec": { "steps": [{ "name": "z", "task": { "name": "b" } }] } }),
                None,
            ),
            (
                json!({ "spec": { "inputs": null, "outputs": null, "timeouts": { "total": "2h" } } }),
                None,
            ),
            (
                json!({ "spec": { "runPolicy": "Once" } }),
                Some("runPolicy cannot change"),
            ),
            (
                json!({ "spec": { "runPolicy": null } }),
                Some("runPolicy cannot change"),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_task_may_change() {
    check(
        object("Task", "free", "{job: {image: a}}"),
        &[
            (json!({ "spec": { "job": { "image": "b" } } }), None),
            (
                json!({ "spec": { "job": { "image": null } } }),
                Some("a job needs an image"),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_record_is_immutable() {
    check(
        object("WorkflowRecord", "page", "{kind: Snapshot, data: '{}'}"),
        &[
            (
                json!({ "spec": { "data": "{ }" } }),
                Some("a WorkflowRecord is immutable"),
            ),
            (
                json!({ "spec": { "kind": "Other" } }),
                Some("supported values: \"Snapshot\""),
            ),
            (
                json!({ "metadata": { "annotations": { "jobwright.dev/last-used": "now" } } }),
                None,
            ),
        ],
    )
    .await;
}
