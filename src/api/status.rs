//! `Workflow.status`: what happened, when and why.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

use crate::{
    phase::{StepPhase, WorkflowPhase},
    reason::{Reason, SubStatus},
    schema,
};

/// Written by the operator only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<WorkflowPhase>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// At most 1 KiB, control characters escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_status: Option<SubStatus>,
    /// Counts the runs of this object from 1. Phases are final within one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u32>,
    /// Number of the last transition. Never restarts within a Workflow.
    #[serde(default)]
    pub seq: u64,
    /// Hash of the fields of the spec whose change is a new run with `runPolicy: OnChange`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub definition_hash: Option<String>,
    /// The definition that this run keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotReference>,
    /// The template that this run began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateUsed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<MicroTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<MicroTime>,
    /// From start to end, for people: `1m12s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// The step to look at now: the first that failed, else one that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Why Jobs of this run are being stopped. Stored before the first is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// The `exit` step that ended this run, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exited>,
    /// By printed id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub steps: BTreeMap<String, StepStatus>,
    /// Iterations that have ended, by the loop's id without indexes: a loop within a loop counts all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub loop_counts: BTreeMap<String, u64>,
    /// The records that hold steps of this run which have ended and are shown no more, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub records: BTreeMap<String, RecordReference>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::values")]
    pub outputs: BTreeMap<String, Value>,
    /// `Ready`, `Reconciling`, `Stalled`, `Succeeded`: for kstatus and `kubectl wait`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// The record that holds the resolved definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotReference {
    /// Name of a `WorkflowRecord` of this namespace.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Those of the templates that its `workflow` steps may run, at any depth: kept with this run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub children: Vec<String>,
}

/// A template as a run began with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateUsed {
    #[schemars(length(max = 253))]
    pub name: String,
    /// Names the content, as `status.hash` of the template did.
    #[schemars(length(max = 64))]
    pub hash: String,
    /// `status.revision` of the template, where it had one with this content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

/// A record of `kind: Page`, and what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordReference {
    pub first_seq: u64,
    pub last_seq: u64,
    /// How many steps.
    pub total: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub succeeded: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u32,
    /// Printed ids of the forks whose items are among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub forks: Vec<String>,
}

/// How many steps stand where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// `done/total`, for the column.
    pub summary: String,
    pub total: u32,
    /// Ended, however.
    pub done: u32,
    pub running: u32,
    pub succeeded: u32,
    pub failed: u32,
    pub skipped: u32,
}

/// A decision of the operator to delete Jobs, with its cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    pub reason: Reason,
    /// The time limit that passed, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Timeout>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub at: MicroTime,
}

/// The time limits that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Timeout {
    ScheduleToStart,
    StartToClose,
    ScheduleToClose,
    Total,
    /// One that only a newer version knows.
    #[serde(other)]
    Unknown,
}

schema::words!(Timeout);

/// What someone else did to a Job or pod, as first seen: it decides over what the pod shows later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Interruption {
    pub reason: Reason,
    pub message: String,
}

/// What is known of one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepStatus {
    /// The structured id: names, and for iterations their index, from the root.
    #[schemars(length(max = 32))]
    pub path: Vec<PathSegment>,
    /// `task`, `job`, `block`, `choice`, `loop`, `wait`, `set`, `exit`, `workflow` or `forEach`.
    pub kind: String,
    #[serde(default)]
    pub phase: StepPhase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_status: Option<SubStatus>,
    /// Number of this step's last transition.
    #[serde(default)]
    pub seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// When its first Job was first seen, or first refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<MicroTime>,
    /// When a container of it was first seen to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<MicroTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<MicroTime>,
    /// Since when the API server does not take the Job of the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<MicroTime>,
    /// When the next attempt or iteration is due, or a wait is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<MicroTime>,
    /// What it was given, where that is small (1 KiB in all).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::values")]
    pub inputs: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::values")]
    pub outputs: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Attempts::is_none")]
    pub attempts: Attempts,
    /// Steps that its expressions read and that had not ended when it began: it sees them as `Running`, for good.
    /// Stored before it begins, where a join above lets it begin before all has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub unseen: Option<Vec<String>>,
    /// The block that a choice runs; `none` where it runs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<String>,
    /// Iterations of a loop that have ended; the one that runs has this index.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub iterations: u32,
    /// Outputs of the last iteration that has ended.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::values")]
    pub last: BTreeMap<String, Value>,
    /// How the items of a `forEach` stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<ItemCounts>,
    /// Of these, those that stand in records alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<ItemCounts>,
    /// Why the steps below are being stopped. Stored before the first of their Jobs is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
}

/// An `exit` step that has run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exited {
    /// Printed id.
    pub step: String,
    /// `Succeeded` or `Failed`.
    pub phase: WorkflowPhase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Outputs of the run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::values")]
    pub outputs: BTreeMap<String, Value>,
}

/// How many items of a `forEach` stand where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemCounts {
    /// Of all items; 0 where only some are counted.
    pub total: u32,
    /// Those that have begun: their indexes are below this number.
    pub opened: u32,
    pub succeeded: u32,
    pub failed: u32,
    pub skipped: u32,
    /// Stopped, or never begun though opened.
    pub cancelled: u32,
}

impl ItemCounts {
    /// Counts one more item that has begun.
    pub const fn add(&mut self, phase: StepPhase) {
        self.opened = self.opened.saturating_add(1);
        let count = match phase {
            StepPhase::Succeeded => &mut self.succeeded,
            StepPhase::Failed => &mut self.failed,
            StepPhase::Skipped => &mut self.skipped,
            StepPhase::Cancelled | StepPhase::Omitted => &mut self.cancelled,
            _ => return,
        };
        *count = count.saturating_add(1);
    }

    /// Opened and not ended.
    #[must_use]
    pub const fn running(&self) -> u32 {
        let ended = self.succeeded.saturating_add(self.failed).saturating_add(self.skipped);
        self.opened.saturating_sub(ended.saturating_add(self.cancelled))
    }
}

/// One element of a structured id. Iterations count from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PathSegment {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
}

/// The attempts of a step: all are counted, the last five are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempts {
    pub count: u32,
    /// Of these, how many the platform made to fail: they have a budget of their own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub platform_failures: u32,
    #[schemars(length(max = 5))]
    pub recent: Vec<AttemptStatus>,
}

impl Attempts {
    /// How many attempts are kept in full.
    pub const RECENT_MAX: usize = 5;

    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.count == 0
    }
}

// serde hands a reference to `skip_serializing_if`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One Job, one request, or one child Workflow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptStatus {
    /// From 1.
    pub number: u32,
    /// Empty where it is no Job.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub job: String,
    /// The child Workflow of a `workflow` step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub workflow: Option<String>,
    /// UID of that object: what a delete is meant for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    #[serde(default)]
    pub phase: StepPhase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The status of the answer to a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<MicroTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<MicroTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<MicroTime>,
    /// Why the operator deletes this Job. Stored before the deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interruption: Option<Interruption>,
}
