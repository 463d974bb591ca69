//! What is known of a run only in this process. Lost at a restart, and derived again.

use jobwright_api::{WorkflowPhase, WorkflowStatus};
use jobwright_engine::observed::Notes;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard};

use crate::{
    outbox::Outbox,
    request,
    store::{Key, Run},
};

/// Memory of all runs, by UID of their Workflow.
#[derive(Default)]
pub struct Memory {
    runs: Mutex<BTreeMap<String, Arc<OfRun>>>,
}

/// Memory of one run: what looks need, locked for the length of a look, and what is to be written,
/// locked for a moment only.
pub struct OfRun {
    pub key: Key,
    look: AsyncMutex<Entry>,
    outbox: Mutex<Outbox>,
    pub requests: request::OfRun,
}

/// What looks at one run remember.
#[derive(Default)]
pub struct Entry {
    /// The run that the notes are about.
    pub run: Option<u32>,
    pub notes: Notes,
    pub pauses: Pauses,
    /// Failures of the operator itself on this object, in a row.
    pub failures: u32,
    pub quarantine: Option<Quarantine>,
    /// Generation whose decoding error was reported.
    pub malformed: Option<i64>,
}

/// An object that is left alone, since the operator failed on it three times in a row.
#[derive(Clone, Debug)]
pub struct Quarantine {
    pub generation: i64,
    pub until: Duration,
}

impl OfRun {
    fn new(key: &Key) -> Self {
        Self {
            key: key.clone(),
            look: AsyncMutex::default(),
            outbox: Mutex::default(),
            requests: request::OfRun::default(),
        }
    }

    /// What looks remember: there is one look at a time.
    pub async fn look(&self) -> AsyncMutexGuard<'_, Entry> {
        self.look.lock().await
    }

    pub fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// The memory of a run, new if there is none.
    #[must_use]
    pub fn run(&self, key: &Key, uid: &str) -> Arc<OfRun> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let run = runs.entry(uid.to_owned()).or_insert_with(|| Arc::new(OfRun::new(key)));
        Arc::clone(run)
    }

    pub fn forget(&self, uid: &str) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.remove(uid);
    }

    /// How many have a status that is not stored, and how many are left alone. One that is being
    /// looked at counts as not left alone: it is not.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let runs = self.all();
        let dirty = runs.iter().filter(|run| run.outbox().is_dirty()).count();
        let looks = runs.iter().filter_map(|run| run.look.try_lock().ok());
        (dirty, looks.filter(|look| look.quarantine.is_some()).count())
    }

    /// Whether a run is about to name this snapshot, or may be.
    #[must_use]
    pub fn may_name(&self, snapshot: &Key) -> bool {
        let runs = self.all();
        let mut neighbours = runs.iter().filter(|run| run.key.namespace == snapshot.namespace);
        neighbours.any(|run| {
            let is_pending = run.outbox().names(&snapshot.name);
            // One that is being looked at may be just about to.
            let look = run.look.try_lock();
            is_pending || look.map_or(true, |look| look.notes.snapshots.contains(&snapshot.name))
        })
    }

    /// All there are, for the last writes before the end.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<OfRun>> {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.values().cloned().collect()
    }
}

impl Entry {
    /// Notes that what is observed by now has made void.
    pub fn forget_what_is_seen(&mut self, run: &Run) {
        let unseen = |name: &String| !run.jobs.contains_key(name) && !run.children.contains_key(name);
        self.notes.absent.retain(unseen);
        self.notes.refusals.retain(|name, _| unseen(name));
        let has_pod = |name: &String| run.pods.contains_key(name);
        self.notes.podless.retain(|name| !has_pod(name));
        self.notes.probes.retain(|name, _| !unseen(name) && !has_pod(name));
    }

    /// Pages that the stored status names are sealed, and once the run is over nobody reads them again.
    pub fn forget_pages(&mut self, stored: &WorkflowStatus) {
        self.notes.sealed.retain(|name, _| !stored.records.contains_key(name));
        if stored.phase.is_some_and(WorkflowPhase::is_terminal) {
            self.notes.pages.clear();
        }
    }
}

/// Actions that are not to be repeated yet, by what they do to what.
#[derive(Default)]
pub struct Pauses {
    pauses: BTreeMap<String, Pause>,
}

/// When something may be tried again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pause {
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

impl Pause {
    /// Until when it has to wait, if it has to.
    #[must_use]
    pub fn until(&self, now: Duration) -> Option<Duration> {
        (self.until > now).then_some(self.until)
    }

    /// Counts a failure. The server's wish is honoured.
    pub fn failed(&mut self, now: Duration, asked: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        let backoff = BACKOFF_FIRST
            .saturating_mul(1 << self.failures.saturating_sub(1).min(6))
            .min(BACKOFF_MAX);
        self.until = now + backoff.max(asked.unwrap_or_default());
    }
}

impl Pauses {
    /// Until when this action has to wait, if it has to.
    #[must_use]
    pub fn until(&self, action: &str, now: Duration) -> Option<Duration> {
        self.pauses.get(action)?.until(now)
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
        let pause = self.pauses.entry(action.to_owned()).or_default();
        pause.failed(now, asked);
        pause.failures
    }

    pub fn clear(&mut self, action: &str) {
        self.pauses.remove(action);
    }

    /// Clears all actions whose name begins so.
    pub fn clear_under(&mut self, prefix: &str) {
        self.pauses.retain(|action, _| !action.starts_with(prefix));
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
        assert_eq!(pauses.failed("a", now, None), 1, "a success ends the row");
    }
}
