//! What a step can be beside a Job: a block of steps, a choice among blocks, a loop, a wait; and how it
//! forks and joins.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    duration::Duration,
    policy::{Backoff, Handler},
    rules, schema,
    value::{Binding, Input, ValueType, WorkflowOutput},
    workflow::Step,
};

/// The name that stands for no block, in a choice.
pub const NONE: &str = "none";

/// A named list of steps with inputs and outputs of its own.
///
/// Its scope is closed: `inputs` are the block's, `steps` its own. Those of the run are `workflow.inputs`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub inputs: Vec<Input>,
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub steps: Vec<Step>,
    /// Evaluated once all its steps have ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub outputs: Vec<WorkflowOutput>,
    /// Runs once where a step of the block has failed, before the block fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Handler>,
}

/// Runs the block of the first case that is true; later ones are not judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    #[schemars(length(min = 1, max = 16))]
    pub cases: Vec<Case>,
    /// Runs where no case is true.
    pub default: Chosen,
}

/// One way that a choice can go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    /// CEL.
    #[schemars(schema_with = "schema::expression")]
    pub when: String,
    /// A block of this Workflow, or `none`.
    #[schemars(schema_with = "schema::block_name")]
    pub block: String,
}

/// Where a choice goes without a true case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Chosen {
    /// A block of this Workflow, or `none`.
    #[schemars(schema_with = "schema::block_name")]
    pub block: String,
}

/// Runs a block again and again. Its outputs are those of the last iteration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::loops()))]
pub struct Loop {
    /// A block of this Workflow: the body.
    #[schemars(schema_with = "schema::block_name")]
    pub block: String,
    /// CEL, judged before each iteration: false ends the loop, before the first one too.
    #[serde(rename = "while", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_expression")]
    pub before: Option<String>,
    /// CEL over `block.outputs`, judged after each iteration: true ends the loop.
    #[serde(rename = "until", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_expression")]
    pub after: Option<String>,
    /// Used up without an end, the step fails with `MaxIterations`.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_iterations: u32,
    /// Between the end of an iteration and the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Backoff>,
}

/// Waits without any compute. What is past is over at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::wait()))]
pub struct Wait {
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// CEL that gives an instant as RFC 3339, such as `2026-11-21T06:00:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<crate::workflow::Computed>,
}

/// A variable of the run or block, set once its step runs. Steps below read it as `vars.<name>`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::binding()))]
pub struct Variable {
    #[schemars(schema_with = "schema::identifier")]
    pub name: String,
    /// The same wherever it is set.
    #[serde(rename = "type", default)]
    pub kind: ValueType,
    /// Plain data: never evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any")]
    pub value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_expression")]
    pub expression: Option<String>,
}

/// Ends the Workflow: what runs is stopped first, what has not begun never will.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exit {
    #[serde(default)]
    pub phase: ExitPhase,
    /// One word in `PascalCase`, such as `NothingToDo`: the reason of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::reason_word")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// Of the outputs that the Workflow declares: they are given these values, the others none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub outputs: Vec<Binding>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExitPhase {
    #[default]
    Succeeded,
    /// `onFailure` of the run follows.
    Failed,
}

/// Runs the step once for each item, side by side.
///
/// `retry` and `timeouts` of the step hold for each item, its `when` is judged once before the fork.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::for_each()))]
pub struct ForEach {
    /// CEL that gives a list. An empty one succeeds at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_expression")]
    pub items: Option<String>,
    /// Instead of `items`: so many times, with the numbers from 0 as items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10_000))]
    pub count: Option<u32>,
    /// The root under which expressions of the step read the item; `index` is its place, from 0. Default: `item`.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_identifier")]
    pub name: Option<String>,
    /// How many run at once; 1 is one after the other. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_concurrent: Option<u32>,
    /// How many items may fail, as a number or as a percentage of all (rounded down). Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::number_or_percentage")]
    pub max_failed: Option<IntOrString>,
    /// What happens to the others once more than `maxFailed` have failed. Nothing new starts either way.
    #[serde(default)]
    pub on_item_failed: OnItemFailed,
    /// CEL over an item that has succeeded, its outputs being `last`: true ends the step, which has succeeded; items
    /// that run are stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_expression")]
    pub stop_when: Option<String>,
    /// CEL, judged for each item: false skips it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_expression")]
    pub when: Option<String>,
}

impl ForEach {
    pub const NAME_DEFAULT: &str = "item";

    /// The root under which the item is read.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(Self::NAME_DEFAULT)
    }

    /// How many of `total` items may fail. A percentage is rounded down.
    #[must_use]
    pub fn tolerated(&self, total: u32) -> u32 {
        match &self.max_failed {
            None => 0,
            Some(IntOrString::Int(count)) => u32::try_from(*count).unwrap_or(0),
            Some(IntOrString::String(share)) => {
                let percent: u64 = share.trim_end_matches('%').parse().unwrap_or(0);
                u32::try_from(u64::from(total) * percent.min(100) / 100).unwrap_or(total)
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnItemFailed {
    /// Items that run are stopped.
    #[default]
    Cancel,
    /// Items that run go on to their end.
    LetFinish,
}

/// When the needs of a step let it start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Join {
    /// `All` (default), `Any`, or a number: so many needs have to count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::require")]
    pub require: Option<IntOrString>,
    /// Which ends count.
    #[serde(default)]
    pub count: Counted,
    /// What becomes of the other needs once so many count.
    #[serde(default)]
    pub others: Others,
}

impl Join {
    /// How many of `needs` have to count.
    #[must_use]
    pub fn required(&self, needs: usize) -> usize {
        match &self.require {
            Some(IntOrString::Int(count)) => usize::try_from(*count).unwrap_or(0),
            Some(IntOrString::String(word)) if word == "Any" => needs.min(1),
            Some(IntOrString::String(_)) | None => needs,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Counted {
    /// Succeeded, skipped, or failed with `onFailure.then: Continue` or `FailAtEnd`.
    #[default]
    Done,
    /// Succeeded alone.
    Succeeded,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Others {
    /// They go on.
    #[default]
    Run,
    /// They are stopped, or never start.
    Cancel,
}
