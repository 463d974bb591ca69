//! `WorkflowRecord`: immutable pages that the operator writes.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// Holds the resolved definition of a run (`kind: Snapshot`), shared by all runs with the same content; or steps of
/// one run that have ended (`kind: Page`), which its status names and shows no more.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "jobwright.dev",
    version = "v1alpha1",
    kind = "WorkflowRecord",
    plural = "workflowrecords",
    shortname = "jrec",
    category = "jobwright",
    namespaced,
    derive = "PartialEq",
    doc = "An immutable page that the operator writes: a definition as a run keeps it, or steps that have ended.",
    printcolumn = r#"{"name":"Kind","type":"string","jsonPath":".spec.kind"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::record()))]
pub struct WorkflowRecordSpec {
    pub kind: RecordKind,
    /// The content as compact JSON text: opaque to the API server, named by its hash.
    #[schemars(length(max = 393_216))]
    pub data: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RecordKind {
    /// A resolved definition.
    Snapshot,
    /// Steps that have ended: a map from printed id to what `status.steps` said of it.
    Page,
}
