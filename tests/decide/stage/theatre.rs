//! The stage itself: what the operator sees, and what it does.

use jiff::{SignedDuration, Timestamp};
use jobwright_api::{
    Task, WorkflowSpec, WorkflowStatus,
    meta::{MAIN_CONTAINER, annotation, label},
    settings::JobSettings,
};
use jobwright_engine::{
    decide::decide,
    decision::{Action, Decision, Write},
    graph::Graph,
    observed::{ContainerState, ContainerView, JobView, Notes, Observed, Page, PodView, Probe, Refusal, RefusalKind},
};
use jobwright_tests::world::job;
use k8s_openapi::api::batch::v1::Job;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::graph;

/// Looks until it has to be quiet: a page seals 32 steps, and the longest story has two thousand.
const LOOKS_MAX: u32 = 400;
const UID: &str = "11111111-2222-4333-8444-555555555555";

pub(crate) struct Stage {
    pub(super) start: Timestamp,
    pub(super) now: Timestamp,
    pub(super) spec: WorkflowSpec,
    pub(super) generation: i64,
    pub(super) deleting: bool,
    /// Tasks that are not there yet.
    pub(super) missing: BTreeSet<String>,
    pub(super) tasks: BTreeMap<String, Arc<Task>>,
    pub(super) stored: WorkflowStatus,
    pub(super) pending: WorkflowStatus,
    pub(super) notes: Notes,
    pub(super) jobs: BTreeMap<String, JobView>,
    pub(super) pods: BTreeMap<String, PodView>,
    /// What the store does not show though it is there.
    pub(super) hidden: BTreeSet<String>,
    /// Names of Jobs by `a#1`, as soon as one was asked for.
    pub(super) names: BTreeMap<String, String>,
    /// How a POST of a Job is answered, where not well.
    pub(super) answers: BTreeMap<String, RefusalKind>,
    /// What a dry run of the pod of a Job says.
    pub(super) probes: BTreeMap<String, String>,
    /// The status cannot be written.
    pub(super) writes_fail: bool,
    records: BTreeMap<String, Arc<Graph>>,
    pages: BTreeMap<String, Arc<Page>>,
    pub(super) wake_at: Option<Timestamp>,
    /// In words, since the story went on.
    pub(super) done: Vec<String>,
}

impl Stage {
    pub(crate) fn new(text: &str) -> Self {
        let (spec, tasks) = graph::read(text);
        let start = "2026-11-21T10:00:00Z".parse().unwrap();
        let tasks = tasks
            .into_iter()
            .map(|task| (task.metadata.name.clone().unwrap(), Arc::new(task)));
        Self {
            start,
            now: start,
            spec,
            generation: 1,
            deleting: false,
            missing: BTreeSet::new(),
            tasks: tasks.collect(),
            stored: WorkflowStatus::default(),
            pending: WorkflowStatus::default(),
            notes: Notes::default(),
            jobs: BTreeMap::new(),
            pods: BTreeMap::new(),
            hidden: BTreeSet::new(),
            names: BTreeMap::new(),
            answers: BTreeMap::new(),
            probes: BTreeMap::new(),
            writes_fail: false,
            records: BTreeMap::new(),
            pages: BTreeMap::new(),
            wake_at: None,
            done: Vec::new(),
        }
    }

    /// Acts until nothing is left to do now.
    pub(crate) fn settle(&mut self) {
        for _ in 0..LOOKS_MAX {
            let decision = self.look();
            let is_quiet = decision.actions.is_empty() && (decision.write == Write::Nothing || self.writes_fail);
            let changed = decision.status != self.pending;
            self.wake_at = decision.wake_at;
            self.carry_out(decision);
            if is_quiet && !changed {
                return;
            }
        }
        panic!("fixpoint law: does not come to rest: {:?}", self.done);
    }

    /// Lets time pass, waking whenever it was asked for.
    pub(super) fn pass(&mut self, to: Timestamp) {
        while let Some(at) = self.wake_at.filter(|at| *at <= to) {
            assert!(at > self.now, "wake_at {at} is not in the future");
            self.now = at;
            self.settle();
        }
        self.now = self.now.max(to);
        self.settle();
    }

    pub(super) fn after(&self, span: jobwright_api::Duration) -> Timestamp {
        self.start + SignedDuration::from_millis(i64::try_from(span.as_millis()).unwrap())
    }

    fn look(&self) -> Decision {
        let seen = |name: &String| !self.hidden.contains(name);
        let jobs = self.jobs.iter().filter(|(name, _)| seen(name));
        let jobs = jobs
            .map(|(name, view)| (name.clone(), Arc::new(view.clone())))
            .collect();
        let pods = self
            .pods
            .iter()
            .map(|(name, view)| (name.clone(), vec![Arc::new(view.clone())]))
            .collect();
        let tasks = self.tasks.iter().filter(|(name, _)| !self.missing.contains(*name));
        let snapshot = self.pending.snapshot.as_ref();
        let observed = Observed {
            now: self.now,
            namespace: "default",
            name: "play",
            uid: UID,
            generation: self.generation,
            deleting: self.deleting,
            spec: &self.spec,
            stored: &self.stored,
            pending: &self.pending,
            graph: snapshot.and_then(|snapshot| self.records.get(&snapshot.name).cloned()),
            tasks: tasks.map(|(name, task)| (name.clone(), Arc::clone(task))).collect(),
            settings: &JobSettings::default(),
            jobs: &jobs,
            pods: &pods,
            notes: &self.notes,
        };
        let decision = decide(&observed);
        assert!(decision == decide(&observed), "replay law");
        decision
    }

