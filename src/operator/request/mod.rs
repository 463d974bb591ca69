//! Requests of `http` steps: which are on their way in this process, and what came back.
//!
//! [`Requests`] is shared by all runs: the sender, the breakers and rate limits, the bound on how many are on
//! their way. [`OfRun`] holds those of one run by the key of their attempt; the engine sees a copy in its notes.
//! Each request on its way is one task, which ends with its run, its operator, or when its attempt has ended.

mod answer;
mod known;
mod send;
mod transport;

pub use known::OfRun;
pub use transport::{Order, Sending, Transport};

use jobwright_api::{
    SubStatus,
    http::{HttpBreaker, HttpLimits, HttpScope},
};
use jobwright_engine::{
    http::{Lost, Request},
    outbound::{Book, ENDPOINTS_MAX, Endpoint, Outcome, Policy, Rate, Ticket, Verdict},
};
use jobwright_outbound::guard::Target;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};
use tokio::sync::Notify;

use crate::{apply::call::Caller, clock::Clock, config::Outbound, queue::Queue, report::metrics::Metrics, store::Key};

/// Where all places are taken, one that becomes free wakes who waits first; this is for whoever is not woken.
const BUSY_PAUSE: Duration = Duration::from_secs(10);
/// A pause doubles up to so many times the first.
const PAUSE_GROWTH_MAX: u32 = 30;

/// What requests of all runs share.
pub struct Requests {
    transport: RwLock<Arc<dyn Transport>>,
    /// A test has brought its own: settings do not replace it.
    is_foreign: bool,
    /// Hosts of the API server, beside those that every cluster has.
    api_server: Mutex<Vec<String>>,
    shared: Mutex<Shared>,
    clock: Arc<dyn Clock>,
    caller: Arc<Caller>,
    looks: Arc<Queue>,
    metrics: Arc<Metrics>,
    /// A request has ended.
    pub settled: Notify,
}

struct Shared {
    book: Book,
    /// Admitted or on their way.
    count: usize,
    count_max: usize,
    /// Runs that wait for a place, the first first.
    waiting: VecDeque<Key>,
}

/// What is said to a request that wants to go.
enum Leave {
    Go(Pass),
    Wait {
        rest: Duration,
        why: SubStatus,
        message: String,
    },
    Never(Lost),
}

/// A place among the requests on their way, and leave of the endpoint. Dropped, it makes way for another.
pub(crate) struct Pass {
    requests: Arc<Requests>,
    endpoint: Endpoint,
    ticket: Option<Ticket>,
}

impl Requests {
    pub(crate) fn new(
        settings: &Outbound,
        clock: Arc<dyn Clock>,
        (caller, looks, metrics): (Arc<Caller>, Arc<Queue>, Arc<Metrics>),
    ) -> Self {
        Self {
            transport: RwLock::new(transport::of(settings, &[])),
            is_foreign: false,
            api_server: Mutex::default(),
            shared: Mutex::new(Shared {
                book: Book::new(Policy::default(), None, ENDPOINTS_MAX),
                count: 0,
                count_max: settings.in_flight_max,
                waiting: VecDeque::new(),
            }),
            clock,
            caller,
            looks,
            metrics,
            settled: Notify::new(),
        }
    }

    /// Sends by this instead of by the network.
    pub(crate) fn send_by(&mut self, transport: Arc<dyn Transport>) {
        self.transport = RwLock::new(transport);
        self.is_foreign = true;
    }

    /// Takes over new settings; what is on its way ends under the old ones.
    pub(crate) fn reload(&self, settings: &Outbound) {
        self.shared().count_max = settings.in_flight_max;
        if !self.is_foreign {
            let own = self.api_server.lock().unwrap_or_else(PoisonError::into_inner).clone();
            *self.transport.write().unwrap_or_else(PoisonError::into_inner) = transport::of(settings, &own);
        }
    }

