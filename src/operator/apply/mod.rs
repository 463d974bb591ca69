//! All effects on the world. Nothing else in the operator writes, but for events (`report`).
#![deny(clippy::wildcard_enum_match_arm)]

pub mod call;
mod child;
pub mod classify;
pub mod diff;
mod job;
mod page;
pub mod probe;
mod request;
pub(crate) mod secret;
pub mod snapshot;
pub mod status;

pub(crate) use job::probe as dry_run;

use futures::{StreamExt, stream};
use jobwright_api::Workflow;
use jobwright_engine::{
    decision::Action,
    observed::{JobView, Page, Probe, Refusal, RefusalKind},
};
use std::{sync::Arc, time::Duration};

use crate::{
    context::Context,
    memory::Entry,
    store::{Held, Key},
};
use classify::Failure;

/// How many requests of one Workflow go out together, and between two looks at it: enough to fill
/// the connections, few enough that what happens meanwhile is soon looked at.
const BATCH_MAX: usize = 32;

/// What came of a set of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Something is different now: look again at once.
    pub progressed: bool,
    /// When the first action that has to wait is due, on the monotonic clock.
    pub next: Option<Duration>,
}

/// What one action brought.
enum Effect {
    /// The Job or child as it is now.
    Seen,
    /// It was asked for and will show, or was not needed.
    Asked,
    /// A live GET found no such Job or child of ours.
    Absent,
    /// A live LIST found no pod of this Job.
    Podless,
    /// Stored under this name.
    Snapshot(String),
    /// What became of a request stands in the memory of the run.
    Request,
    /// What the server would say of a pod.
    Probed(probe::Words),
    /// A page with these steps is stored.
    Sealed(Vec<String>),
    /// A page, or that there is none.
    Read(Option<Page>),
}

/// Carries out actions, a bounded number together. Each reply counts as observed at once.
///
/// An action that failed, or whose effect has yet to show, is left out until its pause is over.
pub async fn all(actions: Vec<Action>, key: &Key, uid: &str, memory: &mut Entry, ctx: &Context) -> Applied {
    let started = ctx.clock.monotonic();
    let mut applied = Applied::default();
    let mut batch = Vec::new();
    let mut left_over = false;
    for action in actions {
        let id = id(&action);
        match memory.pauses.until(&id, started) {
            Some(until) => applied.next = Some(applied.next.map_or(until, |next| next.min(until))),
            None if batch.len() == BATCH_MAX => left_over = true,
            None => batch.push((id, action)),
        }
    }
    if batch.is_empty() {
        return applied;
    }
    let answers: Vec<_> = stream::iter(batch)
        .map(|(id, action)| async move {
            let name = name(&action).to_owned();
            // What its refusal means for the run, the engine says.
            let is_told = matches!(
                action,
                Action::StartJob { .. } | Action::StartChild { .. } | Action::StoreSnapshot { .. }
            );
            let answer = one(action, key, uid, ctx).await;
            (id, name, is_told, answer)
        })
        .buffer_unordered(BATCH_MAX)
        .collect()
        .await;
    let mut unavailable = true;
    let mut is_news = false;
    for (id, name, is_told, answer) in answers {
        match answer {
            Ok(effect) => {
                unavailable = false;
                applied.progressed = true;
                learn(memory, &id, &name, effect, ctx);
            }
            Err(failure) => {
                unavailable &= failure.kind() == RefusalKind::Unavailable;
                is_news |= is_told;
                let due = refused(memory, key, (&id, &name, is_told), &failure, ctx);
                applied.next = Some(applied.next.map_or(due, |next| next.min(due)));
            }
        }
    }
    // A refused start or snapshot is news for the engine; other failures only wait. Where the server
    // answers nothing, all wait: more requests would only make it worse.
    applied.progressed |= (is_news || left_over) && !unavailable;
    applied
}

fn id(action: &Action) -> String {
    let verb = match action {
        Action::StoreSnapshot { .. } => "snapshot",
        Action::StorePage { .. } => "page",
        Action::ReadPage { .. } => "read",
        Action::StartJob { .. } => "start",
        Action::StartChild { .. } => "start-child",
        Action::ConfirmChild { .. } => "confirm-child",
        Action::StopJob { .. } => "stop",
        Action::ExpireJob { .. } => "expire",
        Action::ConfirmJob { .. } => "confirm",
        Action::ConfirmPods { .. } => "confirm-pods",
        Action::ProbePod { .. } => "probe",
        Action::AdmitRequest { .. } => "admit",
        Action::SendRequest { .. } => "send",
    };
    format!("{verb}/{}", name(action))
}

fn name(action: &Action) -> &str {
    match action {
        Action::StoreSnapshot { name, data: _ }
        | Action::StorePage {
            name,
            data: _,
            steps: _,
        }
        | Action::ReadPage { name }
        | Action::StartJob { name, job: _ }
        | Action::StartChild { name, workflow: _ }
        | Action::ConfirmChild { name }
        | Action::StopJob { name, uid: _ }
        | Action::ExpireJob { name, uid: _, ttl_s: _ }
        | Action::ConfirmJob { name }
        | Action::ConfirmPods { job: name }
        | Action::ProbePod { name, pod: _ }
        | Action::AdmitRequest { key: name, request: _ }
        | Action::SendRequest { key: name, request: _ } => name,
    }
}

