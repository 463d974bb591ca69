//! One look at one Task: would the API server take its pod?

use futures::FutureExt;
use jobwright_api::{Reason, SubStatus, Task, TaskStatus};
use jobwright_engine::{expr::is_reserved, job::review, observed::RefusalKind};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    apply::{
        self,
        classify::{Cause, Failure},
        status::Base,
    },
    config::Settings,
    context::{Context, Wake},
    memory::Pauses,
    quarantine,
    store::{HeldTask, Key, mirror::REPLY_TRUST},
};

/// What was asked about which Task, under which settings. In memory: a restart asks again, and
/// writes nothing where the answer is the same.
#[derive(Default)]
pub struct Reviews {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    done: BTreeMap<Key, Done>,
    pauses: Pauses,
}

struct Done {
    uid: String,
    generation: i64,
    settings: Arc<Settings>,
    /// Status and reason of the condition that was judged, and when.
    ready: (&'static str, String),
    at: Duration,
}

/// Whether a Task has to be judged.
enum Standing {
    Judged,
    /// The stored condition is another one: an own write that had no answer was late, or another
    /// operator judges otherwise. From then on it may be judged again, so that two do not quarrel.
    Contested(Duration),
    Open,
}

/// What came of it.
struct Verdict {
    status: &'static str,
    reason: String,
    message: String,
    /// Ask again: the answer may change without a change of the Task.
    again: bool,
}

/// Looks at a Task. Never fails and never panics: what goes wrong is tried again, ever less often.
pub async fn task(key: &Key, ctx: &Context) -> Wake {
    let look = AssertUnwindSafe(Box::pin(judge_one(key, ctx)));
    look.catch_unwind().await.unwrap_or_else(|panic| {
        let words = quarantine::words(panic.as_ref());
        tracing::error!(task = %key, panic = words, "looking at a Task failed");
        Wake::After(Duration::from_secs(600))
    })
}

async fn judge_one(key: &Key, ctx: &Context) -> Wake {
    if !ctx.stores.is_ready() || ctx.is_stopping() {
        return Wake::OnChange;
    }
    let Some(held) = ctx.stores.task(key) else {
        ctx.reviews.forget(key);
        return Wake::OnChange;
    };
    let settings = ctx.settings();
    let now = ctx.clock.monotonic();
    let Ok(task) = held.value.as_ref() else {
        // Its fields cannot be read, so its status cannot be derived from anything.
        tracing::warn!(task = %key, "this Task cannot be read");
        return Wake::OnChange;
    };
    if task.metadata.deletion_timestamp.is_some() {
        return Wake::OnChange;
    }
    match ctx.reviews.standing(&held, task, &settings) {
        Standing::Judged => return Wake::OnChange,
        Standing::Contested(until) if now < until => return Wake::at(now, [Some(until)]),
        Standing::Contested(_) | Standing::Open => {}
    }
    let id = format!("{key}@{}", task.metadata.generation.unwrap_or_default());
    if let Some(until) = ctx.reviews.paused(&id, now) {
        return Wake::at(now, [Some(until)]);
    }
    let verdict = match review(task, &settings.jobs, is_reserved) {
        Err(problems) => {
            let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let reason = problems.first().map(|problem| problem.reason.clone());
            Verdict {
                status: "False",
                reason: reason.unwrap_or(Reason::InvalidDefinition).to_string(),
                message: words.join("; "),
                again: false,
            }
        }
        Ok(pod) => judge(apply::dry_run(&ctx.caller, &key.namespace, &pod).await),
    };
    let again = verdict.again;
    let ready = (verdict.status, verdict.reason.clone());
    let written = write(&held, task, verdict, ctx).await;
    match written {
        Ok(()) if !again => {
            ctx.reviews.done(&held, task, settings, ready, now);
            Wake::OnChange
        }
        Ok(()) => ctx.reviews.pause(&id, ctx, None),
        // There is a newer version: its event has woken us, or will.
        Err(failure) if matches!(failure.cause, Cause::Conflict | Cause::NotFound) => ctx.reviews.pause(&id, ctx, None),
        Err(failure) => {
            tracing::warn!(task = %key, error = %failure, "status of a Task not written");
            ctx.reviews.pause(&id, ctx, failure.retry_after)
        }
    }
}

fn judge(answer: Result<Option<(RefusalKind, String)>, Failure>) -> Verdict {
    let verdict = |status, reason: String, message: String, again| Verdict {
        status,
        reason,
        message,
        again,
    };
    match answer {
        Ok(None) => verdict("True", "Accepted".into(), "its pod would be accepted".into(), false),
        Ok(Some((RefusalKind::Quota, words))) => verdict("Unknown", SubStatus::QuotaBlocked.to_string(), words, true),
        Ok(Some((RefusalKind::Unavailable, words))) => {
            verdict("Unknown", SubStatus::ApiUnavailable.to_string(), words, true)
        }
        // The server's words name the field; a service account or a policy may come later.
        Ok(Some((RefusalKind::Permanent | RefusalKind::NameTaken, words))) => {
            verdict("False", Reason::PodRefused.to_string(), words, true)
        }
        Err(failure) => verdict("Unknown", SubStatus::ApiUnavailable.to_string(), failure.message, true),
    }
}

async fn write(held: &HeldTask, task: &Task, verdict: Verdict, ctx: &Context) -> Result<(), Failure> {
    let stored = task.status.clone().unwrap_or_default();
    let generation = task.metadata.generation;
    let before = stored.conditions.iter().find(|c| c.type_ == "Ready");
    let unchanged = before.filter(|before| before.status == verdict.status);
    let ready = Condition {
        type_: "Ready".to_owned(),
        status: verdict.status.to_owned(),
        reason: verdict.reason,
        message: verdict.message.chars().take(1024).collect(),
        observed_generation: generation,
        last_transition_time: unchanged
            .map_or_else(|| Time(ctx.clock.now()), |before| before.last_transition_time.clone()),
    };
    let status = TaskStatus {
        observed_generation: generation,
        conditions: vec![ready],
    };
    let base = Base {
        key: &held.key,
        version: held.version,
        status: &stored,
    };
    if let Some(reply) = apply::status::task(&ctx.caller, &base, &status).await? {
        ctx.stores.reply_task(reply, ctx.clock.monotonic());
    }
    Ok(())
}

impl Reviews {
    /// The answer stands: for this content, under these settings.
    fn standing(&self, held: &HeldTask, task: &Task, settings: &Arc<Settings>) -> Standing {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = task.metadata.generation.unwrap_or_default();
        let done = inner.done.get(&held.key).filter(|done| {
            done.uid == held.uid && done.generation == generation && done.settings.jobs == settings.jobs
        });
        let Some(done) = done else {
            return Standing::Open;
        };
        let conditions = task.status.iter().flat_map(|status| &status.conditions);
        let stored = conditions.into_iter().find(|condition| condition.type_ == "Ready");
        if stored.is_some_and(|stored| (stored.status.as_str(), &stored.reason) == (done.ready.0, &done.ready.1)) {
            Standing::Judged
        } else {
            Standing::Contested(done.at + REPLY_TRUST)
        }
    }

