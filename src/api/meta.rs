//! Names that are contract: group, labels, annotations, field manager, variables.

pub const GROUP: &str = "jobwright.dev";
pub const VERSION: &str = "v1alpha1";
/// Field manager of every write of the operator.
pub const FIELD_MANAGER: &str = "jobwright-operator";
/// What everything of ours is part of.
pub const APP: &str = "jobwright";
/// Value of the managed-by label on everything the operator creates.
pub const MANAGED_BY: &str = "jobwright";

pub mod label {
    pub const NAME: &str = "app.kubernetes.io/name";
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// UID of the Workflow: maps Jobs and pods to their run.
    pub const WORKFLOW_UID: &str = "jobwright.dev/workflow-uid";
    /// `status.run` that the Job belongs to.
    pub const RUN: &str = "jobwright.dev/run";
    /// Attempt of the step, from 1.
    pub const ATTEMPT: &str = "jobwright.dev/attempt";
    /// On a child: UID of the Workflow whose step it runs for.
    pub const PARENT_UID: &str = "jobwright.dev/parent-uid";
    /// Name of the Task that the step runs, where it fits a label value.
    pub const TASK: &str = "jobwright.dev/task";
    /// What a `WorkflowRecord` holds: `snapshot` or `steps`.
    pub const RECORD: &str = "jobwright.dev/record";
    /// Keys under these prefixes are never taken from users.
    pub const RESERVED_PREFIXES: [&str; 5] = [
        "jobwright.dev/",
        "app.kubernetes.io/managed-by",
        "batch.kubernetes.io/",
        "controller-uid",
        "job-name",
    ];
}

pub mod annotation {
    /// Name of the Workflow: too long for a label value.
    pub const WORKFLOW: &str = "jobwright.dev/workflow";
    /// The step's structured id as a JSON path: `[{"name":"count"}]`.
    pub const STEP: &str = "jobwright.dev/step";
    /// Identity of the attempt: a hash of Workflow UID, run, step id and attempt.
    pub const ATTEMPT_KEY: &str = "jobwright.dev/attempt-key";
    /// On a child: what becomes of it once its parent has ended.
    pub const ON_PARENT_CLOSE: &str = "jobwright.dev/on-parent-close";
    /// Results of needs that were not stored yet when this Job was created.
    pub const CARRIED: &str = "jobwright.dev/carried-results";
    /// The TTL that a Job is to have once its result is stored, in seconds.
    pub const TTL: &str = "jobwright.dev/ttl-seconds-after-finished";
    /// When a snapshot was last taken up by a run, for the sweep.
    pub const LAST_USED: &str = "jobwright.dev/last-used";
}

pub mod variable {
    /// Input `top` is `INPUT_TOP`.
    pub const INPUT_PREFIX: &str = "INPUT_";
    pub const WORKFLOW: &str = "JOBWRIGHT_WORKFLOW";
    pub const RUN: &str = "JOBWRIGHT_RUN";
    pub const STEP: &str = "JOBWRIGHT_STEP";
    pub const ATTEMPT: &str = "JOBWRIGHT_ATTEMPT";
    pub const IDEMPOTENCY_KEY: &str = "JOBWRIGHT_IDEMPOTENCY_KEY";
    pub const TRACEPARENT: &str = "TRACEPARENT";
    /// Users may set none of these.
    pub const RESERVED_PREFIXES: [&str; 3] = ["INPUT_", "JOBWRIGHT_", "TRACEPARENT"];
}

/// Name of the container that runs the step.
pub const MAIN_CONTAINER: &str = "main";
