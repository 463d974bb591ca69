//! What the operator reads of Jobs and pods: decoded from the few fields that matter.
//!
//! A Job of ours weighs kilobytes, most of it a pod template that we wrote ourselves. The slim
//! types name the fields that are read; the rest is skipped while parsing.

pub mod child;
pub mod job;
pub mod pod;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde::Deserialize;

/// A condition of a Job or pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: String,
    pub reason: Option<String>,
    pub message: Option<String>,
}

impl Condition {
    fn is(&self, kind: &str, status: &str) -> bool {
        self.kind == kind && self.status == status
    }

    fn words(&self) -> (String, String) {
        (
            self.reason.clone().unwrap_or_default(),
            self.message.clone().unwrap_or_default(),
        )
    }
}

/// The owner that controls an object.
pub(crate) fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    metadata
        .owner_references
        .as_ref()?
        .iter()
        .find(|owner| owner.controller == Some(true))
}

/// A label or annotation, if there is one.
pub(crate) fn text<'a>(map: Option<&'a std::collections::BTreeMap<String, String>>, key: &str) -> Option<&'a str> {
    map?.get(key).map(String::as_str)
}
