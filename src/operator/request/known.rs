//! The requests of one run, by key of their attempt.

use jiff::{SignedDuration, Timestamp};
use jobwright_api::{StepStatus, SubStatus, WorkflowStatus};
use jobwright_engine::http::{Answer, Known, Request};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::task::AbortHandle;

use super::{Leave, Pass, Requests};
use crate::store::Key;

/// What is known of the requests of a run. Dropped, it ends them.
#[derive(Default)]
pub struct OfRun {
    flights: Arc<Flights>,
}

#[derive(Default)]
pub(super) struct Flights(Mutex<BTreeMap<String, Flight>>);

/// The request of one attempt.
struct Flight {
    /// Printed id.
    step: String,
    attempt: u32,
    state: State,
}

enum State {
    Held {
        until: Timestamp,
        why: SubStatus,
        message: String,
    },
    Admitted(Pass),
    Sent {
        _task: Task,
    },
    Answered(Arc<Answer>),
}

/// A task that ends when nobody holds it.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl OfRun {
    /// A copy for the engine. What is over by now is forgotten: a request whose attempt has ended is dropped, an
    /// answer once it is stored what it led to.
    pub(crate) fn known(
        &self,
        pending: &WorkflowStatus,
        stored: &WorkflowStatus,
        requests: &Requests,
    ) -> BTreeMap<String, Known> {
        let mut flights = self.flights.lock();
        if flights.is_empty() {
            return BTreeMap::new();
        }
        let over: Vec<String> = flights
            .iter()
            .filter(|(_, flight)| flight.is_over(pending, stored, requests))
            .map(|(key, _)| key.clone())
            .collect();
        let dropped: Vec<Option<Flight>> = over.iter().map(|key| flights.remove(key)).collect();
        let known = flights
            .iter()
            .map(|(key, flight)| (key.clone(), flight.state.known()))
            .collect();
        drop(flights);
        drop(dropped); // a pass wakes others
        known
    }

    /// Ends all there are.
    pub(crate) fn clear(&self) {
        let flights = std::mem::take(&mut *self.flights.lock());
        drop(flights);
    }

    /// Asks for leave, if this attempt has none yet.
    pub(crate) fn admit(&self, run: &Key, key: String, request: &Request, requests: &Arc<Requests>) {
        let is_known = {
            let flights = self.flights.lock();
            let known = flights.get(&key).map(|flight| &flight.state);
            !matches!(known, None | Some(State::Held { .. }))
        };
        if is_known {
            return;
        }
        let state = match requests.leave(run, request) {
            Leave::Go(pass) => State::Admitted(pass),
            Leave::Never(lost) => State::Answered(Arc::new(Err(lost))),
            Leave::Wait { rest, why, message } => State::Held {
                until: after(requests.clock.now(), rest),
                why,
                message,
            },
        };
        let flight = Flight {
            step: request.step.clone(),
            attempt: request.attempt,
            state,
        };
        self.flights.lock().insert(key, flight);
    }

    /// Sends a request that has leave; one that is on its way stays.
    pub(crate) fn send(&self, run: &Key, key: String, request: Request, requests: &Arc<Requests>) {
        let mut flights = self.flights.lock();
        let Some(flight) = flights.get_mut(&key) else { return };
        if !matches!(flight.state, State::Admitted(_)) {
            return;
        }
        let flown = Arc::downgrade(&self.flights);
        let (requests, run) = (Arc::clone(requests), run.clone());
        let (ready, pass) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let Ok(pass) = pass.await else { return };
            let answer = requests.exchange(&run, request, pass).await;
            answered(&flown, &key, answer);
            requests.looks.wake([run]);
            requests.settled.notify_one();
        });
        let before = std::mem::replace(
            &mut flight.state,
            State::Sent {
                _task: Task(task.abort_handle()),
            },
        );
        drop(flights);
        if let State::Admitted(pass) = before {
            ready.send(pass).ok();
        }
    }
}

fn answered(flights: &Weak<Flights>, key: &str, answer: Answer) {
    if let Some(flights) = flights.upgrade()
        && let Some(flight) = flights.lock().get_mut(key)
    {
        flight.state = State::Answered(Arc::new(answer));
    }
}

/// In whole microseconds as all instants of the engine, and never now: what is due at once would spin.
fn after(now: Timestamp, rest: Duration) -> Timestamp {
    let rest = SignedDuration::try_from(rest.max(Duration::from_millis(1))).unwrap_or(SignedDuration::MAX);
    let at = now.saturating_add(rest).unwrap_or(Timestamp::MAX);
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    fn is_over(&self, pending: &WorkflowStatus, stored: &WorkflowStatus, requests: &Requests) -> bool {
        match &self.state {
            State::Answered(_) => self.has_ended(stored),
            State::Held { why, .. } if *why == SubStatus::RequestsBusy && requests.has_room() => true,
            State::Held { .. } | State::Admitted(_) | State::Sent { .. } => self.has_ended(pending),
        }
    }

    /// The attempt has ended in this status, or its run has.
    fn has_ended(&self, status: &WorkflowStatus) -> bool {
        let has_ended = |step: &StepStatus| {
            let mut recent = step.attempts.recent.iter();
            let own = recent.find(|attempt| attempt.number == self.attempt);
            step.phase.is_terminal()
                || match own {
                    Some(attempt) => attempt.phase.is_terminal(),
                    None => step.attempts.count > self.attempt,
                }
        };
        status.phase.is_some_and(jobwright_api::WorkflowPhase::is_terminal)
            || status.steps.get(&self.step).is_some_and(has_ended)
    }
}

impl State {
    fn known(&self) -> Known {
        match self {
            Self::Held { until, why, message } => Known::Held {
                until: *until,
                why: why.clone(),
                message: message.clone(),
            },
            Self::Admitted(_) => Known::Admitted,
            Self::Sent { .. } => Known::Sent,
            Self::Answered(answer) => Known::Answered(Arc::clone(answer)),
        }
    }
}
