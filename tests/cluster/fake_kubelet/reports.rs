//! What is written into a pod's status, as values.

use super::{Run, number};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use serde_json::{Value, json};

/// The exit code of a program that SIGTERM ended.
const TERMINATED: i32 = 143;

pub(super) fn running(pod: &Pod, now: Timestamp) -> Value {
    let state = |_: &Container| json!({ "running": { "startedAt": time(now) } });
    let mut status = statuses(pod, now, state, state);
    status["phase"] = json!("Running");
    status
}

/// The containers have ended; like a kubelet's first report of it, this one leaves the phase alone.
pub(super) fn terminated(pod: &Pod, run: &Run, begun: Timestamp, now: Timestamp) -> Value {
    let first = containers(pod).first().map(|container| container.name.as_str());
    let main = |container: &Container| {
        let is_first = Some(container.name.as_str()) == first;
        ended(run.exit, if is_first { &run.message } else { "" }, begun, now)
    };
    // Sidecars are told to stop after the main containers.
    statuses(pod, begun, main, |_| ended(0, "", begun, now))
}

pub(super) fn phase(exit: i32) -> Value {
    json!({ "phase": if exit == 0 { "Succeeded" } else { "Failed" } })
}

/// Told to end by a deletion: the code that the pod's annotation says, and the phase at once.
pub(super) fn deleted(pod: &Pod, now: Timestamp) -> Value {
    let run = Run {
        exit: number(pod, "term-exit", TERMINATED),
        ..Run::default()
    };
    let mut status = terminated(pod, &run, now, now);
    status["phase"] = phase(run.exit)["phase"].clone();
    status
}

pub(super) fn evicted(now: Timestamp) -> Value {
    json!({
        "phase": "Failed",
        "reason": "Evicted",
        "message": "The node was low on resource: memory.",
        "conditions": [{
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "TerminationByKubelet",
            "message": "The node was low on resource: memory.",
            "lastTransitionTime": time(now),
        }],
    })
}

fn containers(pod: &Pod) -> &[Container] {
    pod.spec.as_ref().map_or(&[], |spec| &spec.containers)
}

fn statuses(
    pod: &Pod,
    begun: Timestamp,
    main: impl Fn(&Container) -> Value,
    sidecar: impl Fn(&Container) -> Value,
) -> Value {
    let init = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.init_containers.as_deref())
        .unwrap_or_default();
    let init = init.iter().map(|container| {
        let is_sidecar = container.restart_policy.as_deref() == Some("Always");
        let state = if is_sidecar {
            sidecar(container)
        } else {
            ended(0, "", begun, begun)
        };
        status(container, &state)
    });
    let main = containers(pod)
        .iter()
        .map(|container| status(container, &main(container)));
    let started = pod
        .status
        .as_ref()
        .and_then(|status| status.start_time.as_ref())
        .map_or(begun, |time| time.0);
    json!({
        "startTime": time(started),
        "initContainerStatuses": init.collect::<Vec<Value>>(),
        "containerStatuses": main.collect::<Vec<Value>>(),
    })
}

fn status(container: &Container, state: &Value) -> Value {
    let is_running = state.get("running").is_some();
    json!({
        "name": container.name,
        "image": container.image,
        "imageID": "",
        "ready": is_running,
        "started": is_running,
        "restartCount": 0,
        "state": state,
    })
}

fn ended(exit: i32, message: &str, begun: Timestamp, now: Timestamp) -> Value {
    json!({ "terminated": {
        "exitCode": exit,
        "reason": if exit == 0 { "Completed" } else { "Error" },
        "message": message,
        "startedAt": time(begun),
        "finishedAt": time(now),
    }})
}

/// To the second, as the API keeps it.
fn time(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::{Run, deleted, phase, terminated};
    use jiff::Timestamp;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    fn pod() -> Pod {
        serde_json::from_value(json!({
            "metadata": { "annotations": { "fake-kubelet/term-exit": "0" } },
            "spec": {
                "initContainers": [{ "name": "proxy", "image": "i", "restartPolicy": "Always" }],
                "containers": [{ "name": "main", "image": "i" }, { "name": "other", "image": "i" }],
            },
        }))
        .unwrap()
    }

    #[test]
    fn the_message_is_the_first_containers_and_the_phase_comes_later() {
        let run = Run {
            exit: 7,
            message: "why".to_owned(),
            ..Run::default()
        };
        let status = terminated(&pod(), &run, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        assert_eq!(status.get("phase"), None);
        let main = &status["containerStatuses"][0]["state"]["terminated"];
        assert_eq!((&main["exitCode"], &main["message"]), (&json!(7), &json!("why")));
        assert_eq!(main["finishedAt"], "1970-01-01T00:00:00Z");
        assert_eq!(status["containerStatuses"][1]["state"]["terminated"]["message"], "");
        assert_eq!(status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"], 0);
        assert_eq!(
            (phase(0), phase(7)),
            (json!({ "phase": "Succeeded" }), json!({ "phase": "Failed" }))
        );
    }

    #[test]
    fn a_deleted_pod_ends_as_its_annotation_says() {
        let status = deleted(&pod(), Timestamp::UNIX_EPOCH);
        assert_eq!(status["phase"], "Succeeded");
        let plain = deleted(&Pod::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(plain["phase"], "Failed");
    }
}
