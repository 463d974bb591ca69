//! Snapshots: written once, marked when taken up again, deleted when nobody names them.

use jiff::{SignedDuration, Timestamp};
use jobwright_api::{
    RecordKind, WorkflowRecord, WorkflowRecordSpec,
    meta::{MANAGED_BY, annotation, label},
};
use kube::core::DeserializeGuard;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::{
    call::Caller,
    classify::{Cause, Failure},
    request::{MERGE_PATCH, RECORDS},
};
use crate::store::{Held, Key, Record, record_held};

/// A snapshot that was taken up longer ago than this is marked anew. Well below the age at which
/// the sweep takes it, so that a run that finds it there can rely on it.
pub const MARK_AFTER: SignedDuration = SignedDuration::from_secs(120);

/// Stores a snapshot. Its name is the hash of its content: one that is there is the same.
///
/// `known` is what the stores have under its name: if it is fresh, nothing has to be asked.
///
/// # Errors
/// The server refused it, or what is there under its name says something else.
pub(super) async fn store(
    caller: &Caller,
    key: &Key,
    data: String,
    known: Option<Held<Record>>,
    now: Timestamp,
) -> Result<Held<Record>, Failure> {
    if let Some(known) = known {
        match adopt(caller, key, &data, known, now).await {
            // It was deleted since the stores saw it: made anew below.
            Err(failure) if failure.cause == Cause::NotFound => {}
            adopted => return adopted,
        }
    }
    let request = RECORDS.create(&key.namespace, &record(key, data.clone()))?;
    match caller.send(RECORDS.what("create"), request).await {
        Ok(created) => read(key, created),
        Err(failure) if failure.cause == Cause::AlreadyExists => {
            let request = RECORDS.get(key)?;
            let there = read(key, caller.send(RECORDS.what("get"), request).await?)?;
            adopt(caller, key, &data, there, now).await
        }
        Err(failure) => Err(failure),
    }
}

fn record(key: &Key, data: String) -> WorkflowRecord {
    let kind = RecordKind::Snapshot;
    let mut record = WorkflowRecord::new(&key.name, WorkflowRecordSpec { kind, data });
    record.metadata.namespace = Some(key.namespace.clone());
    record.metadata.labels = Some(BTreeMap::from([
        (label::MANAGED_BY.to_owned(), MANAGED_BY.to_owned()),
        (label::RECORD.to_owned(), "snapshot".to_owned()),
    ]));
    record
}

/// Takes up a snapshot that is there.
async fn adopt(
    caller: &Caller,
    key: &Key,
    data: &str,
    there: Held<Record>,
    now: Timestamp,
) -> Result<Held<Record>, Failure> {
    if there.value.data != data {
        return Err(taken(key));
    }
    let used_at = there.value.used_at();
    if used_at.is_some_and(|used| now.duration_since(used) < MARK_AFTER) {
        return Ok(there);
    }
    mark(caller, key, now).await
}

/// Says that a run has taken it up: the sweep leaves it alone for a while.
async fn mark(caller: &Caller, key: &Key, now: Timestamp) -> Result<Held<Record>, Failure> {
    let patch = json!({"metadata": {"annotations": { annotation::LAST_USED: now.to_string() }}});
    let request = RECORDS.patch(key, "", MERGE_PATCH, &patch)?;
    read(key, caller.send(RECORDS.what("patch"), request).await?)
}

/// Deletes this version of a snapshot; one that was marked since stays.
///
/// # Errors
/// The server did not answer, or refused for another reason than that it is gone or newer.
pub async fn delete(caller: &Caller, record: &Held<Record>) -> Result<(), Failure> {
    let preconditions = json!({
        "uid": record.uid, "resourceVersion": record.version.to_string(),
    });
    let request = RECORDS.delete(&record.key, "Background", &preconditions)?;
    match caller.send::<Value>(RECORDS.what("delete"), request).await {
        Ok(_) => Ok(()),
        Err(failure) if matches!(failure.cause, Cause::NotFound | Cause::Conflict) => Ok(()),
        Err(failure) => Err(failure),
    }
}

fn read(key: &Key, guard: DeserializeGuard<WorkflowRecord>) -> Result<Held<Record>, Failure> {
    record_held(guard).ok_or_else(|| taken(key))
}

fn taken(key: &Key) -> Failure {
    Failure {
        cause: Cause::Refused(jobwright_engine::observed::RefusalKind::NameTaken),
        message: format!("WorkflowRecord {key} exists with another content: delete it"),
        retry_after: None,
    }
}
