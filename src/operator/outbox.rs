//! What was decided of a run and is not stored yet. Looks fill it, writes empty it, and neither waits
//! for the other: the next Job is created while the status is on its way.
//!
//! Guarantees: one write at a time; a status is written only in the version that it was derived from;
//! a transition is told of once, when a status that holds it is known to be stored.

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
/// share writes, and the status is hardly ever older than a second.
const WRITE_PAUSE: Duration = Duration::from_millis(500);

/// The outbox of one run.
///
/// `pending` is what was decided last, `sent` what went out last. While a write is in flight
/// `pending` may be ahead of `sent`; it is dirty when it is ahead of both `sent` and the store.
#[derive(Default)]
pub struct Outbox {
    pending: Option<Pending>,
    /// What is on its way, or was sent and had no answer that says what became of it.
    sent: Option<Arc<WorkflowStatus>>,
    is_in_flight: bool,
    /// Decided, but not known to be stored: told of once they are.
    untold: Vec<Transition>,
    /// Events of steps that were published for this run.
    pub events: u32,
    /// Since when what was decided differs from what is stored or on its way.
    dirty_since: Option<Duration>,
    written_at: Option<Duration>,
    /// After a failure, when to try again.
    pause: Pause,
    /// What the last answer forbids.
    barrier: Option<Barrier>,
    /// The API server will not take the status: a fault of the operator.
    refused: Option<Failure>,
}

/// Why there must be no look, and since when.
#[derive(Clone, Copy, Debug)]
enum Barrier {
    /// A conflict showed that there is a version above this one: what is decided on this one cannot be
    /// written.
    Above { version: u64, since: Duration },
    /// A write was answered with 404: the Workflow of this UID is no more, whatever the stores still
    /// show. Nothing may be started for it. The write is tried again, should the answer have been wrong.
    Gone { since: Duration },
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
        self.base.value.as_ref().as_ref().ok()?.status.as_ref()
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
    ///
    /// Gives the transitions that may be told of: a write without an answer has turned out to be done.
    pub fn decided(&mut self, base: &HeldWorkflow, decision: &mut Decision, now: Duration) -> Vec<Transition> {
        self.untold.append(&mut decision.transitions);
        let status = std::mem::take(&mut decision.status);
        if decision.write == Write::Nothing {
            // At rest nothing is kept beside the store: there may be thousands of finished runs.
            self.pending = None;
            self.dirty_since = None;
            if self.is_in_flight {
                return Vec::new(); // its answer is about to come
            }
            self.sent = None;
            return std::mem::take(&mut self.untold);
        }
        let is_on_its_way = self.is_in_flight && self.sent.as_deref() == Some(&status);
        self.dirty_since = (!is_on_its_way).then(|| self.dirty_since.unwrap_or(now));
        self.pending = Some(Pending {
            base: base.clone(),
            status: Arc::new(status),
            write: decision.write,
            since: self.dirty_since,
        });
        Vec::new()
    }

    /// Forgets what was decided but not stored.
    pub fn discard(&mut self) {
        self.pending = None;
        self.dirty_since = None;
        self.untold.clear();
        if !self.is_in_flight {
            self.sent = None;
        }
    }

    /// Whether a status that is not stored yet names this snapshot.
    #[must_use]
    pub fn names(&self, snapshot: &str) -> bool {
        let statuses = [self.pending.as_ref().map(|pending| &pending.status), self.sent.as_ref()];
        let mut names = statuses
            .into_iter()
            .flatten()
            .filter_map(|status| status.snapshot.as_ref());
        names.any(|named| named.name == snapshot || named.children.iter().any(|child| child == snapshot))
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
        let shared = match (self.barrier, pending.write) {
            (Some(Barrier::Above { .. }), _) => return None,
            (Some(Barrier::Gone { since }), _) => since + REPLY_TRUST,
            (None, Write::Soon) => self.written_at.map_or(now, |at| at + WRITE_PAUSE),
            (None, Write::Now | Write::Nothing) => now,
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

    /// It is stored, in this version. What may be told of now.
    pub fn stored(&mut self, written: &Pending, now_held: Option<HeldWorkflow>, now: Duration) -> Vec<Transition> {
        self.is_in_flight = false;
        self.written_at = Some(now);
        self.pause = Pause::default();
        self.barrier = None;
        if written.stored().and_then(|stored| stored.run) != written.status.run {
            self.events = 0; // they are counted by run
        }
        let is_written = |pending: &Pending| Arc::ptr_eq(&pending.status, &written.status);
        match (&mut self.pending, now_held) {
            (Some(pending), _) if is_written(pending) => self.pending = None,
            // What was decided meanwhile was decided on top of it.
            (Some(pending), Some(held)) => pending.base = held,
            _ => {}
        }
        let later = self.untold.iter().position(|told| told.seq > written.status.seq);
        let count = later.unwrap_or(self.untold.len());
        self.untold.drain(..count).collect()
    }

    /// It is not stored, or nobody knows.
    pub fn failed(&mut self, written: &Pending, failure: &Failure, now: Duration) {
        self.abandoned(written, now);
        match failure.cause {
            Cause::Conflict => {
                self.barrier = Some(Barrier::Above {
                    version: written.base.version,
                    since: now,
                });
            }
            Cause::NotFound => self.barrier = Some(Barrier::Gone { since: now }),
            Cause::AlreadyExists | Cause::Refused(_) => {
                self.pause.failed(now, failure.retry_after);
                if failure.kind() != RefusalKind::Unavailable {
                    self.refused = Some(failure.clone());
                }
            }
        }
    }

    /// Nobody waits for its answer any more.
    pub fn abandoned(&mut self, written: &Pending, now: Duration) {
        self.is_in_flight = false;
        if self.pending.is_some() {
            self.dirty_since = written.since.or(Some(now));
        }
    }

    /// Why the API server does not take the status, once.
    pub const fn take_refused(&mut self) -> Option<Failure> {
        self.refused.take()
    }

    /// Whether there must be no look at this version, and how long to wait: the watch brings news. After
    /// a while a conflict is no barrier any more: it may have been about something else.
    pub fn is_barred(&mut self, version: u64, now: Duration) -> Option<Duration> {
        if let Some(Barrier::Above { version: above, since }) = self.barrier
            && (version > above || now >= since + REPLY_TRUST)
        {
            self.barrier = None;
        }
        match self.barrier? {
            Barrier::Above { .. } => Some(WRITE_PAUSE),
            Barrier::Gone { .. } => Some(REPLY_TRUST),
        }
    }
}
