//! `Workflow`: one named execution.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    container::StepJob,
    policy::{JobDefaults, OnFailure, Retry, RunPolicy, Timeouts, WorkflowTimeouts},
    rules, schema,
    status::WorkflowStatus,
    value::{Binding, Output, WorkflowInput, WorkflowOutput},
};

/// One execution of a graph of steps. Applying it runs it.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "jobwright.dev",
    version = "v1alpha1",
    kind = "Workflow",
    plural = "workflows",
    shortname = "jwf",
    category = "jobwright",
    namespaced,
    status = "WorkflowStatus",
    derive = "Default",
    derive = "PartialEq",
    selectable = ".status.phase",
    doc = "One named execution of a graph of steps: applying it runs it.",
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Progress","type":"string","jsonPath":".status.progress.summary"}"#,
    printcolumn = r#"{"name":"Step","type":"string","jsonPath":".status.step"}"#,
    printcolumn = r#"{"name":"Started","type":"date","jsonPath":".status.startedAt"}"#,
    printcolumn = r#"{"name":"Duration","type":"string","jsonPath":".status.duration"}"#,
    printcolumn = r#"{"name":"Message","type":"string","jsonPath":".status.message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::workflow()))]
pub struct WorkflowSpec {
    #[serde(default)]
    pub run_policy: RunPolicy,
    /// Starts nothing new while true; what runs goes on and is recorded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub inputs: Vec<WorkflowInput>,
    #[schemars(length(min = 1, max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub steps: Vec<Step>,
    /// Evaluated once all steps have ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub outputs: Vec<WorkflowOutput>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<WorkflowTimeouts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_defaults: Option<JobDefaults>,
}

/// One node of the graph. Exactly one of `task` and `job` says what it runs, or `task` with a `job`
/// beside it that overrides parts of the Task's.
//
// Atomic: whoever applies a step owns it whole. Field managers of every field of a hundred steps are
// 11 KB, and a seventh of the time of each status write.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::step(), "x-kubernetes-map-type" = "atomic"))]
pub struct Step {
    #[schemars(schema_with = "schema::identifier")]
    pub name: String,
    /// Steps that must be done first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 40)), extend("x-kubernetes-list-type" = "set"))]
    pub needs: Vec<String>,
    /// CEL, judged once when the needs are done: false skips the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_expression")]
    pub when: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<StepJob>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub inputs: Vec<Binding>,
    /// Outputs of an inline job.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"], "x-kubernetes-validations" = rules::outputs()))]
    pub outputs: Vec<Output>,
    /// Replaces the Task's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Each one set here replaces the Task's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// Replaces the key that the operator makes, which is equal over attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Computed>,
}

/// A Task of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskReference {
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
}

/// A value that is always computed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Computed {
    #[schemars(schema_with = "schema::expression")]
    pub expression: String,
}
