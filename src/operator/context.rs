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
    store::Stores,
    task::Reviews,
};

/// The parts of the operator.
pub struct Context {
    pub clock: Arc<dyn Clock>,
    pub stores: Stores,
    pub memory: Memory,
    pub caller: Caller,
    pub metrics: Arc<Metrics>,
    pub events: Events,
    pub reviews: Reviews,
    pub probes: Probes,
    /// Workflows to look at, and those whose status is to be written.
    pub looks: Queue,
    pub writes: Queue,
    settings: RwLock<Arc<Settings>>,
    stopping: AtomicBool,
}

impl Context {
    /// The client is for requests; the watches may use the same or another.
    #[must_use]
    pub fn new(client: Client, clock: Arc<dyn Clock>, settings: Settings, events: Events) -> Self {
        let metrics = Arc::new(Metrics::new());
        Self {
            clock,
            stores: Stores::new(settings.namespaces.clone()),
            memory: Memory::default(),
            caller: Caller::new(client, &settings.api, Arc::clone(&metrics)),
            metrics,
            events,
            reviews: Reviews::default(),
            probes: Probes::default(),
            looks: Queue::default(),
            writes: Queue::default(),
            settings: RwLock::new(Arc::new(settings)),
            stopping: AtomicBool::new(false),
        }
    }

    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&settings)
    }

    /// Takes over new settings. What is only read at start stays as it is.
    pub fn reload(&self, settings: Settings) {
        self.caller.reload(&settings.api);
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
