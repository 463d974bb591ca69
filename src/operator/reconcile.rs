//! One look at one Workflow: gather, decide, apply, until nothing is left to do. What was decided goes
//! to the outbox; its write (`write.rs`) holds up no look.

use futures::FutureExt;
use jobwright_api::{Workflow, WorkflowStatus};
use jobwright_engine::{decide::decide, decision::Decision};
use std::{panic::AssertUnwindSafe, time::Duration};

use crate::{
    apply::{self, classify::Failure},
    context::{Context, Wake},
    gather::gather,
    memory::{Entry, OfRun},
    quarantine, report,
    store::{BadSnapshot, HeldWorkflow, Key},
};

/// Looks at one run before it lets others go first. A look creates up to a batch of Jobs.
const ROUNDS_MAX: u32 = 16;
/// A wall clock may jump: a far deadline is looked at again after this long, without any request.
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(600);

/// Why a look at a Workflow failed for a reason inside the operator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Snapshot(#[from] BadSnapshot),
    #[error("the status was refused: {0}")]
    Status(Failure),
    #[error("panic: {0}")]
    Panic(String),
}

/// Looks at a Workflow. Never fails and never panics: what goes wrong is remembered for this
/// object alone, with a pause that grows.
pub async fn workflow(key: &Key, ctx: &Context) -> Wake {
    if !ctx.stores.is_ready() || ctx.is_stopping() {
        return Wake::OnChange; // the end of the last list wakes all
    }
    let Some(held) = ctx.stores.workflow(key) else {
        return Wake::OnChange;
    };
    let run = ctx.memory.run(key, &held.uid);
    let mut memory = run.look().await;
    if let Some(until) = quarantine::holds(&mut memory, &held, ctx) {
        return Wake::at(ctx.clock.monotonic(), [Some(until)]);
    }
    let rounds = AssertUnwindSafe(Box::pin(rounds(&run, &mut memory, ctx)));
    let outcome = rounds
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| Err(Error::Panic(quarantine::words(panic.as_ref()))));
    match outcome {
        Ok(wake) => {
            if !run.outbox().is_dirty() {
                memory.failures = 0; // it is well only once it is stored
            }
            wake
        }
        Err(error) => quarantine::failed(&run, &mut memory, &held, &error, ctx).await,
    }
}

async fn rounds(run: &OfRun, memory: &mut Entry, ctx: &Context) -> Result<Wake, Error> {
    for _ in 0..ROUNDS_MAX {
        let Some(held) = ctx.stores.workflow(&run.key) else {
            return Ok(Wake::OnChange);
        };
        if let Some(refused) = run.outbox().take_refused() {
            return Err(Error::Status(refused));
        }
        let Ok(workflow) = held.value.as_ref() else {
            return Ok(quarantine::malformed(memory, &held, ctx).await);
        };
        let now = ctx.clock.monotonic();
        let barred = run.outbox().is_barred(held.version, now);
        if let Some(rest) = barred {
            let due = run.outbox().due(now);
            schedule_write(run, due, now, ctx);
            return Ok(Wake::After(rest));
        }
        if let Some(wake) = round(&held, workflow, run, memory, ctx).await? {
            return Ok(wake);
        }
        if ctx.is_stopping() {
            break;
        }
    }
    Ok(Wake::After(Duration::ZERO))
}

/// None if something has come of it: then there is more to decide at once.
async fn round(
    held: &HeldWorkflow,
    workflow: &Workflow,
    run: &OfRun,
    memory: &mut Entry,
    ctx: &Context,
) -> Result<Option<Wake>, Error> {
    let (mut decision, expiry) = look(held, workflow, run, memory, ctx)?;
    let decided_at = ctx.clock.monotonic();
    let due = {
        let mut outbox = run.outbox();
        let told = outbox.decided(held, &mut decision, decided_at);
        report::stored(workflow, told, &mut outbox.events, ctx);
        outbox.due_at_last(decided_at)
    };
    let Decision { actions, wake_at, .. } = decision;
    if !actions.is_empty() {
        schedule_write(run, due, decided_at, ctx);
    }
    let applied = apply::all(actions, &held.key, &held.uid, memory, ctx).await;
    let now = ctx.clock.monotonic();
    ctx.metrics.stage("apply", now.saturating_sub(decided_at));
    if applied.progressed {
        return Ok(None);
    }
    let now = ctx.clock.monotonic();
    memory.pauses.prune(now);
    let wall = ctx.clock.now();
    let deadline = wake_at.map(|at| {
        let rest = at.duration_since(wall).unsigned_abs();
        let rest = if at <= wall { Duration::ZERO } else { rest };
        now + rest.min(LOOK_AGAIN_MAX)
    });
    let due = run.outbox().due(now);
    schedule_write(run, due, now, ctx);
    let wake = Wake::at(now, [deadline, applied.next, expiry]);
    Ok(Some(at_least(wake)))
}

/// The pure part: what is known, and what to do. And when replies without their event expire.
fn look(
    held: &HeldWorkflow,
    workflow: &Workflow,
    run: &OfRun,
    memory: &mut Entry,
    ctx: &Context,
) -> Result<(Decision, Option<Duration>), Error> {
    let started = ctx.clock.monotonic();
    let gathered = gather(held, workflow, run, memory, ctx)?;
    let gathered_at = ctx.clock.monotonic();
    ctx.metrics.stage("gather", gathered_at.saturating_sub(started));
    let empty = WorkflowStatus::default();
    let stored = workflow.status.as_ref().unwrap_or(&empty);
    let decision = decide(&gathered.observed(held, workflow, stored, memory));
    let decided_at = ctx.clock.monotonic();
    ctx.metrics.stage("decide", decided_at.saturating_sub(gathered_at));
    Ok((decision, gathered.next))
}

fn schedule_write(run: &OfRun, due: Option<Duration>, now: Duration, ctx: &Context) {
    if let Some(due) = due {
        ctx.writes.wake_after(run.key.clone(), due.saturating_sub(now));
    }
}

/// A deadline that has passed without an action must not spin: the engine or a pause is at odds
/// with itself, and a tenth of a second costs little.
fn at_least(wake: Wake) -> Wake {
    match wake {
        Wake::OnChange => Wake::OnChange,
        Wake::After(rest) if rest.is_zero() => Wake::After(Duration::from_millis(100)),
        Wake::After(rest) => Wake::After(rest),
    }
}

#[cfg(test)]
mod tests;
