//! What the watches have told, as plain values under one lock.
//!
//! Nothing here calls the API server. The watches feed it; so do the replies to own writes, and
//! the simulator by hand. Readers get shared values and never wait for more than a look-up.

mod inner;
pub mod mirror;
mod record;
mod runs;

use jobwright_api::{Task, Workflow};
use jobwright_engine::{graph::Graph, observed::JobView};
use kube::{
    core::{DeserializeGuard, error_boundary::InvalidObject},
    runtime::watcher::Event,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use mirror::{Held, Key};
pub(crate) use record::held as record_held;
pub use record::{BadSnapshot, Record};
pub use runs::{PodOfJob, Run};

use crate::view::{job::Slim as SlimJob, pod::Slim as SlimPod};
use inner::{Inner, Shard, decoded};
use record::Graphs;

/// An object of ours, or why it cannot be read.
pub type Decoded<K> = Result<K, InvalidObject>;
/// A Workflow as it is kept.
pub type HeldWorkflow = Held<Decoded<Workflow>>;
/// A Task as it is kept.
pub type HeldTask = Held<Decoded<Task>>;

/// One event of one watch.
#[expect(
    clippy::large_enum_variant,
    reason = "one lives for one call: a box would cost an allocation for each event"
)]
pub enum Feed {
    Workflow(Event<DeserializeGuard<Workflow>>),
    Task(Event<DeserializeGuard<Task>>),
    Job(Event<SlimJob>),
    Pod(Event<SlimPod>),
    Record(Event<DeserializeGuard<jobwright_api::WorkflowRecord>>),
}

/// Who has to look again after an event.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Woken {
    pub workflows: BTreeSet<Key>,
    pub tasks: BTreeSet<Key>,
    /// Workflows that are no more, with their UID.
    pub gone: Vec<(Key, String)>,
    /// Snapshots that no Workflow names any more, or may not name.
    pub unused: BTreeSet<Key>,
}

/// The stores of all kinds.
pub struct Stores {
    /// The namespaces watched, each by watches of its own; empty for all in one.
    namespaces: Vec<String>,
    inner: Mutex<Inner>,
    graphs: Graphs,
}

impl Stores {
    /// Empty stores. Watches of `namespaces[n]` feed source n; no namespaces means all, source 0.
    #[must_use]
    pub fn new(namespaces: Vec<String>) -> Self {
        let shards = std::iter::repeat_with(Shard::default)
            .take(namespaces.len().max(1))
            .collect();
        let inner = Inner {
            shards,
            ..Inner::default()
        };
        Self {
            namespaces,
            inner: Mutex::new(inner),
            graphs: Graphs::default(),
        }
    }

    /// The namespaces that are watched apart, in the order of their sources; empty for all in one.
    #[must_use]
    pub fn namespaces(&self) -> &[String] {
        &self.namespaces
    }

