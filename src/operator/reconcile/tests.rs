//! Whole looks at one Workflow over a server of a few lines.

use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    context::{Context, Wake},
    store::Key,
    testing::{Answer, Log, Sent, context, feed, key, refusal, workflow},
    write,
};

/// Keeps the objects that are created and merges status patches, as far as one run needs it.
#[derive(Default)]
struct Server {
    version: AtomicU64,
    workflow: Mutex<Value>,
    job: Mutex<Value>,
    /// Status writes get no answer, or are told that there is no such Workflow.
    is_silent: AtomicBool,
    is_lost: AtomicBool,
}

impl Server {
    fn answer(&self, sent: &Sent) -> Answer {
        let version = self.version.fetch_add(1, Ordering::SeqCst) + 100;
        let (verb, path) = sent.line.split_once(' ').unwrap();
        let mut body = sent.body.clone();
        match verb {
            "POST" => {
                body["metadata"]["uid"] = json!(format!("uid-{version}"));
                body["metadata"]["namespace"] = json!("n");
                body["metadata"]["resourceVersion"] = json!(version.to_string());
                body["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
                if path.contains("/jobs") {
                    *self.job.lock().unwrap() = body.clone();
                }
                Some((201, body))
            }
            "PATCH" if self.is_lost.load(Ordering::SeqCst) => refusal(404, "NotFound", "no such Workflow"),
            "PATCH" if self.is_silent.load(Ordering::SeqCst) => None,
            "PATCH" if path.contains("/workflows/w/status") => {
                let mut workflow = self.workflow.lock().unwrap();
                if body["metadata"]["resourceVersion"] != workflow["metadata"]["resourceVersion"] {
                    return refusal(409, "Conflict", "modified");
                }
                merge(&mut workflow["status"], &body["status"]);
                workflow["metadata"]["resourceVersion"] = json!(version.to_string());
                Some((200, workflow.clone()))
            }
            _ => refusal(500, "InternalError", "not expected"),
        }
    }
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}

fn start() -> (Context, Log, Arc<Server>) {
    let server = Arc::new(Server::default());
    *server.workflow.lock().unwrap() = workflow(1, &json!({}));
    let answering = Arc::clone(&server);
    let (ctx, log) = context(move |sent| answering.answer(sent));
    feed(&ctx, &workflow(1, &json!({})));
    (ctx, log, server)
}

fn pod(job: &Value) -> Value {
    json!({
        "kind": "Pod",
        "metadata": {
            "name": "p", "namespace": "n", "uid": "p-uid", "resourceVersion": "900",
            "labels": job["metadata"]["labels"],
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"], "controller": true}]
        },
        "spec": {"containers": [{"name": "main"}], "nodeName": "node1"},
        "status": {"phase": "Running", "containerStatuses": [{
            "name": "main", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-01-01T00:00:01Z"}}
        }]}
    })
}

fn short(log: &Log) -> Vec<String> {
    let lines = log.lines();
    let last = |line: &String| {
        let (verb, path) = line.split_once(' ').unwrap();
        let path = path.split('?').next().unwrap();
        let words: Vec<&str> = path.rsplit('/').take(2).collect();
        format!("{verb} {}", if words[0] == "status" { "status" } else { words[0] })
    };
    lines.iter().map(last).collect()
}

/// Looks and writes until nothing is left to do now.
async fn look(key: &Key, ctx: &Context) -> Wake {
    loop {
        let wake = super::workflow(key, ctx).await;
        let Some(due) = ctx.writes.take() else { return wake };
        let again = write::status(&due, ctx).await;
        ctx.writes.done(due, again);
    }
}

/// How long until the next status write.
fn rest(ctx: &Context) -> Option<Duration> {
    let at = ctx.writes.next_at()?;
    Some(at.saturating_duration_since(tokio::time::Instant::now()))
}

#[tokio::test(start_paused = true)]
async fn a_run_of_one_step_takes_five_requests_and_then_none() {
    let (ctx, log, server) = start();
    look(&key(), &ctx).await;
    assert_eq!(
        short(&log),
        ["POST workflowrecords", "PATCH status", "POST jobs"],
        "the snapshot, the begin, the Job; that it is scheduled can wait"
    );
    assert_eq!(rest(&ctx), Some(Duration::from_millis(500)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let job = server.job.lock().unwrap().clone();
    feed(&ctx, &job);
    feed(&ctx, &pod(&job));
    look(&key(), &ctx).await;
    let stored = server.workflow.lock().unwrap().clone();
    assert_eq!(stored["status"]["phase"], "Succeeded", "{stored:#}");
    assert_eq!(short(&log), ["PATCH status"]);
    feed(&ctx, &stored);
    assert_eq!(look(&key(), &ctx).await, Wake::OnChange);
    assert_eq!(short(&log), Vec::<String>::new(), "at rest");
}

#[tokio::test(start_paused = true)]
async fn the_next_job_does_not_wait_for_a_status_on_its_way() {
    let (ctx, log, server) = start();
    let mut chain = workflow(2, &json!({}));
    chain["spec"]["steps"] = json!([
        {"name": "a", "job": {"image": "i"}},
        {"name": "b", "job": {"image": "i"}, "needs": ["a"]},
    ]);
    *server.workflow.lock().unwrap() = chain.clone();
    feed(&ctx, &chain);
    look(&key(), &ctx).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    log.take();
    server.is_silent.store(true, Ordering::SeqCst);
    let key = key();
    let mut writing = Box::pin(write::status(&key, &ctx));
    assert!(futures::poll!(&mut writing).is_pending());
    let first = server.job.lock().unwrap().clone();
    feed(&ctx, &first);
    feed(&ctx, &pod(&first));
    tokio::select! {
        biased;
        _ = &mut writing => panic!("it has no answer"),
        _ = super::workflow(&key, &ctx) => {}
    }
    assert_eq!(short(&log), ["PATCH status", "POST jobs"]);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_waits_for_the_newer_version() {
    let (ctx, log, server) = start();
    let newer = workflow(50, &json!({}));
    *server.workflow.lock().unwrap() = newer.clone();
    look(&key(), &ctx).await;
    assert_eq!(short(&log), ["POST workflowrecords", "PATCH status"]);
    look(&key(), &ctx).await;
    assert_eq!(short(&log), Vec::<String>::new(), "the old version is known to be old");
    feed(&ctx, &newer);
    look(&key(), &ctx).await;
    assert_eq!(short(&log), ["PATCH status", "POST jobs"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_stored_at_the_end_is_written() {
    let (ctx, log, server) = start();
    look(&key(), &ctx).await;
    log.take();
    ctx.stop();
    write::flush(&ctx).await;
    assert_eq!(short(&log), ["PATCH status"]);
    let stored = server.workflow.lock().unwrap().clone();
    assert_eq!(stored["status"]["steps"]["a"]["phase"], "Scheduled");
}

#[tokio::test]
async fn a_workflow_that_cannot_be_read_says_so_once() {
    let (ctx, log) = context(|_| Some((200, json!({}))));
    let mut broken = workflow(1, &json!({}));
    broken["spec"]["steps"] = json!("none");
    feed(&ctx, &broken);
    look(&key(), &ctx).await;
    let sent = log.take().remove(0);
    assert!(sent.line.starts_with("PATCH") && sent.line.contains("/workflows/w/status"));
    let stalled = &sent.body["status"]["conditions"][2];
    assert_eq!(
        (stalled["type"].as_str(), stalled["status"].as_str()),
        (Some("Stalled"), Some("True"))
    );
    look(&key(), &ctx).await;
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_object_that_the_operator_fails_on_is_left_alone() {
    let (ctx, log) = context(|_| Some((200, json!({}))));
    // Its snapshot is gone: somebody deleted it.
    let status = json!({"phase": "Running", "run": 1, "snapshot": {"name": "lost"}});
    feed(&ctx, &workflow(1, &status));
    for _ in 0..5 {
        look(&key(), &ctx).await;
    }
    let sent = log.take();
    assert_eq!(sent.len(), 1, "one condition");
    let stalled = &sent[0].body["status"]["conditions"][2];
    assert_eq!(stalled["reason"], "Quarantined");
    assert!(
        stalled["message"]
            .as_str()
            .unwrap()
            .contains("snapshot n/lost cannot be read")
    );
    tokio::time::sleep(Duration::from_secs(601)).await;
    assert!(matches!(look(&key(), &ctx).await, Wake::After(_)), "tried again");
}

#[tokio::test(start_paused = true)]
async fn a_refused_status_is_not_tried_in_a_loop() {
    let (ctx, log) = context(|sent| {
        if sent.line.starts_with("POST") {
            let mut body = sent.body.clone();
            body["metadata"]["uid"] = json!("u");
            body["metadata"]["resourceVersion"] = json!("2");
            body["metadata"]["namespace"] = json!("n");
            return Some((201, body));
        }
        refusal(503, "ServiceUnavailable", "later")
    });
    feed(&ctx, &workflow(1, &json!({})));
    for _ in 0..10 {
        look(&key(), &ctx).await;
    }
    assert_eq!(log.take().len(), 2, "the snapshot, and one try");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    look(&key(), &ctx).await;
    assert_eq!(log.take().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_refused_for_good_is_said_and_left_alone() {
    let (ctx, log) = context(|sent| {
        if sent.line.starts_with("POST") {
            let mut body = sent.body.clone();
            body["metadata"]["uid"] = json!("u");
            body["metadata"]["resourceVersion"] = json!("2");
            body["metadata"]["namespace"] = json!("n");
            return Some((201, body));
        }
        let conditions = sent.body["status"].as_object().map(serde_json::Map::len) == Some(1);
        if conditions {
            return Some((200, json!({})));
        }
        refusal(422, "Invalid", "status.steps: Too long")
    });
    feed(&ctx, &workflow(1, &json!({})));
    for _ in 0..20 {
        look(&key(), &ctx).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let sent = log.take();
    let tries = sent.iter().filter(|sent| sent.line.starts_with("PATCH")).count();
    assert_eq!(tries, 4, "three tries, then the condition");
    let stalled = &sent.last().unwrap().body["status"]["conditions"][2];
    assert_eq!(stalled["reason"], "Quarantined");
    assert!(stalled["message"].as_str().unwrap().contains("Too long"));
}

#[tokio::test(start_paused = true)]
async fn a_404_by_mistake_is_no_end() {
    let (ctx, log, server) = start();
    let is_gone = Arc::clone(&server);
    look(&key(), &ctx).await;
    is_gone.is_lost.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(1)).await;
    look(&key(), &ctx).await;
    assert!(log.lines().last().unwrap().contains("/status"));
    is_gone.is_lost.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(5)).await;
    look(&key(), &ctx).await;
    assert_eq!(short(&log), Vec::<String>::new(), "nothing is done for what is gone");
    tokio::time::sleep(Duration::from_secs(6)).await;
    look(&key(), &ctx).await;
    assert_eq!(short(&log)[0], "PATCH status", "the answer may have been wrong");
}
