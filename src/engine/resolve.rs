//! From lists of steps and the Tasks and templates that they name, to a definition that stands alone.

use jobwright_api::{
    Block, Exit, Input, Output, Reason, Step, Task, WorkflowSpec, WorkflowTemplateSpec,
    flow::ExitPhase,
    http::HttpOutput,
    policy::{Handler, JobDefaults, OnFailure, Timeouts, WorkflowTimeouts},
    settings::JobSettings,
    template::TemplateSource,
    value::{WorkflowInput, WorkflowOutput},
};
use serde::Serialize;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    definition::{BlockDefinition, ChildDefinition, Definition, Flow, JobTemplate, Kind, StepDefinition},
    job::{self, Layers},
    plan::{Planned, Planner, Sources},
    problem::Problem,
};

/// What an author has written, in a Workflow or in a template.
pub(crate) struct Text<'a> {
    inputs: Cow<'a, [Input]>,
    steps: &'a [Step],
    blocks: &'a BTreeMap<String, Block>,
    outputs: &'a [WorkflowOutput],
    on_failure: Option<&'a Handler>,
    on_exit: Option<&'a Handler>,
    timeouts: Option<&'a WorkflowTimeouts>,
    job_defaults: Option<&'a JobDefaults>,
}

impl<'a> Text<'a> {
    /// A Workflow with steps of its own. It declares its inputs by giving them.
    pub(crate) fn of_workflow(spec: &'a WorkflowSpec) -> Self {
        let inputs = spec.inputs.iter().map(|input| Input {
            name: input.name.clone(),
            kind: input.kind.unwrap_or_default(),
            ..Input::default()
        });
        Self {
            inputs: inputs.collect(),
            steps: &spec.steps,
            blocks: &spec.blocks,
            outputs: &spec.outputs,
            on_failure: spec.on_failure.as_ref(),
            on_exit: spec.on_exit.as_ref(),
            timeouts: spec.timeouts.as_ref(),
            job_defaults: spec.job_defaults.as_ref(),
        }
    }

    pub(crate) fn of_template(spec: &'a WorkflowTemplateSpec) -> Self {
        Self {
            inputs: spec.inputs.as_slice().into(),
            steps: &spec.steps,
            blocks: &spec.blocks,
            outputs: &spec.outputs,
            on_failure: spec.on_failure.as_ref(),
            on_exit: spec.on_exit.as_ref(),
            timeouts: spec.timeouts.as_ref(),
            job_defaults: spec.job_defaults.as_ref(),
        }
    }

    /// The steps of the run and of all blocks, each with its field path.
    fn steps(&self) -> impl Iterator<Item = (String, &'a Step)> {
        let root = [("spec".to_owned(), self.steps)];
        let blocks = self.blocks.iter();
        let blocks = blocks.map(|(name, block)| (format!("spec.blocks.{name}"), block.steps.as_slice()));
        root.into_iter().chain(blocks).flat_map(|(path, steps)| {
            let steps = steps.iter().enumerate();
            steps.map(move |(at, step)| (format!("{path}.steps[{at}]"), step))
        })
    }
}

