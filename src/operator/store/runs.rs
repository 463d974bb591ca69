//! Jobs and pods by the run that they belong to.

use jobwright_engine::observed::{ChildView, JobView, PodView};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::mirror::{Change, Key};

/// What is there of one Workflow.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// By name.
    pub jobs: BTreeMap<String, Arc<JobView>>,
    /// By name of the Job that controls them.
    pub pods: BTreeMap<String, Vec<Arc<PodView>>>,
    /// Workflows that run for its steps, by name.
    pub children: BTreeMap<String, Arc<ChildView>>,
}

/// All runs by UID of their Workflow. Shared with readers: changed by copy where one still looks.
#[derive(Default)]
pub(super) struct Runs {
    by_uid: BTreeMap<String, Arc<Run>>,
}

/// A pod beside the name of its Job.
pub type PodOfJob = (String, Arc<PodView>);

impl Runs {
    pub(super) fn get(&self, uid: &str) -> Arc<Run> {
        self.by_uid.get(uid).cloned().unwrap_or_default()
    }

    /// The UIDs of the Workflows whose Jobs changed.
    pub(super) fn jobs(&mut self, changes: Vec<Change<JobView>>) -> BTreeSet<String> {
        let mut touched = BTreeSet::new();
        for change in changes {
            if is_news_to_nobody(&change) {
                continue;
            }
            if let Some(before) = change.before {
                let name = &before.key.name;
                self.edit(&before.run_uid, |run| {
                    run.jobs.remove(name);
                });
                touched.insert(before.run_uid);
            }
            if let Some(after) = change.after {
                self.edit(&after.run_uid, |run| {
                    run.jobs.insert(after.key.name, after.value);
                });
                touched.insert(after.run_uid);
            }
        }
        touched
    }

    /// The UIDs of the Workflows whose pods changed.
    pub(super) fn pods(&mut self, changes: Vec<Change<PodOfJob>>) -> BTreeSet<String> {
        let mut touched = BTreeSet::new();
        for change in changes {
            if is_news_to_nobody(&change) {
                continue;
            }
            if let Some(before) = change.before {
                let (job, pod) = &*before.value;
                self.edit(&before.run_uid, |run| remove(run, job, &pod.uid));
                touched.insert(before.run_uid);
            }
            if let Some(after) = change.after {
                let (job, pod) = &*after.value;
                self.edit(&after.run_uid, |run| {
                    let pods = run.pods.entry(job.clone()).or_default();
                    pods.push(Arc::clone(pod));
                    // The watch gives no order among pods; decisions must not depend on it.
                    pods.sort_by(|a, b| a.name.cmp(&b.name));
                });
                touched.insert(after.run_uid);
            }
        }
        touched
    }

    /// Whether the child of this Workflow is another one now.
    pub(super) fn child(&mut self, parent_uid: &str, name: &str, view: Option<ChildView>) -> bool {
        let known = self.by_uid.get(parent_uid).and_then(|run| run.children.get(name));
        if known.map(AsRef::as_ref) == view.as_ref() {
            return false;
        }
        self.edit(parent_uid, |run| match view {
            Some(view) => drop(run.children.insert(name.to_owned(), Arc::new(view))),
            None => drop(run.children.remove(name)),
        });
        true
    }

    fn edit(&mut self, uid: &str, change: impl FnOnce(&mut Run)) {
        if uid.is_empty() {
            return; // no label of ours: of no run
        }
        let run = self.by_uid.entry(uid.to_owned()).or_default();
        let run = Arc::make_mut(run);
        change(run);
        if run.jobs.is_empty() && run.pods.is_empty() && run.children.is_empty() {
            self.by_uid.remove(uid);
        }
    }
}

/// Only parts have changed that are not read: most events of a Job are of that kind.
fn is_news_to_nobody<V: PartialEq>(change: &Change<V>) -> bool {
    let (Some(before), Some(after)) = (&change.before, &change.after) else {
        return false;
    };
    before.run_uid == after.run_uid && before.value == after.value
}

fn remove(run: &mut Run, job: &str, uid: &str) {
    if let Some(pods) = run.pods.get_mut(job) {
        pods.retain(|pod| pod.uid != uid);
        if pods.is_empty() {
            run.pods.remove(job);
        }
    }
}

/// Where a Workflow is, by its UID: Jobs and pods know no more.
#[derive(Default)]
pub(super) struct Uids {
    keys: BTreeMap<String, Key>,
}

impl Uids {
    pub(super) fn key(&self, uid: &str) -> Option<&Key> {
        self.keys.get(uid)
    }

    pub(super) fn insert(&mut self, uid: &str, key: &Key) {
        self.keys.insert(uid.to_owned(), key.clone());
    }

    pub(super) fn remove(&mut self, uid: &str) {
        self.keys.remove(uid);
    }
}
