//! What the watches have told, as plain values under one lock.
//!
//! Nothing here calls the API server. The watches feed it; so do the replies to own writes, and
//! the simulator by hand. Readers get shared values and never wait for more than a look-up.

mod family;
mod inner;
pub mod mirror;
mod record;
mod runs;
mod waiting;

use jobwright_api::{Task, Workflow, WorkflowTemplate};
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
pub use waiting::Waiter;

use crate::view::{job::Slim as SlimJob, pod::Slim as SlimPod};
use inner::{Inner, Shard, decoded};
use record::Graphs;
use waiting::Referred;

/// An object of ours, or why it cannot be read.
pub type Decoded<K> = Result<K, InvalidObject>;
/// A Workflow as it is kept.
pub type HeldWorkflow = Held<Decoded<Workflow>>;
/// A Task as it is kept.
pub type HeldTask = Held<Decoded<Task>>;

/// A template as it is kept.
pub type HeldTemplate = Held<Decoded<WorkflowTemplate>>;

/// The Tasks and templates that a definition refers to, as far as they exist and can be read.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    pub tasks: BTreeMap<String, Arc<Task>>,
    pub templates: BTreeMap<String, Arc<WorkflowTemplate>>,
}

/// One event of one watch.
#[expect(
    clippy::large_enum_variant,
    reason = "one lives for one call: a box would cost an allocation for each event"
)]
pub enum Feed {
    Workflow(Event<DeserializeGuard<Workflow>>),
    Task(Event<DeserializeGuard<Task>>),
    Template(Event<DeserializeGuard<WorkflowTemplate>>),
    Job(Event<SlimJob>),
    Pod(Event<SlimPod>),
    Record(Event<DeserializeGuard<jobwright_api::WorkflowRecord>>),
}

/// Who has to look again after an event.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Woken {
    pub workflows: BTreeSet<Key>,
    pub tasks: BTreeSet<Key>,
    pub templates: BTreeSet<Key>,
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
                | Feed::Template(Event::InitDone)
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

    #[must_use]
    pub fn template(&self, key: &Key) -> Option<HeldTemplate> {
        let inner = self.lock();
        inner.shard(self.source(key)?)?.templates.get(key).cloned()
    }

    /// The Workflow of this UID.
    #[must_use]
    pub fn workflow_of(&self, uid: &str) -> Option<HeldWorkflow> {
        let inner = self.lock();
        let key = inner.uids.key(uid)?;
        let shard = inner.shard(self.source(key)?)?;
        shard.workflows.get(key).filter(|held| held.uid == uid).cloned()
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

    /// All templates there are.
    #[must_use]
    pub fn templates(&self) -> Vec<Key> {
        let inner = self.lock();
        let shards = inner.shards.iter();
        let keys = shards.flat_map(|shard| shard.templates.iter().map(|held| held.key.clone()));
        keys.collect()
    }

    /// The Tasks and templates of these names, and those that the templates name, as far as they exist. Their changes
    /// wake the one who asks.
    #[must_use]
    pub fn await_definitions<'a>(
        &self,
        waiter: &Waiter,
        tasks: impl Iterator<Item = &'a str>,
        templates: impl Iterator<Item = &'a str>,
    ) -> Definitions {
        let (Waiter::Workflow(own) | Waiter::Template(own)) = waiter;
        let key = |name: &str| Key::new(own.namespace.clone(), name);
        let mut inner = self.lock();
        let mut found = Definitions::default();
        let mut referred = BTreeSet::new();
        let mut open_tasks: Vec<String> = tasks.map(str::to_owned).collect();
        let mut open: Vec<String> = templates.map(str::to_owned).collect();
        let shard = self.source(own).and_then(|source| inner.shard(source));
        while let Some(name) = open.pop() {
            if !referred.insert(Referred::Template(key(&name))) {
                continue;
            }
            let held = shard.and_then(|shard| shard.templates.get(&key(&name)));
            // One that cannot be read is as good as none: the log says why, and its mending wakes.
            let Some(template) = held.and_then(|held| held.value.as_ref().as_ref().ok()) else {
                continue;
            };
            open_tasks.extend(template.spec.task_names().map(str::to_owned));
            open.extend(template.spec.template_names().map(str::to_owned));
            found.templates.insert(name, Arc::new(template.clone()));
        }
        for name in open_tasks {
            if !referred.insert(Referred::Task(key(&name))) {
                continue;
            }
            let held = shard.and_then(|shard| shard.tasks.get(&key(&name)));
            if let Some(task) = held.and_then(|held| held.value.as_ref().as_ref().ok()) {
                found.tasks.insert(name, Arc::new(task.clone()));
            }
        }
        inner.waiting.set(waiter, referred);
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

    /// Takes in the reply to a write of a Workflow: it counts as observed. As it is kept, and who else has to look:
    /// whoever writes looks again by itself.
    pub fn reply_workflow(&self, workflow: Workflow, now: Duration) -> (HeldWorkflow, BTreeSet<Key>) {
        let held = decoded(DeserializeGuard(Ok(workflow)));
        let mut inner = self.lock();
        let Some(shard) = self.source(&held.key).and_then(|at| inner.shards.get_mut(at)) else {
            return (held, BTreeSet::new());
        };
        let change = shard.workflows.reply(held.clone(), now);
        let mut woken = Woken::default();
        inner.workflows_changed(change.into_iter().collect(), &mut woken);
        inner.unused.append(&mut woken.unused);
        woken.workflows.remove(&held.key);
        (held, woken.workflows)
    }

    /// Takes in the reply to a write of a Task: it counts as observed.
    pub fn reply_task(&self, task: Task, now: Duration) {
        let held = decoded(DeserializeGuard(Ok(task)));
        let mut inner = self.lock();
        if let Some(shard) = self.source(&held.key).and_then(|at| inner.shards.get_mut(at)) {
            shard.tasks.reply(held, now);
        }
    }

    /// Takes in the reply to a write of a template: it counts as observed.
    pub fn reply_template(&self, template: WorkflowTemplate, now: Duration) {
        let held = decoded(DeserializeGuard(Ok(template)));
        let mut inner = self.lock();
        if let Some(shard) = self.source(&held.key).and_then(|at| inner.shards.get_mut(at)) {
            shard.templates.reply(held, now);
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
