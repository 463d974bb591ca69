//! The plain value that `decide` looks at. Filled by the operator's `gather`, or by a test.

use jiff::Timestamp;
use jobwright_api::{
    Reason, StepPhase, StepStatus, Task, WorkflowPhase, WorkflowSpec, WorkflowStatus, WorkflowTemplate,
    settings::JobSettings, status::PathSegment, template::OnParentClose,
};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

use crate::{graph::Graph, http};

/// Everything that a decision depends on.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    /// The operator's clock, in whole microseconds, as a status has it.
    pub now: Timestamp,
    pub namespace: &'a str,
    pub name: &'a str,
    pub uid: &'a str,
    pub generation: i64,
    /// The Workflow has a deletionTimestamp: the garbage collector takes its Jobs.
    pub deleting: bool,
    pub spec: &'a WorkflowSpec,
    /// The status as the API server has it. What must be stored before acting is looked up here.
    pub stored: &'a WorkflowStatus,
    /// The stored status with what was decided since and is not written yet.
    pub pending: &'a WorkflowStatus,
    /// The compiled snapshot that `pending.snapshot` names, or before that `spec.templateRef.snapshot`; none before
    /// there is one, or where nothing is left to do.
    pub graph: Option<Arc<Graph>>,
    /// The Tasks that its steps and those of its templates name, as far as they exist. Read only while there is no
    /// snapshot.
    pub tasks: BTreeMap<String, Arc<Task>>,
    /// The templates that it names, and those that they name, as far as they exist. Read only while there is no snapshot.
    pub templates: BTreeMap<String, Arc<WorkflowTemplate>>,
    /// Read only while there is no snapshot.
    pub settings: &'a JobSettings,
    /// The Jobs of this Workflow's UID by name, of all its runs.
    pub jobs: &'a BTreeMap<String, Arc<JobView>>,
    /// The pods of these Jobs by name of the Job.
    pub pods: &'a BTreeMap<String, Vec<Arc<PodView>>>,
    /// The Workflows that run for steps of this one, by name, of all its runs.
    pub children: &'a BTreeMap<String, Arc<ChildView>>,
    /// The step of another Workflow that this one runs for.
    pub parent: Option<Parent<'a>>,
    pub notes: &'a Notes,
}

/// Whose child a Workflow is, as its labels and annotations say.
#[derive(Clone, Debug)]
pub struct Parent<'a> {
    pub run: u32,
    pub path: Vec<PathSegment>,
    pub attempt: u32,
    pub on_close: OnParentClose,
    /// As the API server has it; none where the stores do not know the parent: the garbage collector does what follows.
    pub status: Option<&'a WorkflowStatus>,
}

/// What `apply` learned from the API server's answers. In memory only: after a restart it is asked again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notes {
    /// Names of the snapshots that are known to be stored.
    pub snapshots: std::collections::BTreeSet<String>,
    /// Jobs and children whose absence a live GET has confirmed. Dropped when they are seen.
    pub absent: std::collections::BTreeSet<String>,
    /// Jobs that are over and of which a live LIST has shown no pod.
    pub podless: std::collections::BTreeSet<String>,
    /// Jobs, children and records that the API server would not create, by name.
    pub refusals: BTreeMap<String, Refusal>,
    /// What a dry run said of the pod of a Job that has none.
    pub probes: BTreeMap<String, Probe>,
    /// Pages that are known to be stored, and the printed ids of their steps.
    pub sealed: BTreeMap<String, Vec<String>>,
    /// Pages that were read, by name; none where there is no such record.
    pub pages: BTreeMap<String, Option<Arc<Page>>>,
    /// What this process knows of requests, by key of the attempt.
    pub requests: BTreeMap<String, http::Known>,
}

/// What expressions read of the steps in a record, by printed id.
pub type Page = BTreeMap<String, SealedStep>;

/// A step that stands in a record alone.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SealedStep {
    pub path: Vec<PathSegment>,
    pub phase: StepPhase,
    pub reason: Option<Reason>,
    #[serde(default)]
    pub outputs: BTreeMap<String, Value>,
}

