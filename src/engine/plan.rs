//! From a Workflow and all that it refers to, to what a run is stored as: the same checks before a run begins, in the
//! condition of a template, and offline.

use jobwright_api::{
    Reason, Task, WorkflowSpec, WorkflowTemplate, WorkflowTemplateSpec,
    policy::{RunPolicy, WorkflowTimeouts},
    settings::JobSettings,
};
use std::{collections::BTreeMap, sync::Arc};

use crate::{
    definition::{Definition, TemplateDefinition},
    graph::Graph,
    inputs,
    job::content_name,
    problem::Problem,
    resolve::{Text, resolve},
};

/// Below the request limit of etcd (1.5 MiB) and our own bound of an object (512 KiB).
const SNAPSHOT_BYTES_MAX: usize = 384 * 1024;
/// Templates run each other so deep at most: beyond, it is a mistake more often than a plan.
const DEPTH_MAX: usize = 10;
/// Templates that one run may start, at any depth: each is a record, named in the status.
const CHILDREN_MAX: usize = 64;

/// What definitions refer to, as far as it exists.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    pub tasks: &'a BTreeMap<String, Arc<Task>>,
    pub templates: &'a BTreeMap<String, Arc<WorkflowTemplate>>,
    pub settings: &'a JobSettings,
}

/// A run that may begin once its records are stored.
#[derive(Clone, Debug)]
pub struct Plan {
    pub graph: Graph,
    /// Name of its own record.
    pub snapshot: String,
    /// Its record and those of the Workflows that its steps may run: text by name. A name is the hash of the text.
    pub records: BTreeMap<String, String>,
}

/// Why a run may not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unready {
    /// Time may help: what is wrong or missing is a Task or a template, or how the definition fits it.
    Waits(Vec<Problem>),
    /// The definition itself is wrong.
    Wrong(Vec<Problem>),
}

impl Unready {
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        let (Self::Waits(problems) | Self::Wrong(problems)) = self;
        problems
    }
}

/// Checks a Workflow whole, and makes what a run of it keeps.
///
/// # Errors
/// All that is wrong with it, or with what it refers to.
pub fn plan(spec: &WorkflowSpec, sources: Sources<'_>) -> Result<Plan, Unready> {
    let mut planner = Planner::new(sources);
    let of_template = spec.template_ref.as_ref().map(|source| source.name.as_str());
    let mut definition = match of_template {
        Some(name) => planner.template(name, "spec.templateRef.name")?.definition().clone(),
        None => planner.definition(Text::of_workflow(spec)).map_err(split)?,
    };
    if let Some(timeouts) = spec.timeouts.clone().filter(|_| of_template.is_some()) {
        definition.timeouts = WorkflowTimeouts {
            total: timeouts.total.or(definition.timeouts.total),
        };
    }
    let (values, problems) = inputs::given(&definition.inputs, &spec.inputs, of_template);
    if !problems.is_empty() {
        return Err(split(problems));
    }
    if spec.run_policy == RunPolicy::OnChange {
        definition.values = Some(values);
    }
    let graph = Graph::compile(definition).map_err(split)?;
    let (snapshot, text) = record(graph.definition()).map_err(|problem| split(vec![problem]))?;
    planner.records.insert(snapshot.clone(), text);
    Ok(Plan {
        graph,
        snapshot,
        records: planner.records,
    })
}

/// Checks a template whole: whether a run of it could begin now, whatever its inputs.
///
/// # Errors
/// All that is wrong with it, or with what it refers to.
pub fn check_template(name: &str, sources: Sources<'_>) -> Result<(), Vec<Problem>> {
    let checked = Planner::new(sources).template(name, "spec");
    checked.map(drop).map_err(|unready| {
        let own = format!("WorkflowTemplate {name}: ");
        let mut problems = unready.problems().to_vec();
        for problem in &mut problems {
            problem.path = problem.path.trim_start_matches(&own).to_owned();
        }
        problems
    })
}

/// Names the content of a template.
#[must_use]
pub fn template_hash(spec: &WorkflowTemplateSpec) -> String {
    content_name("template", &serde_json::to_vec(spec).unwrap_or_default())
}

/// What a Task or a template can mend is waited for; else a mistake in what cannot change is final.
fn split(problems: Vec<Problem>) -> Unready {
    let is_mendable = |problem: &Problem| {
        matches!(
            problem.reason,
            Reason::TaskNotFound | Reason::TaskMismatch | Reason::TemplateNotFound | Reason::TemplateMismatch
        ) || problem.path.starts_with("WorkflowTemplate ")
    };
    if problems.iter().all(is_mendable) {
        Unready::Waits(problems)
    } else {
        Unready::Wrong(problems)
    }
}

