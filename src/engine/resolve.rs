//! From a Workflow and what it refers to, to a definition that stands alone.

use jobwright_api::{
    Block, Input, Reason, Step, Task, WorkflowSpec,
    policy::{Handler, OnFailure, Timeouts},
    settings::JobSettings,
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    definition::{BlockDefinition, Definition, Flow, JobTemplate, Kind, StepDefinition},
    job::{self, Layers},
    problem::Problem,
};

/// Why there is no definition yet.
#[derive(Clone, Debug, PartialEq)]
pub enum Unresolved {
    /// Time may help: these Tasks do not exist.
    Missing(Vec<Problem>),
    Wrong(Vec<Problem>),
}

/// Folds Tasks and settings into a definition.
///
/// # Errors
/// A Task does not exist, or the layers of a Job do not fit together.
pub fn resolve(
    spec: &WorkflowSpec,
    tasks: &BTreeMap<String, Arc<Task>>,
    settings: &JobSettings,
) -> Result<Definition, Unresolved> {
    let missing = missing(spec, tasks);
    if !missing.is_empty() {
        return Err(Unresolved::Missing(missing));
    }
    let mut problems = Vec::new();
    let mut lists = BTreeMap::new();
    for (path, list) in spec.lists() {
        let mut steps = Vec::with_capacity(list.len());
        for (at, step) in list.iter().enumerate() {
            let task = step.task.as_ref().and_then(|reference| tasks.get(&reference.name));
            let path = format!("{path}.steps[{at}]");
            match resolve_step(&path, spec, step, task.map(AsRef::as_ref), settings) {
                Ok(step) => steps.push(step),
                Err(found) => problems.extend(found),
            }
        }
        lists.insert(path, steps);
    }
    if !problems.is_empty() {
        return Err(Unresolved::Wrong(problems));
    }
    let mut take = |path: &str| lists.remove(path).unwrap_or_default();
    let steps = take("spec");
    let block = |(name, block): (&String, &Block)| {
        let resolved = BlockDefinition {
            inputs: block.inputs.clone(),
            steps: take(&format!("spec.blocks.{name}")),
            outputs: block.outputs.clone(),
            on_failure: block.on_failure.clone(),
        };
        (name.clone(), resolved)
    };
    let blocks = spec.blocks.iter().map(block).collect();
    Ok(Definition {
        inputs: spec.inputs.clone(),
        steps,
        blocks,
        outputs: spec.outputs.clone(),
        on_failure: spec.on_failure.clone(),
        on_exit: spec.on_exit.clone(),
        timeouts: spec.timeouts.clone().unwrap_or_default(),
        enforced: settings.enforced.clone(),
    })
}

fn missing(spec: &WorkflowSpec, tasks: &BTreeMap<String, Arc<Task>>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for (path, list) in spec.lists() {
        for (at, step) in list.iter().enumerate() {
            // Each is named once: many steps may need the same one.
            if let Some(reference) = &step.task
                && !tasks.contains_key(&reference.name)
                && seen.insert(&reference.name)
            {
                let words = format!("there is no Task {}: create it, and the run goes on", reference.name);
                let path = format!("{path}.steps[{at}].task.name");
                problems.push(Problem::new(Reason::TaskNotFound, path, words));
            }
        }
    }
    problems
}

fn resolve_step(
    path: &str,
    spec: &WorkflowSpec,
    step: &Step,
    task: Option<&Task>,
    settings: &JobSettings,
) -> Result<StepDefinition, Vec<Problem>> {
    let task_path = step
        .task
        .as_ref()
        .map_or_else(String::new, |reference| format!("Task {}: spec.job", reference.name));
    let flow = flow(step);
    let job = match flow {
        Some(_) => JobTemplate::default(),
        None => job::fold(&Layers {
            settings,
            job_defaults: spec.job_defaults.as_ref(),
            task: task.map(|task| &task.spec.job),
            task_path: &task_path,
            step: step.job.as_ref(),
            step_path: &format!("{path}.job"),
        })
        .map_err(|problems| blame_task(problems, &task_path))?,
    };
    let of_task = task.and_then(|task| task.spec.timeouts.clone()).unwrap_or_default();
    let own = step.timeouts.clone().unwrap_or_default();
    let schedule_to_start = settings
        .schedule_to_start
        .unwrap_or(JobSettings::SCHEDULE_TO_START_DEFAULT);
    Ok(StepDefinition {
        name: step.name.clone(),
        kind: kind(step),
        task: step.task.as_ref().map(|reference| reference.name.clone()),
        owner: task.and_then(|task| task.spec.owner.clone()),
        needs: step.needs.clone(),
        join: step.join.clone(),
        for_each: step.for_each.clone(),
        when: step.when.clone(),
        declared: match &flow {
            Some(flow) => Some(declared(flow, &spec.blocks)),
            None => task.map(|task| task.spec.inputs.clone()),
        },
        given: step.inputs.clone(),
        outputs: task.map_or_else(|| step.outputs.clone(), |task| task.spec.outputs.clone()),
        retry: step
            .retry
            .clone()
            .or_else(|| task.and_then(|task| task.spec.retry.clone())),
        timeouts: Timeouts {
            schedule_to_start: own
                .schedule_to_start
                .or(of_task.schedule_to_start)
                .or(Some(schedule_to_start)),
            start_to_close: own.start_to_close.or(of_task.start_to_close),
            schedule_to_close: own.schedule_to_close.or(of_task.schedule_to_close),
        },
        then: step.on_failure.as_ref().map(|handler| handler.then).unwrap_or_default(),
        on_failure: step.on_failure.as_ref().and_then(OnFailure::handler),
        idempotency_key: step.idempotency_key.as_ref().map(|key| key.expression.clone()),
        flow,
        job,
    })
}

