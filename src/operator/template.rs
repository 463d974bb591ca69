//! One look at one template: could a run of it begin now?

use futures::FutureExt;
use jobwright_api::{Reason, WorkflowTemplate, WorkflowTemplateStatus};
use jobwright_engine::{
    plan::{Sources, check_template, template_hash},
    text::{MESSAGE_BYTES_MAX, clip},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use std::{
    panic::AssertUnwindSafe,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    apply::{
        self,
        classify::{Cause, Failure},
        status::Base,
    },
    context::{Context, Wake},
    memory::Pauses,
    quarantine,
    store::{HeldTemplate, Key, Waiter},
};

/// Writes that have failed, and when they may be tried again.
#[derive(Default)]
pub struct Templates {
    pauses: Mutex<Pauses>,
}

/// Looks at a template. Never fails and never panics: what goes wrong is tried again, ever less often.
pub async fn template(key: &Key, ctx: &Context) -> Wake {
    let look = AssertUnwindSafe(Box::pin(judge(key, ctx)));
    look.catch_unwind().await.unwrap_or_else(|panic| {
        let words = quarantine::words(panic.as_ref());
        tracing::error!(template = %key, panic = words, "looking at a template failed");
        Wake::After(Duration::from_secs(600))
    })
}

async fn judge(key: &Key, ctx: &Context) -> Wake {
    if !ctx.stores.is_ready() || ctx.is_stopping() {
        return Wake::OnChange;
    }
    let Some(held) = ctx.stores.template(key) else {
        ctx.templates.succeeded(key);
        return Wake::OnChange;
    };
    let Ok(template) = held.value.as_ref() else {
        // Its fields cannot be read, so its status cannot be derived from anything.
        tracing::warn!(template = %key, "this template cannot be read");
        return Wake::OnChange;
    };
    if template.metadata.deletion_timestamp.is_some() {
        return Wake::OnChange;
    }
    let now = ctx.clock.monotonic();
    if let Some(until) = ctx.templates.paused(key, now) {
        return Wake::at(now, [Some(until)]);
    }
    match write(&held, template, ctx).await {
        Ok(()) => {
            ctx.templates.succeeded(key);
            Wake::OnChange
        }
        // There is a newer version, or it is gone: the event has woken us, or will.
        Err(failure) if matches!(failure.cause, Cause::Conflict | Cause::NotFound) => {
            ctx.templates.pause(key, ctx, None)
        }
        Err(failure) => {
            tracing::warn!(template = %key, error = %failure, "status of a template not written");
            ctx.templates.pause(key, ctx, failure.retry_after)
        }
    }
}

async fn write(held: &HeldTemplate, template: &WorkflowTemplate, ctx: &Context) -> Result<(), Failure> {
    let stored = template.status.clone().unwrap_or_default();
    let status = status(held, template, &stored, ctx);
    let base = Base {
        key: &held.key,
        version: held.version,
        status: &stored,
    };
    if let Some(reply) = apply::status::template(&ctx.caller, &base, &status).await? {
        ctx.stores.reply_template(reply, ctx.clock.monotonic());
    }
    Ok(())
}

fn status(
    held: &HeldTemplate,
    template: &WorkflowTemplate,
    stored: &WorkflowTemplateStatus,
    ctx: &Context,
) -> WorkflowTemplateStatus {
    let hash = template_hash(&template.spec);
    let is_new = stored.hash.as_ref() != Some(&hash);
    let revision = stored.revision.unwrap_or_default().saturating_add(is_new.into());
    let generation = template.metadata.generation;
    WorkflowTemplateStatus {
        observed_generation: generation,
        revision: Some(revision),
        hash: Some(hash),
        conditions: vec![ready(held, stored, generation, ctx)],
    }
}

fn ready(held: &HeldTemplate, stored: &WorkflowTemplateStatus, generation: Option<i64>, ctx: &Context) -> Condition {
    let name = held.key.name.as_str();
    let waiter = Waiter::Template(held.key.clone());
    let found = ctx
        .stores
        .await_definitions(&waiter, std::iter::empty(), [name].into_iter());
    let settings = ctx.settings();
    let sources = Sources {
        tasks: &found.tasks,
        templates: &found.templates,
        settings: &settings.jobs,
    };
    let (value, reason, message) = match check_template(name, sources) {
        Ok(()) => ("True", "Accepted".to_owned(), "a run of it could begin".to_owned()),
        Err(problems) => {
            let first = problems.first().map(|problem| problem.reason.clone());
            let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let reason = first.unwrap_or(Reason::InvalidDefinition).to_string();
            ("False", reason, clip(&words.join("; "), MESSAGE_BYTES_MAX))
        }
    };
    let before = stored.conditions.iter().find(|condition| condition.type_ == "Ready");
    let same = before.filter(|before| before.status == value);
    let now = jiff::Timestamp::from_second(ctx.clock.now().as_second()).unwrap_or_default();
    Condition {
        type_: "Ready".to_owned(),
        status: value.to_owned(),
        reason,
        message,
        observed_generation: generation,
        last_transition_time: same.map_or(Time(now), |before| before.last_transition_time.clone()),
    }
}

impl Templates {
    fn paused(&self, key: &Key, now: Duration) -> Option<Duration> {
        let pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.until(&key.to_string(), now)
    }

    fn pause(&self, key: &Key, ctx: &Context, asked: Option<Duration>) -> Wake {
        let now = ctx.clock.monotonic();
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.failed(&key.to_string(), now, asked);
        Wake::at(now, [pauses.until(&key.to_string(), now)])
    }

    fn succeeded(&self, key: &Key) {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.clear(&key.to_string());
    }
}
