//! What was decided of a run and is not stored yet. Looks fill it, writes empty it, and neither waits
//! for the other: the next Job is created while the status is on its way.
//!
//! Guarantees: one write at a time; a status is written only in the version that it was derived from;
//! a transition is told of once, when the status that holds it is stored.

use jobwright_api::WorkflowStatus;
use jobwright_engine::{
    decision::{Decision, Transition, Write},
    observed::RefusalKind,
};
use std::{sync::Arc, time::Duration};

use crate::{
    apply::classify::{Cause, Failure},
    memory::Pause,
    store::{HeldWorkflow, mirror::REPLY_TRUST},
};

/// After a write, the next one of the same run waits for this long, so that steps that end densely
/// share writes, and the status is never older than a second.
const WRITE_PAUSE: Duration = Duration::from_millis(500);

/// The outbox of one run.
#[derive(Default)]
pub struct Outbox {
    pending: Option<Pending>,
    /// What is on its way, or was sent and had no answer that says what became of it.
    sent: Option<Arc<WorkflowStatus>>,
    is_in_flight: bool,
    /// Decided, but not stored yet: told of once they are.
    untold: Vec<Transition>,
    /// Events of steps that were published for this run.
    pub events: u32,
    /// Since when what was decided differs from what is stored or on its way.
    dirty_since: Option<Duration>,
    written_at: Option<Duration>,
    /// After a failure, when to try again.
    pause: Pause,
    /// A conflict showed, then, that there is a version above this one: wait for it.
    outdated: Option<(u64, Duration)>,
    /// A status write was answered with 404: the Workflow of this UID is no more, whatever the stores
    /// still show. Nothing may be started for it.
    pub is_gone: bool,
    /// The API server will not take the status: a fault of the operator.
    refused: Option<Failure>,
}

/// A status that was decided, and the stored version that it was derived from.
#[derive(Clone)]
pub struct Pending {
    pub base: HeldWorkflow,
    pub status: Arc<WorkflowStatus>,
    write: Write,
    since: Option<Duration>,
}

impl Pending {
    /// The status that is stored in the version that this one was derived from.
    #[must_use]
    pub fn stored(&self) -> Option<&WorkflowStatus> {
        status_of(&self.base)
    }
}

impl Outbox {
    /// The status to go on from, on top of this stored version.
    ///
    /// Someone else's write leaves the stored status as it was, and our own makes it what was sent:
    /// then what was decided still holds. Where the stored status is another one, what was decided is
    /// dropped: `decide` derives it again from what is stored now.
    pub fn current(&mut self, held: &HeldWorkflow, stored: &WorkflowStatus) -> Arc<WorkflowStatus> {
        let Some(pending) = &self.pending else {
            return Arc::new(stored.clone());
        };
        let none = WorkflowStatus::default();
        let is_same = pending.base.version == held.version
            || pending.stored().unwrap_or(&none) == stored
            || self.sent.as_deref() == Some(stored);
        if is_same && pending.base.uid == held.uid {
            return Arc::clone(&pending.status);
        }
        self.discard();
        Arc::new(stored.clone())
    }

    /// Takes in what was decided on top of this stored version. Actions are left to the caller.
    pub fn decided(&mut self, base: &HeldWorkflow, decision: &mut Decision, now: Duration) {
        self.untold.append(&mut decision.transitions);
        let status = std::mem::take(&mut decision.status);
        let is_on_its_way = self.is_in_flight && self.sent.as_deref() == Some(&status);
        self.dirty_since = match decision.write {
            Write::Soon | Write::Now if !is_on_its_way => self.dirty_since.or(Some(now)),
            _ => None,
        };
        // At rest nothing is kept beside the store: there may be thousands of finished runs.
        if decision.write == Write::Nothing && !self.is_in_flight {
            self.sent = None;
        }
        self.pending = (decision.write != Write::Nothing).then(|| Pending {
            base: base.clone(),
            status: Arc::new(status),
            write: decision.write,
            since: self.dirty_since,
        });
    }

