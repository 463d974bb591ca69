//! Numbers for Prometheus: counters end in `_total`, times are in seconds, labels are bounded.

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::Registry,
};
use std::time::Duration;

/// Which request, and how it was answered: `code` is the HTTP status, or `timeout`, `error`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Request {
    pub verb: &'static str,
    pub resource: &'static str,
    pub code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Verb {
    pub verb: &'static str,
    pub resource: &'static str,
}

/// `gather`, `decide`, `apply`, `write`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Stage {
    pub stage: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Phase {
    pub phase: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Ended {
    pub phase: String,
    pub reason: String,
}

/// The status of the answer, or one word for why there was none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outbound {
    pub code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Watch {
    pub kind: &'static str,
}

/// All metrics, and the registry that they are shown from.
pub struct Metrics {
    registry: Registry,
    pub requests: Family<Request, Counter>,
    pub request_seconds: Family<Verb, Histogram>,
    pub reconcile_seconds: Family<Stage, Histogram>,
    pub reconcile_failures: Counter,
    pub workflow_transitions: Family<Phase, Counter>,
    pub steps_finished: Family<Ended, Counter>,
    pub outbound_requests: Family<Outbound, Counter>,
    pub outbound_seconds: Histogram,
    pub outbound_in_flight: Gauge,
    pub watch_failures: Family<Watch, Counter>,
    pub relists: Family<Watch, Counter>,
    pub pending_writes: Gauge,
    pub quarantined: Gauge,
    pub events_dropped: Counter,
    pub config_valid: Gauge,
}

/// From a millisecond to 16 s: below is noise, above are time-outs.
fn request_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 15))
}

/// From 10 µs, what a decision takes, to 10 s, what a batch of requests may take.
fn stage_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.00001, 4.0, 11))
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("jobwright"),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(request_histogram),
            reconcile_seconds: Family::new_with_constructor(stage_histogram),
            reconcile_failures: Counter::default(),
            workflow_transitions: Family::default(),
            steps_finished: Family::default(),
            outbound_requests: Family::default(),
            outbound_seconds: request_histogram(),
            outbound_in_flight: Gauge::default(),
            watch_failures: Family::default(),
            relists: Family::default(),
            pending_writes: Gauge::default(),
            quarantined: Gauge::default(),
            events_dropped: Counter::default(),
            config_valid: Gauge::default(),
        };
        metrics.register();
        metrics.register_outbound();
        metrics.config_valid.set(1);
        metrics
    }

    fn register(&mut self) {
        let to = &mut self.registry;
        to.register(
            "api_requests",
            "Requests to the API server, watches apart",
            self.requests.clone(),
        );
        to.register(
            "api_request_duration_seconds",
            "Time to the answer of a request",
            self.request_seconds.clone(),
        );
        to.register(
            "reconcile_duration_seconds",
            "Time of one stage of one look at a Workflow",
            self.reconcile_seconds.clone(),
        );
        to.register(
            "reconcile_failures",
            "Looks at a Workflow that the operator failed on",
            self.reconcile_failures.clone(),
        );
        to.register(
            "workflow_transitions",
            "Workflows that entered a phase",
            self.workflow_transitions.clone(),
        );
        to.register(
            "steps_finished",
            "Steps that ended, by phase and reason",
            self.steps_finished.clone(),
        );
        to.register("watch_failures", "Errors of watches", self.watch_failures.clone());
        to.register("watch_relists", "Lists that were completed", self.relists.clone());
        to.register(
            "pending_status_writes",
            "Workflows whose status is not stored yet",
            self.pending_writes.clone(),
        );
        to.register(
            "quarantined_workflows",
            "Workflows that are left alone after failures of the operator",
            self.quarantined.clone(),
        );
        to.register(
            "events_dropped",
            "Kubernetes events that were not published",
            self.events_dropped.clone(),
        );
        to.register(
            "config_valid",
            "1 if the configuration file was valid when last read",
            self.config_valid.clone(),
        );
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        to.register("build", "What this is", build);
    }

    fn register_outbound(&mut self) {
        let to = &mut self.registry;
        to.register(
            "outbound_requests",
            "Requests of steps, by status of the answer or why there was none",
            self.outbound_requests.clone(),
        );
        to.register(
            "outbound_request_duration_seconds",
            "Time to the whole answer of a request of a step",
            self.outbound_seconds.clone(),
        );
        to.register(
            "outbound_requests_in_flight",
            "Requests of steps that are on their way",
            self.outbound_in_flight.clone(),
        );
    }

    pub fn stage(&self, stage: &'static str, took: Duration) {
        let seconds = took.as_secs_f64();
        self.reconcile_seconds.get_or_create(&Stage { stage }).observe(seconds);
    }

    pub fn request(&self, verb: &'static str, resource: &'static str, code: String, took: Duration) {
        let request = Request { verb, resource, code };
        self.requests.get_or_create(&request).inc();
        self.request_seconds
            .get_or_create(&Verb { verb, resource })
            .observe(took.as_secs_f64());
    }

    pub fn outbound(&self, code: String, took: Duration) {
        self.outbound_requests.get_or_create(&Outbound { code }).inc();
        self.outbound_seconds.observe(took.as_secs_f64());
    }

    /// The text that Prometheus reads.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        text::encode(&mut text, &self.registry).ok();
        text
    }
}
