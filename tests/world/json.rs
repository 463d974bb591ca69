//! The cluster as an API server tells of it: Jobs and pods as JSON.

use jiff::{SignedDuration, Timestamp};
use jobwright_api::meta::MAIN_CONTAINER;
use jobwright_engine::observed::{ContainerState, PodPhase};
use serde_json::{Value, json};

use super::job::{JobModel, PodModel};

/// Numbers as the API server writes them: Go leaves the point of a whole float out.
pub fn go_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0);
            if let Some(integer) = whole.and_then(|float| format!("{float}").parse::<i64>().ok()) {
                *number = integer.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(go_numbers),
        Value::Object(members) => members.values_mut().for_each(go_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// A Job, without its resourceVersion.
#[must_use]
pub fn job(job: &JobModel, now: Timestamp) -> Value {
    let mut object = serde_json::to_value(&job.posted).unwrap();
    object["apiVersion"] = json!("batch/v1");
    object["kind"] = json!("Job");
    let metadata = &mut object["metadata"];
    metadata["uid"] = json!(job.uid);
    metadata["creationTimestamp"] = json!(seconds(job.created_at));
    if job.deleting {
        // Foreground: it goes once its pods have gone.
        metadata["deletionTimestamp"] = json!(seconds(now.min(job.created_at + SignedDuration::from_hours(1))));
        metadata["finalizers"] = json!(["foregroundDeletion"]);
    }
    if job.suspended {
        object["spec"]["suspend"] = json!(true);
    }
    if let Some(ttl_s) = job.ttl_s {
        object["spec"]["ttlSecondsAfterFinished"] = json!(ttl_s);
    }
    object["status"] = status(job);
    object
}

fn status(job: &JobModel) -> Value {
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "reason": reason, "message": message});
    let mut conditions = Vec::new();
    if job.success_met || job.complete {
        conditions.push(condition("SuccessCriteriaMet", "CompletionsReached", ""));
    }
    if job.complete {
        conditions.push(condition("Complete", "CompletionsReached", ""));
    }
    if let Some((reason, message)) = &job.failure_target {
        conditions.push(condition("FailureTarget", reason, message));
    }
    if let Some((reason, message)) = &job.failed {
        conditions.push(condition("Failed", reason, message));
    }
    if job.suspended {
        conditions.push(condition("Suspended", "JobSuspended", "Job suspended"));
    }
    let is_active = job.pod.as_ref().is_some_and(|pod| !pod.phase.is_terminal());
    json!({
        "conditions": conditions,
        "active": i32::from(is_active),
        "succeeded": i32::from(job.complete || job.success_met),
        "failed": i32::from(job.had_pod && !is_active && !job.complete && !job.success_met),
    })
}

/// The pod of a Job, without its resourceVersion.
#[must_use]
pub fn pod(job: &JobModel, pod: &PodModel) -> Value {
    let template = job.posted.spec.as_ref().map(|spec| &spec.template);
    let mut labels = template
        .and_then(|template| template.metadata.as_ref()?.labels.clone())
        .unwrap_or_default();
    labels.insert("batch.kubernetes.io/job-name".to_owned(), job.name.clone());
    let mut metadata = json!({
        "name": pod.name, "namespace": job.posted.metadata.namespace, "uid": pod.uid, "labels": labels,
        "ownerReferences": [{
            "apiVersion": "batch/v1", "kind": "Job", "name": job.name, "uid": job.uid,
            "controller": true, "blockOwnerDeletion": true,
        }],
    });
    if let Some(asked_at) = pod.deletion_asked_at {
        metadata["deletionTimestamp"] = json!(seconds(asked_at + SignedDuration::from_secs(pod.grace_s)));
        metadata["deletionGracePeriodSeconds"] = json!(pod.grace_s);
    }
    let init: Vec<Value> = if pod.has_sidecars {
        vec![json!({"name": "helper", "restartPolicy": "Always"})]
    } else {
        Vec::new()
    };
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
        "spec": {
            "nodeName": pod.node, "containers": [{"name": MAIN_CONTAINER}], "initContainers": init,
        },
        "status": pod_status(pod),
    })
}

fn pod_status(pod: &PodModel) -> Value {
    let mut conditions = Vec::new();
    if let Some((reason, message)) = &pod.disruption {
        conditions.push(json!({"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}));
    }
    if let Some((reason, message)) = &pod.unschedulable {
        conditions.push(json!({"type": "PodScheduled", "status": "False", "reason": reason, "message": message}));
    }
    let state = match &pod.main {
        ContainerState::Unknown => None,
        ContainerState::Waiting { reason, message } => Some(json!({"waiting": {"reason": reason, "message": message}})),
        ContainerState::Running { started_at } => Some(json!({"running": {"startedAt": started_at.map(seconds)}})),
        ContainerState::Terminated {
            exit_code,
            reason,
            message,
            finished_at,
        } => Some(json!({"terminated": {
            "exitCode": exit_code, "reason": reason, "message": message, "finishedAt": finished_at.map(seconds),
        }})),
    };
    let statuses: Vec<Value> = state
        .map(|state| {
            json!({
                "name": MAIN_CONTAINER, "state": state, "image": "", "imageID": "", "ready": false, "restartCount": 0,
            })
        })
        .into_iter()
        .collect();
    json!({
        "phase": phase(pod.phase), "reason": pod.reason, "message": pod.message,
        "conditions": conditions, "containerStatuses": statuses,
    })
}

const fn phase(phase: PodPhase) -> &'static str {
    match phase {
        PodPhase::Pending => "Pending",
        PodPhase::Running => "Running",
        PodPhase::Succeeded => "Succeeded",
        PodPhase::Failed => "Failed",
        PodPhase::Unknown => "Unknown",
    }
}

/// Times of an API server have whole seconds.
fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap().to_string()
}
