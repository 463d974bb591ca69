//! Objects that cannot be read, or that the operator fails on: each stops only itself.

use jobwright_api::Reason;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use std::{any::Any, time::Duration};

use crate::{
    apply,
    context::{Context, Wake},
    memory::{Entry, OfRun, Quarantine},
    reconcile::Error,
    store::HeldWorkflow,
};

/// Failures in a row after which an object is left alone.
const FAILURES_MAX: u32 = 3;
/// How long it is left alone, if it is not changed before.
const QUARANTINE: Duration = Duration::from_secs(600);

/// Until when an object is left alone, if it is.
pub(crate) fn holds(memory: &mut Entry, held: &HeldWorkflow, ctx: &Context) -> Option<Duration> {
    let quarantine = memory.quarantine.as_ref()?;
    let is_over = quarantine.until <= ctx.clock.monotonic() || quarantine.generation != generation(held);
    if is_over {
        memory.quarantine = None;
        memory.failures = 0;
        return None;
    }
    Some(quarantine.until)
}

/// Remembers a failure of the operator; the third in a row puts the object aside, with a condition.
pub(crate) async fn failed(run: &OfRun, memory: &mut Entry, held: &HeldWorkflow, error: &Error, ctx: &Context) -> Wake {
    memory.failures = memory.failures.saturating_add(1);
    run.outbox().discard();
    ctx.metrics.reconcile_failures.inc();
    tracing::error!(run = %held.key, failures = memory.failures, %error, "reconcile failed");
    if memory.failures < FAILURES_MAX {
        return Wake::After(Duration::from_secs(1 << memory.failures.min(6)));
    }
    memory.quarantine = Some(Quarantine {
        generation: generation(held),
        until: ctx.clock.monotonic() + QUARANTINE,
    });
    let message = format!(
        "the operator failed on it {FAILURES_MAX} times in a row and leaves it alone until it changes, or for 10 minutes: {error}"
    );
    stall(held, Reason::Quarantined, &message, ctx).await;
    Wake::After(QUARANTINE)
}

/// Says on an object that it cannot be read. Once per generation.
pub(crate) async fn malformed(memory: &mut Entry, held: &HeldWorkflow, ctx: &Context) -> Wake {
    let Err(invalid) = held.value.as_ref() else {
        return Wake::OnChange;
    };
    let generation = generation(held);
    if memory.malformed == Some(generation) {
        return Wake::OnChange;
    }
    let message = format!(
        "this Workflow cannot be read: {}; correct the field, or delete and create it again",
        invalid.error
    );
    if stall(held, Reason::InvalidDefinition, &message, ctx).await {
        memory.malformed = Some(generation);
        return Wake::OnChange;
    }
    Wake::After(Duration::from_secs(60))
}

/// The text of a panic.
pub(crate) fn words(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without words".to_owned())
}

async fn stall(held: &HeldWorkflow, reason: Reason, message: &str, ctx: &Context) -> bool {
    let condition = |kind: &str, status: &str| Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_string(),
        message: message.chars().take(1024).collect(),
        observed_generation: Some(generation(held)),
        last_transition_time: Time(ctx.clock.now()),
    };
    let conditions = [
        condition("Ready", "False"),
        condition("Reconciling", "False"),
        condition("Stalled", "True"),
    ];
    let written = apply::status::conditions(&ctx.caller, &held.key, &held.uid, &conditions).await;
    if let Err(error) = &written {
        tracing::warn!(run = %held.key, %error, "condition not written");
    }
    written.is_ok()
}

fn generation(held: &HeldWorkflow) -> i64 {
    let metadata = match held.value.as_ref() {
        Ok(workflow) => &workflow.metadata,
        Err(invalid) => &invalid.metadata,
    };
    metadata.generation.unwrap_or_default()
}
