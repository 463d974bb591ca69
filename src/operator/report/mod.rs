//! What is told to people and machines: events, metrics, one log line per transition.
//!
//! Only of what is stored: nothing is announced that was not written.

pub mod events;
pub mod metrics;

use jobwright_api::{StepPhase, Workflow};
use jobwright_engine::decision::{Subject, Transition};

use crate::{context::Context, store::Key};
use metrics::{Ended, Phase};

/// Tells of the transitions that a status write has stored. Counts the events of steps.
pub fn stored(workflow: &Workflow, transitions: Vec<Transition>, events: &mut u32, ctx: &Context) {
    let run = Key::of(&workflow.metadata);
    for transition in transitions {
        count(&transition, ctx);
        log(&transition, &run);
        if let Some(event) = events::event(&transition, events) {
            ctx.events.send(event, workflow, ctx);
        }
    }
}

fn count(transition: &Transition, ctx: &Context) {
    match &transition.subject {
        Subject::Workflow { from: _, to } => {
            let phase = to.to_string();
            let counter = &ctx.metrics.workflow_transitions;
            counter.get_or_create(&Phase { phase }).inc();
        }
        Subject::Step { to, .. } if to.is_terminal() => {
            let reason = transition.reason.as_ref().map(ToString::to_string);
            let ended = Ended {
                phase: to.to_string(),
                reason: reason.unwrap_or_default(),
            };
            ctx.metrics.steps_finished.get_or_create(&ended).inc();
        }
        Subject::Step { .. } => {}
    }
}

fn log(transition: &Transition, run: &Key) {
    let seq = transition.seq;
    let reason = transition.reason.as_ref().map(tracing::field::display);
    let message = transition.message.as_deref();
    match &transition.subject {
        Subject::Workflow { from: _, to } => {
            tracing::info!(%run, seq, phase = %to, reason, detail = message, "workflow");
        }
        Subject::Step {
            id,
            owner: _,
            attempt,
            from: _,
            to,
        } => {
            if *to == StepPhase::Failed {
                tracing::warn!(%run, seq, step = id, attempt, phase = %to, reason, detail = message, "step");
            } else {
                tracing::info!(%run, seq, step = id, attempt, phase = %to, reason, detail = message, "step");
            }
        }
    }
}
