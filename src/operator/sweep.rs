//! Snapshots that no Workflow names any more are deleted, some minutes later.
//!
//! Guarantee: one that a run is about to name is never deleted. Whoever takes up a snapshot that is
//! there marks it, if its last mark is older than two minutes ([`MARK_AFTER`]); the sweep takes
//! only what nobody marked for five, and only in the version that it has seen.
//! No polling: it looks when a snapshot may have become unused, and when the first is due.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::{apply::snapshot, context::Context, store::Key};

/// Unused for this long: more than the two minutes of a mark and all that a slow status write takes.
const UNUSED: Duration = Duration::from_secs(300);
/// After a failed deletion.
const AGAIN: Duration = Duration::from_secs(60);

const _: () = assert!(snapshot::MARK_AFTER.as_secs() < 300);

/// Snapshots that may be unused, and when to look at them.
#[derive(Default)]
pub struct Sweep {
    due: Mutex<BTreeMap<Key, Instant>>,
    changed: Notify,
}

impl Sweep {
    /// These may be unused.
    pub fn note(&self, keys: impl IntoIterator<Item = Key>) {
        let mut any = false;
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            any = true;
            due.entry(key).or_insert_with(Instant::now);
        }
        drop(due);
        if any {
            self.changed.notify_one();
        }
    }

    /// Looks at what is due until it is dropped.
    pub async fn run(&self, ctx: &Context) {
        loop {
            let next = self.next();
            let wait = async {
                match next {
                    Some((_, due)) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = wait => self.look(ctx).await,
            }
        }
    }

    fn next(&self) -> Option<(Key, Instant)> {
        let due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let first = due.iter().min_by_key(|(_, due)| **due)?;
        Some((first.0.clone(), *first.1))
    }

    async fn look(&self, ctx: &Context) {
        let Some((key, due)) = self.next().filter(|(_, due)| *due <= Instant::now()) else {
            return;
        };
        let again = one(&key, ctx).await;
        let mut all = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        match again {
            Some(rest) => {
                all.insert(key, Instant::now() + rest);
            }
            // Unless it was noted again meanwhile.
            None if all.get(&key) == Some(&due) => {
                all.remove(&key);
            }
            None => {}
        }
    }
}

/// Deletes a snapshot if it is unused; else says when to look again.
pub async fn one(key: &Key, ctx: &Context) -> Option<Duration> {
    let record = ctx.stores.record(key)?;
    if ctx.stores.is_used(key) {
        return None; // noted again when the last that names it goes
    }
    if !ctx.stores.is_ready() || ctx.memory.may_name(key) {
        return Some(AGAIN);
    }
    let now = ctx.clock.now();
    let used_at = record.value.used_at().unwrap_or(now);
    let age = now.duration_since(used_at);
    let age = Duration::try_from(age).unwrap_or_default();
    if age < UNUSED {
        return Some(UNUSED.saturating_sub(age));
    }
    match snapshot::delete(&ctx.caller, &record).await {
        Ok(()) => None,
        Err(error) => {
            tracing::warn!(snapshot = %key, %error, "unused snapshot not deleted");
            Some(AGAIN)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{context, feed, workflow};
    use serde_json::json;

    #[tokio::test(start_paused = true)]
    async fn only_what_is_unused_for_long_is_deleted_in_the_version_that_was_seen() {
        let (ctx, log) = context(|_| Some((200, json!({}))));
        let record = |created: &str| {
            json!({
                "apiVersion": "jobwright.dev/v1alpha1", "kind": "WorkflowRecord",
                "metadata": {"name": "s", "namespace": "n", "uid": "s-uid", "resourceVersion": "3", "creationTimestamp": created},
                "spec": {"kind": "Snapshot", "data": "{}"}
            })
        };
        let key = Key::new("n", "s");
        assert_eq!(one(&key, &ctx).await, None, "there is none");
        feed(&ctx, &record("2025-12-31T23:59:00Z"));
        assert_eq!(one(&key, &ctx).await, Some(Duration::from_secs(240)), "too young");
        tokio::time::sleep(Duration::from_secs(240)).await;
        feed(&ctx, &workflow(1, &json!({"snapshot": {"name": "s"}})));
        assert_eq!(one(&key, &ctx).await, None, "in use");
        feed(&ctx, &workflow(2, &json!({})));
        assert!(log.take().is_empty());
        assert_eq!(one(&key, &ctx).await, None);
        let sent = log.take().remove(0);
        assert_eq!(
            sent.line,
            "DELETE /apis/jobwright.dev/v1alpha1/namespaces/n/workflowrecords/s"
        );
        let expected = json!({"uid": "s-uid", "resourceVersion": "3"});
        assert_eq!(sent.body["preconditions"], expected);
    }
}