/// Folds Tasks, templates and settings into a definition.
///
/// # Errors
/// A Task or template does not exist or is wrong, or the layers of a Job do not fit together.
pub(crate) fn resolve(text: Text<'_>, known: &mut Planner<'_>) -> Result<Definition, Vec<Problem>> {
    let Sources { settings, tasks, .. } = known.sources;
    let mut problems = missing(&text, tasks);
    let mut children = BTreeMap::new();
    for (path, step) in text.steps() {
        let Some(child) = &step.workflow else { continue };
        let name = &child.template_ref.name;
        if children.contains_key(name) {
            continue;
        }
        match known.child(name, &format!("{path}.workflow.templateRef.name")) {
            Ok(planned) => drop(children.insert(name.clone(), planned)),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut resolved = BTreeMap::new();
    for (path, step) in text.steps() {
        let sources = StepSources {
            task: step
                .task
                .as_ref()
                .and_then(|task| tasks.get(&task.name))
                .map(AsRef::as_ref),
            child: step
                .workflow
                .as_ref()
                .and_then(|child| children.get(&child.template_ref.name)),
            settings,
        };
        match resolve_step(&path, &text, step, &sources) {
            Ok(step) => drop(resolved.insert(path, step)),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut take = |path: &str, steps: &[Step]| -> Vec<StepDefinition> {
        let paths = (0..steps.len()).map(|at| format!("{path}.steps[{at}]"));
        paths.filter_map(|path| resolved.remove(&path)).collect()
    };
    let steps = take("spec", text.steps);
    let block = |(name, block): (&String, &Block)| {
        let resolved = BlockDefinition {
            inputs: block.inputs.clone(),
            steps: take(&format!("spec.blocks.{name}"), &block.steps),
            outputs: block.outputs.clone(),
            on_failure: block.on_failure.clone(),
        };
        (name.clone(), resolved)
    };
    let blocks = text.blocks.iter().map(block).collect();
    Ok(Definition {
        inputs: text.inputs.into_owned(),
        steps,
        blocks,
        outputs: text.outputs.to_vec(),
        on_failure: text.on_failure.cloned(),
        on_exit: text.on_exit.cloned(),
        timeouts: text.timeouts.cloned().unwrap_or_default(),
        enforced: settings.enforced.clone(),
        ..Definition::default()
    })
}

fn missing(text: &Text<'_>, tasks: &BTreeMap<String, Arc<Task>>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for (path, step) in text.steps() {
        // Each is named once: many steps may need the same one.
        if let Some(reference) = &step.task
            && !tasks.contains_key(&reference.name)
            && seen.insert(&reference.name)
        {
            let words = format!("there is no Task {}: create it, and the run goes on", reference.name);
            problems.push(Problem::new(Reason::TaskNotFound, format!("{path}.task.name"), words));
        }
    }
    problems
}

/// What one step refers to.
struct StepSources<'a> {
    task: Option<&'a Task>,
    child: Option<&'a Planned>,
    settings: &'a JobSettings,
}

fn resolve_step(
    path: &str,
    text: &Text<'_>,
    step: &Step,
    sources: &StepSources<'_>,
) -> Result<StepDefinition, Vec<Problem>> {
    let (task, settings) = (sources.task, sources.settings);
    let task_path = step
        .task
        .as_ref()
        .map_or_else(String::new, |reference| format!("Task {}: spec.job", reference.name));
    let flow = flow(step);
    let child = step.workflow.as_ref().zip(sources.child);
    let job = match (&flow, child) {
        (Some(_), _) | (_, Some(_)) => JobTemplate::default(),
        (None, None) if step.http.is_some() => JobTemplate::default(),
        (None, None) => job::fold(&Layers {
            settings,
            job_defaults: text.job_defaults,
            task: task.map(|task| &task.spec.job),
            task_path: &task_path,
            step: step.job.as_ref(),
            step_path: &format!("{path}.job"),
        })
        .map_err(|problems| blame_task(problems, &task_path))?,
    };
    Ok(StepDefinition {
        name: step.name.clone(),
        kind: kind(step),
        task: step.task.as_ref().map(|reference| reference.name.clone()),
        owner: task.and_then(|task| task.spec.owner.clone()),
        needs: step.needs.clone(),
        join: step.join.clone(),
        for_each: step.for_each.clone(),
        when: step.when.clone(),
        declared: match (&flow, child) {
            (Some(flow), _) => Some(declared(flow, text.blocks)),
            (None, Some((_, planned))) => Some(planned.definition.inputs.clone()),
            // Its values stand in the request itself.
            (None, None) if step.http.is_some() => Some(Vec::new()),
            (None, None) => task.map(|task| task.spec.inputs.clone()),
        },
        given: step.inputs.clone(),
        outputs: match (child, task, &step.http) {
            (Some((child, planned)), ..) if child.wait => given(&planned.definition),
            (_, Some(task), _) => task.spec.outputs.clone(),
            (_, _, Some(http)) => http.outputs.iter().map(output).collect(),
            _ => step.outputs.clone(),
        },
        retry: step
            .retry
            .clone()
            .or_else(|| task.and_then(|task| task.spec.retry.clone())),
        timeouts: timeouts(step, task, settings),
        then: step.on_failure.as_ref().map(|handler| handler.then).unwrap_or_default(),
        on_failure: step.on_failure.as_ref().and_then(OnFailure::handler),
        idempotency_key: step.idempotency_key.as_ref().map(|key| key.expression.clone()),
        flow,
        child: child.map(|(child, planned)| ChildDefinition {
            template: child.template_ref.name.clone(),
            snapshot: planned.snapshot.clone(),
            waits: child.wait,
            on_parent_close: child.on_parent_close,
        }),
        http: step.http.clone(),
        job,
    })
}

fn timeouts(step: &Step, task: Option<&Task>, settings: &JobSettings) -> Timeouts {
    let of_task = task.and_then(|task| task.spec.timeouts.clone()).unwrap_or_default();
    let own = step.timeouts.clone().unwrap_or_default();
    let schedule_to_start = settings
        .schedule_to_start
        .unwrap_or(JobSettings::SCHEDULE_TO_START_DEFAULT);
    Timeouts {
        schedule_to_start: own
            .schedule_to_start
            .or(of_task.schedule_to_start)
            .or(Some(schedule_to_start)),
        start_to_close: own.start_to_close.or(of_task.start_to_close),
        schedule_to_close: own.schedule_to_close.or(of_task.schedule_to_close),
    }
}

/// What a Workflow gives that has succeeded: an exit may have left something out.
fn given(definition: &Definition) -> Vec<Output> {
    let lists = definition.blocks.values().map(|block| &block.steps);
    let steps = lists.chain([&definition.steps]).flatten();
    let exits: Vec<&Exit> = steps
        .filter_map(|step| match &step.flow {
            Some(Flow::Exit(exit)) if exit.phase == ExitPhase::Succeeded => Some(exit),
            _ => None,
        })
        .collect();
    let is_left_out = |name: &str| {
        let gives = |exit: &&Exit| exit.outputs.iter().any(|output| output.name == name);
        !exits.iter().all(gives)
    };
    let outputs = definition.outputs.iter().map(|output| Output {
        name: output.name.clone(),
        kind: output.kind,
        optional: is_left_out(&output.name),
        ..Output::default()
    });
    outputs.collect()
}

/// What others may read of an answer.
fn output(output: &HttpOutput) -> Output {
    Output {
        name: output.name.clone(),
        kind: output.kind,
        optional: output.optional,
        default: output.default.clone(),
        ..Output::default()
    }
}

fn kind(step: &Step) -> Kind {
    match step {
        Step { task: Some(_), .. } => Kind::Task,
        Step { workflow: Some(_), .. } => Kind::Workflow,
        Step { block: Some(_), .. } => Kind::Block,
        Step { choice: Some(_), .. } => Kind::Choice,
        Step { looped: Some(_), .. } => Kind::Loop,
        Step { wait: Some(_), .. } => Kind::Wait,
        Step { http: Some(_), .. } => Kind::Http,
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
        #[serde(skip_serializing_if = "Option::is_none")]
        template_ref: Option<&'a TemplateSource>,
        inputs: &'a [WorkflowInput],
        steps: &'a [Step],
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        blocks: &'a BTreeMap<String, Block>,
        outputs: &'a [WorkflowOutput],
        #[serde(skip_serializing_if = "Option::is_none")]
        on_failure: Option<&'a Handler>,
        #[serde(skip_serializing_if = "Option::is_none")]
        on_exit: Option<&'a Handler>,
        timeouts: Option<&'a WorkflowTimeouts>,
        job_defaults: Option<&'a JobDefaults>,
    }
    let listed = Listed {
        template_ref: spec.template_ref.as_ref(),
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
