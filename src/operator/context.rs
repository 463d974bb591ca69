//! Everything that a reconcile needs, in one place: built once by the operator, by a test, or by
//! the simulator with a client of its own.

use kube::Client;
use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    apply::{call::Caller, probe::Probes},
    clock::Clock,
    config::Settings,
    memory::Memory,
    queue::Queue,
    report::{events::Events, metrics::Metrics},
    request::{Requests, Transport},
    store::Stores,
    task::Reviews,
    template::Templates,
};

/// The parts of the operator.
pub struct Context {
    pub clock: Arc<dyn Clock>,
    pub stores: Stores,
    pub memory: Memory,
    pub caller: Arc<Caller>,
    pub metrics: Arc<Metrics>,
    pub events: Events,
    pub reviews: Reviews,
    pub templates: Templates,
    pub probes: Probes,
    pub requests: Arc<Requests>,
    /// Workflows to look at, and those whose status is to be written.
    pub looks: Arc<Queue>,
    pub writes: Queue,
    settings: RwLock<Arc<Settings>>,
    stopping: AtomicBool,
}

impl Context {
    /// The client is for requests; the watches may use the same or another.
    #[must_use]
    pub fn new(client: Client, clock: Arc<dyn Clock>, settings: Settings, events: Events) -> Self {
        let metrics = Arc::new(Metrics::new());
        let caller = Arc::new(Caller::new(client, &settings.api, Arc::clone(&metrics)));
        let looks = Arc::new(Queue::default());
        let shared = (Arc::clone(&caller), Arc::clone(&looks), Arc::clone(&metrics));
        let requests = Requests::new(&settings.outbound, Arc::clone(&clock), shared);
        Self {
            clock,
            stores: Stores::new(settings.namespaces.clone()),
            memory: Memory::default(),
            caller,
            metrics,
            events,
            reviews: Reviews::default(),
            templates: Templates::default(),
            probes: Probes::default(),
            requests: Arc::new(requests),
            looks,
            writes: Queue::default(),
            settings: RwLock::new(Arc::new(settings)),
            stopping: AtomicBool::new(false),
        }
    }

    /// Sends requests by this instead of by the network: for a simulator.
    #[must_use]
    pub fn sending_by(mut self, transport: Arc<dyn Transport>) -> Self {
        if let Some(requests) = Arc::get_mut(&mut self.requests) {
            requests.send_by(transport);
        }
        self
    }

    /// No request ever goes to these hosts: the API server's.
    pub fn refuse_hosts(&self, hosts: Vec<String>) {
        self.requests.refuse(hosts, &self.settings().outbound);
    }

    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&settings)
    }

    /// Takes over new settings. What is only read at start stays as it is.
    pub fn reload(&self, settings: Settings) {
        self.caller.reload(&settings.api);
        self.requests.reload(&settings.outbound);
        let mut current = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(settings);
    }

    /// Nothing new is begun from now on.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

/// When to look at an object again, if nothing happens before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    OnChange,
    After(Duration),
}

impl Wake {
    /// The earlier of the instants, from `now` on.
    #[must_use]
    pub fn at(now: Duration, instants: impl IntoIterator<Item = Option<Duration>>) -> Self {
        instants
            .into_iter()
            .flatten()
            .min()
            .map_or(Self::OnChange, |due| Self::After(due.saturating_sub(now)))
    }
}
