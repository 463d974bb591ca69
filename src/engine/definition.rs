//! The resolved definition of a run: what a snapshot holds.

use jobwright_api::{
    Binding, Input, Output,
    container::FieldFrom,
    policy::{Retry, Then, Timeouts, WorkflowTimeouts},
    settings::Layer,
    value::{WorkflowInput, WorkflowOutput},
};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde::{Deserialize, Serialize};

/// A Workflow with all that it refers to folded in: Tasks, operator defaults, classes, `enforced`.
///
/// A run reads nothing else once it has begun. Serialised as one `WorkflowRecord`, whose name is
/// the hash of the content, so that equal definitions share one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    pub inputs: Vec<WorkflowInput>,
    pub steps: Vec<StepDefinition>,
    pub outputs: Vec<WorkflowOutput>,
    #[serde(default)]
    pub timeouts: WorkflowTimeouts,
    /// Applied to a Job last of all, after `fieldsFrom`.
    #[serde(default)]
    pub enforced: Layer,
}

/// What a step runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    #[default]
    Task,
    Job,
}

impl Kind {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Job => "job",
        }
    }
}

/// A step with its Task folded in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepDefinition {
    pub name: String,
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Declared by the Task; an inline job declares none and takes what it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Vec<Input>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Binding>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// `scheduleToStart` is always set.
    pub timeouts: Timeouts,
    #[serde(default)]
    pub then: Then,
    /// CEL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    pub job: JobTemplate,
}

/// A Job without its values: the layers below `enforced` folded into one pod template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobTemplate {
    /// Its metadata goes onto the Job as well. The first container is the main one.
    pub pod: PodTemplateSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds_after_finished: Option<i32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields_from: Vec<FieldFrom>,
}
