//! The status write of a run: one at a time, while looks go on.

use futures::{FutureExt, StreamExt};
use jobwright_api::WorkflowStatus;
use std::panic::AssertUnwindSafe;

use crate::{
    apply::status::{self, Base},
    context::{Context, Wake},
    memory::OfRun,
    outbox::Pending,
    report,
    store::Key,
};

/// Last writes at the end, of all runs together.
const LAST_WRITES_MAX: usize = 32;

/// Writes the status of a Workflow, if one is due, and has it looked at again: what had to be stored
/// first may be done now. Never fails and never panics.
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
    // Whatever becomes of this future: the outbox does not wait for an answer that cannot come.
    let mut flight = Flight {
        run,
        pending: &pending,
        ctx,
        has_landed: false,
    };
    let started = ctx.clock.monotonic();
    let none = WorkflowStatus::default();
    let base = Base {
        key: &pending.base.key,
        version: pending.base.version,
        status: pending.stored().unwrap_or(&none),
    };
    let sending = AssertUnwindSafe(status::workflow(&ctx.caller, &base, &pending.status));
    let Ok(answer) = sending.catch_unwind().await else {
        tracing::error!(run = %run.key, "a status write failed inside the operator");
        return;
    };
    flight.has_landed = true;
    let now = ctx.clock.monotonic();
    ctx.metrics.stage("write", now.saturating_sub(started));
    match answer {
        Ok(Some(workflow)) => {
            let (held, concerned) = ctx.stores.reply_workflow(workflow.clone(), now);
            ctx.looks.wake(concerned);
            let mut outbox = run.outbox();
            let told = outbox.stored(&pending, Some(held), now);
            report::stored(&workflow, told, &mut outbox.events, ctx);
        }
        Ok(None) => drop(run.outbox().stored(&pending, None, now)),
        Err(failure) => {
            tracing::warn!(run = %run.key, error = %failure, "status write failed");
            run.outbox().failed(&pending, &failure, now);
        }
    }
}

/// A write on its way.
struct Flight<'a> {
    run: &'a OfRun,
    pending: &'a Pending,
    ctx: &'a Context,
    has_landed: bool,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if !self.has_landed {
            let now = self.ctx.clock.monotonic();
            self.run.outbox().abandoned(self.pending, now);
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
                if run.outbox().is_dirty() {
                    tracing::warn!(run = %run.key, "its last status is not written: the next start derives it again");
                }
            }
        })
        .await;
}
