//! One look at one Workflow: gather, decide, apply, write, until nothing is left to do.

use futures::{FutureExt, StreamExt};
use jobwright_api::{Workflow, WorkflowStatus};
use jobwright_engine::{
    decide::decide,
    decision::{Decision, Write},
};
use std::{panic::AssertUnwindSafe, time::Duration};

use crate::{
    apply::{
        self,
        classify::{Cause, Failure},
        status::Base,
    },
    context::{Context, Wake},
    gather::{Gathered, gather},
    memory::{Entry, Pending},
    quarantine, report,
    store::{BadSnapshot, HeldWorkflow, Key, mirror::REPLY_TRUST},
};

/// Looks at one run before it lets others go first. A look creates up to a batch of Jobs.
const ROUNDS_MAX: u32 = 16;
/// After a write, the next one of the same run waits for this long, so that steps that end densely
/// share writes, and the status is never older than a second.
const WRITE_PAUSE: Duration = Duration::from_millis(500);
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
    let memory = ctx.memory.run(key, &held.uid);
    let mut memory = memory.lock().await;
    if let Some(until) = quarantine::holds(&mut memory, &held, ctx) {
        return Wake::at(ctx.clock.monotonic(), [Some(until)]);
    }
    let look = AssertUnwindSafe(Box::pin(rounds(key, &mut memory, ctx)));
    let outcome = look
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| Err(Error::Panic(quarantine::words(panic.as_ref()))));
    match outcome {
        Ok(wake) => {
            memory.failures = 0;
            wake
        }
        Err(error) => quarantine::failed(&mut memory, &held, &error, ctx).await,
    }
}

async fn rounds(key: &Key, memory: &mut Entry, ctx: &Context) -> Result<Wake, Error> {
    for _ in 0..ROUNDS_MAX {
        let Some(held) = ctx.stores.workflow(key) else {
            return Ok(Wake::OnChange);
        };
        if memory.is_gone {
            return Ok(Wake::OnChange); // the watch will say so, if late
        }
        let Ok(workflow) = held.value.as_ref() else {
            return Ok(quarantine::malformed(memory, &held, ctx).await);
        };
        if is_outdated(memory, &held, ctx) {
            // What we decide on this version cannot be written: the watch brings a newer one.
            return Ok(Wake::After(WRITE_PAUSE));
        }
        memory.outdated = None;
        match round(&held, workflow, memory, ctx).await? {
            Round::Again => {}
            Round::Done(wake) => return Ok(wake),
        }
        if ctx.is_stopping() {
            break;
        }
    }
    Ok(Wake::After(Duration::ZERO))
}

/// A conflict has shown that there is a newer version than this. After a while it is tried again
/// all the same: the conflict may have been another one.
fn is_outdated(memory: &Entry, held: &HeldWorkflow, ctx: &Context) -> bool {
    memory
        .outdated
        .is_some_and(|(version, since)| held.version <= version && ctx.clock.monotonic() < since + REPLY_TRUST)
}

enum Round {
    Again,
    Done(Wake),
}

