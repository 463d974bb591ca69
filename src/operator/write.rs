//! The status write of a run: one at a time, while looks go on.

use futures::StreamExt;
use jobwright_api::WorkflowStatus;

use crate::{
    apply::status::{self, Base},
    context::{Context, Wake},
    memory::OfRun,
    report,
    store::Key,
};

/// Last writes at the end, of all runs together.
const LAST_WRITES_MAX: usize = 32;

/// Writes the status of a Workflow, if one is due, and has it looked at again: what had to be stored
/// first may be done now.
pub async fn status(key: &Key, ctx: &Context) -> Wake {
    let Some(held) = ctx.stores.workflow(key) else {
        return Wake::OnChange;
    };
    let run = ctx.memory.run(key, &held.uid);
    let now = ctx.clock.monotonic();
    match run.outbox().due(now) {
        None => return Wake::OnChange,
        Some(due) if due > now => return Wake::After(due.saturating_sub(now)),
        Some(_) => {}
    }
    send(&run, held.version, ctx).await;
    ctx.looks.wake([key.clone()]);
    Wake::OnChange
}

async fn send(run: &OfRun, version: u64, ctx: &Context) {
    let Some(pending) = run.outbox().begin(version) else {
        return;
    };
    let started = ctx.clock.monotonic();
    let none = WorkflowStatus::default();
    let base = Base {
        key: &pending.base.key,
        version: pending.base.version,
        status: pending.stored().unwrap_or(&none),
    };
    let answer = status::workflow(&ctx.caller, &base, &pending.status).await;
    let now = ctx.clock.monotonic();
    ctx.metrics.stage("write", now.saturating_sub(started));
    let mut outbox = run.outbox();
    match answer {
        Ok(reply) => {
            let told = outbox.stored(&pending, now);
            if let Some(workflow) = reply {
                report::stored(&workflow, told, &mut outbox.events, ctx);
                ctx.stores.reply_workflow(workflow, now);
            }
        }
        Err(failure) => {
            tracing::warn!(run = %run.key, error = %failure, "status write failed");
            outbox.failed(&pending, &failure, now);
        }
    }
}

/// Writes all statuses that are not stored yet: the last thing before the end.
pub async fn flush(ctx: &Context) {
    futures::stream::iter(ctx.memory.all())
        .for_each_concurrent(LAST_WRITES_MAX, |run| async move {
            let held = ctx.stores.workflow(&run.key);
            let is_dirty = run.outbox().is_dirty();
            if let Some(held) = held.filter(|_| is_dirty) {
                send(&run, held.version, ctx).await;
            }
        })
        .await;
}