    fn done(&self, held: &HeldTask, task: &Task, settings: Arc<Settings>, ready: (&'static str, String), at: Duration) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.pauses.clear_under(&format!("{}@", held.key));
        let done = Done {
            uid: held.uid.clone(),
            generation: task.metadata.generation.unwrap_or_default(),
            settings,
            ready,
            at,
        };
        inner.done.insert(held.key.clone(), done);
    }

    fn paused(&self, id: &str, now: Duration) -> Option<Duration> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.pauses.until(id, now)
    }

    fn pause(&self, id: &str, ctx: &Context, asked: Option<Duration>) -> Wake {
        let now = ctx.clock.monotonic();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.pauses.failed(id, now, asked);
        Wake::at(now, [inner.pauses.until(id, now)])
    }

    fn forget(&self, key: &Key) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.done.remove(key);
        inner.pauses.clear_under(&format!("{key}@"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Answer, Sent, context, feed, refusal};
    use serde_json::{Value, json};

    fn object(version: u64, generation: i64, command: &str) -> Value {
        json!({
            "apiVersion": "jobwright.dev/v1alpha1", "kind": "Task",
            "metadata": {"name": "t", "namespace": "n", "uid": "t-uid", "generation": generation, "resourceVersion": version.to_string()},
            "spec": {"job": {"image": "i", "command": [command]}}
        })
    }

    async fn ready(answer: impl Fn() -> Answer + Send + Sync + 'static) -> (Value, Wake) {
        let dry_runs = move |sent: &Sent| {
            if sent.line.starts_with("POST") {
                answer()
            } else {
                Some((200, object(1, 1, "c")))
            }
        };
        let (ctx, log) = context(dry_runs);
        feed(&ctx, &object(1, 1, "c"));
        let wake = task(&Key::new("n", "t"), &ctx).await;
        let sent = log.take();
        let line = "PATCH /apis/jobwright.dev/v1alpha1/namespaces/n/tasks/t/status?fieldManager=jobwright-operator";
        assert_eq!(sent[1].line, line);
        (sent[1].body["status"]["conditions"][0].clone(), wake)
    }

    #[tokio::test]
    async fn the_servers_verdict_becomes_the_condition() {
        let (condition, wake) = ready(|| Some((201, json!({})))).await;
        assert_eq!((&condition["status"], wake), (&json!("True"), Wake::OnChange));
        let words = "spec.containers[0].volumeMounts[0].name: Not found";
        let (condition, wake) = ready(move || refusal(422, "Invalid", words)).await;
        assert_eq!(
            (&condition["status"], &condition["reason"]),
            (&json!("False"), &json!("PodRefused"))
        );
        assert_eq!(condition["message"], words);
        assert!(matches!(wake, Wake::After(_)), "what it refers to may come");
        let (condition, _) = ready(|| refusal(403, "Forbidden", "exceeded quota: q")).await;
        assert_eq!(
            (&condition["status"], &condition["reason"]),
            (&json!("Unknown"), &json!("QuotaBlocked"))
        );
        let (condition, _) = ready(|| refusal(503, "ServiceUnavailable", "later")).await;
        assert_eq!(
            (&condition["status"], &condition["reason"]),
            (&json!("Unknown"), &json!("ApiUnavailable"))
        );
    }

    #[tokio::test]
    async fn it_is_asked_once_per_content() {
        let (ctx, log) = context(|_| Some((200, object(1, 1, "c"))));
        let key = Key::new("n", "t");
        feed(&ctx, &object(1, 1, "c"));
        for _ in 0..3 {
            task(&key, &ctx).await;
        }
        assert_eq!(log.take().len(), 2, "a dry run and a status");
        feed(&ctx, &object(2, 1, "c"));
        task(&key, &ctx).await;
        assert!(log.take().is_empty(), "only its status changed");
        feed(&ctx, &object(3, 2, "d"));
        task(&key, &ctx).await;
        assert_eq!(log.take().len(), 2);
    }
}
