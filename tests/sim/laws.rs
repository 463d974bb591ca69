//! The invariants, checked by the server at each write that it carries out.

use jobwright_api::{StepStatus, WorkflowStatus, policy::Then};
use jobwright_tests::{
    graphs::{Outcome, Place, place},
    laws::follows,
};
use k8s_openapi::api::batch::v1::Job;
use serde_json::Value;

use crate::{
    receiver,
    server::{Kind, Server, UID, WORKFLOW},
};

/// I1, I2, I7, and that run and snapshot are stored.
pub(crate) fn before_create(server: &mut Server, job: &Job, at: (&Place, u32)) {
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
    let follows_end = at.0.id.starts_with(place::ON_FAILURE) || at.0.id.starts_with(place::ON_EXIT);
    if stored.stop.is_some() && !follows_end {
        server
            .faults
            .push(format!("{name} starts though the run is being stopped"));
    }
    // Results of needs may not be stored yet: what counts is what has become of their programs.
    let is_partial = server.case.step(at.0).is_partial();
    let needs = server.case.needs(at.0).filter(|_| !is_partial);
    let needs: Vec<String> = needs.map(|(id, _)| id).collect();
    for need in needs {
        let fault = need_is_open(server, &stored, &need).or_else(|| receiver::is_unstored(server, &stored, &need));
        server
            .faults
            .extend(fault.map(|words| format!("I2: {name} starts, {words}")));
    }
}

/// Somebody deletes the Job or its pod: whoever looks later finds nothing to read.
const fn vanishes(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::JobDeleted { .. } | Outcome::PodDeleted { .. } | Outcome::Drained { .. } | Outcome::Preempted { .. }
    )
}

fn need_is_open(server: &Server, stored: &WorkflowStatus, need: &str) -> Option<String> {
    let place = server.case.place(need)?;
    let step = server.case.step(&place);
    let failed = stored
        .steps
        .get(need)
        .is_some_and(|status| status.phase == jobwright_api::StepPhase::Failed);
    if failed && step.then == Then::Fail {
        return Some(format!("but its need {need} has failed"));
    }
    // Of a need without a Job of its own: of all that is below it.
    let all = server.history.created.iter();
    let of_need = all.filter(|((id, _), _)| id == need || place::is_below(id, need));
    of_need.into_iter().find_map(|((id, number), name)| {
        let is_over = server
            .cluster
            .jobs
            .get(name)
            .is_none_or(|job| job.is_over() || job.exited.is_some());
        // The one window that is documented: deleted by hand, and made again by another operator that had not seen that
        // yet, or had read the pod before it went. Its result is lost, whatever the second Job does.
        let place = server.case.place(id)?;
        let mut outcomes = (1..=*number).map(|number| server.case.outcome(&place, number));
        let is_excused = server.history.is_double && outcomes.any(vanishes);
        // Nor does one of two operators know of a Job that the other makes below a step which has ended for the first.
        let is_unknown = stored.steps.get(id).is_none_or(|step| step.attempts.count < *number);
        let is_of_other = server.history.is_double && id != need && is_unknown;
        (!is_over && !is_excused && !is_of_other).then(|| format!("but {name} of its need {need} still runs"))
    })
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
    let Some(((id, number), _)) = at else {
        return false;
    };
    let is_without = |step: &StepStatus| step.phase.is_terminal() && step.attempts.count < *number;
    match stored.steps.get(id) {
        Some(step) => is_without(step),
        // Of an iteration that never came to be, or was folded away without it.
        None => server.history.ended.get(id).is_none_or(is_without),
    }
}

/// A TTL comes after the result is stored.
pub(crate) fn before_ttl(server: &mut Server, name: &str) {
    let stored = server.stored();
    let mut attempts = stored.steps.values().flat_map(|step| &step.attempts.recent);
    let is_recorded = attempts.any(|attempt| attempt.job == name && attempt.phase.is_terminal());
    if !is_recorded && !is_stray(server, name) {
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
    server.history.stored(&next);
    let recorded = server.history.record(&next, &server.case, &server.cluster);
    server.faults.extend(recorded.err());
}
