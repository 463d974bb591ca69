//! Phases of runs, steps and attempts, and their order.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::schema;

/// Where a Workflow stands. Within one `status.run` a phase never goes back to a lower rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WorkflowPhase {
    /// Accepted; waits for a definition it refers to, or for its first step.
    #[default]
    Pending,
    Queued,
    Running,
    /// Nothing new starts; what runs goes on and is recorded.
    Suspended,
    Cancelling,
    /// Jobs are being stopped; ended once their pods are gone.
    Terminating,
    Succeeded,
    Failed,
    Cancelled,
    Terminated,
    /// A phase that only a newer version knows: neither started anew nor taken as ended.
    #[serde(other)]
    Unknown,
}

impl WorkflowPhase {
    /// Moves to a lower rank are never made within a run.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Queued => 1,
            Self::Running | Self::Suspended | Self::Unknown => 2,
            Self::Cancelling | Self::Terminating => 3,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Terminated => 4,
        }
    }

    #[must_use]
    pub const fn is_terminal(self) -> bool {
        self.rank() == 4
    }
}

/// Where a step stands. Terminal phases never change within one `status.run`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StepPhase {
    /// Waits for its needs.
    #[default]
    Pending,
    /// May start, but a limit or the cluster does not let it yet.
    Queued,
    /// Waits for the delay before its next attempt.
    BackingOff,
    /// Its Job exists; no container runs yet.
    Scheduled,
    Running,
    Succeeded,
    Failed,
    /// Its `when` was false.
    Skipped,
    /// Stopped while it ran, or before it could.
    Cancelled,
    /// Never started, since a step it needs did not succeed or the run ended.
    Omitted,
    /// A phase that only a newer version knows: a Job of it may exist.
    #[serde(other)]
    Unknown,
}

impl StepPhase {
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Skipped | Self::Cancelled | Self::Omitted
        )
    }

    /// A Job of this step may exist and must not be forgotten.
    #[must_use]
    pub const fn is_started(self) -> bool {
        matches!(self, Self::Scheduled | Self::Running | Self::Unknown)
    }
}

impl fmt::Display for WorkflowPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for StepPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

schema::words!(WorkflowPhase, StepPhase);
