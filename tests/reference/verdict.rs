//! What has to come out, and what hangs on the order of events.

use jobwright_api::{Reason, StepPhase, WorkflowPhase};
use std::collections::{BTreeMap, BTreeSet};

use super::Values;
use crate::graphs::place;

/// Which way each race went. Steps are named by their printed ids.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    /// Steps that a failure or an end around them kept from starting.
    pub cut: BTreeSet<String>,
    /// Waits and loops that a failure or an end around them broke off, loops after so many iterations.
    pub broken_off: BTreeMap<String, u32>,
    /// What is recorded of attempts whose pod went away, and may or may not have been read before:
    /// by step and attempt; none is success.
    pub recorded: BTreeMap<(String, u32), Option<Reason>>,
    /// Attempts that nobody saw running before the cluster ended them.
    pub unstarted: BTreeSet<(String, u32)>,
}

/// What has to come out for a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub phase: StepPhase,
    pub reason: Option<Reason>,
    /// Jobs that came to be.
    pub attempts: u32,
    pub outputs: Values,
    /// What its containers or its block get, where it comes to that.
    pub inputs: Option<Values>,
    /// What ended each attempt: None is success.
    pub causes: Vec<Option<Reason>>,
    /// Of a choice that was made.
    pub selected: Option<String>,
    /// Of a loop: those that have ended well.
    pub iterations: u32,
    /// A program in it runs until something around it stops it.
    pub hangs: bool,
}

/// What has to come out for the run.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// By printed id: each step that must have come into being.
    pub steps: BTreeMap<String, Verdict>,
    pub phase: WorkflowPhase,
    pub reason: Option<Reason>,
    pub outputs: Values,
    pub loop_counts: BTreeMap<String, u64>,
    /// Steps whose needs are done.
    pub met: BTreeSet<String>,
    /// Passes through a body, such as `o[0].`, in which a step failed that lets nothing new start.
    pub failing: BTreeSet<String>,
    /// Steps whose time limit stops what is below them.
    pub stopped: BTreeSet<String>,
    /// The run's time runs out.
    pub is_timed_out: bool,
}

impl Verdicts {
    /// Whether something around a step can have kept it from starting, or broken it off.
    #[must_use]
    pub fn may_be_cut(&self, id: &str) -> bool {
        let is_failing = self.failing.iter().any(|frame| id.starts_with(frame));
        let is_stopped = self.stopped.iter().any(|above| place::is_below(id, above));
        is_failing || is_stopped || self.is_timed_out
    }
}

pub(super) fn failed(reason: Reason) -> Verdict {
    ended(StepPhase::Failed, Some(reason))
}

pub(super) fn cancelled() -> Verdict {
    ended(StepPhase::Cancelled, Some(Reason::Stopped))
}

pub(super) fn ended(phase: StepPhase, reason: Option<Reason>) -> Verdict {
    Verdict {
        phase,
        reason,
        attempts: 0,
        outputs: Values::new(),
        inputs: None,
        causes: Vec::new(),
        selected: None,
        iterations: 0,
        hangs: false,
    }
}
