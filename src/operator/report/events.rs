//! Kubernetes events: what a person wants to see in `kubectl describe`, and no more.
//!
//! Of a run: that it began, was suspended, and how it ended. Of a step: that it failed, was
//! cancelled, or waits for its next attempt. Success of a step is in the status: an event for each
//! would double the writes. At most [`STEP_EVENTS_MAX`] events of steps per run.

use jobwright_api::{StepPhase, Workflow, WorkflowPhase};
use jobwright_engine::decision::{Subject, Transition};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client, Resource,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use std::time::Duration;
use tokio::{sync::mpsc, time::timeout};

use crate::context::Context;
use jobwright_api::meta::FIELD_MANAGER;

/// Events of steps per run. Whoever has read fifty looks at the status.
const STEP_EVENTS_MAX: u32 = 50;
/// Events that wait to be published. More than that is a flood: dropped and counted.
const QUEUE_MAX: usize = 1024;

/// One event without answer must not hold up all that follow.
const TIMEOUT: Duration = Duration::from_secs(5);

type Message = (Event, ObjectReference);

/// Where events are handed over. Publishing never holds up a run.
#[derive(Clone)]
pub struct Events {
    queue: Option<mpsc::Sender<Message>>,
}

/// Publishes what was handed over.
pub struct Publisher {
    queue: mpsc::Receiver<Message>,
}

impl Events {
    /// Events that go nowhere, for tests and the simulator.
    #[must_use]
    pub fn none() -> Self {
        Self { queue: None }
    }

    /// A queue and its other end.
    #[must_use]
    pub fn queue() -> (Self, Publisher) {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        let events = Self { queue: Some(sender) };
        (events, Publisher { queue })
    }

    pub(crate) fn send(&self, event: Event, about: &Workflow, ctx: &Context) {
        let Some(queue) = &self.queue else { return };
        if queue.try_send((event, about.object_ref(&()))).is_err() {
            ctx.metrics.events_dropped.inc();
        }
    }
}

impl Publisher {
    /// Publishes until the other end is dropped.
    pub async fn run(mut self, client: Client, instance: Option<String>) {
        let reporter = Reporter {
            controller: FIELD_MANAGER.to_owned(),
            instance,
        };
        // One for all: it merges repeats.
        let recorder = Recorder::new(client, reporter);
        while let Some((event, about)) = self.queue.recv().await {
            match timeout(TIMEOUT, recorder.publish(&event, &about)).await {
                Ok(Ok(())) => {}
                // A namespace that is being deleted takes no events: nothing to be done.
                Ok(Err(error)) => tracing::debug!(%error, "event not published"),
                Err(_) => tracing::debug!("event not published: no answer"),
            }
        }
    }
}

/// The event of a transition, if people need one.
pub(crate) fn event(transition: &Transition, step_events: &mut u32) -> Option<Event> {
    let (kind, reason, words) = match &transition.subject {
        Subject::Workflow { from, to } => run(*from, *to)?,
        Subject::Step {
            id,
            owner,
            attempt,
            from: _,
            to,
        } => {
            let words = step(*to)?;
            *step_events = step_events.saturating_add(1);
            if *step_events > STEP_EVENTS_MAX {
                return None;
            }
            let owner = owner.as_deref().map(|owner| format!(" (owner: {owner})"));
            let text = format!("step {id}, attempt {attempt}{}", owner.unwrap_or_default());
            (words.0, words.1, text)
        }
    };
    let why = transition.reason.as_ref().map(ToString::to_string);
    let parts = [Some(words), why, transition.message.clone()];
    let note: Vec<String> = parts.into_iter().flatten().filter(|p| !p.is_empty()).collect();
    Some(Event {
        type_: kind,
        reason: reason.to_owned(),
        // The API server takes 1024 bytes; a character is four at most.
        note: Some(note.join(": ").chars().take(256).collect()),
        action: reason.to_owned(),
        secondary: None,
    })
}

fn run(from: Option<WorkflowPhase>, to: WorkflowPhase) -> Option<(EventType, &'static str, String)> {
    let (kind, reason) = match to {
        WorkflowPhase::Pending | WorkflowPhase::Unknown => return None,
        WorkflowPhase::Queued => (EventType::Normal, "Queued"),
        WorkflowPhase::Running if from == Some(WorkflowPhase::Suspended) => (EventType::Normal, "Resumed"),
        WorkflowPhase::Running => (EventType::Normal, "Started"),
        WorkflowPhase::Suspended => (EventType::Normal, "Suspended"),
        WorkflowPhase::Cancelling => (EventType::Warning, "Cancelling"),
        WorkflowPhase::Terminating => (EventType::Warning, "Terminating"),
        WorkflowPhase::Succeeded => (EventType::Normal, "Succeeded"),
        WorkflowPhase::Failed => (EventType::Warning, "Failed"),
        WorkflowPhase::Cancelled => (EventType::Warning, "Cancelled"),
        WorkflowPhase::Terminated => (EventType::Warning, "Terminated"),
    };
    Some((kind, reason, format!("the run is {to}")))
}

fn step(to: StepPhase) -> Option<(EventType, &'static str)> {
    match to {
        StepPhase::Failed => Some((EventType::Warning, "StepFailed")),
        StepPhase::Cancelled => Some((EventType::Warning, "StepCancelled")),
        StepPhase::BackingOff => Some((EventType::Warning, "StepRetrying")),
        StepPhase::Pending
        | StepPhase::Queued
        | StepPhase::Scheduled
        | StepPhase::Running
        | StepPhase::Succeeded
        | StepPhase::Skipped
        | StepPhase::Omitted
        | StepPhase::Unknown => None,
    }
}
