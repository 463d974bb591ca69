//! The operator's side of a play: actions to requests, answers to notes.

use jiff::SignedDuration;
use jobwright_engine::{
    decision::{Action, Decision, Write},
    observed::{Probe, Refusal, RefusalKind},
};
use jobwright_tests::{
    graphs::{Outcome, Stuck},
    laws::Fault,
    world::{job, view},
};
use k8s_openapi::api::batch::v1::Job;
use std::sync::Arc;

use crate::play::Play;

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fortune {
    Done,
    /// Not done, and the answer says so.
    Failed,
    /// Done, and the answer is an error or none.
    DoneButErrored,
}

impl Play<'_> {
    /// Actions in their order, then the status; the operator may die before each.
    pub(crate) fn carry_out(&mut self, decision: Decision) -> Result<(), Fault> {
        self.memory.pending = decision.status.clone();
        for action in decision.actions {
            if self.rng.chance(self.mood.crash) {
                self.restart();
                return Ok(());
            }
            crate::checks::acts(&action, self)?;
            self.act(action)?;
        }
        let by = match decision.write {
            Write::Nothing => None,
            Write::Soon if self.rng.chance(self.mood.lazy) => Some(self.cluster.now + SignedDuration::from_secs(1)),
            Write::Soon | Write::Now => Some(self.cluster.now),
        };
        let write_by = self.memory.write_by.into_iter().chain(by).min();
        self.memory.write_by = write_by.filter(|_| self.memory.pending != self.memory.seen);
        if self.memory.write_by.is_some_and(|by| by <= self.cluster.now) {
            if self.rng.chance(self.mood.crash) {
                self.restart();
                return Ok(());
            }
            self.write()?;
        }
        Ok(())
    }

    fn fortune(&mut self) -> Fortune {
        if !self.rng.chance(self.mood.error) {
            return Fortune::Done;
        }
        if self.rng.chance(50) {
            Fortune::Failed
        } else {
            Fortune::DoneButErrored
        }
    }

    fn write(&mut self) -> Result<(), Fault> {
        self.memory.write_by = None;
        if self.memory.seen_version != self.version {
            self.note(|| "status: conflict".to_owned());
            self.show_workflow();
            return Ok(());
        }
        let fortune = self.fortune();
        if fortune != Fortune::Failed {
            crate::checks::stores(&self.stored, &self.memory.pending, self.case)?;
            self.stored = self.memory.pending.clone();
            self.checks.history.stored(&self.stored);
            self.version += 1;
            self.note(|| "status stored".to_owned());
        }
        match fortune {
            Fortune::Done => self.show_workflow(),
            // It stays with what it saw; a later write meets a conflict.
            Fortune::Failed | Fortune::DoneButErrored => {
                self.memory.pending = self.memory.seen.clone();
                self.note(|| "status: error".to_owned());
                if self.rng.chance(50) {
                    self.show_workflow();
                }
            }
        }
        Ok(())
    }

    fn act(&mut self, action: Action) -> Result<(), Fault> {
        let fortune = self.fortune();
        let is_done = fortune != Fortune::Failed;
        let is_told = fortune == Fortune::Done;
        self.note(|| format!("  {} (done {is_done}, told {is_told})", words(&action)));
        match action {
            Action::StoreSnapshot { name, data } => {
                if is_done {
                    self.records.insert(name.clone(), data);
                }
                if is_told {
                    self.memory.notes.snapshots.insert(name);
                }
            }
            Action::StorePage { name, data, steps } => {
                if is_done {
                    self.records.insert(name.clone(), data);
                }
                if is_told {
                    self.memory.notes.sealed.insert(name, steps);
                }
            }
            Action::ReadPage { name } if is_told => {
                let page = self.records.get(&name).and_then(|data| serde_json::from_str(data).ok());
                self.memory.notes.pages.insert(name, page.map(Arc::new));
            }
            Action::StartJob { name, job } => self.start(name, *job, fortune)?,
            Action::StopJob { name, uid } => {
                let is_it = self.cluster.jobs.get(&name).is_some_and(|job| job.uid == uid);
                if is_it && is_done {
                    self.cluster.delete(&name);
                }
                if is_it && is_told {
                    self.show_job(&name);
                }
            }
            Action::ExpireJob { name, uid, ttl_s } => {
                let is_it = self.cluster.jobs.get(&name).is_some_and(|job| job.uid == uid);
                if is_it && is_done {
                    self.cluster.set_ttl(&name, ttl_s);
                }
                if is_it && is_told {
                    self.show_job(&name);
                }
            }
            Action::ConfirmJob { name } if is_told => self.confirm(&name),
            Action::ConfirmPods { job } if is_told => self.confirm_pods(&job),
            Action::ProbePod { name, .. } if is_told => self.probe(name),
            // No graph has such steps: tables and the simulator show them.
            Action::AdmitRequest { .. } | Action::SendRequest { .. } => {
                return Err("a request, and no step sends one".to_owned());
            }
            Action::StartChild { .. }
            | Action::ConfirmChild { .. }
            | Action::ReadPage { .. }
            | Action::ConfirmJob { .. }
            | Action::ConfirmPods { .. }
            | Action::ProbePod { .. } => {}
        }
        Ok(())
    }

    fn start(&mut self, name: String, job: Job, fortune: Fortune) -> Result<(), Fault> {
        if fortune == Fortune::Failed {
            let kind = if self.rng.chance(50) {
                RefusalKind::Quota
            } else {
                RefusalKind::Unavailable
            };
            self.refuse(name, kind);
            return Ok(());
        }
        let Some((step, number)) = job::identity(&job) else {
            return Err(format!("Job {name} does not say which attempt it is"));
        };
        let place = self.case.place(&step).ok_or_else(|| format!("no such step: {step}"))?;
        let fate = self.case.outcome(&place, number);
        if matches!(fate, Outcome::Refused) {
            self.refuse(name, RefusalKind::Permanent);
            return Ok(());
        }
        if !self.cluster.jobs.contains_key(&name) {
            self.checks.may_create(&job, (&place, number), self)?;
            self.checks.history.born(&job, (&place, number));
            self.cluster.create(job, fate.clone());
        }
        if fortune == Fortune::Done {
            self.memory.notes.refusals.remove(&name);
            self.show_job(&name);
        } else {
            self.refuse(name, RefusalKind::Unavailable);
        }
        Ok(())
    }

    fn refuse(&mut self, name: String, kind: RefusalKind) {
        let at = self.cluster.now;
        let refusals = &mut self.memory.notes.refusals;
        let known = refusals.get(&name);
        let count = known.map_or(0, |refusal| refusal.count) + 1;
        let refusal = Refusal {
            may_exist: kind == RefusalKind::Unavailable || known.is_some_and(|known| known.may_exist),
            kind,
            message: "in the server's words".to_owned(),
            at,
            count,
        };
        refusals.insert(name, refusal);
    }

    /// A live GET: its answer counts as observed.
    fn confirm(&mut self, name: &str) {
        self.show_job(name);
        if !self.cluster.jobs.contains_key(name) {
            self.memory.notes.absent.insert(name.to_owned());
        }
    }

    /// A live LIST.
    fn confirm_pods(&mut self, name: &str) {
        self.show_pod(name);
        if !self.memory.pods.contains_key(name) {
            self.memory.notes.podless.insert(name.to_owned());
        }
    }

    fn probe(&mut self, name: String) {
        let fate = self.cluster.jobs.get(&name).map(|job| &job.fate);
        let is_refused = matches!(fate, Some(Outcome::NeverStarts(Stuck::NoPod)));
        let at = self.cluster.now;
        let count = self.memory.notes.probes.get(&name).map_or(0, |probe| probe.count) + 1;
        let refused = is_refused.then(|| (RefusalKind::Quota, "exceeded quota: pods".to_owned()));
        self.memory.notes.probes.insert(name, Probe { at, count, refused });
    }

    pub(crate) fn show_job(&mut self, name: &str) {
        let notes = &mut self.memory.notes;
        match self.cluster.jobs.get(name) {
            Some(job) => {
                notes.absent.remove(name);
                notes.refusals.remove(name);
                self.memory.jobs.insert(name.to_owned(), Arc::new(view::job_view(job)));
            }
            None => drop(self.memory.jobs.remove(name)),
        }
    }

    pub(crate) fn show_pod(&mut self, name: &str) {
        let job = self.cluster.jobs.get(name);
        match job.and_then(|job| Some((job, job.pod.as_ref()?))) {
            Some((job, pod)) => {
                let pod = Arc::new(view::pod_view(job, pod));
                self.memory.pods.insert(name.to_owned(), vec![pod]);
            }
            None => drop(self.memory.pods.remove(name)),
        }
    }
}

fn words(action: &Action) -> String {
    match action {
        Action::StoreSnapshot { name, .. } => format!("store snapshot {name}"),
        Action::StorePage { name, .. } => format!("store page {name}"),
        Action::ReadPage { name } => format!("read page {name}"),
        Action::StartJob { name, .. } => format!("start {name}"),
        Action::StartChild { name, .. } => format!("start child {name}"),
        Action::ConfirmChild { name } => format!("confirm child {name}"),
        Action::StopJob { name, .. } => format!("stop {name}"),
        Action::ExpireJob { name, ttl_s, .. } => format!("expire {name} after {ttl_s}s"),
        Action::ConfirmJob { name } => format!("confirm {name}"),
        Action::ConfirmPods { job } => format!("confirm the pods of {job}"),
        Action::ProbePod { name, .. } => format!("probe {name}"),
        Action::AdmitRequest { key, .. } => format!("admit {key}"),
        Action::SendRequest { key, .. } => format!("send {key}"),
    }
}
