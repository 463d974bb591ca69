//! The circuit breaker of one endpoint.
//!
//! ```text
//!            failures_max in a row                 the pause is over: one probe
//!   closed ─────────────────────────> open ──────────────────────────────────> half open
//!     ^                                ^   the probe failed: the pause doubles     │  │
//!     │                                └────────────────────────────────────────────┘  │
//!     └─────────────────────────── the probe succeeded ────────────────────────────────┘
//! ```

use std::time::Duration;

/// `Retry-After` counts up to here: one answer of a receiver stops nothing for longer.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Failures in a row that open it; 0 counts as 1.
    pub failures_max: u32,
    /// The first pause. It doubles with each probe that fails.
    pub pause_first: Duration,
    /// The longest pause that doubling leads to.
    pub pause_max: Duration,
    /// A probe without an outcome for this long is taken for lost, and the next may go. Where it is less
    /// than a request's time limit, a second probe may go out beside a slow first.
    pub probe_max: Duration,
}

impl Default for Policy {
    /// Five failures are no accident; ten seconds are a restart of the receiver; after a long
    /// outage its return is seen within five minutes.
    fn default() -> Self {
        Self {
            failures_max: 5,
            pause_first: Duration::from_secs(10),
            pause_max: Duration::from_secs(300),
            probe_max: Duration::from_secs(300),
        }
    }
}

/// How a request ended, as far as its endpoint's health goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered, with anything but 429 and 5xx.
    Succeeded,
    /// No answer, or 429, or 5xx; with `Retry-After`, from now, if it came.
    Failed { retry_after: Option<Duration> },
    /// Nothing was learned: the request was dropped or never left. A probe makes way for the next.
    Abandoned,
}

/// Whether a request may go out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    Allowed(Ticket),
    /// The one request that finds out whether the endpoint is back.
    Probe(Ticket),
    /// Not before this instant. While a probe is on its way it is soon, for the probe's outcome may
    /// open the way: at most `pause_first` from now.
    WaitUntil(Duration),
}

/// Belongs to one request that went out; goes back with its outcome.
///
/// It tells an outcome that counts from one of an earlier time: a hundred requests that were on their
/// way when the breaker opened neither lengthen its pause nor close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    epoch: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
        /// What `Retry-After` of these failures asks for.
        not_before: Duration,
    },
    Open {
        until: Duration,
        pause: Duration,
    },
    HalfOpen {
        lost_at: Duration,
        pause: Duration,
    },
}

/// The breaker of one endpoint.
///
/// Guarantees: closed, everything may go. After `failures_max` failures in a row nothing may, for the
/// pause or what `Retry-After` asks for, whichever is longer (at most a day); then one request, and
/// no other until its outcome is known or `probe_max` has passed.
///
/// Assumes that each ticket comes back, with [`Outcome::Abandoned`] at least: a probe that never does
/// holds the endpoint up for `probe_max`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    policy: Policy,
    state: State,
    /// Counts the changes of state.
    epoch: u64,
}

impl Breaker {
    #[must_use]
    pub const fn new(policy: Policy) -> Self {
        Self {
            policy,
            state: State::Closed {
                failures: 0,
                not_before: Duration::ZERO,
            },
            epoch: 0,
        }
    }

    /// Whether a request may go now. A leave counts as taken.
    #[must_use]
    pub fn may_send(&mut self, now: Duration) -> Leave {
        match self.state {
            State::Closed { .. } => Leave::Allowed(self.ticket()),
            State::Open { until, .. } if now < until => Leave::WaitUntil(until),
            State::HalfOpen { lost_at, .. } if now < lost_at => {
                Leave::WaitUntil(lost_at.min(now.saturating_add(self.policy.pause_first)))
            }
            State::Open { pause, .. } | State::HalfOpen { pause, .. } => {
                let lost_at = now.saturating_add(self.policy.probe_max);
                self.enter(State::HalfOpen { lost_at, pause });
                Leave::Probe(self.ticket())
            }
        }
    }

    /// Takes in how a request ended.
    pub fn record(&mut self, now: Duration, ticket: Ticket, outcome: Outcome) {
        let asked = match outcome {
            Outcome::Failed { retry_after } => retry_after.unwrap_or_default().min(RETRY_AFTER_MAX),
            Outcome::Succeeded | Outcome::Abandoned => Duration::ZERO,
        };
        let asked = now.saturating_add(asked);
        if ticket != self.ticket() {
            // Of an earlier time: only what the receiver asks for still counts.
            if let State::Open { until, .. } = &mut self.state
                && matches!(outcome, Outcome::Failed { .. })
            {
                *until = asked.max(*until);
            }
            return;
        }
        match (self.state, outcome) {
            (State::Closed { failures, not_before }, Outcome::Failed { .. }) => {
                let not_before = not_before.max(asked);
                let failures = failures.saturating_add(1);
                if failures >= self.policy.failures_max.max(1) {
                    self.open(now, self.policy.pause_first.min(self.policy.pause_max), not_before);
                } else {
                    self.state = State::Closed { failures, not_before };
                }
            }
            (State::HalfOpen { pause, .. }, Outcome::Failed { .. }) => {
                self.open(now, pause.saturating_mul(2).min(self.policy.pause_max), asked);
            }
            // The pause is over already: another request may be the probe, at once.
            (State::HalfOpen { pause, .. }, Outcome::Abandoned) => self.enter(State::Open { until: now, pause }),
            (State::HalfOpen { .. }, Outcome::Succeeded) => self.enter(Self::new(self.policy).state),
            (State::Closed { .. }, Outcome::Succeeded) => self.state = Self::new(self.policy).state,
            (State::Closed { .. }, Outcome::Abandoned) | (State::Open { .. }, _) => {}
        }
    }

    /// Nothing is known of the endpoint that a new breaker would not know.
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        matches!(self.state, State::Closed { failures: 0, .. })
    }

    fn open(&mut self, now: Duration, pause: Duration, not_before: Duration) {
        let until = now.saturating_add(pause).max(not_before);
        self.enter(State::Open { until, pause });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch = self.epoch.wrapping_add(1);
    }

    const fn ticket(&self) -> Ticket {
        Ticket { epoch: self.epoch }
    }
}