async fn one(action: Action, run: &Key, uid: &str, ctx: &Context) -> Result<Effect, Failure> {
    let at = |name: String| Key::new(run.namespace.clone(), name);
    let caller = &ctx.caller;
    match action {
        Action::StoreSnapshot { name, data } => {
            let known = ctx.stores.record(&at(name.clone()));
            let now = ctx.clock.now();
            let record = snapshot::store(caller, &at(name), data, known, now).await?;
            let name = record.key.name.clone();
            ctx.stores.reply_record(record, ctx.clock.monotonic());
            Ok(Effect::Snapshot(name))
        }
        Action::StorePage { name, data, steps } => {
            page::store(caller, &at(name), (run, uid), data).await?;
            Ok(Effect::Sealed(steps))
        }
        Action::ReadPage { name } => Ok(Effect::Read(page::read(caller, &at(name)).await?)),
        Action::StartJob { name, job } => {
            let job = job::start(caller, &at(name), &job).await?;
            Ok(observed(job, ctx))
        }
        Action::StartChild { name, workflow } => {
            let workflow = child::start(caller, &at(name), &workflow).await?;
            Ok(born(workflow, ctx))
        }
        Action::ConfirmChild { name } => {
            let child = child::confirm(caller, &at(name), uid).await?;
            Ok(child.map_or(Effect::Absent, |workflow| born(workflow, ctx)))
        }
        Action::StopJob { name, uid } => {
            let job = job::stop(caller, &at(name), &uid).await?;
            Ok(job.map_or(Effect::Asked, |job| observed(job, ctx)))
        }
        Action::ExpireJob { name, uid, ttl_s } => {
            let job = job::expire(caller, &at(name), &uid, ttl_s).await?;
            Ok(job.map_or(Effect::Asked, |job| observed(job, ctx)))
        }
        Action::ConfirmJob { name } => {
            let job = job::confirm(caller, &at(name)).await?;
            // A Job of somebody else under that name is none of ours.
            let job = job.filter(|job| job.value.owner_uid == uid);
            Ok(job.map_or(Effect::Absent, |job| observed(job, ctx)))
        }
        Action::ConfirmPods { job } => {
            let mut seen = false;
            for pod in job::pods(caller, &at(job.clone())).await? {
                seen |= pod.value.0 == job;
                ctx.stores.reply_pod(pod, ctx.clock.monotonic());
            }
            Ok(if seen { Effect::Asked } else { Effect::Podless })
        }
        Action::ProbePod { name: _, pod } => {
            let now = ctx.clock.monotonic();
            let words = ctx.probes.ask(caller, &run.namespace, &pod, now).await?;
            Ok(Effect::Probed(words))
        }
        Action::AdmitRequest { key, request } => {
            let known = ctx.memory.run(run, uid);
            known.requests.admit(run, key, &request, &ctx.requests);
            Ok(Effect::Request)
        }
        Action::SendRequest { key, request } => {
            let known = ctx.memory.run(run, uid);
            known.requests.send(run, key, *request, &ctx.requests);
            Ok(Effect::Request)
        }
    }
}

fn observed(job: Held<JobView>, ctx: &Context) -> Effect {
    ctx.stores.reply_job(job, ctx.clock.monotonic());
    Effect::Seen
}

/// A child is there: nobody has looked at it yet, perhaps.
fn born(workflow: Workflow, ctx: &Context) -> Effect {
    let (held, mut concerned) = ctx.stores.reply_workflow(workflow, ctx.clock.monotonic());
    concerned.insert(held.key);
    ctx.looks.wake(concerned);
    Effect::Seen
}

fn learn(memory: &mut Entry, id: &str, name: &str, effect: Effect, ctx: &Context) {
    let notes = &mut memory.notes;
    match effect {
        Effect::Seen => {
            notes.absent.remove(name);
            notes.refusals.remove(name);
        }
        Effect::Asked => {}
        Effect::Absent => {
            notes.absent.insert(name.to_owned());
        }
        Effect::Podless => {
            notes.podless.insert(name.to_owned());
        }
        Effect::Snapshot(name) => {
            notes.refusals.remove(&name);
            notes.snapshots.insert(name);
        }
        Effect::Sealed(steps) => {
            notes.sealed.insert(name.to_owned(), steps);
        }
        Effect::Read(page) => {
            notes.pages.insert(name.to_owned(), page.map(Arc::new));
        }
        Effect::Request => {
            // When to ask again is the engine's to say.
            memory.pauses.clear(id);
            return;
        }
        Effect::Probed(refused) => {
            let count = notes.probes.get(name).map_or(0, |probe| probe.count);
            let probe = Probe {
                at: ctx.clock.now(),
                count: count.saturating_add(1),
                refused,
            };
            notes.probes.insert(name.to_owned(), probe);
            // When to ask again is the engine's to say: it knows what the answer was.
            memory.pauses.clear(id);
            return;
        }
    }
    memory.pauses.succeeded(id, ctx.clock.monotonic());
}

/// Remembers a failure; says when to try again.
fn refused(
    memory: &mut Entry,
    key: &Key,
    (id, name, is_told): (&str, &str, bool),
    failure: &Failure,
    ctx: &Context,
) -> Duration {
    let now = ctx.clock.monotonic();
    let count = memory.pauses.failed(id, now, failure.retry_after);
    tracing::warn!(action = id, run = %key, count, error = %failure, "action failed");
    if is_told {
        let known = memory.notes.refusals.get(name);
        let refusal = Refusal {
            may_exist: failure.kind() == RefusalKind::Unavailable || known.is_some_and(|known| known.may_exist),
            kind: failure.kind(),
            message: failure.message.clone(),
            at: ctx.clock.now(),
            count,
        };
        memory.notes.refusals.insert(name.to_owned(), refusal);
    }
    memory.pauses.until(id, now).unwrap_or(now)
}

#[cfg(test)]
mod tests;
