//! Jobs as the engine sees them.

use jobwright_api::meta::{annotation, label};
use jobwright_engine::observed::JobView;
use k8s_openapi::{api::batch::v1::Job, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::Resource;
use serde::Deserialize;
use std::sync::Arc;

use super::{Condition, controller, text};
use crate::store::Held;

/// The fields of a Job that are read.
#[derive(Clone, Debug, Default, Resource, Deserialize)]
#[resource(inherit = "Job")]
#[serde(default)]
pub struct Slim {
    pub metadata: ObjectMeta,
    pub spec: Option<Spec>,
    pub status: Option<Status>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec {
    pub suspend: Option<bool>,
    pub ttl_seconds_after_finished: Option<i32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    pub conditions: Option<Vec<Condition>>,
    pub active: Option<i32>,
    pub succeeded: Option<i32>,
    pub failed: Option<i32>,
    pub terminating: Option<i32>,
    pub uncounted_terminated_pods: Option<Uncounted>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Uncounted {
    pub succeeded: Option<Vec<String>>,
    pub failed: Option<Vec<String>>,
}

impl Status {
    fn has_had_pod(&self) -> bool {
        let counted = [self.active, self.succeeded, self.failed, self.terminating]
            .into_iter()
            .flatten()
            .any(|count| count > 0);
        let uncounted = self.uncounted_terminated_pods.as_ref();
        counted
            || uncounted.is_some_and(|pods| {
                [&pods.succeeded, &pods.failed]
                    .into_iter()
                    .flatten()
                    .any(|uids| !uids.is_empty())
            })
    }
}

/// Converts a Job. One without a name or UID is no object of an API server: none.
#[must_use]
pub fn held(job: Slim) -> Option<Held<JobView>> {
    let metadata = job.metadata;
    let annotations = metadata.annotations.as_ref();
    let labels = metadata.labels.as_ref();
    let spec = job.spec.unwrap_or_default();
    let status = job.status.unwrap_or_default();
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let first = |kinds: [&str; 2]| {
        kinds
            .iter()
            .find_map(|kind| conditions.iter().find(|c| c.is(kind, "True")))
    };
    let view = JobView {
        name: metadata.name.clone()?,
        uid: metadata.uid.clone()?,
        owner_uid: controller(&metadata).map_or_else(String::new, |owner| owner.uid.clone()),
        attempt_key: text(annotations, annotation::ATTEMPT_KEY)
            .unwrap_or_default()
            .to_owned(),
        // A Job of ours always has a readable one: what cannot be read was written by someone else.
        carried: text(annotations, annotation::CARRIED)
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default(),
        run: text(labels, label::RUN)
            .and_then(|run| run.parse().ok())
            .unwrap_or_default(),
        path: text(annotations, annotation::STEP)
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default(),
        attempt: text(labels, label::ATTEMPT)
            .and_then(|attempt| attempt.parse().ok())
            .unwrap_or_default(),
        ttl_wanted: text(annotations, annotation::TTL).and_then(|ttl| ttl.parse().ok()),
        deleting: metadata.deletion_timestamp.is_some(),
        suspended: spec.suspend.unwrap_or_default(),
        ttl_seconds_after_finished: spec.ttl_seconds_after_finished,
        complete: first(["Complete", "SuccessCriteriaMet"]).is_some(),
        failed: first(["Failed", "FailureTarget"]).map(Condition::words),
        has_had_pod: status.has_had_pod(),
    };
    let run_uid = text(labels, label::WORKFLOW_UID).unwrap_or_default();
    Some(Held::new(&metadata, run_uid, Arc::new(view)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_decides_is_read() {
        let job: Slim = serde_json::from_value(json!({
            "metadata": {
                "name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7",
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "X", "name": "x", "uid": "other"},
                    {"apiVersion": "jobwright.dev/v1alpha1", "kind": "Workflow", "name": "w", "uid": "w1", "controller": true}
                ],
                "labels": {"jobwright.dev/workflow-uid": "w1", "jobwright.dev/run": "2"},
                "annotations": {"jobwright.dev/attempt-key": "k", "jobwright.dev/carried-results": "not JSON"}
            },
            "spec": {"template": {"spec": {"containers": []}}, "ttlSecondsAfterFinished": 5},
            "status": {
                "uncountedTerminatedPods": {"succeeded": ["p"]},
                "conditions": [
                    {"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded", "message": "m"},
                    {"type": "Complete", "status": "False"}
                ]
            }
        }))
        .unwrap();
        let held = held(job).unwrap();
        assert_eq!((held.version, held.run_uid.as_str()), (7, "w1"));
        let expected = JobView {
            name: "a".into(),
            uid: "u".into(),
            owner_uid: "w1".into(),
            attempt_key: "k".into(),
            run: 2,
            ttl_seconds_after_finished: Some(5),
            failed: Some(("DeadlineExceeded".into(), "m".into())),
            has_had_pod: true,
            ..JobView::default()
        };
        assert_eq!(*held.value, expected);
    }
}