fn kind(step: &Step) -> Kind {
    match step {
        Step { task: Some(_), .. } => Kind::Task,
        Step { block: Some(_), .. } => Kind::Block,
        Step { choice: Some(_), .. } => Kind::Choice,
        Step { looped: Some(_), .. } => Kind::Loop,
        Step { wait: Some(_), .. } => Kind::Wait,
        Step { exit: Some(_), .. } => Kind::Exit,
        Step { set, .. } if !set.is_empty() => Kind::Set,
        _ => Kind::Job,
    }
}

/// What the blocks of a step take in. Of several blocks that a choice may run, each takes what it knows.
fn declared(flow: &Flow, blocks: &BTreeMap<String, Block>) -> Vec<Input> {
    let mut declared: Vec<Input> = Vec::new();
    for input in flow
        .blocks()
        .filter_map(|name| blocks.get(name))
        .flat_map(|block| &block.inputs)
    {
        if !declared.iter().any(|known| known.name == input.name) {
            declared.push(input.clone());
        }
    }
    declared
}

fn flow(step: &Step) -> Option<Flow> {
    let block = step.block.clone().map(Flow::Block);
    let choice = || step.choice.clone().map(Flow::Choice);
    let looped = || step.looped.clone().map(Flow::Loop);
    let wait = || step.wait.clone().map(Flow::Wait);
    let exit = || step.exit.clone().map(Flow::Exit);
    let set = || (!step.set.is_empty()).then(|| Flow::Set(step.set.clone()));
    block
        .or_else(choice)
        .or_else(looped)
        .or_else(wait)
        .or_else(exit)
        .or_else(set)
}

/// What is wrong in a Task can be mended there.
fn blame_task(mut problems: Vec<Problem>, task_path: &str) -> Vec<Problem> {
    for problem in &mut problems {
        if !task_path.is_empty() && problem.path.starts_with(task_path) {
            problem.reason = Reason::TaskMismatch;
        }
    }
    problems
}

/// Hash of the fields whose change is a new run with `runPolicy: OnChange`.
#[must_use]
pub fn definition_hash(spec: &WorkflowSpec) -> String {
    #[derive(Serialize)]
    struct Listed<'a> {
        inputs: &'a [jobwright_api::value::WorkflowInput],
        steps: &'a [Step],
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        blocks: &'a BTreeMap<String, Block>,
        outputs: &'a [jobwright_api::value::WorkflowOutput],
        #[serde(skip_serializing_if = "Option::is_none")]
        on_failure: Option<&'a Handler>,
        #[serde(skip_serializing_if = "Option::is_none")]
        on_exit: Option<&'a Handler>,
        timeouts: Option<&'a jobwright_api::policy::WorkflowTimeouts>,
        job_defaults: Option<&'a jobwright_api::policy::JobDefaults>,
    }
    let listed = Listed {
        inputs: &spec.inputs,
        steps: &spec.steps,
        blocks: &spec.blocks,
        outputs: &spec.outputs,
        on_failure: spec.on_failure.as_ref(),
        on_exit: spec.on_exit.as_ref(),
        timeouts: spec.timeouts.as_ref(),
        job_defaults: spec.job_defaults.as_ref(),
    };
    let text = serde_json::to_vec(&listed).unwrap_or_default();
    job::content_name("definition", &text)
}
