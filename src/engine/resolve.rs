//! From a Workflow and what it refers to, to a definition that stands alone.

use jobwright_api::{Reason, Step, Task, WorkflowSpec, policy::Timeouts, settings::JobSettings};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

use crate::{
    definition::{Definition, Kind, StepDefinition},
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
    let mut steps = Vec::with_capacity(spec.steps.len());
    for (at, step) in spec.steps.iter().enumerate() {
        let task = step.task.as_ref().and_then(|reference| tasks.get(&reference.name));
        match resolve_step(at, spec, step, task.map(AsRef::as_ref), settings) {
            Ok(step) => steps.push(step),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(Unresolved::Wrong(problems));
    }
    Ok(Definition {
        inputs: spec.inputs.clone(),
        steps,
        outputs: spec.outputs.clone(),
        timeouts: spec.timeouts.clone().unwrap_or_default(),
        enforced: settings.enforced.clone(),
    })
}

fn missing(spec: &WorkflowSpec, tasks: &BTreeMap<String, Arc<Task>>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, step) in spec.steps.iter().enumerate() {
        if let Some(reference) = &step.task
            && !tasks.contains_key(&reference.name)
        {
            let words = format!("there is no Task {}: create it, and the run goes on", reference.name);
            problems.push(Problem::new(
                Reason::TaskNotFound,
                format!("spec.steps[{at}].task.name"),
                words,
            ));
        }
    }
    problems
}

fn resolve_step(
    at: usize,
    spec: &WorkflowSpec,
    step: &Step,
    task: Option<&Task>,
    settings: &JobSettings,
) -> Result<StepDefinition, Vec<Problem>> {
    let task_path = step
        .task
        .as_ref()
        .map_or_else(String::new, |reference| format!("Task {}: spec.job", reference.name));
    let job = job::fold(&Layers {
        settings,
        job_defaults: spec.job_defaults.as_ref(),
        task: task.map(|task| &task.spec.job),
        task_path: &task_path,
        step: step.job.as_ref(),
        step_path: &format!("spec.steps[{at}].job"),
    })
    .map_err(|problems| blame_task(problems, &task_path))?;
    let of_task = task.and_then(|task| task.spec.timeouts.clone()).unwrap_or_default();
    let own = step.timeouts.clone().unwrap_or_default();
    let schedule_to_start = settings
        .schedule_to_start
        .unwrap_or(JobSettings::SCHEDULE_TO_START_DEFAULT);
    Ok(StepDefinition {
        name: step.name.clone(),
        kind: if step.task.is_some() { Kind::Task } else { Kind::Job },
        task: step.task.as_ref().map(|reference| reference.name.clone()),
        owner: task.and_then(|task| task.spec.owner.clone()),
        needs: step.needs.clone(),
        when: step.when.clone(),
        declared: task.map(|task| task.spec.inputs.clone()),
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
        then: step.on_failure.map(|handler| handler.then).unwrap_or_default(),
        idempotency_key: step.idempotency_key.as_ref().map(|key| key.expression.clone()),
        job,
    })
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
        outputs: &'a [jobwright_api::value::WorkflowOutput],
        timeouts: Option<&'a jobwright_api::policy::WorkflowTimeouts>,
        job_defaults: Option<&'a jobwright_api::policy::JobDefaults>,
    }
    let listed = Listed {
        inputs: &spec.inputs,
        steps: &spec.steps,
        outputs: &spec.outputs,
        timeouts: spec.timeouts.as_ref(),
        job_defaults: spec.job_defaults.as_ref(),
    };
    let text = serde_json::to_vec(&listed).unwrap_or_default();
    job::content_name("definition", &text)
}
