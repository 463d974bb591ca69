//! What has to come out, and what hangs on the order of events.

use jobwright_api::{Reason, StepPhase, WorkflowPhase};
use std::collections::{BTreeMap, BTreeSet};

use super::Values;
use crate::graphs::place;

/// Which way each race went. Steps are named by their printed ids.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    /// Steps that something kept from starting: a failure or an end around them, a join that needs them no more.
    pub cut: BTreeSet<String>,
    /// Steps that something stopped.
    pub cancelled: BTreeMap<String, Cancelled>,
    /// Names of the steps that a step did not see, since they had not ended when it began.
    pub unseen: BTreeMap<String, Vec<String>>,
    /// Forks: how far they came, and how they ended.
    pub forks: BTreeMap<String, ForkEnd>,
    /// In which order steps came to where they are.
    pub order: BTreeMap<String, u64>,
    /// The step that ended the run.
    pub exit: Option<String>,
    /// What is recorded of attempts whose pod went away, and may or may not have been read before:
    /// by step and attempt; none is success.
    pub recorded: BTreeMap<(String, u32), Option<Reason>>,
    /// Attempts that nobody saw running before the cluster ended them.
    pub unstarted: BTreeSet<(String, u32)>,
}

/// How far a step came that was stopped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cancelled {
    pub attempts: u32,
    /// Of a loop that was stopped between two iterations: how many have ended.
    pub iterations: Option<u32>,
}

#[derive(Clone, Debug, Default)]
pub struct ForkEnd {
    pub opened: u32,
    pub phase: StepPhase,
    pub reason: Option<Reason>,
}

/// What has to come out for a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub phase: StepPhase,
    pub reason: Option<Reason>,
    /// Jobs that came to be.
    pub attempts: u32,
    /// Of the program that failed last.
    pub exit_code: Option<i32>,
    pub outputs: Values,
    /// What its containers or its block get, where it comes to that.
    pub inputs: Option<Values>,
    /// What ended each attempt: None is success.
    pub causes: Vec<Option<Reason>>,
    /// Of a choice that was made.
    pub selected: Option<String>,
    /// Of a loop: those that have ended well.
    pub iterations: u32,
    /// Of a fork that has begun: its items, those that never began too.
    pub items: Option<Vec<Item>>,
    /// A program in it runs until something around it stops it.
    pub hangs: bool,
}

/// What has become of an item, and what it gives; no phase where it never began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    pub phase: Option<StepPhase>,
    pub outputs: Option<Values>,
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
    /// Steps that the witness says were kept from starting, broken off or stopped, and that would have gone on; and
    /// whether that takes a stop: a failure beside them does not stop what runs.
    pub gave_way: Vec<(String, bool)>,
    /// Passes through a body, such as `o[0].`, in which a step failed that lets nothing new start.
    pub failing: BTreeSet<String>,
    /// Steps that stop what is below them: by a time limit, or as forks that have seen enough.
    pub stopped: BTreeSet<String>,
    /// Steps that a join needs no more, if they run.
    pub superfluous: BTreeSet<String>,
    /// What the witness says and cannot be, in words.
    pub impossible: Vec<String>,
    /// The run's time runs out.
    pub is_timed_out: bool,
    /// A step has ended the run.
    pub is_exited: bool,
}

impl Verdicts {
    /// Whether something around a step can have kept it from starting, or broken it off.
    #[must_use]
    pub fn may_be_cut(&self, id: &str) -> bool {
        let mut failing = self.failing.iter();
        let is_failing = failing.any(|frame| id.starts_with(frame) && !place::is_handled(id, frame));
        is_failing || self.may_be_stopped(id)
    }

    /// Whether something can have stopped it while it ran.
    #[must_use]
    pub fn may_be_stopped(&self, id: &str) -> bool {
        let is_stopped = self.stopped.iter().any(|above| place::is_below(id, above));
        let mut joined = self.superfluous.iter();
        let is_joined = joined.any(|need| id == need || place::is_below(id, need));
        let follows_end = [place::ON_FAILURE, place::ON_EXIT]
            .iter()
            .any(|handler| id == *handler || place::is_below(id, handler));
        is_stopped || is_joined || ((self.is_timed_out || self.is_exited) && !follows_end)
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
        exit_code: None,
        outputs: Values::new(),
        inputs: None,
        causes: Vec::new(),
        selected: None,
        iterations: 0,
        items: None,
        hangs: false,
    }
}
