//! The status in the making: every change of phase goes through here, so that each has its `seq`.

use jiff::Timestamp;
use jobwright_api::{
    Reason, StepPhase, StepStatus, SubStatus, WorkflowPhase, WorkflowStatus,
    status::{AttemptStatus, Attempts, Stop},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use crate::{
    decision::{Action, Decision, Subject, Transition, Write},
    frame::Frame,
    id::StepId,
    observed::Observed,
    text::{MESSAGE_BYTES_MAX, clip},
};

/// Why a step is where it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cause {
    pub(crate) reason: Option<Reason>,
    pub(crate) message: Option<String>,
}

impl Cause {
    pub(crate) fn new(reason: Reason, message: &str) -> Self {
        Self {
            reason: Some(reason),
            message: (!message.is_empty()).then(|| clip(message, MESSAGE_BYTES_MAX)),
        }
    }
}

/// A decision while it is being made.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    observed: &'a Observed<'a>,
    pub(crate) status: WorkflowStatus,
    transitions: Vec<Transition>,
    actions: Vec<Action>,
    write: Write,
    wake_at: Option<Timestamp>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(observed: &'a Observed<'a>) -> Self {
        Self {
            observed,
            status: observed.pending.clone(),
            transitions: Vec::new(),
            actions: Vec::new(),
            write: Write::Nothing,
            wake_at: None,
        }
    }

    pub(crate) fn now(&self) -> MicroTime {
        MicroTime(self.observed.now)
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// What this look wanted to start is not wanted any more.
    pub(crate) fn take_back_start(&mut self, attempt: &str) {
        self.actions
            .retain(|action| !matches!(action, Action::StartJob { name, .. } | Action::StartChild { name, .. } if name == attempt));
    }

    /// The run ends: nothing that this look wanted to start is wanted any more.
    pub(crate) fn take_back_starts(&mut self) {
        self.actions.retain(|action| !matches!(action, Action::StartJob { .. }));
    }

    /// The same of a request.
    pub(crate) fn take_back_request(&mut self, attempt: &str) {
        self.actions.retain(|action| {
            !matches!(action, Action::AdmitRequest { key, .. } | Action::SendRequest { key, .. } if key == attempt)
        });
    }

    pub(crate) const fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// Something waits until the status is stored.
    pub(crate) fn write_now(&mut self) {
        self.write = Write::Now;
    }

    /// Look again at `at` at the latest.
    pub(crate) fn wake(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// More could be done now, but others are to have their turn first.
    pub(crate) fn wake_soon(&mut self) {
        let soon = self.observed.now.saturating_add(jiff::SignedDuration::from_millis(1));
        self.wake(soon.unwrap_or(Timestamp::MAX));
    }

    pub(crate) fn step(&self, key: &str) -> Option<&StepStatus> {
        self.status.steps.get(key)
    }

    /// The entries whose key begins so.
    pub(crate) fn below(&self, prefix: String) -> impl Iterator<Item = (&String, &StepStatus)> + use<'_, 'a> {
        let steps = self.status.steps.range(prefix.clone()..);
        steps.take_while(move |(key, _)| key.starts_with(&prefix))
    }

    pub(crate) fn phase_of(&self, key: &str) -> StepPhase {
        self.step(key).map_or(StepPhase::Pending, |step| step.phase)
    }

    /// Changes what is beside the phase of a step.
    pub(crate) fn edit(&mut self, key: &str, change: impl FnOnce(&mut StepStatus)) {
        if let Some(step) = self.status.steps.get_mut(key) {
            change(step);
        }
    }

    pub(crate) fn edit_attempt(&mut self, key: &str, change: impl FnOnce(&mut AttemptStatus)) {
        self.edit(key, |step| {
            if let Some(attempt) = step.attempts.recent.last_mut() {
                change(attempt);
            }
        });
    }

    /// Moves a step to another phase. Nothing happens where it is there already, or has ended.
    pub(crate) fn move_step(&mut self, key: &str, to: StepPhase, cause: Cause) {
        let now = self.now();
        let seq = self.status.seq.saturating_add(1);
        let Some(step) = self.status.steps.get_mut(key) else {
            return;
        };
        if step.phase == to || step.phase.is_terminal() {
            return;
        }
        let from = std::mem::replace(&mut step.phase, to);
        step.seq = seq;
        step.sub_status = None;
        step.next_attempt_at = None;
        step.reason.clone_from(&cause.reason);
        step.message.clone_from(&cause.message);
        if to.is_terminal() {
            step.finished_at = Some(now);
        }
        self.status.seq = seq;
        self.transitions.push(Transition {
            seq,
            subject: Subject::Step {
                id: key.to_owned(),
                owner: step.owner.clone(),
                attempt: step.attempts.count,
                from,
                to,
            },
            reason: cause.reason,
            message: cause.message,
        });
    }

    /// Moves the run to another phase. Never to a lower rank within a run.
    pub(crate) fn move_run(&mut self, to: WorkflowPhase, cause: Cause) {
        let from = self.status.phase;
        if from == Some(to) || from.is_some_and(|from| from.rank() > to.rank() || from.is_terminal()) {
            return;
        }
        self.status.seq = self.status.seq.saturating_add(1);
        self.status.phase = Some(to);
        self.status.reason.clone_from(&cause.reason);
        self.status.message.clone_from(&cause.message);
        self.status.sub_status = None;
        self.transitions.push(Transition {
            seq: self.status.seq,
            subject: Subject::Workflow { from, to },
            reason: cause.reason,
            message: cause.message,
        });
    }

    /// The steps of a frame come into the status.
    pub(crate) fn open_frame(&mut self, frame: &Frame<'_>) {
        for instance in frame.instances() {
            let definition = instance.definition();
            let step = StepStatus {
                path: instance.id().path().to_vec(),
                kind: definition.kind.word().to_owned(),
                phase: StepPhase::Pending,
                owner: definition.owner.clone(),
                ..StepStatus::default()
            };
            self.status.steps.entry(instance.key().to_owned()).or_insert(step);
        }
    }

    /// A Job of this step was seen: it counts as started.
    pub(crate) fn open_attempt(&mut self, id: &StepId, attempt: AttemptStatus) {
        let key = id.to_string();
        let now = self.now();
        self.edit(&key, |step| {
            step.attempts.count = attempt.number;
            step.attempts.recent.push(attempt);
            let surplus = step.attempts.recent.len().saturating_sub(Attempts::RECENT_MAX);
            step.attempts.recent.drain(..surplus);
            step.scheduled_at.get_or_insert(now);
            step.queued_at = None;
        });
        self.move_step(&key, StepPhase::Scheduled, Cause::default());
    }

    /// Records that the running attempt is to be stopped. The Job is deleted once this is stored.
    pub(crate) fn stop_attempt(&mut self, key: &str, stop: Stop) {
        self.edit_attempt(key, |attempt| {
            attempt.stop.get_or_insert(stop);
        });
        self.edit(key, |step| step.sub_status = Some(SubStatus::Stopping));
        self.write_now();
    }

    /// Records why the steps below this one are to be stopped, if it has any. The first reason stays.
    pub(crate) fn stop_below(&mut self, key: &str, stop: &Stop) {
        let is_open = |step: &&StepStatus| step.stop.is_none() && step.phase.is_started() && step.attempts.is_none();
        if self.step(key).as_ref().is_some_and(is_open) {
            self.edit(key, |step| step.stop = Some(stop.clone()));
            self.write_now();
        }
    }

    pub(crate) fn finish(self) -> Decision {
        let stored = self.observed.stored;
        let write = if self.status == *stored {
            Write::Nothing
        } else if self.status.phase == stored.phase && self.status.run == stored.run {
            self.write.max(Write::Soon)
        } else {
            // The begin and the end of a run, and each step between them, is news for people.
            Write::Now
        };
        Decision {
            status: self.status,
            transitions: self.transitions,
            actions: self.actions,
            write,
            wake_at: self.wake_at,
        }
    }
}