    /// Forgets what was decided but not stored.
    pub fn discard(&mut self) {
        self.pending = None;
        self.dirty_since = None;
        self.untold.clear();
    }

    /// Whether something is not known to be stored.
    #[must_use]
    pub const fn is_dirty(&self) -> bool {
        self.dirty_since.is_some() || self.is_in_flight
    }

    /// When the status is to be written. None if it is stored or on its way, or another is.
    #[must_use]
    pub fn due(&self, now: Duration) -> Option<Duration> {
        let pending = self.pending.as_ref().filter(|_| !self.is_in_flight)?;
        self.dirty_since?;
        let shared = match pending.write {
            Write::Soon => self.written_at.map_or(now, |at| at + WRITE_PAUSE),
            Write::Now | Write::Nothing => now,
        };
        Some(self.pause.until(now).map_or(shared, |until| until.max(shared)))
    }

    /// The same while actions are on their way: what they bring shares the write, unless the status
    /// has waited for long.
    #[must_use]
    pub fn due_at_last(&self, now: Duration) -> Option<Duration> {
        let due = self.due(now)?;
        let since = self.dirty_since?;
        Some(due.max(since + WRITE_PAUSE))
    }

    /// What is to be sent now; the store shows this version. Where it was derived from another one, it
    /// has to be decided again first.
    pub fn begin(&mut self, version: u64) -> Option<Pending> {
        let pending = self.pending.as_ref().filter(|_| !self.is_in_flight)?;
        if pending.base.version != version || self.dirty_since.is_none() {
            return None;
        }
        self.is_in_flight = true;
        self.dirty_since = None;
        self.sent = Some(Arc::clone(&pending.status));
        Some(pending.clone())
    }

    /// It is stored. What may be told of now.
    pub fn stored(&mut self, written: &Pending, now: Duration) -> Vec<Transition> {
        self.is_in_flight = false;
        self.written_at = Some(now);
        self.pause = Pause::default();
        if self
            .pending
            .as_ref()
            .is_some_and(|pending| Arc::ptr_eq(&pending.status, &written.status))
        {
            self.pending = None;
        }
        let later = self.untold.iter().position(|told| told.seq > written.status.seq);
        let count = later.unwrap_or(self.untold.len());
        self.untold.drain(..count).collect()
    }

    /// It is not stored, or nobody knows.
    pub fn failed(&mut self, written: &Pending, failure: &Failure, now: Duration) {
        self.is_in_flight = false;
        if self.pending.is_some() {
            self.dirty_since = written.since.or(Some(now));
        }
        match failure.cause {
            Cause::Conflict => {
                self.outdated = Some((written.base.version, now));
                self.discard();
            }
            Cause::NotFound => {
                self.is_gone = true;
                self.discard();
            }
            Cause::AlreadyExists | Cause::Refused(_) => {
                self.pause.failed(now, failure.retry_after);
                if failure.kind() != RefusalKind::Unavailable {
                    self.refused = Some(failure.clone());
                }
            }
        }
    }

    /// Why the API server does not take the status, once.
    pub const fn take_refused(&mut self) -> Option<Failure> {
        self.refused.take()
    }

    /// A conflict has shown that there is a newer version than this: what is decided on it cannot be
    /// written. After a while it is tried again all the same: the conflict may have been another one.
    /// Says how long to wait.
    pub fn is_outdated(&mut self, version: u64, now: Duration) -> Option<Duration> {
        self.outdated = self
            .outdated
            .filter(|(above, since)| version <= *above && now < *since + REPLY_TRUST);
        self.outdated.map(|_| WRITE_PAUSE)
    }
}

/// The status of a Workflow that can be read.
fn status_of(held: &HeldWorkflow) -> Option<&WorkflowStatus> {
    held.value.as_ref().as_ref().ok()?.status.as_ref()
}
