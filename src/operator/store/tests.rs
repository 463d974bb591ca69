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
    stores.feed(0, waiting(2, json!({})));
    assert!(stores.await_tasks(&key("w"), ["t"].into_iter()).is_empty());
    assert_eq!(stores.feed(0, task(3)).workflows, [key("w")].into());
    assert_eq!(stores.await_tasks(&key("w"), ["t"].into_iter()).len(), 1);
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
