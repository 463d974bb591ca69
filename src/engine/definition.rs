//! The resolved definition of a run: what a snapshot holds.

use jobwright_api::{
    Binding, Choice, Exit, ForEach, Http, Input, Join, Loop, Output, Variable, Wait,
    container::FieldFrom,
    flow,
    policy::{Handler, Retry, Then, Timeouts, WorkflowTimeouts},
    settings::Layer,
    template::OnParentClose,
    value::WorkflowOutput,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A Workflow with all that it refers to folded in: Tasks, operator defaults, classes, `enforced`.
///
/// A run reads nothing else once it has begun. Serialised as one `WorkflowRecord`, whose name is
/// the hash of the content, so that equal definitions share one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// The template that it is made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateDefinition>,
    pub inputs: Vec<Input>,
    /// What the inputs are in this run, where the spec may change before it has ended; else the spec says it, so that
    /// runs with other inputs share one record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<BTreeMap<String, Value>>,
    pub steps: Vec<StepDefinition>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub blocks: BTreeMap<String, BlockDefinition>,
    pub outputs: Vec<WorkflowOutput>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Handler>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_exit: Option<Handler>,
    #[serde(default)]
    pub timeouts: WorkflowTimeouts,
    /// The records of all Workflows that its steps may run, at any depth.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<String>,
    /// Applied to a Job last of all, after `fieldsFrom`.
    #[serde(default)]
    pub enforced: Layer,
}

/// A template, and which content of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateDefinition {
    pub name: String,
    pub hash: String,
}

/// The Workflow that a step runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildDefinition {
    pub template: String,
    /// The record of its resolved definition.
    pub snapshot: String,
    /// The step ends when the Workflow does, not when it exists.
    pub waits: bool,
    pub on_parent_close: OnParentClose,
}

/// A block with its steps resolved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockDefinition {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
    pub steps: Vec<StepDefinition>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<WorkflowOutput>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Handler>,
}

/// What a step without a Job of its own does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Flow {
    Block(String),
    Choice(Choice),
    Loop(Loop),
    Wait(Wait),
    Set(Vec<Variable>),
    Exit(Exit),
}

impl Flow {
    /// The blocks that it may run, in the order in which they are written.
    pub fn blocks(&self) -> impl Iterator<Item = &str> {
        let names: Vec<&str> = match self {
            Self::Block(block) => vec![block],
            Self::Choice(choice) => {
                let cases = choice.cases.iter().map(|case| &case.block);
                cases.chain([&choice.default.block]).map(String::as_str).collect()
            }
            Self::Loop(looped) => vec![&looped.block],
            Self::Wait(_) | Self::Set(_) | Self::Exit(_) => Vec::new(),
        };
        names.into_iter().filter(|name| *name != flow::NONE)
    }
}

/// What a step runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    #[default]
    Task,
    Job,
    Block,
    Choice,
    Loop,
    Wait,
    Http,
    Set,
    Exit,
    Workflow,
    ForEach,
}

impl Kind {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Job => "job",
            Self::Block => "block",
            Self::Choice => "choice",
            Self::Loop => "loop",
            Self::Wait => "wait",
            Self::Http => "http",
            Self::Set => "set",
            Self::Exit => "exit",
            Self::Workflow => "workflow",
            Self::ForEach => "forEach",
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
    pub join: Option<Join>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Handler>,
    /// CEL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<ChildDefinition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    #[serde(default)]
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
