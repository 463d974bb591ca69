//! What is known of a run only in this process. Lost at a restart, and derived again.

use jobwright_api::WorkflowStatus;
use jobwright_engine::{decision::Transition, observed::Notes};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Mutex as AsyncMutex;

use crate::store::{HeldWorkflow, Key, Run};

/// Memory of all runs, by UID of their Workflow.
#[derive(Default)]
pub struct Memory {
    runs: Mutex<BTreeMap<String, Arc<AsyncMutex<Entry>>>>,
}

/// Memory of one run. Locked for the length of a reconcile: there is one at a time per Workflow.
#[derive(Default)]
pub struct Entry {
    pub key: Key,
    /// What was decided and is not stored yet.
    pub pending: Option<Pending>,
    pub notes: Notes,
    pub pauses: Pauses,
    /// Since when the status differs from the stored one, and when it was last written.
    pub dirty_since: Option<Duration>,
    pub written_at: Option<Duration>,
    /// A conflict showed, then, that there is a version above this one: wait for it.
    pub outdated: Option<(u64, Duration)>,
    /// A status write was answered with 404: the Workflow of this UID is no more, whatever the stores
    /// still show. Nothing may be started for it.
    pub is_gone: bool,
    /// Decided, but not stored yet: reported once they are.
    pub unreported: Vec<Transition>,
    /// Step events that were published for this run.
    pub events: u32,
    /// Failures of the operator itself on this object, in a row.
    pub failures: u32,
    pub quarantine: Option<Quarantine>,
    /// Generation whose decoding error was reported.
    pub malformed: Option<i64>,
}

/// A status that was decided, and the stored version that it was derived from.
pub struct Pending {
    pub base: HeldWorkflow,
    pub status: WorkflowStatus,
}

/// An object that is left alone, since the operator failed on it three times in a row.
#[derive(Clone, Debug)]
pub struct Quarantine {
    pub generation: i64,
    pub until: Duration,
}

impl Memory {
    /// The memory of a run, new if there is none.
    #[must_use]
    pub fn run(&self, key: &Key, uid: &str) -> Arc<AsyncMutex<Entry>> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let run = runs.entry(uid.to_owned()).or_insert_with(|| {
            Arc::new(AsyncMutex::new(Entry {
                key: key.clone(),
                ..Entry::default()
            }))
        });
        Arc::clone(run)
    }

    pub fn forget(&self, uid: &str) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.remove(uid);
    }

    /// How many have a status that is not stored, and how many are left alone. One that is being
    /// looked at counts as neither: it is done in a moment.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let runs = self.all();
        let count = |is: fn(&Entry) -> bool| {
            let entries = runs.iter().filter_map(|run| run.try_lock().ok());
            entries.filter(|entry| is(entry)).count()
        };
        (
            count(|entry| entry.dirty_since.is_some()),
            count(|entry| entry.quarantine.is_some()),
        )
    }

    /// All there are, for the last writes before the end.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<AsyncMutex<Entry>>> {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.values().cloned().collect()
    }
}

impl Entry {
    /// Takes the pending status, on top of this stored version.
    ///
    /// Someone else's write leaves the stored status as it was: then what was decided still holds.
    /// Where the status itself is another one, what was decided is dropped: `decide` derives it
    /// again from what is stored now.
    pub fn take_pending(&mut self, stored: &HeldWorkflow, status: &WorkflowStatus) -> WorkflowStatus {
        let Some(pending) = self.pending.take() else {
            return status.clone();
        };
        let none = WorkflowStatus::default();
        let base = status_of(&pending.base).unwrap_or(&none);
        let same = pending.base.version == stored.version || base == status;
        if same && pending.base.uid == stored.uid {
            return pending.status;
        }
        self.discard();
        status.clone()
    }

    /// Notes that what is observed by now has made void.
    pub fn forget_what_is_seen(&mut self, run: &Run) {
        let unseen = |name: &String| !run.jobs.contains_key(name);
        self.notes.absent.retain(unseen);
        self.notes.refusals.retain(|name, _| unseen(name));
        let has_pod = |name: &String| run.pods.contains_key(name);
        self.notes.podless.retain(|name| !has_pod(name));
        self.notes.probes.retain(|name, _| !unseen(name) && !has_pod(name));
    }

    /// Forgets what was decided but not stored.
    pub fn discard(&mut self) {
        self.pending = None;
        self.dirty_since = None;
        self.unreported.clear();
    }
}

/// The status of a Workflow that can be read.
#[must_use]
pub fn status_of(held: &HeldWorkflow) -> Option<&WorkflowStatus> {
    held.value.as_ref().as_ref().ok()?.status.as_ref()
}

/// Actions that are not to be repeated yet, by what they do to what.
#[derive(Default)]
pub struct Pauses {
    pauses: BTreeMap<String, Pause>,
}

#[derive(Clone, Copy)]
struct Pause {
    until: Duration,
    /// Failures in a row; 0 after a success.
    failures: u32,
}

/// After a failure: doubling from the first to the last.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// The effect of an action that succeeded shows in the watch within milliseconds. If it is still
/// asked for after this long, the effect is lost, and doing it again is harmless.
const SETTLE: Duration = Duration::from_secs(10);

impl Pauses {
    /// Until when this action has to wait, if it has to.
    #[must_use]
    pub fn until(&self, action: &str, now: Duration) -> Option<Duration> {
        let pause = self.pauses.get(action)?;
        (pause.until > now).then_some(pause.until)
    }

    pub fn succeeded(&mut self, action: &str, now: Duration) {
        let pause = Pause {
            until: now + SETTLE,
            failures: 0,
        };
        self.pauses.insert(action.to_owned(), pause);
    }

    /// Counts a failure and says how many there were in a row. The server's wish is honoured.
    pub fn failed(&mut self, action: &str, now: Duration, asked: Option<Duration>) -> u32 {
        let failures = self.failures(action).saturating_add(1);
        let backoff = BACKOFF_FIRST
            .saturating_mul(1 << failures.saturating_sub(1).min(6))
            .min(BACKOFF_MAX);
        let pause = Pause {
            until: now + backoff.max(asked.unwrap_or_default()),
            failures,
        };
        self.pauses.insert(action.to_owned(), pause);
        failures
    }

    pub fn clear(&mut self, action: &str) {
        self.pauses.remove(action);
    }

    /// Clears all actions whose name begins so.
    pub fn clear_under(&mut self, prefix: &str) {
        self.pauses.retain(|action, _| !action.starts_with(prefix));
    }

    /// Failures of this action in a row.
    #[must_use]
    pub fn failures(&self, action: &str) -> u32 {
        self.pauses.get(action).map_or(0, |pause| pause.failures)
    }

    /// Forgets what is over, but for failures that count on.
    pub fn prune(&mut self, now: Duration) {
        self.pauses.retain(|_, pause| pause.until > now || pause.failures > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_wait_longer_each_time() {
        let mut pauses = Pauses::default();
        let now = Duration::from_secs(1000);
        let waits: Vec<u64> = (0..8)
            .map(|_| {
                pauses.failed("a", now, None);
                pauses.until("a", now).unwrap().abs_diff(now).as_secs()
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        pauses.failed("a", now, Some(Duration::from_secs(120)));
        assert_eq!(pauses.until("a", now), Some(now + Duration::from_secs(120)));
        assert_eq!(pauses.until("b", now), None);
        pauses.succeeded("a", now);
        assert_eq!(pauses.failures("a"), 0);
    }
}
