//! `WorkflowTemplate`: a reusable graph of steps, and how Workflows and steps refer to one.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::{
    flow::Block,
    policy::{Handler, JobDefaults, WorkflowTimeouts},
    rules, schema,
    value::{Input, WorkflowOutput},
    workflow::{Step, task_names, template_names},
};

/// A graph of steps with typed inputs and outputs: Workflows run it, and steps of other Workflows.
///
/// A run keeps the template it began with, and all that it names: editing or deleting a template never touches a run.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "jobwright.dev",
    version = "v1alpha1",
    kind = "WorkflowTemplate",
    plural = "workflowtemplates",
    shortname = "jwt",
    category = "jobwright",
    namespaced,
    status = "WorkflowTemplateStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "A reusable graph of steps, with typed inputs and outputs.",
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Revision","type":"integer","jsonPath":".status.revision"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Message","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message","priority":1}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowTemplateSpec {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub inputs: Vec<Input>,
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
    /// Runs once where a run fails, before it has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Handler>,
    /// Runs once at the end of a run, however it ends, after `onFailure`. `error` is empty where nothing failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_exit: Option<Handler>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<WorkflowTimeouts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_defaults: Option<JobDefaults>,
}

impl WorkflowTemplateSpec {
    /// Names of the Tasks that its steps refer to.
    pub fn task_names(&self) -> impl Iterator<Item = &str> {
        task_names(&self.steps, &self.blocks)
    }

    /// Names of the templates that its steps refer to.
    pub fn template_names(&self) -> impl Iterator<Item = &str> {
        template_names(&self.steps, &self.blocks)
    }
}

/// What the operator found out about a template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowTemplateStatus {
    /// Generation of the spec that the rest speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Counts the contents that this template has had, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Names the content: equal for equal specs, whatever the template is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub hash: Option<String>,
    /// `Ready`: whether a run of it could begin now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// A `WorkflowTemplate` of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateReference {
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
}

/// The template that a Workflow runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateSource {
    /// A `WorkflowTemplate` of this namespace. One that does not exist yet is waited for.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Set by the operator on the Workflows that it creates: the `WorkflowRecord` with the template as it was when the
    /// parent began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub snapshot: Option<String>,
}

/// Runs a template as a Workflow of its own, named after this step. The inputs of the step are its inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Child {
    pub template_ref: TemplateReference,
    /// True (default): the step ends as the Workflow does, and gives its outputs. False: the step has succeeded once
    /// the Workflow exists.
    #[serde(default = "yes")]
    pub wait: bool,
    #[serde(default)]
    pub on_parent_close: OnParentClose,
}

impl Default for Child {
    fn default() -> Self {
        Self {
            template_ref: TemplateReference::default(),
            wait: true,
            on_parent_close: OnParentClose::default(),
        }
    }
}

const fn yes() -> bool {
    true
}

/// What becomes of a child once its parent has ended, or does not want it any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnParentClose {
    /// Its Jobs are stopped, and it ends `Terminated`. Nothing follows.
    #[default]
    Terminate,
    /// Its Jobs are stopped, its `onExit` follows, and it ends `Cancelled`.
    Cancel,
    /// Nothing: it goes on by itself, and stays when the parent is deleted.
    Abandon,
}

impl OnParentClose {
    const ALL: [Self; 3] = [Self::Terminate, Self::Cancel, Self::Abandon];

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Terminate => "Terminate",
            Self::Cancel => "Cancel",
            Self::Abandon => "Abandon",
        }
    }

    /// The policy of this word. A word that only a newer version knows is none.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word() == word)
    }
}
