//! Who is woken by what.

use serde_json::{Value, json};

use super::*;
use crate::testing::workflow;

fn event<K: serde::de::DeserializeOwned>(object: &Value) -> Event<K> {
    Event::Apply(serde_json::from_value(object.clone()).unwrap())
}

fn job(name: &str, run: &str, version: u64) -> Value {
    json!({"metadata": {
        "name": name, "namespace": "n", "uid": name, "resourceVersion": version.to_string(),
        "labels": {"jobwright.dev/workflow-uid": run}
    }})
}

fn key(name: &str) -> Key {
    Key::new("n", name)
}

fn stores() -> Stores {
    let stores = Stores::new(Vec::new());
    stores.feed(0, Feed::Workflow(event(&workflow(1, &json!({})))));
    stores
}

#[test]
fn a_job_wakes_the_run_that_its_label_names() {
    let stores = stores();
    let woken = stores.feed(0, Feed::Job(event(&job("j", "w-uid", 5))));
    assert_eq!(woken.workflows, [key("w")].into());
    let woken = stores.feed(0, Feed::Job(event(&job("k", "unknown", 6))));
    assert_eq!(woken, Woken::default());
    let (run, _) = stores.run("w-uid", Duration::ZERO);
    assert_eq!(run.jobs.len(), 1);
}

#[test]
fn the_end_of_a_list_wakes_all() {
    let stores = stores();
    for feed in [
        Feed::Job(Event::InitDone),
        Feed::Pod(Event::InitDone),
        Feed::Record(Event::InitDone),
    ] {
        assert_eq!(stores.feed(0, feed).workflows, [key("w")].into());
    }
}

#[test]
fn a_job_that_a_relist_does_not_have_is_gone() {
    let stores = stores();
    stores.feed(0, Feed::Job(event(&job("j", "w-uid", 5))));
    stores.feed(0, Feed::Job(Event::Init));
    let (before, _) = stores.run("w-uid", Duration::ZERO);
    stores.feed(0, Feed::Job(Event::InitDone));
    let (after, _) = stores.run("w-uid", Duration::ZERO);
    assert_eq!((before.jobs.len(), after.jobs.len()), (1, 0));
}

#[test]
fn a_task_wakes_who_waits_for_it_until_that_has_begun() {
    let task = |version: u64| {
        let object = json!({
            "metadata": {"name": "t", "namespace": "n", "uid": "t", "resourceVersion": version.to_string()},
            "spec": {"job": {}}
        });
        Feed::Task(event(&object))
    };
    let waiting = |version: u64, status: Value| {
        let mut object = workflow(version, &status);
        object["spec"]["steps"] = json!([{"name": "a", "task": {"name": "t"}}]);
        Feed::Workflow(event(&object))
    };
    let stores = stores();
    let await_task = || {
        let waiter = Waiter::Workflow(key("w"));
        stores.await_definitions(&waiter, ["t"].into_iter(), std::iter::empty())
    };
    stores.feed(0, waiting(2, json!({})));
    assert!(await_task().tasks.is_empty());
    assert_eq!(stores.feed(0, task(3)).workflows, [key("w")].into());
    assert_eq!(await_task().tasks.len(), 1);
    stores.feed(0, waiting(4, json!({"snapshot": {"name": "s"}})));
    assert!(stores.feed(0, task(5)).workflows.is_empty());
}

#[test]
fn a_snapshot_is_unused_when_its_last_workflow_goes() {
    let stores = stores();
    let named = workflow(2, &json!({"snapshot": {"name": "s"}}));
    stores.feed(0, Feed::Workflow(event(&named)));
    assert!(stores.is_used(&key("s")));
    let gone = serde_json::from_value(workflow(3, &json!({"snapshot": {"name": "s"}}))).unwrap();
    let woken = stores.feed(0, Feed::Workflow(Event::Delete(gone)));
    assert_eq!(woken.unused, [key("s")].into());
    assert_eq!(woken.gone, [(key("w"), "w-uid".to_owned())]);
    assert!(!stores.is_used(&key("s")));
}

#[test]
fn namespaces_are_listed_apart() {
    let stores = Stores::new(vec!["n".into(), "m".into()]);
    stores.feed(0, Feed::Workflow(event(&workflow(1, &json!({})))));
    stores.feed(1, Feed::Workflow(Event::Init));
    stores.feed(1, Feed::Workflow(Event::InitDone));
    assert!(
        stores.workflow(&key("w")).is_some(),
        "the other list says nothing of it"
    );
    assert!(!stores.is_ready());
}

/// Workflow `w`, or its child `c`.
fn member(name: &str, version: u64, status: &Value) -> Feed {
    let mut object = workflow(version, status);
    if name == "c" {
        object["metadata"]["name"] = json!("c");
        object["metadata"]["uid"] = json!("c-uid");
        object["metadata"]["labels"] =
            json!({"jobwright.dev/parent-uid": "w-uid", "jobwright.dev/run": "1", "jobwright.dev/attempt": "1"});
        object["metadata"]["annotations"] = json!({
            "jobwright.dev/step": "[{\"name\":\"s\"}]", "jobwright.dev/attempt-key": "k",
            "jobwright.dev/on-parent-close": "Terminate"
        });
    }
    Feed::Workflow(event(&object))
}

#[test]
fn a_child_wakes_its_parent_by_what_that_reads() {
    let stores = stores();
    stores.feed(0, member("w", 2, &json!({})));
    let born = stores.feed(0, member("c", 3, &json!({})));
    assert_eq!(born.workflows, [key("c"), key("w")].into());
    let begun = stores.feed(0, member("c", 4, &json!({"phase": "Running"})));
    assert_eq!(begun.workflows, [key("c"), key("w")].into());
    let goes_on = stores.feed(0, member("c", 5, &json!({"phase": "Running", "seq": 9})));
    assert_eq!(goes_on.workflows, [key("c")].into(), "its steps concern nobody else");
    assert_eq!(stores.run("w-uid", Duration::ZERO).0.children.len(), 1);
}

#[test]
fn a_parent_wakes_only_the_children_that_are_to_stop() {
    let stores = stores();
    let step = |stop: Value| {
        let attempt = json!({"number": 1, "workflow": "c", "phase": "Running", "stop": stop});
        json!({"path": [{"name": "s"}], "kind": "workflow", "phase": "Running", "attempts": {"count": 1, "recent": [attempt]}})
    };
    let status = |seq: u64, stop: Value| json!({"run": 1, "phase": "Running", "seq": seq, "steps": {"s": step(stop)}});
    stores.feed(0, member("w", 2, &status(1, json!(null))));
    stores.feed(0, member("c", 3, &json!({})));
    let goes_on = stores.feed(0, member("w", 4, &status(2, json!(null))));
    assert_eq!(goes_on.workflows, [key("w")].into());
    let intent = json!({"reason": "Stopped", "at": "2026-11-21T10:00:00.000000Z"});
    let stops = stores.feed(0, member("w", 5, &status(3, intent)));
    assert_eq!(stops.workflows, [key("c"), key("w")].into());
    let ends = stores.feed(0, member("w", 6, &json!({"run": 1, "phase": "Failed"})));
    assert_eq!(ends.workflows, [key("c"), key("w")].into());
}
