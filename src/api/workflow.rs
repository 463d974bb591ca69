//! `Workflow`: one named execution.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::{
    container::StepJob,
    flow::{Block, Choice, Exit, ForEach, Join, Loop, Variable, Wait},
    http::Http,
    policy::{Handler, JobDefaults, OnFailure, Retry, RunPolicy, Timeouts, WorkflowTimeouts},
    rules, schema,
    status::WorkflowStatus,
    template::{Child, TemplateSource},
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
    /// Runs a `WorkflowTemplate`, with these `inputs`; then steps, blocks, outputs, what follows and `jobDefaults` are
    /// the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_ref: Option<TemplateSource>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub steps: Vec<Step>,
    /// Lists of steps that the steps refer to by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-validations" = rules::block_names()))]
    pub blocks: BTreeMap<String, Block>,
    /// Evaluated once all steps have ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub outputs: Vec<WorkflowOutput>,
    /// Runs once where the run fails, before it has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Handler>,
    /// Runs once at the end of the run, however it ends, after `onFailure`. `error` is empty where nothing failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_exit: Option<Handler>,
    /// Beside `templateRef`: each one set here replaces the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<WorkflowTimeouts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_defaults: Option<JobDefaults>,
}

/// One node of the graph. Exactly one of its kinds says what it does; a `task` may have a `job` beside
/// it that overrides parts of the Task's.
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
    /// Default: all needs are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
    /// CEL, judged once when the needs are done: false skips the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_expression")]
    pub when: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<StepJob>,
    /// Runs a block of this Workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::block_name")]
    pub block: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
    #[serde(rename = "loop", default, skip_serializing_if = "Option::is_none")]
    pub looped: Option<Loop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// Runs a template as a Workflow of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<Child>,
    /// Sends a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// Sets variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub set: Vec<Variable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
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

impl WorkflowSpec {
    /// Names of the Tasks that the steps refer to.
    pub fn task_names(&self) -> impl Iterator<Item = &str> {
        task_names(&self.steps, &self.blocks)
    }

    /// Names of the templates that it, or its steps, refer to.
    pub fn template_names(&self) -> impl Iterator<Item = &str> {
        let own = self.template_ref.iter().map(|source| source.name.as_str());
        own.chain(template_names(&self.steps, &self.blocks))
    }
}

fn all<'a>(steps: &'a [Step], blocks: &'a BTreeMap<String, Block>) -> impl Iterator<Item = &'a Step> {
    steps.iter().chain(blocks.values().flat_map(|block| &block.steps))
}

pub(crate) fn task_names<'a>(steps: &'a [Step], blocks: &'a BTreeMap<String, Block>) -> impl Iterator<Item = &'a str> {
    all(steps, blocks).filter_map(|step| Some(step.task.as_ref()?.name.as_str()))
}

pub(crate) fn template_names<'a>(
    steps: &'a [Step],
    blocks: &'a BTreeMap<String, Block>,
) -> impl Iterator<Item = &'a str> {
    all(steps, blocks).filter_map(|step| Some(step.workflow.as_ref()?.template_ref.name.as_str()))
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