/// The record of a definition: its name and its text.
fn record(definition: &Definition) -> Result<(String, String), Problem> {
    let wrong = |reason, words: String| Problem::new(reason, "spec", words);
    let text =
        serde_json::to_string(definition).map_err(|error| wrong(Reason::InvalidDefinition, error.to_string()))?;
    if text.len() > SNAPSHOT_BYTES_MAX {
        let words = format!(
            "the definition with its Tasks is {} bytes, at most {SNAPSHOT_BYTES_MAX} are stored: split it, or make scripts and inputs smaller",
            text.len()
        );
        return Err(wrong(Reason::TooLarge, words));
    }
    Ok((content_name("snapshot", text.as_bytes()), text))
}

/// A template that a step runs, resolved: what the step must know of it.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) snapshot: String,
    pub(crate) definition: Arc<Definition>,
}

/// Resolves templates, each once, those that it runs first.
pub(crate) struct Planner<'a> {
    pub(crate) sources: Sources<'a>,
    planned: BTreeMap<String, Planned>,
    /// The templates that are being resolved, each run by the one before.
    open: Vec<String>,
    records: BTreeMap<String, String>,
}

impl<'a> Planner<'a> {
    const fn new(sources: Sources<'a>) -> Self {
        Self {
            sources,
            planned: BTreeMap::new(),
            open: Vec::new(),
            records: BTreeMap::new(),
        }
    }

    /// Resolves a list of steps, and with it all that they may run.
    fn definition(&mut self, text: Text<'_>) -> Result<Definition, Vec<Problem>> {
        let mut definition = resolve(text, self)?;
        definition.children = self.children(&definition);
        if definition.children.len() > CHILDREN_MAX {
            let words = format!(
                "its steps may run {} templates, those of their steps included; {CHILDREN_MAX} may be",
                definition.children.len()
            );
            return Err(vec![Problem::new(Reason::TooLarge, "spec.steps", words)]);
        }
        Ok(definition)
    }

    /// The records of all that the steps of a definition may run.
    fn children(&self, definition: &Definition) -> Vec<String> {
        let lists = definition.blocks.values().map(|block| &block.steps);
        let steps = lists.chain([&definition.steps]).flatten();
        let direct = steps.filter_map(|step| step.child.as_ref());
        let mut found: Vec<String> = Vec::new();
        for child in direct {
            found.push(child.snapshot.clone());
            let planned = self.planned.get(&child.template);
            found.extend(
                planned
                    .into_iter()
                    .flat_map(|planned| planned.definition.children.clone()),
            );
        }
        found.sort();
        found.dedup();
        found
    }

    /// The template that a step runs. `path` is where it is named.
    pub(crate) fn child(&mut self, name: &str, path: &str) -> Result<Planned, Vec<Problem>> {
        if let Some(known) = self.planned.get(name) {
            return Ok(known.clone());
        }
        let graph = self
            .template(name, path)
            .map_err(|unready| unready.problems().to_vec())?;
        let definition = graph.definition().clone();
        let (snapshot, text) = record(&definition).map_err(|problem| of_template(name, vec![problem]))?;
        self.records.insert(snapshot.clone(), text);
        let planned = Planned {
            snapshot,
            definition: Arc::new(definition),
        };
        self.planned.insert(name.to_owned(), planned.clone());
        Ok(planned)
    }

    fn template(&mut self, name: &str, path: &str) -> Result<Graph, Unready> {
        let waits = |problem| Err(Unready::Waits(vec![problem]));
        let Some(template) = self.sources.templates.get(name) else {
            let words = format!("there is no WorkflowTemplate {name}: create it, and the run goes on");
            return waits(Problem::new(Reason::TemplateNotFound, path, words));
        };
        if let Some(first) = self.open.iter().position(|open| open == name) {
            let around = self.open.get(first..).unwrap_or_default();
            let words = format!(
                "templates run each other in a circle: {} -> {name}; remove one of these steps",
                around.join(" -> ")
            );
            return waits(Problem::new(
                Reason::Cycle,
                format!("WorkflowTemplate {name}: spec.steps"),
                words,
            ));
        }
        if self.open.len() >= DEPTH_MAX {
            let words = format!(
                "templates run each other {DEPTH_MAX} deep at most: {}",
                self.open.join(" -> ")
            );
            return waits(Problem::new(
                Reason::TooLarge,
                format!("WorkflowTemplate {name}: spec.steps"),
                words,
            ));
        }
        self.open.push(name.to_owned());
        let definition = self.definition(Text::of_template(&template.spec));
        self.open.pop();
        let definition = definition.map_err(|problems| Unready::Waits(of_template(name, problems)))?;
        let graph = Graph::compile(Definition {
            template: Some(TemplateDefinition {
                name: name.to_owned(),
                hash: template_hash(&template.spec),
            }),
            ..definition
        });
        graph.map_err(|problems| Unready::Waits(of_template(name, problems)))
    }
}

/// Says of which template these problems are.
fn of_template(name: &str, mut problems: Vec<Problem>) -> Vec<Problem> {
    for problem in &mut problems {
        if !problem.path.starts_with("WorkflowTemplate ") {
            problem.path = format!("WorkflowTemplate {name}: {}", problem.path);
        }
    }
    problems
}
