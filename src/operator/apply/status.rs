//! Writes of `/status`: a difference, guarded by the version that it was derived from.

use jobwright_api::{Task, TaskStatus, Workflow, WorkflowStatus, WorkflowTemplate, WorkflowTemplateStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    call::Caller,
    classify::{Cause, Failure},
    diff::{self, Patch},
    request::{JSON_PATCH, MERGE_PATCH, Resource, TASKS, TEMPLATES, WORKFLOWS},
};
use crate::store::Key;
use jobwright_engine::observed::RefusalKind;

/// The version of an object that a status was derived from.
pub struct Base<'a, S> {
    pub key: &'a Key,
    pub version: u64,
    pub status: &'a S,
}

/// Writes the status of a Workflow. The reply; none if there was nothing to write.
///
/// # Errors
/// `Conflict`: there is a newer version. Others as the server says.
pub async fn workflow(
    caller: &Caller,
    base: &Base<'_, WorkflowStatus>,
    status: &WorkflowStatus,
) -> Result<Option<Workflow>, Failure> {
    write(caller, WORKFLOWS, base, status).await
}

/// Writes the status of a Task. The reply; none if there was nothing to write.
///
/// # Errors
/// As [`workflow`].
pub async fn task(caller: &Caller, base: &Base<'_, TaskStatus>, status: &TaskStatus) -> Result<Option<Task>, Failure> {
    write(caller, TASKS, base, status).await
}

/// Writes the status of a template. The reply; none if there was nothing to write.
///
/// # Errors
/// As [`workflow`].
pub async fn template(
    caller: &Caller,
    base: &Base<'_, WorkflowTemplateStatus>,
    status: &WorkflowTemplateStatus,
) -> Result<Option<WorkflowTemplate>, Failure> {
    write(caller, TEMPLATES, base, status).await
}

/// Sets the conditions of a Workflow that cannot be read, or must not be looked at, and nothing else.
///
/// # Errors
/// As the server says.
pub async fn conditions(caller: &Caller, key: &Key, uid: &str, conditions: &[Condition]) -> Result<(), Failure> {
    // The server refuses a patch whose UID is not the object's.
    let patch = json!({ "metadata": { "uid": uid }, "status": { "conditions": conditions } });
    let request = WORKFLOWS.patch(key, "/status", MERGE_PATCH, &patch)?;
    caller
        .send::<Value>(WORKFLOWS.what("patch-status"), request)
        .await
        .map(drop)
}

async fn write<S: Serialize, T: DeserializeOwned>(
    caller: &Caller,
    resource: Resource,
    base: &Base<'_, S>,
    status: &S,
) -> Result<Option<T>, Failure> {
    let from = serde_json::to_value(base.status).map_err(|error| impossible(&error))?;
    let to = serde_json::to_value(status).map_err(|error| impossible(&error))?;
    let Some(patch) = diff::status(&base.version.to_string(), &from, &to) else {
        return Ok(None);
    };
    let (kind, patch) = match patch {
        Patch::Merge(patch) => (MERGE_PATCH, patch),
        Patch::Json(patch) => (JSON_PATCH, patch),
    };
    let request = resource.patch(base.key, "/status", kind, &patch)?;
    caller.send(resource.what("patch-status"), request).await.map(Some)
}

fn impossible(error: &serde_json::Error) -> Failure {
    Failure {
        cause: Cause::Refused(RefusalKind::Permanent),
        message: format!("a status cannot be written as JSON: {error}"),
        retry_after: None,
    }
}
