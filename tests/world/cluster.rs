//! The Jobs of a cluster, and what is still to happen to them.

use jiff::{SignedDuration, Timestamp};
use jobwright_engine::observed::PodPhase;
use k8s_openapi::api::batch::v1::Job;
use std::collections::BTreeMap;

use super::{
    fate::{self, Happening},
    job::JobModel,
};
use crate::graphs::Outcome;

/// All Jobs by name, and the agenda.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub now: Timestamp,
    pub jobs: BTreeMap<String, JobModel>,
    /// Jobs that are no more.
    pub gone: Vec<JobModel>,
    /// Names of the Jobs that changed and have not been taken note of.
    pub changed: Vec<String>,
    agenda: BTreeMap<(Timestamp, u64), (String, Happening)>,
    counter: u64,
}

impl Cluster {
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self {
            now,
            jobs: BTreeMap::new(),
            gone: Vec::new(),
            changed: Vec::new(),
            agenda: BTreeMap::new(),
            counter: 0,
        }
    }

    /// Creates a Job. Its name must be free.
    pub fn create(&mut self, job: Job, fate: Outcome) -> &JobModel {
        self.counter += 1;
        let model = JobModel::new(format!("job-{}", self.counter), job, self.now, fate);
        let name = model.name.clone();
        for (after_ms, happening) in fate::of(&model) {
            self.plan(after_ms, &model.uid, happening);
        }
        self.changed.push(name.clone());
        self.jobs.insert(name.clone(), model);
        &self.jobs[&name]
    }

    /// Deletes a Job in the foreground: it goes once its pod has gone.
    pub fn delete(&mut self, name: &str) {
        let Some(job) = self.jobs.get_mut(name) else {
            return;
        };
        if job.deleting {
            return;
        }
        job.deleting = true;
        job.version += 1;
        let uid = job.uid.clone();
        self.changed.push(name.to_owned());
        self.stop_pod(name);
        self.plan(2_000, &uid, Happening::JobGoes);
    }

    pub fn set_ttl(&mut self, name: &str, ttl_s: i32) {
        let Some(job) = self.jobs.get_mut(name) else {
            return;
        };
        job.ttl_s = Some(ttl_s);
        job.version += 1;
        self.changed.push(name.to_owned());
        if job.is_finished() {
            let uid = job.uid.clone();
            let after_ms = u64::try_from(ttl_s).unwrap() * 1_000;
            self.plan(after_ms, &uid, Happening::TtlExpires);
        }
    }

    /// Everything of a Workflow is collected.
    pub fn collect_all(&mut self) {
        let names: Vec<String> = self.jobs.keys().cloned().collect();
        for name in names {
            self.delete(&name);
        }
    }

    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// Lets everything happen that is due by then.
    pub fn advance(&mut self, to: Timestamp) {
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > to {
                break;
            }
            let ((at, _), (uid, happening)) = entry.remove_entry();
            self.now = self.now.max(at);
            if let Some(name) = self.name_of(&uid) {
                self.happen(&name, happening);
            }
        }
        self.now = self.now.max(to);
    }

    /// By the Job's name, those that live and those that are no more.
    pub fn history(&self) -> impl Iterator<Item = &JobModel> {
        self.gone.iter().chain(self.jobs.values())
    }

    fn name_of(&self, uid: &str) -> Option<String> {
        let job = self.jobs.values().find(|job| job.uid == uid)?;
        Some(job.name.clone())
    }

    fn plan(&mut self, after_ms: u64, uid: &str, happening: Happening) {
        self.counter += 1;
        let at = self.now + SignedDuration::from_millis(i64::try_from(after_ms).unwrap());
        self.agenda.insert((at, self.counter), (uid.to_owned(), happening));
    }

    fn happen(&mut self, name: &str, happening: Happening) {
        let now = self.now;
        let Some(job) = self.jobs.get_mut(name) else {
            return;
        };
        let uid = job.uid.clone();
        job.version += 1;
        self.changed.push(name.to_owned());
        match happening {
            Happening::JobGoes => {
                job.pod = None;
                let model = self.jobs.remove(name);
                self.gone.extend(model);
            }
            Happening::TtlExpires if job.is_finished() => self.delete(name),
            Happening::JobIsDeleted => self.delete(name),
            Happening::Stops => self.stop_pod(name),
            other => {
                for (after_ms, next) in fate::apply(job, other, now) {
                    self.plan(after_ms, &uid, next);
                }
            }
        }
    }

    /// The pod is asked to go: TERM, the program's last act, and the end.
    fn stop_pod(&mut self, name: &str) {
        let Some(job) = self.jobs.get_mut(name) else {
            return;
        };
        let (uid, grace_s) = (job.uid.clone(), job.grace_s());
        let Some(pod) = &mut job.pod else { return };
        pod.grace_s = grace_s;
        pod.deletion_asked_at.get_or_insert(self.now);
        let is_terminal = pod.phase.is_terminal();
        job.version += 1;
        self.changed.push(name.to_owned());
        if !is_terminal && !matches!(pod.phase, PodPhase::Unknown) {
            self.plan(300, &uid, Happening::Terms);
        }
        self.plan(1_500, &uid, Happening::PodGoes);
    }
}