/// Why a Job could not be created.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub kind: RefusalKind,
    /// The server's words.
    pub message: String,
    pub at: Timestamp,
    /// How often in a row.
    pub count: u32,
    /// One of them was no answer: the object may exist all the same.
    pub may_exist: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// 403 of a quota: passes.
    Quota,
    /// 429, 5xx, a time-out, a webhook that does not answer: passes.
    Unavailable,
    /// 400, 403, 413, 422: does not pass.
    Permanent,
    /// 409, and the object is not ours.
    NameTaken,
}

/// The answer to a dry run of a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    pub at: Timestamp,
    pub count: u32,
    /// The server's words, if it would refuse the pod; with the kind of refusal.
    pub refused: Option<(RefusalKind, String)>,
}

/// What we read of a Job.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own in the Job's spec or status"
)]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobView {
    pub name: String,
    pub uid: String,
    /// UID of its controlling owner.
    pub owner_uid: String,
    /// Our annotation: identity of the attempt. Empty on a Job that is not ours.
    pub attempt_key: String,
    /// Results of steps that were not stored yet when it was created, by printed id.
    pub carried: BTreeMap<String, StepStatus>,
    pub run: u32,
    /// Where its step stands, and which attempt it is.
    pub path: Vec<PathSegment>,
    pub attempt: u32,
    /// The TTL that it is to have once its result is stored.
    pub ttl_wanted: Option<i32>,
    pub deleting: bool,
    pub suspended: bool,
    pub ttl_seconds_after_finished: Option<i32>,
    /// Condition `Complete` or `SuccessCriteriaMet` is true.
    pub complete: bool,
    /// Condition `Failed` or `FailureTarget` is true: its reason and message.
    pub failed: Option<(String, String)>,
    /// A pod of it was counted, active or ended.
    pub has_had_pod: bool,
}

/// What we read of a Workflow that runs for a step of another one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChildView {
    pub name: String,
    pub uid: String,
    /// Our annotation: identity of the attempt.
    pub attempt_key: String,
    /// Of its parent: where its step stands, and which attempt it is.
    pub run: u32,
    pub path: Vec<PathSegment>,
    pub attempt: u32,
    pub phase: Option<WorkflowPhase>,
    pub reason: Option<Reason>,
    pub message: Option<String>,
    pub outputs: BTreeMap<String, Value>,
}

/// What we read of a pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodView {
    pub name: String,
    pub uid: String,
    /// UID of the Job that controls it.
    pub job_uid: String,
    pub node: Option<String>,
    pub phase: PodPhase,
    /// `status.reason` and `status.message`: set by the kubelet for evictions and the like.
    pub reason: Option<String>,
    pub message: Option<String>,
    /// When its deletion was asked for: deletionTimestamp less the grace period.
    pub deletion_asked_at: Option<Timestamp>,
    /// Reason and message of condition `DisruptionTarget`, if true.
    pub disruption: Option<(String, String)>,
    /// Reason and message of condition `PodScheduled`, if false.
    pub unschedulable: Option<(String, String)>,
    /// Its main containers; a pod without status has none.
    pub containers: Vec<ContainerView>,
    /// Init containers that run to completion.
    pub init_containers: Vec<ContainerView>,
    /// It has restartable init containers: they may run on after the main one.
    pub has_sidecars: bool,
    /// How many main containers its spec has.
    pub containers_expected: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodPhase {
    #[default]
    Pending,
    Running,
    Succeeded,
    Failed,
    Unknown,
}

impl PodPhase {
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerView {
    pub name: String,
    pub state: ContainerState,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum ContainerState {
    #[default]
    Unknown,
    Waiting {
        reason: String,
        message: String,
    },
    Running {
        started_at: Option<Timestamp>,
    },
    Terminated {
        exit_code: i32,
        reason: String,
        /// The termination message.
        message: String,
        finished_at: Option<Timestamp>,
    },
}