    /// Everything has been listed once: before that, absence means nothing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock().shards.iter().all(Shard::is_listed)
    }

    /// Takes in an event of a watch.
    pub fn feed(&self, source: usize, feed: Feed) -> Woken {
        let mut inner = self.lock();
        let mut woken = Woken::default();
        let relisted = matches!(
            feed,
            Feed::Workflow(Event::InitDone)
                | Feed::Task(Event::InitDone)
                | Feed::Job(Event::InitDone)
                | Feed::Pod(Event::InitDone)
                | Feed::Record(Event::InitDone)
        );
        inner.take(source, feed, &mut woken);
        woken.unused.append(&mut inner.unused);
        if relisted {
            // The events of a list come before its effect: who slept through it must look again.
            inner.wake_all(&mut woken);
        }
        woken
    }

    #[must_use]
    pub fn workflow(&self, key: &Key) -> Option<HeldWorkflow> {
        let inner = self.lock();
        inner.shard(self.source(key)?)?.workflows.get(key).cloned()
    }

    #[must_use]
    pub fn task(&self, key: &Key) -> Option<HeldTask> {
        let inner = self.lock();
        inner.shard(self.source(key)?)?.tasks.get(key).cloned()
    }

    /// All Workflows there are.
    #[must_use]
    pub fn workflows(&self) -> Vec<Key> {
        let inner = self.lock();
        let shards = inner.shards.iter();
        shards
            .flat_map(|shard| shard.workflows.iter().map(|held| held.key.clone()))
            .collect()
    }

    /// All Tasks there are.
    #[must_use]
    pub fn tasks(&self) -> Vec<Key> {
        let inner = self.lock();
        let shards = inner.shards.iter();
        shards
            .flat_map(|shard| shard.tasks.iter().map(|held| held.key.clone()))
            .collect()
    }

    /// The Tasks of these names, as far as they exist. Their changes wake the Workflow from now on.
    #[must_use]
    pub fn await_tasks<'a>(&self, workflow: &Key, names: impl Iterator<Item = &'a str>) -> BTreeMap<String, HeldTask> {
        let mut inner = self.lock();
        let mut found = BTreeMap::new();
        for name in names {
            let key = Key::new(workflow.namespace.clone(), name);
            let held = self
                .source(&key)
                .and_then(|source| inner.shard(source)?.tasks.get(&key).cloned());
            if let Some(held) = held {
                found.insert(name.to_owned(), held);
            }
            let waiting = inner.waiting.entry(key).or_default();
            waiting.insert(workflow.clone());
        }
        found
    }

    /// The Jobs and pods of a Workflow; and when replies that the watch has not confirmed expire.
    #[must_use]
    pub fn run(&self, uid: &str, now: Duration) -> (Arc<Run>, Option<Duration>) {
        let mut inner = self.lock();
        let mut next: Option<Duration> = None;
        let mut jobs = Vec::new();
        let mut pods = Vec::new();
        for shard in &mut inner.shards {
            let (changes, due) = shard.jobs.expire(uid, now);
            jobs.extend(changes);
            next = [next, due].into_iter().flatten().min();
            let (changes, due) = shard.pods.expire(uid, now);
            pods.extend(changes);
            next = [next, due].into_iter().flatten().min();
        }
        inner.runs.jobs(jobs);
        inner.runs.pods(pods);
        (inner.runs.get(uid), next)
    }

    /// The compiled snapshot of this name, if it has been seen.
    ///
    /// # Errors
    /// It cannot be read: it was written by another version, or by someone else.
    pub fn graph(&self, key: &Key) -> Result<Option<Arc<Graph>>, BadSnapshot> {
        let Some(held) = self.record(key) else {
            return Ok(None);
        };
        self.graphs.get(&held).map(Some)
    }

    #[must_use]
    pub fn record(&self, key: &Key) -> Option<Held<Record>> {
        let inner = self.lock();
        inner.shard(self.source(key)?)?.records.get(key).cloned()
    }

    #[must_use]
    pub fn is_used(&self, record: &Key) -> bool {
        self.lock().users.contains_key(record)
    }

    /// Takes in the reply to a write of a Workflow: it counts as observed. As it is kept.
    pub fn reply_workflow(&self, workflow: Workflow, now: Duration) -> HeldWorkflow {
        let held = decoded(DeserializeGuard(Ok(workflow)));
        let mut inner = self.lock();
        let Some(shard) = self.source(&held.key).and_then(|at| inner.shards.get_mut(at)) else {
            return held;
        };
        let change = shard.workflows.reply(held.clone(), now);
        // Whoever writes looks again by itself.
        let mut woken = Woken::default();
        inner.workflows_changed(change.into_iter().collect(), &mut woken);
        inner.unused.append(&mut woken.unused);
        held
    }

    /// Takes in the reply to a write of a Task: it counts as observed.
    pub fn reply_task(&self, task: Task, now: Duration) {
        let held = decoded(DeserializeGuard(Ok(task)));
        let mut inner = self.lock();
        if let Some(shard) = self.source(&held.key).and_then(|at| inner.shards.get_mut(at)) {
            shard.tasks.reply(held, now);
        }
    }

    /// Takes in the reply to a write or a live GET of a Job.
    pub fn reply_job(&self, job: Held<JobView>, now: Duration) {
        let mut inner = self.lock();
        let Some(shard) = self.source(&job.key).and_then(|at| inner.shards.get_mut(at)) else {
            return;
        };
        let change = shard.jobs.reply(job, now);
        inner.runs.jobs(change.into_iter().collect());
    }

    /// Takes in a pod of a live LIST.
    pub fn reply_pod(&self, pod: Held<PodOfJob>, now: Duration) {
        let mut inner = self.lock();
        let Some(shard) = self.source(&pod.key).and_then(|at| inner.shards.get_mut(at)) else {
            return;
        };
        let change = shard.pods.reply(pod, now);
        inner.runs.pods(change.into_iter().collect());
    }

    /// Takes in the reply to a write or a live GET of a snapshot.
    pub fn reply_record(&self, record: Held<Record>, now: Duration) {
        let mut inner = self.lock();
        let source = self.source(&record.key);
        if let Some(shard) = source.and_then(|at| inner.shards.get_mut(at)) {
            shard.records.reply(record, now);
        }
    }

    fn source(&self, key: &Key) -> Option<usize> {
        if self.namespaces.is_empty() {
            return Some(0);
        }
        self.namespaces.iter().position(|namespace| *namespace == key.namespace)
    }

    /// A panic elsewhere leaves the stores as the last whole change left them: they stay usable.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
