//! What a Job and its pod say of an attempt.
//!
//! Only exit 0 may run ahead of the pod's phase: the kubelet reports it one tick before. Whatever
//! else happened to the pod decides over what its program returned: one that traps TERM and exits 0
//! was stopped, not successful.

use jiff::Timestamp;
use jobwright_api::{Reason, SubStatus, status::Interruption};

use crate::observed::{ContainerState, JobView, PodPhase, PodView};

/// What is known of an attempt whose Job exists.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Not ended.
    Open(Open),
    /// The Job is over and the stores know no pod of it: whether there is none must be asked.
    Unread,
    /// Exit 0, with the termination message of the main container, if the pod could be read.
    Succeeded {
        message: Option<String>,
        seen: Seen,
        /// The pod's phase does not say so yet.
        is_ahead: bool,
    },
    Failed(Failure, Seen),
}

/// Which pod it was, and where.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) pod: Option<String>,
    pub(crate) node: Option<String>,
    /// A container ran.
    pub(crate) started: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Open {
    pub(crate) seen: Seen,
    /// Why it does not start.
    pub(crate) waits: Option<(SubStatus, String)>,
    pub(crate) interruption: Option<Interruption>,
    /// The Job has made no pod at all.
    pub(crate) podless: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    pub(crate) message: String,
    pub(crate) exit_code: Option<i32>,
}

impl Failure {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            exit_code: None,
        }
    }
}

impl From<Interruption> for Failure {
    fn from(interruption: Interruption) -> Self {
        Self::new(interruption.reason, interruption.message)
    }
}

/// Judges an attempt by its Job and pod, and by what was recorded of it before.
///
/// `is_podless`: a live LIST has shown that the Job has no pod.
pub(crate) fn judge(
    job: &JobView,
    pods: &[std::sync::Arc<PodView>],
    is_podless: bool,
    recorded: Option<&Interruption>,
) -> Verdict {
    let pod = pods
        .iter()
        .filter(|pod| pod.job_uid == job.uid)
        .max_by_key(|pod| (pod.deletion_asked_at.is_none(), &pod.name));
    let interruption = stronger(recorded.cloned(), interruption(job, pod.map(AsRef::as_ref)));
    match pod {
        Some(pod) if is_taken_along(job, pod) => Verdict::Open(Open {
            seen: seen(pod),
            interruption,
            ..Open::default()
        }),
        Some(pod) => judge_pod(pod, interruption, is_over(job)),
        // The controller counts what a deleted pod returned: that the Job is gone will say more.
        None if job.deleting => Verdict::Open(Open {
            interruption,
            ..Open::default()
        }),
        None if is_over(job) && !is_podless => Verdict::Unread,
        None => judge_job(job, interruption),
    }
}

fn seen(pod: &PodView) -> Seen {
    Seen {
        pod: Some(pod.name.clone()),
        node: pod.node.clone(),
        started: has_started(pod),
    }
}

fn judge_pod(pod: &PodView, interruption: Option<Interruption>, job_is_over: bool) -> Verdict {
    let seen = seen(pod);
    let is_exit_zero = if pod.has_sidecars {
        pod.phase == PodPhase::Succeeded
    } else {
        pod.phase == PodPhase::Succeeded || has_exited_zero(pod)
    };
    if is_exit_zero && interruption.is_none() && pod.phase != PodPhase::Failed {
        return Verdict::Succeeded {
            message: termination_message(pod),
            seen,
            is_ahead: !pod.phase.is_terminal(),
        };
    }
    // The Job controller deletes the pod of a Job whose deadline has passed, and says so later: a bare deletion has its
    // cause once the Job is over, which follows from it in any case.
    let has_cause = job_is_over || interruption.as_ref().is_none_or(|it| it.reason != Reason::Interrupted);
    match (pod.phase.is_terminal() && has_cause, interruption) {
        (true, Some(interruption)) => Verdict::Failed(interruption.into(), seen),
        (true, None) => Verdict::Failed(exit_of(pod), seen),
        (false, interruption) => Verdict::Open(Open {
            seen,
            waits: waiting_for(pod),
            interruption,
            podless: false,
        }),
    }
}

fn is_over(job: &JobView) -> bool {
    job.complete || job.failed.is_some() || (job.suspended && job.has_had_pod)
}

fn judge_job(job: &JobView, interruption: Option<Interruption>) -> Verdict {
    if !is_over(job) {
        return Verdict::Open(Open {
            podless: !job.has_had_pod && !job.suspended,
            interruption,
            ..Open::default()
        });
    }
    if let Some(interruption) = interruption {
        return Verdict::Failed(interruption.into(), Seen::default());
    }
    if job.complete {
        return Verdict::Succeeded {
            message: None,
            seen: Seen::default(),
            is_ahead: false,
        };
    }
    let words = job.failed.as_ref().map_or("", |(_, message)| message.as_str());
    let failure = Failure::new(
        Reason::Interrupted,
        format!("the pod was removed before its exit could be read; the Job says: {words}"),
    );
    Verdict::Failed(failure, Seen::default())
}

/// The Job controller deletes the pod before it says why: a bare deletion, once recorded, yields to
/// the cause that comes after it. Otherwise the first recorded stays.
fn stronger(recorded: Option<Interruption>, seen: Option<Interruption>) -> Option<Interruption> {
    match (recorded, seen) {
        (Some(recorded), Some(seen)) if recorded.reason == Reason::Interrupted => Some(seen),
        (recorded, seen) => recorded.or(seen),
    }
}

