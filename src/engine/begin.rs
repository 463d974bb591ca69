//! The begin of a run: the definition is resolved, checked and stored before anything starts.

use jobwright_api::{
    Reason, SubStatus, WorkflowPhase, WorkflowStatus,
    policy::RunPolicy,
    status::{SnapshotReference, TemplateUsed},
};
use serde_json::Map;

use crate::{
    decision::Action,
    draft::{Cause, Draft},
    frame::Frame,
    graph::Graph,
    inputs,
    observed::{Observed, Refusal, RefusalKind},
    parent,
    plan::{Sources, Unready, plan},
    problem::Problem,
    resolve::definition_hash,
    text::{MESSAGE_BYTES_MAX, clip},
};

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
    if let Some(stop) = parent::closed(observed) {
        return parent::end_unbegun(observed, draft, &stop);
    }
    let source = observed.spec.template_ref.as_ref();
    if let Some(pinned) = source.and_then(|source| source.snapshot.clone()) {
        let Some(graph) = &observed.graph else {
            let words = format!("there is no WorkflowRecord {pinned}: restore it, or delete this Workflow");
            let path = "spec.templateRef.snapshot";
            return wait(draft, &[Problem::new(Reason::TemplateNotFound, path, words)]);
        };
        return begin_child(observed, draft, graph, pinned);
    }
    let sources = Sources {
        tasks: &observed.tasks,
        templates: &observed.templates,
        settings: observed.settings,
    };
    match plan(observed.spec, sources) {
        Err(Unready::Wrong(problems)) => refuse(observed, draft, &problems),
        Err(Unready::Waits(problems)) => wait(draft, &problems),
        Ok(plan) => {
            let stored = &observed.notes.snapshots;
            let mut missing = plan
                .records
                .into_iter()
                .filter(|(name, _)| !stored.contains(name))
                .peekable();
            if missing.peek().is_none() {
                return open(observed, draft, &plan.graph, plan.snapshot);
            }
            draft.move_run(WorkflowPhase::Pending, Cause::default());
            for (name, data) in missing {
                if let Some(refusal) = observed.notes.refusals.get(&name) {
                    show_refusal(draft, refusal);
                }
                draft.act(Action::StoreSnapshot { name, data });
            }
        }
    }
}

/// The record was stored by its parent: what it is given is all that is left to check.
fn begin_child(observed: &Observed, draft: &mut Draft, graph: &Graph, snapshot: String) {
    let definition = graph.definition();
    let template = observed.spec.template_ref.as_ref().map(|source| source.name.as_str());
    let (_, problems) = inputs::given(&definition.inputs, &observed.spec.inputs, template);
    if problems.is_empty() {
        open(observed, draft, graph, snapshot);
    } else {
        refuse(observed, draft, &problems);
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
    draft.status.sub_status = match first.map(|first| &first.reason) {
        Some(Reason::TaskNotFound) => Some(SubStatus::TaskNotFound),
        Some(Reason::TemplateNotFound) => Some(SubStatus::TemplateNotFound),
        _ => None,
    };
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
    status.snapshot = Some(SnapshotReference {
        name: snapshot,
        children: graph.definition().children.clone(),
    });
    status.template = template_used(observed, graph);
    status.definition_hash = Some(definition_hash(observed.spec));
    status.started_at = Some(now);
    status.reason = None;
    status.message = None;
    status.sub_status = None;
    draft.open_frame(&Frame::root(graph, Map::new()));
    let phase = if observed.spec.suspend {
        WorkflowPhase::Suspended
    } else {
        WorkflowPhase::Running
    };
    draft.move_run(phase, Cause::default());
}

/// The template as it is recorded; its revision, where the template still is what the run keeps.
fn template_used(observed: &Observed, graph: &Graph) -> Option<TemplateUsed> {
    let used = graph.definition().template.as_ref()?;
    let known = observed
        .templates
        .get(&used.name)
        .and_then(|template| template.status.as_ref());
    let same = known.filter(|status| status.hash.as_ref() == Some(&used.hash));
    Some(TemplateUsed {
        name: used.name.clone(),
        hash: used.hash.clone(),
        revision: same.and_then(|status| status.revision),
    })
}
