//! What happens to a Job, step by step.

use jiff::Timestamp;
use jobwright_engine::observed::{ContainerState, PodPhase};

use super::job::{JobModel, PodModel};
use crate::graphs::{Outcome, Said, Stuck};

/// One thing that happens to a Job or its pod.
#[derive(Clone, Debug)]
pub enum Happening {
    PodIsMade,
    IsStuck(Stuck),
    Runs,
    Exits {
        code: i32,
        reason: &'static str,
        message: String,
    },
    /// The kubelet sets the pod's phase, some time after its containers' states.
    PodEnds,
    JobSeesEnd,
    JobEnds,
    /// The pod is marked for a disruption.
    IsDisrupted(&'static str),
    /// The kubelet fails the pod by itself.
    IsEvicted,
    NodeIsLost,
    /// The pod's deletion is asked for.
    Stops,
    /// The program has had its TERM.
    Terms,
    PodGoes,
    JobIsDeleted,
    JobIsSuspended,
    DeadlinePasses,
    TtlExpires,
    JobGoes,
}

/// From the creation of a Job on, in milliseconds.
pub(super) fn of(job: &JobModel) -> Vec<(u64, Happening)> {
    const MADE: u64 = 50;
    let runs_at = |start_ms: u64| (MADE + start_ms, Happening::Runs);
    let mut plan = vec![(MADE, Happening::PodIsMade)];
    match &job.fate {
        Outcome::Exit {
            code,
            start_ms,
            run_ms,
            said,
        } => {
            let reason = if *code == 0 { "Completed" } else { "Error" };
            let exits = Happening::Exits {
                code: *code,
                reason,
                message: said.message(),
            };
            plan.extend([runs_at(*start_ms), (MADE + start_ms + run_ms, exits)]);
        }
        Outcome::OomKilled { start_ms, run_ms } => {
            let exits = Happening::Exits {
                code: 137,
                reason: "OOMKilled",
                message: String::new(),
            };
            plan.extend([runs_at(*start_ms), (MADE + start_ms + run_ms, exits)]);
        }
        Outcome::Evicted { run_ms } => plan.extend([runs_at(100), (MADE + 101 + run_ms, Happening::IsEvicted)]),
        Outcome::Drained { run_ms, .. } => plan.extend(disrupted(MADE + 100, *run_ms, "EvictionByEvictionAPI")),
        Outcome::Preempted { run_ms, .. } => plan.extend(disrupted(MADE + 100, *run_ms, "PreemptionByScheduler")),
        Outcome::NodeLost { run_ms } => plan.extend([
            runs_at(100),
            (MADE + 101 + run_ms, Happening::IsDisrupted("DeletionByTaintManager")),
            (MADE + 5_000 + run_ms, Happening::NodeIsLost),
        ]),
        Outcome::PodDeleted { run_ms, .. } => plan.extend([runs_at(100), (MADE + 101 + run_ms, Happening::Stops)]),
        Outcome::JobDeleted { run_ms, .. } => {
            plan.extend([runs_at(100), (MADE + 101 + run_ms, Happening::JobIsDeleted)]);
        }
        Outcome::JobSuspended { run_ms, .. } => {
            plan.extend([runs_at(100), (MADE + 101 + run_ms, Happening::JobIsSuspended)]);
        }
        Outcome::NeverStarts(Stuck::NoPod) | Outcome::Refused => plan.clear(),
        Outcome::NeverStarts(stuck) => plan.push((MADE + 10, Happening::IsStuck(*stuck))),
        Outcome::Forever { start_ms, .. } => plan.push(runs_at(*start_ms)),
    }
    let spec = job.posted.spec.as_ref();
    if let Some(seconds) = spec.and_then(|spec| spec.active_deadline_seconds) {
        plan.push((u64::try_from(seconds).unwrap() * 1_000, Happening::DeadlinePasses));
    }
    plan
}

fn disrupted(start_ms: u64, run_ms: u64, reason: &'static str) -> [(u64, Happening); 3] {
    let at = start_ms + 1 + run_ms;
    [
        (start_ms, Happening::Runs),
        (at, Happening::IsDisrupted(reason)),
        (at, Happening::Stops),
    ]
}

/// Changes the Job, and says what follows from it and when.
pub(super) fn apply(job: &mut JobModel, happening: Happening, now: Timestamp) -> Vec<(u64, Happening)> {
    match happening {
        Happening::PodIsMade if !job.deleting && !job.suspended && job.pod.is_none() => {
            job.had_pod = true;
            job.pod = Some(new_pod(job));
            Vec::new()
        }
        Happening::JobIsSuspended if !job.is_finished() => {
            job.suspended = true;
            vec![(10, Happening::Stops)]
        }
        Happening::DeadlinePasses if !job.is_finished() && !job.deleting && !job.suspended => {
            let words = ("DeadlineExceeded", "Job was active longer than specified deadline");
            job.failure_target = Some((words.0.to_owned(), words.1.to_owned()));
            vec![(10, Happening::Stops), (3_000, Happening::JobEnds)]
        }
        Happening::JobSeesEnd => {
            job.success_met = succeeded(job) && job.failure_target.is_none();
            vec![(1_000, Happening::JobEnds)]
        }
        Happening::JobEnds => job_ends(job, now),
        Happening::PodGoes => {
            let was_there = job.pod.take().is_some();
            let is_left = was_there && !job.is_finished() && !job.deleting && !job.suspended;
            if is_left {
                vec![(10, Happening::JobEnds)]
            } else {
                Vec::new()
            }
        }
        on_pod => {
            let exit = exit_on_term(&job.fate);
            let Some(pod) = &mut job.pod else {
                return Vec::new();
            };
            let (next, exited) = apply_to_pod(pod, on_pod, exit, now);
            if let Some(code) = exited {
                job.exited.get_or_insert((now, code));
            }
            next
        }
    }
}

fn job_ends(job: &mut JobModel, now: Timestamp) -> Vec<(u64, Happening)> {
    if job.is_finished() || job.suspended || job.deleting {
        return Vec::new();
    }
    if let Some(target) = job.failure_target.clone() {
        job.failed = Some(target);
    } else if succeeded(job) {
        job.complete = true;
    } else {
        let words = ("BackoffLimitExceeded", "Job has reached the specified backoff limit");
        job.failed = Some((words.0.to_owned(), words.1.to_owned()));
    }
    job.finished_at = Some(now);
    let ttl = job.ttl_s.map(|ttl_s| u64::try_from(ttl_s).unwrap() * 1_000);
    ttl.map(|after_ms| (after_ms, Happening::TtlExpires))
        .into_iter()
        .collect()
}

/// The Job controller counts the pod's phase, and knows nothing of why it ended.
fn succeeded(job: &JobModel) -> bool {
    job.exited.is_some_and(|(_, code)| code == 0)
}

type Next = (Vec<(u64, Happening)>, Option<i32>);

fn apply_to_pod(pod: &mut PodModel, happening: Happening, exit: i32, now: Timestamp) -> Next {
    let is_ended = pod.phase.is_terminal() || matches!(pod.main, ContainerState::Terminated { .. });
    match happening {
        Happening::IsStuck(Stuck::Unschedulable) => {
            pod.node = None;
            pod.unschedulable = Some((
                "Unschedulable".to_owned(),
                "0/1 nodes are available: 1 Insufficient cpu.".to_owned(),
            ));
        }
        Happening::IsStuck(_) => {
            let message = "Back-off pulling image \"registry.local/tools:1\"".to_owned();
            pod.main = ContainerState::Waiting {
                reason: "ImagePullBackOff".to_owned(),
                message,
            };
        }
        Happening::Runs if pod.deletion_asked_at.is_none() => {
            pod.phase = PodPhase::Running;
            pod.main = ContainerState::Running { started_at: Some(now) };
        }
        Happening::Exits { code, reason, message } if !is_ended && pod.deletion_asked_at.is_none() => {
            pod.main = terminated(code, reason, message, now);
            return (vec![(1_000, Happening::PodEnds)], Some(code));
        }
        Happening::Terms if matches!(pod.main, ContainerState::Running { .. }) => {
            let code = exit;
            let reason = if code == 0 { "Completed" } else { "Error" };
            // A program that says everything is well while it is being stopped.
            pod.main = terminated(code, reason, said_on_term(), now);
            return (vec![(500, Happening::PodEnds)], Some(code));
        }
        Happening::PodEnds if !pod.phase.is_terminal() => {
            let code = match &pod.main {
                ContainerState::Terminated { exit_code, .. } => *exit_code,
                _ => 137,
            };
            pod.phase = if code == 0 {
                PodPhase::Succeeded
            } else {
                PodPhase::Failed
            };
            return (vec![(1_000, Happening::JobSeesEnd)], None);
        }
        Happening::IsDisrupted(reason) => {
            pod.disruption = Some((reason.to_owned(), "somebody needs the place".to_owned()));
        }
        Happening::IsEvicted if !is_ended => {
            pod.phase = PodPhase::Failed;
            pod.reason = Some("Evicted".to_owned());
            pod.message = Some("The node was low on resource: memory.".to_owned());
            pod.disruption = Some(("TerminationByKubelet".to_owned(), "low on memory".to_owned()));
            pod.main = terminated(137, "Error", String::new(), now);
            return (vec![(1_000, Happening::JobSeesEnd)], Some(137));
        }
        Happening::NodeIsLost if !is_ended => {
            pod.phase = PodPhase::Failed;
            pod.reason = Some("NodeLost".to_owned());
            pod.deletion_asked_at.get_or_insert(now);
            return (vec![(1_000, Happening::PodGoes)], Some(137));
        }
        _ => {}
    }
    (Vec::new(), None)
}

fn terminated(exit_code: i32, reason: &str, message: String, now: Timestamp) -> ContainerState {
    ContainerState::Terminated {
        exit_code,
        reason: reason.to_owned(),
        message,
        finished_at: Some(now),
    }
}

fn said_on_term() -> String {
    Said::Values([("out0".to_owned(), 1.into())].into()).message()
}

const fn exit_on_term(fate: &Outcome) -> i32 {
    match fate {
        Outcome::Drained { exit, .. }
        | Outcome::Preempted { exit, .. }
        | Outcome::PodDeleted { exit, .. }
        | Outcome::JobDeleted { exit, .. }
        | Outcome::JobSuspended { exit, .. }
        | Outcome::Forever { exit, .. } => *exit,
        _ => 143,
    }
}

fn new_pod(job: &JobModel) -> PodModel {
    let pod = job.posted.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let init = pod.and_then(|pod| pod.init_containers.as_ref());
    let is_sidecar = |container: &k8s_openapi::api::core::v1::Container| container.restart_policy.is_some();
    PodModel {
        name: format!("{}-{}", job.name, &job.uid),
        uid: format!("pod-of-{}", job.uid),
        node: Some("node1".to_owned()),
        phase: PodPhase::Pending,
        reason: None,
        message: None,
        deletion_asked_at: None,
        grace_s: job.grace_s(),
        disruption: None,
        unschedulable: None,
        main: ContainerState::Unknown,
        has_sidecars: init.is_some_and(|init| init.iter().any(is_sidecar)),
    }
}