/// What decides over the exit code: the Job's end by the controller, a disruption, a deletion.
fn interruption(job: &JobView, pod: Option<&PodView>) -> Option<Interruption> {
    let found = |reason, message: &str| {
        Some(Interruption {
            reason,
            message: crate::text::clip(message, 512),
        })
    };
    if let Some((reason, message)) = &job.failed
        && reason == "DeadlineExceeded"
    {
        return found(Reason::DeadlineExceeded, message);
    }
    if job.suspended {
        return found(Reason::Interrupted, "the Job was suspended");
    }
    let pod = pod?;
    if let Some((reason, message)) = &pod.disruption {
        return found(disruption(reason), message);
    }
    if let Some(reason) = &pod.reason {
        return found(pod_reason(reason), pod.message.as_deref().unwrap_or(reason));
    }
    let asked_at = pod.deletion_asked_at?;
    // With the whole Job deleted, that it is gone will say more: see `is_taken_along`.
    if exited_before(pod, asked_at) || job.deleting {
        return None;
    }
    found(Reason::Interrupted, "the pod was deleted while it ran")
}

/// Somebody deletes the Job, and its pod with it: what the pod still reports is no result.
fn is_taken_along(job: &JobView, pod: &PodView) -> bool {
    job.deleting
        && pod
            .deletion_asked_at
            .is_some_and(|asked_at| !exited_before(pod, asked_at))
}

/// Reasons of the condition `DisruptionTarget` (Kubernetes docs, "Pod disruption conditions").
fn disruption(reason: &str) -> Reason {
    match reason {
        "PreemptionByScheduler" => Reason::Preempted,
        "DeletionByTaintManager" | "DeletionByPodGC" => Reason::NodeLost,
        _ => Reason::Evicted,
    }
}

/// `status.reason` of a pod, set by the kubelet or the node lifecycle controller.
fn pod_reason(reason: &str) -> Reason {
    match reason {
        "DeadlineExceeded" => Reason::DeadlineExceeded,
        "Preempting" | "Preempted" => Reason::Preempted,
        "NodeLost" | "NodeShutdown" | "Shutdown" | "Terminated" => Reason::NodeLost,
        _ => Reason::Evicted,
    }
}

fn has_exited_zero(pod: &PodView) -> bool {
    pod.containers_expected > 0
        && pod.containers.len() >= pod.containers_expected
        && pod
            .containers
            .iter()
            .all(|container| matches!(container.state, ContainerState::Terminated { exit_code: 0, .. }))
}

/// All containers ended before `instant`: node times are used as an upper bound only.
fn exited_before(pod: &PodView, instant: Timestamp) -> bool {
    !pod.containers.is_empty()
        && pod.containers.iter().all(|container| match container.state {
            ContainerState::Terminated {
                finished_at: Some(at), ..
            } => at < instant,
            _ => false,
        })
}

fn has_started(pod: &PodView) -> bool {
    pod.phase == PodPhase::Running
        || pod.containers.iter().any(|container| {
            matches!(
                container.state,
                ContainerState::Running { .. } | ContainerState::Terminated { .. }
            )
        })
}

/// The termination message of the main container.
fn termination_message(pod: &PodView) -> Option<String> {
    let main = pod
        .containers
        .iter()
        .find(|container| container.name == jobwright_api::meta::MAIN_CONTAINER)
        .or_else(|| pod.containers.first())?;
    match &main.state {
        ContainerState::Terminated { message, .. } => Some(message.clone()),
        _ => None,
    }
}

/// How a pod failed that nobody interfered with.
fn exit_of(pod: &PodView) -> Failure {
    let all = pod.init_containers.iter().chain(&pod.containers);
    for container in all {
        if let ContainerState::Terminated {
            exit_code,
            reason,
            message,
            ..
        } = &container.state
            && *exit_code != 0
        {
            return exit_failure(&container.name, *exit_code, reason, message);
        }
    }
    let words = pod.message.as_deref().unwrap_or("no container reported an exit");
    Failure::new(Reason::Interrupted, format!("the pod failed: {words}"))
}

fn exit_failure(container: &str, exit_code: i32, reason: &str, message: &str) -> Failure {
    let whose = if container == jobwright_api::meta::MAIN_CONTAINER {
        String::new()
    } else {
        format!(" of container {container}")
    };
    let (class, words) = match reason {
        "OOMKilled" => (
            Reason::OOMKilled,
            format!("killed for memory{whose}: raise resources.limits.memory"),
        ),
        // The node came back without knowing what became of the container.
        "ContainerStatusUnknown" => (Reason::NodeLost, format!("the node lost the container{whose}")),
        _ => (Reason::ExitCode, format!("exit code {exit_code}{whose}")),
    };
    let said = crate::text::clip(message, 400);
    let message = if said.is_empty() {
        words
    } else {
        format!("{words}: {said}")
    };
    Failure {
        reason: class,
        message,
        exit_code: Some(exit_code),
    }
}

/// Why a pod does not start, in one word and the cluster's own.
fn waiting_for(pod: &PodView) -> Option<(SubStatus, String)> {
    if let Some((_, message)) = &pod.unschedulable {
        return Some((SubStatus::Unschedulable, message.clone()));
    }
    pod.init_containers
        .iter()
        .chain(&pod.containers)
        .find_map(|container| match &container.state {
            ContainerState::Waiting { reason, message } => {
                let word = match reason.as_str() {
                    "ErrImagePull"
                    | "ImagePullBackOff"
                    | "InvalidImageName"
                    | "ErrImageNeverPull"
                    | "ImageInspectError"
                    | "RegistryUnavailable" => SubStatus::ImagePull,
                    "CreateContainerConfigError" => SubStatus::ConfigMissing,
                    "" | "ContainerCreating" | "PodInitializing" => return None,
                    other => SubStatus::Other(crate::text::clip(other, 64)),
                };
                let text = if message.is_empty() { reason } else { message };
                Some((word, text.clone()))
            }
            _ => None,
        })
}