    fn carry_out(&mut self, decision: Decision) {
        self.pending = decision.status;
        for action in decision.actions {
            self.act(action);
        }
        if decision.write != Write::Nothing && !self.writes_fail {
            self.stored = self.pending.clone();
        }
    }

    fn act(&mut self, action: Action) {
        let words = match action {
            Action::StoreSnapshot { name, data } => {
                let graph = Graph::compile(serde_json::from_str(&data).unwrap()).unwrap();
                self.records.insert(name.clone(), Arc::new(graph));
                self.notes.snapshot = Some(name);
                "snapshot".to_owned()
            }
            Action::StorePage { name, data, steps } => {
                self.pages
                    .insert(name.clone(), Arc::new(serde_json::from_str(&data).unwrap()));
                self.notes.sealed.insert(name, steps);
                "page".to_owned()
            }
            Action::ReadPage { name } => {
                self.notes.pages.insert(name.clone(), self.pages.get(&name).cloned());
                "read".to_owned()
            }
            Action::StartJob { name, job } => self.start(name, &job),
            Action::StopJob { name, uid } => {
                let known = self.jobs.get_mut(&name).filter(|job| job.uid == uid);
                known
                    .unwrap_or_else(|| panic!("stop of a Job that is not: {name}"))
                    .deleting = true;
                format!("stop {}", self.short(&name))
            }
            Action::ExpireJob { name, ttl_s, .. } => {
                self.jobs.get_mut(&name).unwrap().ttl_seconds_after_finished = Some(ttl_s);
                format!("expire {}={ttl_s}", self.short(&name))
            }
            Action::ConfirmJob { name } => {
                self.hidden.remove(&name);
                if !self.jobs.contains_key(&name) {
                    self.notes.absent.insert(name.clone());
                }
                format!("confirm {}", self.short(&name))
            }
            Action::ConfirmPods { job } => {
                if !self.pods.contains_key(&job) {
                    self.notes.podless.insert(job.clone());
                }
                format!("pods {}", self.short(&job))
            }
            Action::ProbePod { name, .. } => {
                let count = self.notes.probes.get(&name).map_or(0, |probe| probe.count) + 1;
                let refused = self.probes.get(&name).map(|words| (RefusalKind::Quota, words.clone()));
                self.notes.probes.insert(
                    name.clone(),
                    Probe {
                        at: self.now,
                        count,
                        refused,
                    },
                );
                format!("probe {}", self.short(&name))
            }
        };
        self.done.push(words);
    }

    fn start(&mut self, name: String, job: &Job) -> String {
        let (step, attempt) = job::identity(job).unwrap();
        let short = format!("{step}#{attempt}");
        self.names.insert(short.clone(), name.clone());
        if let Some(kind) = self.answers.get(&short) {
            let count = self.notes.refusals.get(&name).map_or(0, |refusal| refusal.count) + 1;
            let message = format!("{kind:?}, says the server");
            self.notes.refusals.insert(
                name,
                Refusal {
                    kind: *kind,
                    message,
                    at: self.now,
                    count,
                },
            );
            return format!("try {short}");
        }
        self.notes.refusals.remove(&name);
        self.jobs.entry(name.clone()).or_insert_with(|| view(job, &name));
        let carried = &self.jobs[&name].carried;
        let rides: Vec<&str> = carried.keys().map(String::as_str).collect();
        if rides.is_empty() {
            format!("start {short}")
        } else {
            format!("start {short} with {}", rides.join("+"))
        }
    }

    pub(super) fn short(&self, name: &str) -> String {
        let known = self.names.iter().find(|(_, known)| *known == name);
        known.map_or_else(|| name.to_owned(), |(short, _)| short.clone())
    }
}

fn view(job: &Job, name: &str) -> JobView {
    let annotations = job.metadata.annotations.clone().unwrap();
    let owner = &job.metadata.owner_references.as_ref().unwrap()[0];
    let carried = annotations
        .get(annotation::CARRIED)
        .map(|text| serde_json::from_str(text).unwrap());
    JobView {
        name: name.to_owned(),
        uid: format!("uid-of-{name}"),
        owner_uid: owner.uid.clone(),
        attempt_key: annotations[annotation::ATTEMPT_KEY].clone(),
        carried: carried.unwrap_or_default(),
        path: serde_json::from_str(&annotations[annotation::STEP]).unwrap(),
        attempt: job.metadata.labels.as_ref().unwrap()[label::ATTEMPT].parse().unwrap(),
        ttl_wanted: annotations.get(annotation::TTL).map(|text| text.parse().unwrap()),
        run: job.metadata.labels.as_ref().unwrap()[label::RUN].parse().unwrap(),
        ttl_seconds_after_finished: job.spec.as_ref().unwrap().ttl_seconds_after_finished,
        ..JobView::default()
    }
}

/// A pod of a Job as soon as it is made: without status.
pub(super) fn new_pod(job: &JobView) -> PodView {
    PodView {
        name: format!("{}-pod", job.name),
        uid: format!("pod-{}", job.uid),
        job_uid: job.uid.clone(),
        containers_expected: 1,
        ..PodView::default()
    }
}

pub(super) fn main_container(state: ContainerState) -> Vec<ContainerView> {
    vec![ContainerView {
        name: MAIN_CONTAINER.to_owned(),
        state,
    }]
}
