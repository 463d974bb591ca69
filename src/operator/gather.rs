//! From stores and memory to the plain value that the engine looks at. No client, no waiting.

use jiff::Timestamp;
use jobwright_api::{Workflow, WorkflowPhase, WorkflowStatus};
use jobwright_engine::{
    graph::Graph,
    observed::{Notes, Observed, Parent},
};
use std::{sync::Arc, time::Duration};

use crate::{
    config::Settings,
    context::Context,
    memory::{Entry, OfRun},
    store::{BadSnapshot, Definitions, HeldWorkflow, Key, Run, Waiter},
    view::child,
};

/// What an [`Observed`] borrows from, and when it has to be gathered again.
pub struct Gathered {
    now: Timestamp,
    generation: i64,
    graph: Option<Arc<Graph>>,
    definitions: Definitions,
    /// Whose child it is, and that Workflow.
    family: Option<(child::Identity, Option<HeldWorkflow>)>,
    settings: Arc<Settings>,
    run: Arc<Run>,
    pub pending: Arc<WorkflowStatus>,
    /// When a reply that the watch has not confirmed expires.
    pub next: Option<Duration>,
}

/// Gathers all that is known of a run.
///
/// # Errors
/// Its snapshot cannot be read.
pub fn gather(
    held: &HeldWorkflow,
    workflow: &Workflow,
    outbox: &OfRun,
    memory: &mut Entry,
    ctx: &Context,
) -> Result<Gathered, BadSnapshot> {
    let empty = WorkflowStatus::default();
    let stored = workflow.status.as_ref().unwrap_or(&empty);
    let pending = outbox.outbox().current(held, stored);
    let (run, next) = ctx.stores.run(&held.uid, ctx.clock.monotonic());
    memory.forget_what_is_seen(&run);
    memory.forget_pages(stored);
    if memory.run != pending.run {
        // What was learned of the Jobs of another run says nothing of this one's.
        memory.run = pending.run;
        outbox.requests.clear();
        memory.notes = Notes {
            snapshots: std::mem::take(&mut memory.notes.snapshots),
            ..Notes::default()
        };
    }
    let requests = &outbox.requests;
    if workflow.metadata.deletion_timestamp.is_some() {
        requests.clear();
    }
    memory.notes.requests = requests.known(&pending, stored, &ctx.requests);
    let is_over =
        pending.phase.is_some_and(WorkflowPhase::is_terminal) || workflow.metadata.deletion_timestamp.is_some();
    let graph = graph(held, workflow, (&pending, is_over), &run, memory, ctx)?;
    let definitions = if pending.snapshot.is_some() {
        Definitions::default()
    } else {
        let waiter = Waiter::Workflow(held.key.clone());
        let spec = &workflow.spec;
        ctx.stores
            .await_definitions(&waiter, spec.task_names(), spec.template_names())
    };
    let family = child::identity(&workflow.metadata).map(|identity| {
        let parent = ctx.stores.workflow_of(&identity.parent_uid);
        (identity, parent)
    });
    Ok(Gathered {
        now: ctx.clock.now(),
        generation: workflow.metadata.generation.unwrap_or_default(),
        graph,
        definitions,
        family,
        settings: ctx.settings(),
        run,
        pending,
        next,
    })
}

/// The compiled definition, as far as there is one and it is needed.
fn graph(
    held: &HeldWorkflow,
    workflow: &Workflow,
    (pending, is_over): (&WorkflowStatus, bool),
    run: &Run,
    memory: &mut Entry,
    ctx: &Context,
) -> Result<Option<Arc<Graph>>, BadSnapshot> {
    let key = |name: &String| Key::new(held.key.namespace.clone(), name.clone());
    match &pending.snapshot {
        // Nothing is left to decide: there may be thousands of those, and each list wakes all.
        Some(_) if is_over && run.jobs.is_empty() => Ok(None),
        Some(snapshot) => {
            let key = key(&snapshot.name);
            let graph = ctx.stores.graph(&key)?;
            if graph.is_none() && !is_over {
                // Without it a run can neither go on nor end: people have to know.
                let why =
                    "it is not there: a run keeps its definition in it; restore it, or delete the Workflow".into();
                return Err(BadSnapshot { key, why });
            }
            Ok(graph)
        }
        None => {
            // Someone has deleted it since: it is stored again.
            memory
                .notes
                .snapshots
                .retain(|name| ctx.stores.record(&key(name)).is_some());
            let source = workflow.spec.template_ref.as_ref();
            match source.and_then(|source| source.snapshot.as_ref()) {
                Some(pinned) => ctx.stores.graph(&key(pinned)),
                None => Ok(None),
            }
        }
    }
}

impl Gathered {
    /// The value for the engine.
    #[must_use]
    pub fn observed<'a>(
        &'a self,
        held: &'a HeldWorkflow,
        workflow: &'a Workflow,
        stored: &'a WorkflowStatus,
        memory: &'a Entry,
    ) -> Observed<'a> {
        Observed {
            now: self.now,
            namespace: &held.key.namespace,
            name: &held.key.name,
            uid: &held.uid,
            generation: self.generation,
            deleting: workflow.metadata.deletion_timestamp.is_some(),
            spec: &workflow.spec,
            stored,
            pending: &self.pending,
            graph: self.graph.clone(),
            tasks: self.definitions.tasks.clone(),
            templates: self.definitions.templates.clone(),
            settings: &self.settings.jobs,
            jobs: &self.run.jobs,
            pods: &self.run.pods,
            children: &self.run.children,
            parent: self.family.as_ref().map(|(identity, parent)| Parent {
                run: identity.run,
                path: identity.path.clone(),
                attempt: identity.attempt,
                on_close: identity.on_close,
                status: parent.as_ref().and_then(status_of),
            }),
            notes: &memory.notes,
        }
    }
}

fn status_of(held: &HeldWorkflow) -> Option<&WorkflowStatus> {
    held.value.as_ref().as_ref().ok()?.status.as_ref()
}
