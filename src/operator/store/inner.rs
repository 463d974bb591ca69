//! The stores behind their lock: mirrors per namespace, and the indexes that follow from changes.

use jobwright_api::{Task, Workflow, WorkflowStatus, WorkflowTemplate};
use jobwright_engine::observed::JobView;
use kube::{Resource, core::DeserializeGuard, runtime::watcher::Event};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Decoded, Feed, Held, HeldWorkflow, Key, PodOfJob, Record, Woken, family,
    mirror::{Change, Mirror},
    record,
    runs::{Runs, Uids},
    waiting::{Referred, Waiter, Waiting},
};
use crate::view::{child, job, pod};

/// What one namespace's watches (or those of all namespaces) have listed.
#[derive(Default)]
pub(super) struct Shard {
    pub(super) workflows: Mirror<Decoded<Workflow>>,
    pub(super) tasks: Mirror<Decoded<Task>>,
    pub(super) templates: Mirror<Decoded<WorkflowTemplate>>,
    pub(super) jobs: Mirror<JobView>,
    pub(super) pods: Mirror<PodOfJob>,
    pub(super) records: Mirror<Record>,
}

impl Shard {
    pub(super) fn is_listed(&self) -> bool {
        self.workflows.is_listed()
            && self.tasks.is_listed()
            && self.templates.is_listed()
            && self.jobs.is_listed()
            && self.pods.is_listed()
            && self.records.is_listed()
    }
}

#[derive(Default)]
pub(super) struct Inner {
    pub(super) shards: Vec<Shard>,
    pub(super) runs: Runs,
    pub(super) uids: Uids,
    pub(super) waiting: Waiting,
    /// UIDs of the Workflows that name a snapshot, as their own or as one that their steps may run.
    pub(super) users: BTreeMap<Key, BTreeSet<String>>,
    /// Snapshots that an own write has left unused: told with the next event.
    pub(super) unused: BTreeSet<Key>,
}

impl Inner {
    pub(super) fn shard(&self, source: usize) -> Option<&Shard> {
        self.shards.get(source)
    }

    pub(super) fn take(&mut self, source: usize, feed: Feed, woken: &mut Woken) {
        let Some(shard) = self.shards.get_mut(source) else {
            return;
        };
        match feed {
            Feed::Workflow(event) => {
                let changes = apply(&mut shard.workflows, event, |w| Some(decoded(w)));
                self.workflows_changed(changes, woken);
            }
            Feed::Task(event) => {
                let changes = apply(&mut shard.tasks, event, |t| Some(decoded(t)));
                for change in changes {
                    let key = change.after.or(change.before).map(|held| held.key);
                    let Some(key) = key else { continue };
                    self.waiting.wake(&Referred::Task(key.clone()), woken);
                    woken.tasks.insert(key);
                }
            }
            Feed::Template(event) => {
                let changes = apply(&mut shard.templates, event, |t| Some(decoded(t)));
                for change in changes {
                    if change.after.is_none()
                        && let Some(before) = &change.before
                    {
                        self.waiting.forget(&Waiter::Template(before.key.clone()));
                    }
                    let key = change.after.or(change.before).map(|held| held.key);
                    let Some(key) = key else { continue };
                    self.waiting.wake(&Referred::Template(key.clone()), woken);
                    woken.templates.insert(key);
                }
            }
            Feed::Job(event) => {
                let changes = apply(&mut shard.jobs, event, job::held);
                let touched = self.runs.jobs(changes);
                self.wake_runs(&touched, woken);
            }
            Feed::Pod(event) => {
                let changes = apply(&mut shard.pods, event, pod::held);
                let touched = self.runs.pods(changes);
                self.wake_runs(&touched, woken);
            }
            Feed::Record(event) => {
                let changes = apply(&mut shard.records, event, record::held);
                for held in changes.into_iter().filter_map(|change| change.after) {
                    match self.users.get(&held.key) {
                        None => {
                            woken.unused.insert(held.key);
                        }
                        Some(users) => {
                            let keys = users.iter().filter_map(|uid| self.uids.key(uid));
                            woken.workflows.extend(keys.cloned());
                        }
                    }
                }
            }
        }
    }

    pub(super) fn workflows_changed(&mut self, changes: Vec<Change<Decoded<Workflow>>>, woken: &mut Woken) {
        for change in changes {
            let uid_after = change.after.as_ref().map(|held| held.uid.clone());
            self.family_changed(&change, woken);
            if let Some(before) = change.before {
                self.no_longer_waits(&before, change.after.as_ref());
                for snapshot in snapshots_of(&before) {
                    let users = self.users.entry(snapshot.clone()).or_default();
                    users.remove(&before.uid);
                    if users.is_empty() {
                        self.users.remove(&snapshot);
                        woken.unused.insert(snapshot);
                    }
                }
                if uid_after.as_ref() != Some(&before.uid) {
                    self.uids.remove(&before.uid);
                    woken.gone.push((before.key, before.uid));
                }
            }
            if let Some(after) = change.after {
                for snapshot in snapshots_of(&after) {
                    woken.unused.remove(&snapshot);
                    let users = self.users.entry(snapshot).or_default();
                    users.insert(after.uid.clone());
                }
                self.uids.insert(&after.uid, &after.key);
                woken.workflows.insert(after.key);
            }
        }
    }

