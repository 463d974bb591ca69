//! What happens to one attempt.

use serde_json::Value;
use std::collections::BTreeMap;

/// The fate of an attempt's Job. Spans are in milliseconds.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The container starts, runs, says something and exits.
    Exit {
        code: i32,
        start_ms: u64,
        run_ms: u64,
        said: Said,
    },
    OomKilled {
        start_ms: u64,
        run_ms: u64,
    },
    /// Node pressure: the kubelet fails the pod.
    Evicted {
        run_ms: u64,
    },
    /// Eviction by the API: the pod is deleted, the program stops within its grace period with this exit code.
    Drained {
        run_ms: u64,
        exit: i32,
    },
    Preempted {
        run_ms: u64,
        exit: i32,
    },
    NodeLost {
        run_ms: u64,
    },
    /// Somebody deletes the pod; the program stops with this exit code.
    PodDeleted {
        run_ms: u64,
        exit: i32,
    },
    /// Somebody deletes the Job, and its pod with it.
    JobDeleted {
        run_ms: u64,
        exit: i32,
    },
    /// Somebody sets `suspend` on the Job.
    JobSuspended {
        run_ms: u64,
        exit: i32,
    },
    /// No container ever runs.
    NeverStarts(Stuck),
    /// Runs until it is stopped, then exits with this code.
    Forever {
        start_ms: u64,
        exit: i32,
    },
    /// The API server will not have this Job.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    Unschedulable,
    ImagePull,
    /// A quota of pods: no pod is made.
    NoPod,
}

/// The termination message.
#[derive(Clone, Debug)]
pub enum Said {
    Nothing,
    /// A JSON object.
    Values(BTreeMap<String, Value>),
    /// Never a JSON object.
    Text(String),
}

impl Said {
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Values(values) => serde_json::to_string(values).unwrap(),
            Self::Text(text) => text.clone(),
        }
    }
}
