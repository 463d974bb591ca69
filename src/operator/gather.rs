//! From stores and memory to the plain value that the engine looks at. No client, no waiting.

use jiff::Timestamp;
use jobwright_api::{Task, Workflow, WorkflowPhase, WorkflowStatus};
use jobwright_engine::observed::{Notes, Observed};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    config::Settings,
    context::Context,
    memory::{Entry, OfRun},
    store::{BadSnapshot, HeldWorkflow, Key, Run},
};

/// What an [`Observed`] borrows from, and when it has to be gathered again.
pub struct Gathered {
    now: Timestamp,
    generation: i64,
    graph: Option<Arc<jobwright_engine::graph::Graph>>,
    tasks: BTreeMap<String, Arc<Task>>,
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
    if memory.run != pending.run {
        // What was learned of the Jobs of another run says nothing of this one's.
        memory.run = pending.run;
        memory.notes = Notes {
            snapshot: memory.notes.snapshot.take(),
            ..Notes::default()
        };
    }
    let is_over =
        pending.phase.is_some_and(WorkflowPhase::is_terminal) || workflow.metadata.deletion_timestamp.is_some();
    let graph = match &pending.snapshot {
        // Nothing is left to decide: there may be thousands of those, and each list wakes all.
        Some(_) if is_over && run.jobs.is_empty() => None,
        Some(snapshot) => {
            let key = Key::new(held.key.namespace.clone(), snapshot.name.clone());
            let graph = ctx.stores.graph(&key)?;
            if graph.is_none() && !is_over {
                // Without it a run can neither go on nor end: people have to know.
                let why =
                    "it is not there: a run keeps its definition in it; restore it, or delete the Workflow".into();
                return Err(BadSnapshot { key, why });
            }
            graph
        }
        None => {
            let record = |name: &String| ctx.stores.record(&Key::new(held.key.namespace.clone(), name.clone()));
            // Someone has deleted it since: it is stored again.
            memory.notes.snapshot = memory.notes.snapshot.take().filter(|name| record(name).is_some());
            None
        }
    };
    let tasks = if pending.snapshot.is_some() {
        BTreeMap::new()
    } else {
        tasks(held, workflow, ctx)
    };
    Ok(Gathered {
        now: ctx.clock.now(),
        generation: workflow.metadata.generation.unwrap_or_default(),
        graph,
        tasks,
        settings: ctx.settings(),
        run,
        pending,
        next,
    })
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
            tasks: self.tasks.clone(),
            settings: &self.settings.jobs,
            jobs: &self.run.jobs,
            pods: &self.run.pods,
            notes: &memory.notes,
        }
    }
}

/// The Tasks that the steps name. One that cannot be read is as good as none: the log says why, and
/// its mending wakes this Workflow.
fn tasks(held: &HeldWorkflow, workflow: &Workflow, ctx: &Context) -> BTreeMap<String, Arc<Task>> {
    let found = ctx.stores.await_tasks(&held.key, workflow.spec.task_names());
    found
        .into_iter()
        .filter_map(|(name, task)| {
            let task = task.value.as_ref().as_ref().ok()?;
            Some((name, Arc::new(task.clone())))
        })
        .collect()
}
