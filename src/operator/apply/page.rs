//! Pages: steps of one run that have ended, written once and read only where an expression needs them.

use jobwright_api::{
    RecordKind, Workflow, WorkflowRecord, WorkflowRecordSpec,
    meta::{MANAGED_BY, label},
};
use jobwright_engine::observed::Page;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, core::DeserializeGuard};
use serde_json::Value;
use std::collections::BTreeMap;

use super::{
    call::Caller,
    classify::{Cause, Failure},
    request::RECORDS,
};
use crate::store::Key;

/// Stores a page of this Workflow (with its UID). Its name is the hash of its content: one that is there is the same.
///
/// # Errors
/// The server refused it, or did not answer.
pub(super) async fn store(
    caller: &Caller,
    key: &Key,
    (workflow, uid): (&Key, &str),
    data: String,
) -> Result<(), Failure> {
    let kind = RecordKind::Page;
    let mut record = WorkflowRecord::new(&key.name, WorkflowRecordSpec { kind, data });
    record.metadata.namespace = Some(key.namespace.clone());
    record.metadata.labels = Some(BTreeMap::from([
        (label::MANAGED_BY.to_owned(), MANAGED_BY.to_owned()),
        (label::RECORD.to_owned(), "page".to_owned()),
    ]));
    // It goes with its Workflow.
    record.metadata.owner_references = Some(vec![OwnerReference {
        api_version: Workflow::api_version(&()).into_owned(),
        kind: Workflow::kind(&()).into_owned(),
        name: workflow.name.clone(),
        uid: uid.to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(false),
    }]);
    let request = RECORDS.create(&key.namespace, &record)?;
    match caller.send::<Value>(RECORDS.what("create"), request).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.cause == Cause::AlreadyExists => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// Reads a page; none if there is no such record, or nobody can read it.
///
/// # Errors
/// The server refused, or did not answer.
pub(super) async fn read(caller: &Caller, key: &Key) -> Result<Option<Page>, Failure> {
    let request = RECORDS.get(key)?;
    let found: DeserializeGuard<WorkflowRecord> = match caller.send(RECORDS.what("get"), request).await {
        Ok(found) => found,
        Err(failure) if failure.cause == Cause::NotFound => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let page = found
        .0
        .ok()
        .and_then(|record| serde_json::from_str(&record.spec.data).ok());
    if page.is_none() {
        tracing::warn!(record = %key, "page cannot be read");
    }
    Ok(page)
}
