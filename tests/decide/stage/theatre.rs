//! The stage itself: what the operator sees, and what it does.

use jiff::{SignedDuration, Timestamp};
use jobwright_api::{
    Task, Workflow, WorkflowSpec, WorkflowStatus, WorkflowTemplate,
    meta::{MAIN_CONTAINER, annotation, label},
    settings::JobSettings,
    status::PathSegment,
    template::OnParentClose,
};
use jobwright_engine::{
    decide::decide,
    decision::{Action, Decision, Write},
    graph::Graph,
    id::StepId,
    observed::{
        ChildView, ContainerState, ContainerView, JobView, Notes, Observed, Page, Parent, PodView, Probe, Refusal,
        RefusalKind,
    },
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
    pub(super) templates: BTreeMap<String, Arc<WorkflowTemplate>>,
    pub(super) children: BTreeMap<String, ChildView>,
    /// The Workflow whose step `p` runs this one, and what becomes of it with that.
    pub(super) parent: Option<(OnParentClose, WorkflowStatus)>,
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
    /// Keys of requests by `a#1`, as soon as one was asked for; and what holds which back until when.
    pub(super) requests: BTreeMap<String, String>,
    pub(super) holds: BTreeMap<String, Timestamp>,
    /// The status cannot be written.
    pub(super) writes_fail: bool,
    records: BTreeMap<String, Arc<Graph>>,
    pub(super) pages: BTreeMap<String, Arc<Page>>,
    pub(super) wake_at: Option<Timestamp>,
    /// In words, since the story went on.
    pub(super) done: Vec<String>,
}

impl Stage {
    pub(crate) fn new(text: &str) -> Self {
        let (spec, tasks, templates) = graph::read(text);
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
            templates: templates
                .into_iter()
                .map(|template| (template.metadata.name.clone().unwrap(), Arc::new(template)))
                .collect(),
            children: BTreeMap::new(),
            parent: None,
            stored: WorkflowStatus::default(),
            pending: WorkflowStatus::default(),
            notes: Notes::default(),
            jobs: BTreeMap::new(),
            pods: BTreeMap::new(),
            hidden: BTreeSet::new(),
            names: BTreeMap::new(),
            answers: BTreeMap::new(),
            probes: BTreeMap::new(),
            requests: BTreeMap::new(),
            holds: BTreeMap::new(),
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
        let templates = self.templates.iter().filter(|(name, _)| !self.missing.contains(*name));
        let children = self.children.iter().filter(|(name, _)| seen(name));
        let children = children
            .map(|(name, view)| (name.clone(), Arc::new(view.clone())))
            .collect();
        let parent = self.parent.as_ref().map(|(on_close, status)| Parent {
            run: 1,
            path: vec![PathSegment {
                name: "p".to_owned(),
                index: None,
            }],
            attempt: 1,
            on_close: *on_close,
            status: Some(status),
        });
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
            templates: templates
                .map(|(name, template)| (name.clone(), Arc::clone(template)))
                .collect(),
            children: &children,
            parent,
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
        self.forget_requests();
    }

    fn act(&mut self, action: Action) {
        let words = match action {
            Action::StoreSnapshot { name, data } => {
                let graph = Graph::compile(serde_json::from_str(&data).unwrap()).unwrap();
                self.records.insert(name.clone(), Arc::new(graph));
                self.notes.snapshots.insert(name);
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
            Action::StartJob { name, job } => self.start(&name, &job),
            Action::StartChild { name, workflow } => self.start_child(name, &workflow),
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
            Action::ConfirmJob { name } | Action::ConfirmChild { name } => {
                self.hidden.remove(&name);
                if !self.jobs.contains_key(&name) && !self.children.contains_key(&name) {
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
            Action::AdmitRequest { key, request } => return self.admit(key, &request),
            Action::SendRequest { key, request } => self.send(key, &request),
        };
        self.done.push(words);
    }

    fn start(&mut self, name: &str, job: &Job) -> String {
        let (step, attempt) = job::identity(job).unwrap();
        let short = format!("{step}#{attempt}");
        self.names.insert(short.clone(), name.to_owned());
        if self.is_refused(name, &short) {
            return format!("try {short}");
        }
        self.jobs.entry(name.to_owned()).or_insert_with(|| view(job, name));
        let carried = &self.jobs[name].carried;
        let rides: Vec<&str> = carried.keys().map(String::as_str).collect();
        if rides.is_empty() {
            format!("start {short}")
        } else {
            format!("start {short} with {}", rides.join("+"))
        }
    }

    /// A POST is answered as the story says.
    fn is_refused(&mut self, name: &str, short: &str) -> bool {
        let Some(kind) = self.answers.get(short) else {
            self.notes.refusals.remove(name);
            return false;
        };
        let count = self.notes.refusals.get(name).map_or(0, |refusal| refusal.count) + 1;
        let known = self.notes.refusals.get(name);
        let refusal = Refusal {
            may_exist: *kind == RefusalKind::Unavailable || known.is_some_and(|known| known.may_exist),
            kind: *kind,
            message: format!("{kind:?}, says the server"),
            at: self.now,
            count,
        };
        self.notes.refusals.insert(name.to_owned(), refusal);
        true
    }

    fn start_child(&mut self, name: String, workflow: &Workflow) -> String {
        let (parent, view) = child_view(workflow, &name);
        assert_eq!(parent, UID);
        let short = format!("{}#{}", StepId::from(view.path.clone()), view.attempt);
        self.names.insert(short.clone(), name.clone());
        if self.is_refused(&name, &short) {
            return format!("try {short}");
        }
        self.children.entry(name).or_insert(view);
        let inputs = workflow.spec.inputs.iter();
        let inputs: Vec<String> = inputs.map(|input| format!(" {}={}", input.name, input.value)).collect();
        let owned = if workflow.metadata.owner_references.is_none() {
            " apart"
        } else {
            ""
        };
        format!("start {short}{}{owned}", inputs.concat())
    }

    pub(super) fn short(&self, name: &str) -> String {
        let known = self.names.iter().find(|(_, known)| *known == name);
        known.map_or_else(|| name.to_owned(), |(short, _)| short.clone())
    }
}

/// As an API server would show it.
fn child_view(workflow: &Workflow, name: &str) -> (String, ChildView) {
    let mut workflow = workflow.clone();
    workflow.metadata.uid = Some(format!("uid-of-{name}"));
    jobwright_operator::view::child::view(&workflow).unwrap()
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