async fn round(held: &HeldWorkflow, workflow: &Workflow, memory: &mut Entry, ctx: &Context) -> Result<Round, Error> {
    let empty = WorkflowStatus::default();
    let stored = workflow.status.as_ref().unwrap_or(&empty);
    let started = ctx.clock.monotonic();
    let gathered = gather(held, workflow, memory, ctx)?;
    let gathered_at = ctx.clock.monotonic();
    ctx.metrics.stage("gather", gathered_at.saturating_sub(started));
    let decision = decide(&gathered.observed(held, workflow, stored, memory));
    let decided_at = ctx.clock.monotonic();
    ctx.metrics.stage("decide", decided_at.saturating_sub(gathered_at));
    let Gathered { next: expiry, .. } = gathered;
    let Decision {
        status,
        transitions,
        actions,
        write,
        wake_at,
    } = decision;
    memory.unreported.extend(transitions);
    note_dirty(memory, write, decided_at);
    // At rest nothing is kept beside the store: there may be thousands of finished runs.
    memory.pending = (write != Write::Nothing).then(|| Pending {
        base: held.clone(),
        status,
    });

    let applied = apply::all(actions, &held.key, &held.uid, memory, ctx).await;
    let now = ctx.clock.monotonic();
    ctx.metrics.stage("apply", now.saturating_sub(decided_at));
    let due = write_due(memory, write, now);
    // What the actions brought shares the write, unless the status has waited for long.
    let overdue = memory.dirty_since.is_some_and(|since| since + WRITE_PAUSE <= now);
    let mut wrote = false;
    if due.is_some_and(|due| due <= now) && (!applied.progressed || overdue) {
        wrote = write_status(memory, ctx).await?;
        ctx.metrics.stage("write", ctx.clock.monotonic().saturating_sub(now));
    }
    if applied.progressed || wrote {
        return Ok(Round::Again);
    }
    let now = ctx.clock.monotonic();
    memory.pauses.prune(now);
    let wall = ctx.clock.now();
    let deadline = wake_at.map(|at| {
        let rest = at.duration_since(wall).unsigned_abs();
        let rest = if at <= wall { Duration::ZERO } else { rest };
        now + rest.min(LOOK_AGAIN_MAX)
    });
    let due = write_due(memory, write, now);
    let wake = Wake::at(now, [deadline, due, applied.next, expiry]);
    Ok(Round::Done(at_least(wake)))
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

fn note_dirty(memory: &mut Entry, write: Write, now: Duration) {
    memory.dirty_since = match write {
        Write::Nothing => None,
        Write::Soon | Write::Now => memory.dirty_since.or(Some(now)),
    };
}

/// When the status is to be written, none if it is stored.
fn write_due(memory: &Entry, write: Write, now: Duration) -> Option<Duration> {
    let paused = memory.pauses.until(STATUS, now);
    match write {
        Write::Nothing => None,
        Write::Now => Some(paused.unwrap_or(now)),
        Write::Soon => {
            let shared = memory.written_at.map_or(now, |at| at + WRITE_PAUSE);
            Some(paused.map_or(shared, |paused| paused.max(shared)))
        }
    }
}

/// What the pause after a refused status write is known under.
const STATUS: &str = "status";

/// Writes the pending status. True if the API server has it now.
pub(crate) async fn write_status(memory: &mut Entry, ctx: &Context) -> Result<bool, Error> {
    let Some(Pending { base, status }) = &memory.pending else {
        return Ok(false);
    };
    let empty = WorkflowStatus::default();
    let stored = crate::memory::status_of(base).unwrap_or(&empty);
    let based = Base {
        key: &base.key,
        version: base.version,
        status: stored,
    };
    let version = base.version;
    let answer = apply::status::workflow(&ctx.caller, &based, status).await;
    let now = ctx.clock.monotonic();
    match answer {
        Ok(reply) => {
            let wrote = reply.is_some();
            if let Some(workflow) = reply {
                report::stored(&workflow, memory, ctx);
                ctx.stores.reply_workflow(workflow, now);
                memory.written_at = Some(now);
            }
            memory.pauses.clear(STATUS);
            memory.pending = None;
            note_dirty(memory, Write::Nothing, now);
            Ok(wrote)
        }
        Err(failure) => {
            match failure.cause {
                Cause::Conflict => memory.outdated = Some((version, now)),
                Cause::NotFound => memory.is_gone = true,
                Cause::AlreadyExists | Cause::Refused(_) => {
                    memory.pauses.failed(STATUS, now, failure.retry_after);
                }
            }
            let is_passing = failure.kind() == jobwright_engine::observed::RefusalKind::Unavailable;
            tracing::warn!(run = %memory.key, error = %failure, "status write failed");
            if matches!(failure.cause, Cause::Conflict | Cause::NotFound) {
                memory.discard();
                return Ok(false);
            }
            if is_passing {
                Ok(false)
            } else {
                Err(Error::Status(failure))
            }
        }
    }
}

/// Writes all statuses that are not stored yet: the last thing before the end.
pub async fn flush(ctx: &Context) {
    let runs = ctx.memory.all();
    futures::stream::iter(runs)
        .for_each_concurrent(32, |run| async move {
            // A look that did not end in time still holds it: then it is left.
            let Ok(mut memory) = run.try_lock() else { return };
            if memory.dirty_since.is_some()
                && let Err(error) = write_status(&mut memory, ctx).await
            {
                tracing::warn!(run = %memory.key, %error, "last status write failed");
            }
        })
        .await;
}

#[cfg(test)]
mod tests;
