//! What is done to Jobs, and asked of them.

use jobwright_api::meta::annotation;
use jobwright_engine::observed::{JobView, RefusalKind};
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::core::Status;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    call::Caller,
    classify::{Cause, Failure},
    request::{JOBS, MERGE_PATCH, PODS},
};
use crate::{
    store::{Held, Key, PodOfJob},
    view::{
        controller,
        job::{Slim as SlimJob, held},
        pod::{self, Slim as SlimPod},
        text,
    },
};

/// Creates a Job. One that is there already is as good, if it is this very attempt's.
pub(super) async fn start(caller: &Caller, key: &Key, job: &Job) -> Result<Held<JobView>, Failure> {
    let request = JOBS.create(&key.namespace, job)?;
    match caller.send::<SlimJob>(JOBS.what("create"), request).await {
        Ok(created) => held(created).ok_or_else(|| unreadable(key)),
        Err(failure) if failure.cause == Cause::AlreadyExists => {
            let there = get(caller, key).await.map_err(gone_meanwhile)?;
            if is_same_attempt(&there.value, job) {
                return Ok(there);
            }
            let owner = &there.value.owner_uid;
            Err(Failure {
                cause: Cause::Refused(RefusalKind::NameTaken),
                message: format!(
                    "a Job named {} exists and is not this attempt's (its owner has UID {owner:?}): delete it",
                    key.name
                ),
                retry_after: None,
            })
        }
        Err(failure) => Err(failure),
    }
}

/// It was there a moment ago: creating it again will tell.
fn gone_meanwhile(failure: Failure) -> Failure {
    match failure.cause {
        Cause::NotFound => Failure {
            cause: Cause::Refused(RefusalKind::Unavailable),
            ..failure
        },
        Cause::AlreadyExists | Cause::Conflict | Cause::Refused(_) => failure,
    }
}

fn is_same_attempt(there: &JobView, ours: &Job) -> bool {
    let owner = controller(&ours.metadata).map(|owner| owner.uid.as_str());
    let attempt = text(ours.metadata.annotations.as_ref(), annotation::ATTEMPT_KEY);
    owner == Some(there.owner_uid.as_str()) && attempt == Some(there.attempt_key.as_str())
}

/// Deletes a Job, pods first. One that is gone, or another under its name, is left as it is.
///
/// The Job as it is then, where the server says so.
pub(super) async fn stop(caller: &Caller, key: &Key, uid: &str) -> Result<Option<Held<JobView>>, Failure> {
    let request = JOBS.delete(key, "Foreground", &json!({ "uid": uid }))?;
    let answer = caller.send::<Value>(JOBS.what("delete"), request).await;
    let answer = accept(answer, &[Cause::NotFound, Cause::Conflict])?;
    // A Job, or a Status where nothing held the Job back.
    Ok(answer
        .filter(|answer| answer.get("kind").and_then(Value::as_str) == Some("Job"))
        .and_then(|job| SlimJob::deserialize(job).ok())
        .and_then(held))
}

/// Sets the TTL of a finished Job.
pub(super) async fn expire(
    caller: &Caller,
    key: &Key,
    uid: &str,
    ttl_s: i32,
) -> Result<Option<Held<JobView>>, Failure> {
    // The server refuses a patch whose UID is not the object's.
    let patch = json!({
        "metadata": { "uid": uid },
        "spec": { "ttlSecondsAfterFinished": ttl_s },
    });
    let request = JOBS.patch(key, "", MERGE_PATCH, &patch)?;
    let answer = caller.send::<SlimJob>(JOBS.what("patch"), request).await;
    Ok(accept(answer, &[Cause::NotFound, Cause::Conflict])?.and_then(held))
}

/// Whether a Job exists. None: it does not.
pub(super) async fn confirm(caller: &Caller, key: &Key) -> Result<Option<Held<JobView>>, Failure> {
    accept(get(caller, key).await, &[Cause::NotFound])
}

/// The pods of a Job, from a consistent list.
pub(super) async fn pods(caller: &Caller, job: &Key) -> Result<Vec<Held<PodOfJob>>, Failure> {
    // The Job controller's own label; whose pod it really is, its owner reference says.
    let request = PODS.list(&job.namespace, &format!("batch.kubernetes.io/job-name={}", job.name))?;
    let list: List = caller.send(PODS.what("list"), request).await?;
    Ok(list.items.into_iter().filter_map(pod::held).collect())
}

#[derive(Deserialize)]
struct List {
    items: Vec<SlimPod>,
}

/// What the server says of a pod: nothing, if it would take it.
pub(crate) async fn probe(
    caller: &Caller,
    namespace: &str,
    pod: &Pod,
) -> Result<Option<(RefusalKind, String)>, Failure> {
    let request = PODS.dry_run(namespace, pod)?;
    match caller.send::<Value>(PODS.what("dry-run"), request).await {
        Ok(_) => Ok(None),
        // A pod that has its name exists: then there is nothing to complain of.
        Err(failure) if failure.cause == Cause::AlreadyExists => Ok(None),
        Err(failure) => match failure.kind() {
            RefusalKind::Unavailable => Err(failure),
            kind @ (RefusalKind::Quota | RefusalKind::Permanent | RefusalKind::NameTaken) => {
                Ok(Some((kind, failure.message)))
            }
        },
    }
}

async fn get(caller: &Caller, key: &Key) -> Result<Held<JobView>, Failure> {
    let job: SlimJob = caller.send(JOBS.what("get"), JOBS.get(key)?).await?;
    held(job).ok_or_else(|| unreadable(key))
}

/// Turns failures that mean "there is nothing to do" into no answer.
fn accept<T>(answer: Result<T, Failure>, fine: &[Cause]) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(failure) if fine.contains(&failure.cause) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn unreadable(key: &Key) -> Failure {
    let status = Status::failure(&format!("the answer for {key} has no name or UID"), "Unknown");
    super::classify::classify(&kube::Error::Api(status.boxed()))
}
