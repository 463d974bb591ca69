//! Why something is as it is: one closed set of words for status, events and metrics.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::schema;

/// Why a step, an attempt or a run ended, or why a definition was refused.
///
/// A word that this version does not know, written by a newer one, is kept as `Other`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    // The program's own: spend `retry.maxAttempts`.
    ExitCode,
    OOMKilled,
    DeadlineExceeded,
    OutputInvalid,
    /// No connection, or it was closed before the whole answer came.
    ConnectionFailed,
    /// The receiver cannot answer now: 429, 502, 503 or 504.
    Unavailable,
    /// A header names a Secret that cannot be read.
    SecretMissing,
    // The platform's: spend a budget of their own.
    Evicted,
    Preempted,
    NodeLost,
    /// The pod or Job was deleted or suspended by someone else while it ran.
    Interrupted,
    // Neither: never tried again.
    /// The Job or pod vanished before its result was read.
    ResultLost,
    /// The API server refuses the Job for good; the message has its words.
    Refused,
    /// A Job or record of somebody else has the name of ours.
    NameTaken,
    InvalidInput,
    ExpressionError,
    TooLarge,
    /// The answer has a status that was not expected, or `expect` is false.
    UnexpectedResponse,
    /// The answer cannot be read.
    ResponseInvalid,
    /// The address guard does not let a request go there.
    AddressRefused,
    // Of steps and runs.
    StepFailed,
    NeedNotMet,
    WhenFalse,
    /// A loop has used up its iterations.
    MaxIterations,
    /// An `exit` step has ended the run.
    Exited,
    /// More items of a fork have failed than may.
    ItemsFailed,
    /// An item has met `stopWhen`: the others are not needed.
    StopWhen,
    /// So many needs of a join count that the others are not needed.
    JoinMet,
    /// The Workflow that the step runs has ended otherwise than `Succeeded`: the message has its words.
    ChildFailed,
    /// The step of another Workflow that this one runs for has ended, or does not want it any more.
    ParentClosed,
    /// A step refers to a block that is not there.
    UnknownBlock,
    Stopped,
    // Of definitions.
    InvalidDefinition,
    Cycle,
    UnknownNeed,
    NotUpstream,
    DuplicateName,
    TaskNotFound,
    /// The step does not fit the Task that it names: mending either helps.
    TaskMismatch,
    TemplateNotFound,
    /// The inputs do not fit the template that they are for: mending either helps.
    TemplateMismatch,
    /// The pod of a Task would be refused.
    PodRefused,
    /// Reconciling it failed three times in a row for a reason inside the operator.
    Quarantined,
    #[serde(untagged)]
    Other(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(word) => f.write_str(word),
            known => fmt::Debug::fmt(known, f),
        }
    }
}

/// Why something waits: one `PascalCase` word beside the phase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SubStatus {
    TaskNotFound,
    TemplateNotFound,
    Unschedulable,
    ImagePull,
    /// A Secret, `ConfigMap` or volume that the pod refers to is missing.
    ConfigMissing,
    QuotaBlocked,
    /// Pod Security, a webhook or the lack of a service account keeps the pod from being made.
    PodRefused,
    /// The API server asks to slow down or is not there.
    ApiUnavailable,
    /// Requests to this endpoint have failed too often in a row: it is left alone for a while.
    BreakerOpen,
    /// The rate limit of this endpoint is used up.
    RateLimited,
    /// As many requests as may be are on their way.
    RequestsBusy,
    Stopping,
    #[serde(untagged)]
    Other(String),
}

impl fmt::Display for SubStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(word) => f.write_str(word),
            known => fmt::Debug::fmt(known, f),
        }
    }
}

schema::words!(Reason, SubStatus);