    /// Where this cluster's API server is: no request ever goes there.
    pub(crate) fn refuse(&self, hosts: Vec<String>, settings: &Outbound) {
        *self.api_server.lock().unwrap_or_else(PoisonError::into_inner) = hosts;
        self.reload(settings);
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.transport.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are admitted or on their way.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared().count
    }

    /// Whether a further request has a place.
    fn has_room(&self) -> bool {
        let shared = self.shared();
        shared.count < shared.count_max
    }

    /// Whether this request may go: its URL, a place, its rate limit, its breaker, in this order.
    fn leave(self: &Arc<Self>, run: &Key, request: &Request) -> Leave {
        let target = match self.transport().check(&request.url) {
            Ok(target) => target,
            Err(lost) => return Leave::Never(lost),
        };
        let now = self.clock.monotonic();
        let endpoint = endpoint(&target, run, &request.limits);
        let mut shared = self.shared();
        if shared.count >= shared.count_max {
            let count = shared.count;
            if !shared.waiting.contains(run) {
                shared.waiting.push_back(run.clone());
            }
            return Leave::Wait {
                rest: BUSY_PAUSE,
                why: SubStatus::RequestsBusy,
                message: format!("{count} requests are on their way; the setting outbound.inFlightMax bounds them"),
            };
        }
        let wait = |until: Duration, why, what| Leave::Wait {
            rest: until.saturating_sub(now),
            why,
            message: format!("{what} {endpoint}"),
        };
        match shared.book.may_send_within(now, &endpoint, numbers(&request.limits)) {
            Verdict::Send(ticket) => {
                shared.count += 1;
                drop(shared);
                Leave::Go(Pass {
                    requests: Arc::clone(self),
                    endpoint,
                    ticket: Some(ticket),
                })
            }
            Verdict::BreakerOpen(until) => wait(until, SubStatus::BreakerOpen, "too many failures in a row at"),
            Verdict::OverRate(until) => wait(until, SubStatus::RateLimited, "the rate limit is used up of"),
        }
    }

    /// One has ended: whoever waits first may look again.
    fn make_room(&self) {
        let mut shared = self.shared();
        shared.count = shared.count.saturating_sub(1);
        let first = shared.waiting.pop_front();
        drop(shared);
        self.looks.wake(first);
    }
}

impl Pass {
    fn record(mut self, outcome: Outcome) {
        self.give_back(outcome);
    }

    fn give_back(&mut self, outcome: Outcome) {
        if let Some(ticket) = self.ticket.take() {
            let now = self.requests.clock.monotonic();
            self.requests.shared().book.record(now, &self.endpoint, ticket, outcome);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.give_back(Outcome::Abandoned);
        self.requests.make_room();
    }
}

/// Steps of one namespace that write the same limits share them: none of them slows the others' down, and no
/// tenant another.
fn endpoint(target: &Target, run: &Key, limits: &HttpLimits) -> Endpoint {
    let shared = format!("{}\n{:?}\n{:?}", run.namespace, limits.rate, limits.breaker);
    target.endpoint_of(&shared, limits.scope == HttpScope::Path)
}

fn numbers(limits: &HttpLimits) -> (Policy, Option<Rate>) {
    let HttpBreaker { failures, pause } = limits.breaker.unwrap_or_default();
    let usual = Policy::default();
    let mut policy = Policy {
        failures_max: failures.unwrap_or(usual.failures_max),
        ..usual
    };
    if let Some(pause) = pause {
        policy.pause_first = Duration::from_millis(pause.as_millis());
        policy.pause_max = policy.pause_first.saturating_mul(PAUSE_GROWTH_MAX);
    }
    let rate = limits.rate.map(|rate| {
        let per = Duration::from_millis(rate.per.as_millis());
        Rate::new(rate.requests, per, rate.burst.unwrap_or(1))
    });
    (policy, rate)
}

#[cfg(test)]
mod tests;
