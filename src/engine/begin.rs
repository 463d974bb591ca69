//! The begin of a run: the definition is resolved, checked and stored before anything starts.

use jobwright_api::{Reason, SubStatus, WorkflowPhase, WorkflowStatus, policy::RunPolicy, status::SnapshotReference};

use crate::{
    decision::Action,
    definition::Definition,
    draft::{Cause, Draft},
    frame::Frame,
    graph::Graph,
    job,
    observed::{Observed, Refusal, RefusalKind},
    problem::Problem,
    resolve::{Unresolved, definition_hash, resolve},
    text::{MESSAGE_BYTES_MAX, clip},
};

/// Below the request limit of etcd (1.5 MiB) and our own bound of an object (512 KiB).
const SNAPSHOT_BYTES_MAX: usize = 384 * 1024;

/// Whether a run has to begin: the first, or with `OnChange` the next.
pub(crate) fn is_due(observed: &Observed) -> bool {
    let status = observed.pending;
    if !status.phase.is_some_and(WorkflowPhase::is_terminal) {
        return status.snapshot.is_none();
    }
    // The end of the last run is stored first: nobody would ever read it.
    let is_stored = observed.stored.phase == status.phase && observed.stored.run == status.run;
    observed.spec.run_policy == RunPolicy::OnChange
        && is_stored
        && status.definition_hash.as_deref() != Some(&definition_hash(observed.spec))
}

pub(crate) fn begin(observed: &Observed, draft: &mut Draft) {
    if draft.status.phase.is_some_and(WorkflowPhase::is_terminal) {
        // The last run has ended: nothing of it is carried over but the counters.
        draft.status = WorkflowStatus {
            run: draft.status.run.map(|run| run.saturating_add(1)),
            seq: draft.status.seq,
            ..WorkflowStatus::default()
        };
    }
    draft.status.run.get_or_insert(1);
    let resolved = resolve(observed.spec, &observed.tasks, observed.settings);
    let graph = match resolved {
        Ok(definition) => Graph::compile(definition),
        Err(Unresolved::Wrong(problems)) => Err(problems),
        Err(Unresolved::Missing(problems)) => return wait(draft, &problems),
    };
    match graph.and_then(|graph| snapshot(graph.definition()).map(|(name, data)| (graph, name, data))) {
        // A mistake in a definition that cannot change is final; one that a Task can mend is waited for.
        Err(problems) if problems.iter().any(|problem| problem.reason != Reason::TaskMismatch) => {
            refuse(observed, draft, &problems);
        }
        Err(problems) => wait(draft, &problems),
        Ok((_, name, data)) if observed.notes.snapshot.as_ref() != Some(&name) => {
            draft.move_run(WorkflowPhase::Pending, Cause::default());
            if let Some(refusal) = observed.notes.refusals.get(&name) {
                show_refusal(draft, refusal);
            }
            draft.act(Action::StoreSnapshot { name, data });
        }
        Ok((graph, name, _)) => open(observed, draft, &graph, name),
    }
}

/// The API server does not take the snapshot: it is tried again, and people are told.
fn show_refusal(draft: &mut Draft, refusal: &Refusal) {
    let status = &mut draft.status;
    (status.reason, status.sub_status) = match refusal.kind {
        RefusalKind::Quota => (None, Some(SubStatus::QuotaBlocked)),
        RefusalKind::Unavailable => (None, Some(SubStatus::ApiUnavailable)),
        RefusalKind::Permanent | RefusalKind::NameTaken => (Some(Reason::Refused), None),
    };
    let words = format!("the definition of this run is not stored yet: {}", refusal.message);
    status.message = Some(clip(&words, MESSAGE_BYTES_MAX));
}

fn snapshot(definition: &Definition) -> Result<(String, String), Vec<Problem>> {
    let wrong = |reason, words: String| vec![Problem::new(reason, "spec", words)];
    let data =
        serde_json::to_string(definition).map_err(|error| wrong(Reason::InvalidDefinition, error.to_string()))?;
    if data.len() > SNAPSHOT_BYTES_MAX {
        let words = format!(
            "the definition with its Tasks is {} bytes, at most {SNAPSHOT_BYTES_MAX} are stored: split it, or make scripts and inputs smaller",
            data.len()
        );
        return Err(wrong(Reason::TooLarge, words));
    }
    Ok((job::content_name("snapshot", data.as_bytes()), data))
}

/// Ends the run before it began.
fn refuse(observed: &Observed, draft: &mut Draft, problems: &[Problem]) {
    let reason = problems
        .first()
        .map_or(Reason::InvalidDefinition, |first| first.reason.clone());
    draft.status.definition_hash = Some(definition_hash(observed.spec));
    draft.status.finished_at = Some(draft.now());
    draft.move_run(WorkflowPhase::Failed, Cause::new(reason, &words(problems)));
}

fn wait(draft: &mut Draft, problems: &[Problem]) {
    draft.move_run(WorkflowPhase::Pending, Cause::default());
    let first = problems.first();
    draft.status.reason = first.map(|first| first.reason.clone());
    draft.status.sub_status = first
        .filter(|first| first.reason == Reason::TaskNotFound)
        .map(|_| SubStatus::TaskNotFound);
    draft.status.message = Some(clip(&words(problems), MESSAGE_BYTES_MAX));
}

fn words(problems: &[Problem]) -> String {
    let all: Vec<String> = problems.iter().map(Problem::to_string).collect();
    all.join("; ")
}

/// The snapshot is stored: the status that names it goes before the first Job.
fn open(observed: &Observed, draft: &mut Draft, graph: &Graph, snapshot: String) {
    let now = draft.now();
    let status = &mut draft.status;
    status.snapshot = Some(SnapshotReference { name: snapshot });
    status.definition_hash = Some(definition_hash(observed.spec));
    status.started_at = Some(now);
    status.reason = None;
    status.message = None;
    status.sub_status = None;
    draft.open_frame(&Frame::root(graph));
    let phase = if observed.spec.suspend {
        WorkflowPhase::Suspended
    } else {
        WorkflowPhase::Running
    };
    draft.move_run(phase, Cause::default());
}
