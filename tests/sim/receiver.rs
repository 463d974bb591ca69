//! A model of whoever answers the requests of steps, and the laws of what arrives there.

use jobwright_api::{StepPhase, WorkflowStatus};
use jobwright_engine::http::Lost;
use jobwright_operator::request::{Order, Sending, Transport};
use jobwright_outbound::{
    Response, Settings,
    guard::{Guard, Target},
};
use jobwright_tests::graphs::Case;
use serde_json::Value;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use crate::{
    operator::{Death, World},
    server::Server,
};

/// From the arrival of a request to its answer.
const TAKES: Duration = Duration::from_millis(300);
/// The step whose first request is answered with 503.
pub(crate) const FLAKY: &str = "flaky";

/// The way of one operator to it.
pub(crate) struct Receiver {
    world: Arc<World>,
    death: Arc<Death>,
    guard: Guard,
}

impl Receiver {
    pub(crate) fn new(world: Arc<World>, death: Arc<Death>) -> Self {
        Self {
            world,
            death,
            guard: Guard::new(&Settings::default()),
        }
    }
}

impl Transport for Receiver {
    fn check(&self, url: &str) -> Result<Target, Lost> {
        Ok(self.guard.check(url).unwrap())
    }

    fn send(&self, order: Order) -> Sending {
        let (world, death) = (Arc::clone(&self.world), Arc::clone(&self.death));
        let is_dead = move || death.is_dead.load(Ordering::Relaxed);
        Box::pin(async move {
            if is_dead() {
                return std::future::pending().await;
            }
            let count = receive(&mut world.server.lock().unwrap(), order);
            tokio::time::sleep(TAKES).await;
            if is_dead() {
                return std::future::pending().await;
            }
            Ok(answer(count))
        })
    }
}

/// Whether this is the first request of a step that fails at first. Its start is stored, and no attempt sends two.
fn receive(server: &mut Server, order: Order) -> bool {
    let (step, attempt) = (order.step, order.attempt);
    let stored = server.stored();
    let last = stored.steps.get(&step).and_then(|step| step.attempts.recent.last());
    let is_stored = last.is_some_and(|last| last.number == attempt && last.phase == StepPhase::Running);
    if !is_stored {
        server
            .faults
            .push(format!("I17: {step}#{attempt} is sent before its start is stored"));
    }
    let is_first = !server.received.iter().any(|(known, _)| *known == step);
    let at = (step, attempt);
    if server.received.contains(&at) {
        server.faults.push(format!("{}#{attempt} is sent twice", at.0));
    }
    let fails = is_first && at.0 == FLAKY;
    server.received.push(at);
    fails
}

fn answer(fails: bool) -> Response {
    let mut headers = http::HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    Response {
        status: if fails { 503 } else { 200 },
        headers,
        body: "{\"n\": 7}".into(),
        address: "192.0.2.1:80".parse().unwrap(),
    }
}

/// A step whose request was answered, and that is not stored: no Job may rest on it.
pub(crate) fn is_unstored(server: &Server, stored: &WorkflowStatus, need: &str) -> Option<String> {
    let step = stored.steps.get(need).filter(|step| step.phase.is_terminal());
    let is_unstored = server.case.http.contains_key(need) && step.is_none();
    is_unstored.then(|| format!("and the answer to {need} is not stored"))
}

/// Steps that send a request in place of their Job.
pub(crate) fn put_requests(workflow: &mut Value, case: &Case) {
    for step in workflow["spec"]["steps"].as_array_mut().unwrap() {
        let Some(http) = case.http.get(step["name"].as_str().unwrap()) else {
            continue;
        };
        let step = step.as_object_mut().unwrap();
        step.remove("job");
        step.remove("outputs");
        step.insert("http".to_owned(), serde_json::to_value(http).unwrap());
    }
}
