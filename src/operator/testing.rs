//! An API server of a few lines: a function from request to answer, and a record of what was asked.

use http::{Request, Response};
use jiff::Timestamp;
use kube::{Client, client::Body, runtime::watcher::Event};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

use crate::{
    clock::Clock,
    config::Settings,
    context::Context,
    report::events::Events,
    store::{Feed, Key},
};

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    /// Method, path and query.
    pub(crate) line: String,
    pub(crate) content_type: String,
    pub(crate) body: Value,
}

/// Status and body. None: no answer, ever.
pub(crate) type Answer = Option<(u16, Value)>;

/// What was asked so far.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Sent>>>);

impl Log {
    pub(crate) fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.take().into_iter().map(|sent| sent.line).collect()
    }
}

/// Follows tokio's clock, which tests may pause.
struct TestClock {
    started: Instant,
}

const EPOCH: &str = "2026-01-01T00:00:00Z";

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let start: Timestamp = EPOCH.parse().unwrap();
        start + jiff::SignedDuration::try_from(self.started.elapsed()).unwrap()
    }

    fn monotonic(&self) -> Duration {
        // As on a machine that has been up for a while.
        Duration::from_secs(1_000) + self.started.elapsed()
    }
}

/// A client of that server.
pub(crate) fn client(answer: impl Fn(&Sent) -> Answer + Send + Sync + 'static) -> (Client, Log) {
    let log = Log::default();
    let record = log.clone();
    let answer = Arc::new(answer);
    let service = tower::service_fn(move |request: Request<Body>| {
        let (record, answer) = (record.clone(), Arc::clone(&answer));
        async move {
            let sent = sent(request).await;
            record.0.lock().unwrap().push(sent.clone());
            let Some((status, body)) = answer(&sent) else {
                return std::future::pending::<Result<Response<Body>, Infallible>>().await;
            };
            let body = Body::from(serde_json::to_vec(&body).unwrap());
            let response = Response::builder().status(status).body(body).unwrap();
            Ok::<_, Infallible>(response)
        }
    });
    (Client::new(service, "default"), log)
}

/// A context over that server, its stores listed and empty.
pub(crate) fn context(answer: impl Fn(&Sent) -> Answer + Send + Sync + 'static) -> (Context, Log) {
    let (client, log) = client(answer);
    let clock = TestClock {
        started: Instant::now(),
    };
    let ctx = Context::new(client, Arc::new(clock), Settings::default(), Events::none());
    list_nothing(&ctx);
    (ctx, log)
}

async fn sent(request: Request<Body>) -> Sent {
    let (parts, body) = request.into_parts();
    let bytes = body.collect_bytes().await.unwrap();
    let header = parts.headers.get("content-type");
    Sent {
        line: format!("{} {}", parts.method, parts.uri),
        content_type: header.map_or_else(String::new, |v| v.to_str().unwrap().to_owned()),
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    }
}

pub(crate) fn list_nothing(ctx: &Context) {
    let feed = |feed| drop(ctx.stores.feed(0, feed));
    feed(Feed::Workflow(Event::Init));
    feed(Feed::Workflow(Event::InitDone));
    feed(Feed::Task(Event::Init));
    feed(Feed::Task(Event::InitDone));
    feed(Feed::Template(Event::Init));
    feed(Feed::Template(Event::InitDone));
    feed(Feed::Job(Event::Init));
    feed(Feed::Job(Event::InitDone));
    feed(Feed::Pod(Event::Init));
    feed(Feed::Pod(Event::InitDone));
    feed(Feed::Record(Event::Init));
    feed(Feed::Record(Event::InitDone));
    assert!(ctx.stores.is_ready());
}

pub(crate) fn key() -> Key {
    Key::new("n", "w")
}

/// A Workflow of one inline step, as an API server would hand it out.
pub(crate) fn workflow(version: u64, status: &Value) -> Value {
    json!({
        "apiVersion": "jobwright.dev/v1alpha1", "kind": "Workflow",
        "metadata": {"name": "w", "namespace": "n", "uid": "w-uid", "generation": 1, "resourceVersion": version.to_string()},
        "spec": {"steps": [{"name": "a", "job": {"image": "i", "command": ["c"]}}]},
        "status": status
    })
}

/// Feeds one event of the kind that the object is of.
pub(crate) fn feed(ctx: &Context, object: &Value) {
    let event = match object["kind"].as_str().unwrap() {
        "Workflow" => Feed::Workflow(Event::Apply(serde_json::from_value(object.clone()).unwrap())),
        "Task" => Feed::Task(Event::Apply(serde_json::from_value(object.clone()).unwrap())),
        "WorkflowTemplate" => Feed::Template(Event::Apply(serde_json::from_value(object.clone()).unwrap())),
        "Job" => Feed::Job(Event::Apply(serde_json::from_value(object.clone()).unwrap())),
        "Pod" => Feed::Pod(Event::Apply(serde_json::from_value(object.clone()).unwrap())),
        _ => Feed::Record(Event::Apply(serde_json::from_value(object.clone()).unwrap())),
    };
    ctx.stores.feed(0, event);
}

/// A `Status` of a refusal.
#[expect(clippy::unnecessary_wraps, reason = "it is one of the answers")]
pub(crate) fn refusal(code: u16, reason: &str, message: &str) -> Answer {
    let body = json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message});
    Some((code, body))
}
