//! The cluster as the engine is shown it.

use jobwright_api::meta::{MAIN_CONTAINER, annotation, label};
use jobwright_engine::observed::{ContainerState, ContainerView, JobView, PodPhase, PodView};

use super::job::{JobModel, PodModel};

#[must_use]
pub fn job_view(job: &JobModel) -> JobView {
    let metadata = &job.posted.metadata;
    let annotation = |key| metadata.annotations.as_ref().and_then(|map| map.get(key)).cloned();
    let label = |key| metadata.labels.as_ref().and_then(|map| map.get(key));
    let owners = metadata.owner_references.as_deref().unwrap_or_default();
    let owner = owners.iter().find(|owner| owner.controller == Some(true));
    JobView {
        name: job.name.clone(),
        uid: job.uid.clone(),
        owner_uid: owner.map(|owner| owner.uid.clone()).unwrap_or_default(),
        attempt_key: annotation(annotation::ATTEMPT_KEY).unwrap_or_default(),
        carried: annotation(annotation::CARRIED)
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default(),
        run: label(label::RUN).and_then(|run| run.parse().ok()).unwrap_or_default(),
        path: annotation(annotation::STEP)
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default(),
        attempt: label(label::ATTEMPT)
            .and_then(|text| text.parse().ok())
            .unwrap_or_default(),
        ttl_wanted: annotation(annotation::TTL).and_then(|text| text.parse().ok()),
        deleting: job.deleting,
        suspended: job.suspended,
        ttl_seconds_after_finished: job.ttl_s,
        complete: job.complete || job.success_met,
        failed: job.failed.clone().or_else(|| job.failure_target.clone()),
        has_had_pod: job.had_pod,
    }
}

#[must_use]
pub fn pod_view(job: &JobModel, pod: &PodModel) -> PodView {
    let has_status = pod.phase != PodPhase::Pending || pod.main != ContainerState::Unknown;
    let main = ContainerView {
        name: MAIN_CONTAINER.to_owned(),
        state: pod.main.clone(),
    };
    PodView {
        name: pod.name.clone(),
        uid: pod.uid.clone(),
        job_uid: job.uid.clone(),
        node: pod.node.clone(),
        phase: pod.phase,
        reason: pod.reason.clone(),
        message: pod.message.clone(),
        deletion_asked_at: pod.deletion_asked_at,
        disruption: pod.disruption.clone(),
        unschedulable: pod.unschedulable.clone(),
        containers: if has_status { vec![main] } else { Vec::new() },
        has_sidecars: pod.has_sidecars,
        containers_expected: 1,
        ..PodView::default()
    }
}
