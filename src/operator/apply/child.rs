//! Workflows that the operator creates for steps of others.

use jobwright_api::{Workflow, meta::annotation};
use jobwright_engine::observed::RefusalKind;

use super::{
    call::Caller,
    classify::{Cause, Failure},
    request::WORKFLOWS,
};
use crate::{
    store::Key,
    view::{child, text},
};

/// Creates a child. One that is there already is as good, if it is this very attempt's.
///
/// # Errors
/// The server refused it, or did not answer; `NameTaken` where another Workflow has its name.
pub(super) async fn start(caller: &Caller, key: &Key, workflow: &Workflow) -> Result<Workflow, Failure> {
    let request = WORKFLOWS.create(&key.namespace, workflow)?;
    match caller.send(WORKFLOWS.what("create"), request).await {
        Err(failure) if failure.cause == Cause::AlreadyExists => {
            // It was there a moment ago: if it is gone, creating it again will tell.
            let there = get(caller, key).await?.ok_or(Failure {
                cause: Cause::Refused(RefusalKind::Unavailable),
                ..failure
            })?;
            if is_same_attempt(&there, workflow) {
                return Ok(there);
            }
            Err(Failure {
                cause: Cause::Refused(RefusalKind::NameTaken),
                message: format!(
                    "a Workflow named {} exists and is not this attempt's: delete it",
                    key.name
                ),
                retry_after: None,
            })
        }
        answer => answer,
    }
}

fn is_same_attempt(there: &Workflow, ours: &Workflow) -> bool {
    let parent = |workflow: &Workflow| child::identity(&workflow.metadata).map(|identity| identity.parent_uid);
    let attempt = |workflow: &Workflow| {
        let annotations = workflow.metadata.annotations.as_ref();
        text(annotations, annotation::ATTEMPT_KEY).map(str::to_owned)
    };
    parent(there).is_some() && parent(there) == parent(ours) && attempt(there) == attempt(ours)
}

/// Whether a child of this parent exists. None: it does not.
///
/// # Errors
/// The server refused, or did not answer.
pub(super) async fn confirm(caller: &Caller, key: &Key, parent_uid: &str) -> Result<Option<Workflow>, Failure> {
    // A Workflow of somebody else under that name is none of ours.
    let is_ours = |found: &Workflow| {
        let identity = child::identity(&found.metadata);
        identity.is_some_and(|identity| identity.parent_uid == parent_uid)
    };
    Ok(get(caller, key).await?.filter(is_ours))
}

async fn get(caller: &Caller, key: &Key) -> Result<Option<Workflow>, Failure> {
    match caller.send(WORKFLOWS.what("get"), WORKFLOWS.get(key)?).await {
        Ok(workflow) => Ok(Some(workflow)),
        Err(failure) if failure.cause == Cause::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}
