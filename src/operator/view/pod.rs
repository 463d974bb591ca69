//! Pods as the engine sees them.

use jiff::{SignedDuration, Timestamp};
use jobwright_api::meta::label;
use jobwright_engine::observed::{ContainerState, ContainerView, PodPhase, PodView};
use k8s_openapi::{
    api::core::v1::{ContainerStatus, Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::Resource;
use serde::Deserialize;
use std::sync::Arc;

use super::{Condition, controller, text};
use crate::store::{Held, PodOfJob};

/// The fields of a pod that are read.
#[derive(Clone, Debug, Default, Resource, Deserialize)]
#[resource(inherit = "Pod")]
#[serde(default)]
pub struct Slim {
    pub metadata: ObjectMeta,
    pub spec: Option<Spec>,
    pub status: Option<Status>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec {
    pub node_name: Option<String>,
    pub containers: Vec<Container>,
    pub init_containers: Option<Vec<Container>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    pub name: String,
    pub restart_policy: Option<String>,
}

impl Container {
    fn is_sidecar(&self) -> bool {
        self.restart_policy.as_deref() == Some("Always")
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    pub phase: Option<String>,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub conditions: Option<Vec<Condition>>,
    pub container_statuses: Option<Vec<ContainerStatus>>,
    pub init_container_statuses: Option<Vec<ContainerStatus>>,
}

/// Converts a pod. One that no Job controls is none of ours, whatever its labels say.
///
/// Beside it comes the name of that Job: the index; the Job's UID in the view is the truth.
#[must_use]
pub fn held(pod: Slim) -> Option<Held<PodOfJob>> {
    let metadata = pod.metadata;
    let owner = controller(&metadata).filter(|owner| owner.kind == "Job")?;
    let spec = pod.spec.unwrap_or_default();
    let status = pod.status.unwrap_or_default();
    let condition = |kind: &str, value: &str| {
        let conditions = status.conditions.as_deref().unwrap_or_default();
        conditions.iter().find(|c| c.is(kind, value)).map(Condition::words)
    };
    let inits = spec.init_containers.as_deref().unwrap_or_default();
    let is_sidecar = |name: &str| inits.iter().any(|c| c.name == name && c.is_sidecar());
    let view = PodView {
        name: metadata.name.clone()?,
        uid: metadata.uid.clone()?,
        job_uid: owner.uid.clone(),
        node: spec.node_name,
        phase: phase(status.phase.as_deref()),
        deletion_asked_at: deletion_asked_at(&metadata),
        disruption: condition("DisruptionTarget", "True"),
        unschedulable: condition("PodScheduled", "False"),
        containers: containers(status.container_statuses, |_| true),
        init_containers: containers(status.init_container_statuses, |name| !is_sidecar(name)),
        has_sidecars: inits.iter().any(Container::is_sidecar),
        containers_expected: spec.containers.len(),
        reason: status.reason,
        message: status.message,
    };
    let job = owner.name.clone();
    let run_uid = text(metadata.labels.as_ref(), label::WORKFLOW_UID).unwrap_or_default();
    Some(Held::new(&metadata, run_uid, Arc::new((job, Arc::new(view)))))
}

/// The API server sets the deletionTimestamp to the end of the grace period.
fn deletion_asked_at(metadata: &ObjectMeta) -> Option<Timestamp> {
    let end = metadata.deletion_timestamp.as_ref()?.0;
    let grace = SignedDuration::from_secs(metadata.deletion_grace_period_seconds.unwrap_or(0));
    Some(end.checked_sub(grace).unwrap_or(end))
}

fn phase(word: Option<&str>) -> PodPhase {
    match word {
        None | Some("Pending") => PodPhase::Pending,
        Some("Running") => PodPhase::Running,
        Some("Succeeded") => PodPhase::Succeeded,
        Some("Failed") => PodPhase::Failed,
        Some(_) => PodPhase::Unknown,
    }
}

fn containers(statuses: Option<Vec<ContainerStatus>>, wanted: impl Fn(&str) -> bool) -> Vec<ContainerView> {
    statuses
        .unwrap_or_default()
        .into_iter()
        .filter(|status| wanted(&status.name))
        .map(|status| ContainerView {
            state: state(&status),
            name: status.name,
        })
        .collect()
}

fn state(status: &ContainerStatus) -> ContainerState {
    let Some(state) = status.state.as_ref() else {
        return ContainerState::Unknown;
    };
    if let Some(ended) = &state.terminated {
        return ContainerState::Terminated {
            exit_code: ended.exit_code,
            reason: ended.reason.clone().unwrap_or_default(),
            message: ended.message.clone().unwrap_or_default(),
            finished_at: ended.finished_at.as_ref().map(|time| time.0),
        };
    }
    if let Some(running) = &state.running {
        return ContainerState::Running {
            started_at: running.started_at.as_ref().map(|time| time.0),
        };
    }
    state
        .waiting
        .as_ref()
        .map_or(ContainerState::Unknown, |waiting| ContainerState::Waiting {
            reason: waiting.reason.clone().unwrap_or_default(),
            message: waiting.message.clone().unwrap_or_default(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: Value) -> Option<Held<PodOfJob>> {
        held(serde_json::from_value(value).unwrap())
    }

    #[test]
    fn a_pod_belongs_to_the_job_that_controls_it() {
        let metadata = |owners: Value| {
            json!({"metadata": {
                "name": "p", "namespace": "n", "uid": "u", "resourceVersion": "1", "ownerReferences": owners,
                "labels": {"jobwright.dev/workflow-uid": "w", "job-name": "lies"}
            }})
        };
        assert!(read(metadata(json!([]))).is_none());
        let owner = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j1", "controller": true}]);
        let pod = read(metadata(owner)).unwrap();
        assert_eq!((pod.value.0.as_str(), pod.value.1.job_uid.as_str()), ("j", "j1"));
        assert_eq!(pod.run_uid, "w");
    }

    #[test]
    fn deletion_was_asked_for_before_its_grace_period() {
        let pod = read(json!({
            "metadata": {
                "name": "p", "namespace": "n", "uid": "u", "resourceVersion": "1",
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j1", "controller": true}],
                "deletionTimestamp": "2026-01-01T00:00:30Z", "deletionGracePeriodSeconds": 30
            },
            "spec": {
                "containers": [{"name": "main"}],
                "initContainers": [{"name": "side", "restartPolicy": "Always"}, {"name": "fetch"}]
            },
            "status": {
                "phase": "Running",
                "containerStatuses": [{"name": "main", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                    "state": {"terminated": {"exitCode": 0, "message": "{}"}}}],
                "initContainerStatuses": [
                    {"name": "side", "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}}},
                    {"name": "fetch", "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": {"waiting": {"reason": "X"}}}
                ]
            }
        }))
        .unwrap();
        let view = &pod.value.1;
        assert_eq!(view.deletion_asked_at, Some("2026-01-01T00:00:00Z".parse().unwrap()));
        assert!(view.has_sidecars);
        assert_eq!(view.init_containers.len(), 1, "sidecars are no init containers");
        assert!(matches!(
            &view.containers[0].state,
            ContainerState::Terminated { exit_code: 0, message, .. } if message == "{}"
        ));
    }
}
