//! Retry, timeouts and what a failure does to the rest.

use k8s_openapi::api::core::v1::{LocalObjectReference, ResourceRequirements, Toleration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::{duration::Duration, rules, schema, value::Binding};

/// How often a step may be tried. Without `retry` there is one attempt; `retry: {}` allows three.
///
/// Failures of the platform (eviction, preemption, lost node) have a budget of their own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// Counts the first attempt; default 3. 0 is unlimited and requires `timeouts.scheduleToClose`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10_000))]
    pub max_attempts: Option<u32>,
    #[serde(default)]
    pub backoff: Backoff,
    /// Failures that are never tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub never: Option<Never>,
}

impl Retry {
    pub const ATTEMPTS_DEFAULT: u32 = 3;
}

/// Delay after failed attempt n: `min(max, initial * factor^(n-1)) * (1 + jitter * u)` with u in
/// [0,1) from a hash of the attempt's identity, so that a replay waits as long.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::backoff()))]
pub struct Backoff {
    /// Default 1s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<Duration>,
    /// Default 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub factor: Option<f64>,
    /// Default 100 times `initial`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Duration>,
    /// Default 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub jitter: Option<f64>,
}

/// Failures that end the step at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Never {
    /// Exit codes of the main container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(range(min = 1, max = 255)))]
    pub exit_codes: Vec<i32>,
}

/// Time limits of a step. Each begins at an instant that the operator has stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeouts {
    /// Per attempt, until a container runs. Default: the operator's, 1h. Not retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_to_start: Option<Duration>,
    /// Per attempt, from the start of its containers. Retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_to_close: Option<Duration>,
    /// From the first schedule, over all attempts and delays between them. Not retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_to_close: Option<Duration>,
}

/// Time limits of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowTimeouts {
    /// From the start of the run. Its Jobs are stopped and it ends `Failed`, `DeadlineExceeded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Duration>,
}

/// What the failure of a step, after its last attempt, does to the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Then {
    /// No new step starts, running ones finish, the rest is Omitted, the run fails.
    #[default]
    Fail,
    /// The step counts as done; the run may still succeed.
    Continue,
    /// The step counts as done, but the run fails once all else has ended.
    FailAtEnd,
}

/// What follows the failure of a step, once its last attempt is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OnFailure {
    /// What it does to the run.
    #[serde(default)]
    pub then: Then,
    /// A block of this Workflow that runs once; its inputs may read `error` and every step beside this one. The step
    /// is done when it has ended. How it ends changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::block_name")]
    pub block: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub inputs: Vec<Binding>,
}

impl OnFailure {
    /// The block that runs, with what it is given.
    #[must_use]
    pub fn handler(&self) -> Option<Handler> {
        Some(Handler {
            block: self.block.clone()?,
            inputs: self.inputs.clone(),
        })
    }
}

/// A block that runs once, when all else of a run or block has ended. How it ends changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Handler {
    /// A block of this Workflow.
    #[schemars(schema_with = "schema::block_name")]
    pub block: String,
    /// May read `error` (`step`, `reason`, `message`, `exitCode`) and every step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub inputs: Vec<Binding>,
}

/// What a changed definition does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RunPolicy {
    /// The definition is immutable: another run is another Workflow.
    #[default]
    Once,
    /// A changed definition is a new run of the same Workflow (`status.run` + 1), as Git wants it.
    OnChange,
}

/// Settings for all Jobs of a Workflow. Above the operator's defaults, below the Task's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDefaults {
    /// Name of a class of the operator's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub class: Option<String>,
    /// Seconds that a Job is kept once its result is stored. Without it, as long as the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 315_360_000))]
    pub ttl_seconds_after_finished: Option<i32>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::node_selector")]
    pub node_selector: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub tolerations: Vec<Toleration>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Vec<LocalObjectReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::annotations")]
    pub annotations: BTreeMap<String, String>,
}
