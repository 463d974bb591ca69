//! A Job and its pod as they really are, whoever has seen it.

use jiff::Timestamp;
use jobwright_api::{
    meta::{annotation, label},
    status::PathSegment,
};
use jobwright_engine::{
    id::StepId,
    observed::{ContainerState, PodPhase},
};
use k8s_openapi::api::batch::v1::Job;

use crate::graphs::Outcome;

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own in the Job's spec or status"
)]
#[derive(Clone, Debug)]
pub struct JobModel {
    pub name: String,
    pub uid: String,
    /// As it was posted.
    pub posted: Job,
    pub created_at: Timestamp,
    pub fate: Outcome,
    pub had_pod: bool,
    pub deleting: bool,
    pub suspended: bool,
    pub ttl_s: Option<i32>,
    /// It will have failed for this reason; its pods are being stopped.
    pub failure_target: Option<(String, String)>,
    pub success_met: bool,
    pub complete: bool,
    pub failed: Option<(String, String)>,
    pub finished_at: Option<Timestamp>,
    pub pod: Option<PodModel>,
    /// When the program stopped, and with which code.
    pub exited: Option<(Timestamp, i32)>,
    /// Grows with each change of the Job or its pod.
    pub version: u64,
}

#[derive(Clone, Debug)]
pub struct PodModel {
    pub name: String,
    pub uid: String,
    pub node: Option<String>,
    pub phase: PodPhase,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub deletion_asked_at: Option<Timestamp>,
    pub grace_s: i64,
    pub disruption: Option<(String, String)>,
    pub unschedulable: Option<(String, String)>,
    pub main: ContainerState,
    pub has_sidecars: bool,
}

impl JobModel {
    #[must_use]
    pub fn new(uid: String, posted: Job, created_at: Timestamp, fate: Outcome) -> Self {
        Self {
            name: posted.metadata.name.clone().unwrap_or_default(),
            uid,
            created_at,
            fate,
            had_pod: false,
            deleting: false,
            suspended: false,
            ttl_s: posted.spec.as_ref().and_then(|spec| spec.ttl_seconds_after_finished),
            failure_target: None,
            success_met: false,
            complete: false,
            failed: None,
            finished_at: None,
            pod: None,
            exited: None,
            version: 0,
            posted,
        }
    }

    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.complete || self.failed.is_some()
    }

    /// No container of it runs, nor will one.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match &self.pod {
            Some(pod) => pod.phase.is_terminal(),
            None => self.had_pod || self.is_finished() || self.deleting || self.suspended,
        }
    }

    #[must_use]
    pub fn grace_s(&self) -> i64 {
        let pod = self.posted.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
        pod.and_then(|pod| pod.termination_grace_period_seconds).unwrap_or(30)
    }
}

/// Printed id of the step and number of the attempt that a Job is for.
#[must_use]
pub fn identity(job: &Job) -> Option<(String, u32)> {
    let path = job.metadata.annotations.as_ref()?.get(annotation::STEP)?;
    let path: Vec<PathSegment> = serde_json::from_str(path).ok()?;
    let attempt = job.metadata.labels.as_ref()?.get(label::ATTEMPT)?.parse().ok()?;
    Some((StepId::from(path).to_string(), attempt))
}
