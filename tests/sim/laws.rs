//! The invariants, checked by the server at each write that it carries out.

use jobwright_api::{WorkflowStatus, policy::Then};
use jobwright_tests::{graphs::Outcome, laws::follows};
use k8s_openapi::api::batch::v1::Job;
use serde_json::Value;

use crate::server::{Kind, Server, UID, WORKFLOW};

/// I1, I2, I7, and that run and snapshot are stored.
pub(crate) fn before_create(server: &mut Server, job: &Job, at: (usize, u32)) {
    let name = job.metadata.name.clone().unwrap_or_default();
    let stored = server.stored();
    let born = server
        .history
        .may_be_born(job, at, (&server.case, &stored, &server.cluster));
    server.faults.extend(born.err());
    let owners = job.metadata.owner_references.as_deref().unwrap_or_default();
    if !owners
        .iter()
        .any(|owner| owner.uid == UID && owner.controller == Some(true))
    {
        server.faults.push(format!("I7: {name} has no owner"));
    }
    let is_alive = server.get(Kind::Workflow, WORKFLOW).is_some();
    let snapshot = stored.snapshot.as_ref().map(|snapshot| &snapshot.name);
    let has_snapshot = snapshot.is_some_and(|snapshot| server.get(Kind::Record, snapshot).is_some());
    if is_alive && (!has_snapshot || stored.run.is_none()) {
        server
            .faults
            .push(format!("{name} starts before snapshot and run are stored"));
    }
    if stored.stop.is_some() {
        server
            .faults
            .push(format!("{name} starts though the run is being stopped"));
    }
    // Results of needs may not be stored yet: what counts is what has become of their programs.
    for need in server.case.steps[at.0].needs.clone() {
        let fault = need_is_open(server, &stored, need);
        server
            .faults
            .extend(fault.map(|words| format!("I2: {name} starts, {words}")));
    }
}

fn need_is_open(server: &Server, stored: &WorkflowStatus, need: usize) -> Option<String> {
    let step = &server.case.steps[need];
    let of_need = server.history.created.iter().filter(|((of, _), _)| *of == need);
    let last = of_need.max_by_key(|((_, number), _)| *number);
    let Some(((_, number), name)) = last else {
        // It was skipped, or failed without a Job: that hangs on what is before it, checked there.
        return None;
    };
    let is_over = server
        .cluster
        .jobs
        .get(name)
        .is_none_or(|job| job.is_over() || job.exited.is_some());
    // The one window that is documented: deleted by hand, and made again by another operator that had not
    // seen that yet. Its result is lost, whatever the second Job does.
    let is_deleted = matches!(server.case.outcome(need, *number), Outcome::JobDeleted { .. });
    let is_excused = is_deleted && server.history.is_double;
    if !is_over && !is_excused {
        return Some(format!("but {} of its need {} still runs", name, step.name));
    }
    let failed = stored
        .steps
        .get(&step.name)
        .is_some_and(|status| status.phase == jobwright_api::StepPhase::Failed);
    (failed && step.then == Then::Fail).then(|| format!("but its need {} has failed", step.name))
}

/// A stop is stored before the Job is deleted.
pub(crate) fn before_delete(server: &mut Server, name: &str) {
    let stored = server.stored();
    let mut attempts = stored.steps.values().flat_map(|step| &step.attempts.recent);
    let is_meant =
        attempts.any(|attempt| attempt.job == name && (attempt.stop.is_some() || attempt.phase.is_terminal()));
    if !is_meant && stored.stop.is_none() && !is_stray(server, name) {
        server
            .faults
            .push(format!("{name} is deleted before the reason is stored"));
    }
}

/// A Job whose step is stored as ended without it: of two operators, one knew less than the other.
pub(crate) fn is_stray(server: &Server, name: &str) -> bool {
    let stored = server.stored();
    let at = server.history.created.iter().find(|(_, made)| *made == name);
    let Some(((place, number), _)) = at else {
        return false;
    };
    let step = stored.steps.get(&server.case.steps[*place].name);
    step.is_some_and(|step| step.phase.is_terminal() && step.attempts.count < *number)
}

/// A TTL comes after the result is stored.
pub(crate) fn before_ttl(server: &mut Server, name: &str) {
    let stored = server.stored();
    let mut attempts = stored.steps.values().flat_map(|step| &step.attempts.recent);
    if !attempts.any(|attempt| attempt.job == name && attempt.phase.is_terminal()) {
        server.faults.push(format!("TTL of {name} before its result is stored"));
    }
}

/// A snapshot goes only when no run names it.
pub(crate) fn before_record_delete(server: &mut Server, name: &str) {
    if server.stored().snapshot.is_some_and(|snapshot| snapshot.name == name) {
        server
            .faults
            .push(format!("snapshot {name} is deleted, and a run names it"));
    }
}

/// I3, I4, I10, M05.
pub(crate) fn before_status(server: &mut Server, next: &Value) {
    let before = server.stored();
    let next: WorkflowStatus = serde_json::from_value(next.clone()).unwrap();
    let fault = follows(&before, &next, &server.case).err();
    server.faults.extend(fault);
    let recorded = server.history.record(&next, &server.case, &server.cluster);
    server.faults.extend(recorded.err());
}