    /// A child has changed: its parent looks. A parent wants something else: its children do.
    fn family_changed(&mut self, change: &Change<Decoded<Workflow>>, woken: &mut Woken) {
        let view = |held: Option<&HeldWorkflow>| child::view(held?.value.as_ref().as_ref().ok()?);
        let (before, after) = (view(change.before.as_ref()), view(change.after.as_ref()));
        let mut touched = BTreeSet::new();
        // Another owner, or none: whoever changes labels by hand.
        if let Some((parent, child)) = before.filter(|(parent, _)| after.as_ref().is_none_or(|(now, _)| now != parent))
            && self.runs.child(&parent, &child.name, None)
        {
            touched.insert(parent);
        }
        if let Some((parent, child)) = after {
            let name = child.name.clone();
            if self.runs.child(&parent, &name, Some(child)) {
                touched.insert(parent);
            }
        }
        self.wake_runs(&touched, woken);
        let Some(held) = change.after.as_ref().or(change.before.as_ref()) else {
            return;
        };
        let run = self.runs.get(&held.uid);
        if run.children.is_empty() {
            return;
        }
        let wishes = |held: Option<&HeldWorkflow>| family::wishes(held.map(|held| held.value.as_ref()));
        let (before, after) = (wishes(change.before.as_ref()), wishes(change.after.as_ref()));
        let concerned = family::concerned(&run, &before, &after).into_iter();
        let namespace = &held.key.namespace;
        woken
            .workflows
            .extend(concerned.map(|name| Key::new(namespace.clone(), name)));
    }

    /// A Workflow that has begun, or is gone, is not woken by its Tasks and templates any more.
    fn no_longer_waits(&mut self, before: &HeldWorkflow, after: Option<&HeldWorkflow>) {
        let waits = |held: &HeldWorkflow| status_of(held).is_none_or(|status| status.snapshot.is_none());
        if !after.is_some_and(waits) {
            self.waiting.forget(&Waiter::Workflow(before.key.clone()));
        }
    }

    fn wake_runs(&self, uids: &BTreeSet<String>, woken: &mut Woken) {
        let keys = uids.iter().filter_map(|uid| self.uids.key(uid));
        woken.workflows.extend(keys.cloned());
    }

    pub(super) fn wake_all(&self, woken: &mut Woken) {
        for shard in &self.shards {
            let workflows = shard.workflows.iter().map(|held| held.key.clone());
            woken.workflows.extend(workflows);
            let tasks = shard.tasks.iter().map(|held| held.key.clone());
            woken.tasks.extend(tasks);
            let templates = shard.templates.iter().map(|held| held.key.clone());
            woken.templates.extend(templates);
        }
    }
}

fn status_of(held: &HeldWorkflow) -> Option<&WorkflowStatus> {
    held.value.as_ref().as_ref().ok()?.status.as_ref()
}

/// The records that a Workflow needs: its own, and those of what its steps may run.
fn snapshots_of(held: &HeldWorkflow) -> Vec<Key> {
    let key = |name: &String| Key::new(held.key.namespace.clone(), name.clone());
    if let Some(snapshot) = status_of(held).and_then(|status| status.snapshot.as_ref()) {
        return [&snapshot.name]
            .into_iter()
            .chain(&snapshot.children)
            .map(key)
            .collect();
    }
    // A child that has not begun.
    let workflow = held.value.as_ref().as_ref().ok();
    let source = workflow.and_then(|workflow| workflow.spec.template_ref.as_ref());
    source
        .iter()
        .filter_map(|source| source.snapshot.as_ref())
        .map(key)
        .collect()
}

/// Drops what nobody reads and what weighs: field managers and the last applied text.
pub(super) fn decoded<K: Resource>(guard: DeserializeGuard<K>) -> Held<Decoded<K>> {
    let mut decoded = guard.0;
    let metadata = match &mut decoded {
        Ok(object) => object.meta_mut(),
        Err(invalid) => &mut invalid.metadata,
    };
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    let metadata = metadata.clone();
    let uid = metadata.uid.clone().unwrap_or_default();
    Held::new(&metadata, &uid, Arc::new(decoded))
}

fn apply<K, V>(mirror: &mut Mirror<V>, event: Event<K>, held: impl Fn(K) -> Option<Held<V>>) -> Vec<Change<V>> {
    let event = match event {
        Event::Init => Some(Event::Init),
        Event::InitDone => Some(Event::InitDone),
        Event::InitApply(object) => held(object).map(Event::InitApply),
        Event::Apply(object) => held(object).map(Event::Apply),
        Event::Delete(object) => held(object).map(Event::Delete),
    };
    event.map_or_else(Vec::new, |event| mirror.apply(event))
}
