//! From a definition to a graph, or to the list of what is wrong with it.

use jobwright_api::{Reason, value::WorkflowOutput};
use std::collections::{BTreeMap, BTreeSet};

use super::{Given, Graph, Node, check, cycle, names};
use crate::{
    definition::{Definition, Kind, StepDefinition},
    expr::Expression,
    id::StepId,
    job,
    problem::Problem,
    text::nearest,
};

/// More problems than this help nobody.
const PROBLEMS_MAX: usize = 20;

pub(super) fn compile(definition: Definition) -> Result<Graph, Vec<Problem>> {
    let mut problems = Vec::new();
    let positions = positions(&definition, &mut problems);
    let needs: Vec<Vec<usize>> = definition
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| needs_of(at, step, &positions, &mut problems))
        .collect();
    let order = cycle::order(&needs).unwrap_or_else(|cycle| {
        problems.push(cycle_problem(&definition, &cycle));
        Vec::new()
    });
    if !problems.is_empty() {
        return Err(limited(problems));
    }
    let upstream = cycle::upstream(&needs, &order);
    let scope = check::Declared::new(&definition, &positions);
    let mut nodes = Vec::with_capacity(definition.steps.len());
    for (at, ((step, needs), upstream)) in definition.steps.iter().zip(needs).zip(upstream).enumerate() {
        nodes.push(node(at, step, needs, upstream, &scope, &mut problems));
    }
    let outputs = outputs(&definition, &scope, &mut problems);
    check::values(&definition, &mut problems);
    if !problems.is_empty() {
        return Err(limited(problems));
    }
    let types = scope.into_types();
    Ok(Graph {
        definition,
        nodes,
        order,
        outputs,
        types,
    })
}

fn limited(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.truncate(PROBLEMS_MAX);
    problems
}

/// Step names and where they are; bad and double ones are problems.
fn positions(definition: &Definition, problems: &mut Vec<Problem>) -> BTreeMap<String, usize> {
    let mut positions = BTreeMap::new();
    for (at, step) in definition.steps.iter().enumerate() {
        let path = format!("spec.steps[{at}].name");
        problems.extend(names::check(&step.name, path.clone()));
        if let Some(first) = positions.insert(step.name.clone(), at) {
            let words = format!("{} is the name of spec.steps[{first}] too: names are unique", step.name);
            problems.push(Problem::new(Reason::DuplicateName, path, words));
        }
    }
    positions
}

fn needs_of(
    at: usize,
    step: &StepDefinition,
    positions: &BTreeMap<String, usize>,
    problems: &mut Vec<Problem>,
) -> Vec<usize> {
    let mut needs = Vec::with_capacity(step.needs.len());
    for (index, need) in step.needs.iter().enumerate() {
        if let Some(position) = positions.get(need) {
            needs.push(*position);
            continue;
        }
        let hint = nearest(need, positions.keys().map(String::as_str))
            .map_or_else(String::new, |near| format!("; did you mean {near}?"));
        let words = format!("there is no step {need}{hint}");
        problems.push(Problem::new(
            Reason::UnknownNeed,
            format!("spec.steps[{at}].needs[{index}]"),
            words,
        ));
    }
    needs
}

fn cycle_problem(definition: &Definition, cycle: &[usize]) -> Problem {
    let name = |at: &usize| definition.steps.get(*at).map_or("", |step| step.name.as_str());
    let path: Vec<&str> = cycle.iter().map(name).collect();
    let at = cycle.first().copied().unwrap_or_default();
    let words = format!(
        "the steps need each other in a circle: {}; remove one of these needs",
        path.join(" -> ")
    );
    Problem::new(Reason::Cycle, format!("spec.steps[{at}].needs"), words)
}

fn node(
    at: usize,
    step: &StepDefinition,
    needs: Vec<usize>,
    upstream: BTreeSet<usize>,
    scope: &check::Declared,
    problems: &mut Vec<Problem>,
) -> Node {
    let path = format!("spec.steps[{at}]");
    let mut compiled = |field: String, text: &str, wanted: check::Wanted| {
        scope
            .expression(&format!("{path}.{field}"), text, &upstream, wanted)
            .map_err(|problem| problems.push(problem))
            .ok()
    };
    let when = step
        .when
        .as_deref()
        .and_then(|text| compiled("when".into(), text, check::Wanted::Boolean));
    let idempotency_key = step
        .idempotency_key
        .as_deref()
        .and_then(|text| compiled("idempotencyKey.expression".into(), text, check::Wanted::String));
    let mut inputs = Vec::with_capacity(step.given.len());
    for (index, binding) in step.given.iter().enumerate() {
        let declared = check::declared_type(step, &binding.name);
        let given = match (&binding.expression, &binding.value) {
            (Some(text), _) => compiled(format!("inputs[{index}].expression"), text, declared).map(Given::Computed),
            (None, Some(value)) => Some(Given::Literal(value.clone())),
            (None, None) => Some(Given::Literal(serde_json::Value::Null)),
        };
        inputs.extend(given.map(|given| (binding.name.clone(), given)));
    }
    let fields = fields(&path, step, problems);
    let id = StepId::root(&step.name);
    Node {
        key: id.to_string(),
        id,
        definition: step.clone(),
        needs,
        upstream,
        when,
        inputs,
        fields,
        idempotency_key,
    }
}

/// Computed fields see the inputs of their own step, as the Task that may have written them does.
fn fields(path: &str, step: &StepDefinition, problems: &mut Vec<Problem>) -> Vec<(String, Expression)> {
    let given = step.given.iter().map(|binding| binding.name.as_str());
    let types = job::field_types(step.declared.as_deref(), given);
    let mut fields = Vec::with_capacity(step.job.fields_from.len());
    for from in &step.job.fields_from {
        match job::compile_field(from, &types) {
            Ok(expression) => fields.push((from.field.clone(), expression)),
            Err(error) => {
                let reason = match step.kind {
                    Kind::Task => Reason::TaskMismatch,
                    Kind::Job => Reason::ExpressionError,
                };
                let place = format!("{path}.job.fieldsFrom[{}].expression", from.field);
                problems.push(Problem::new(reason, place, error.to_string()));
            }
        }
    }
    fields
}

/// Outputs of the run: they may read every step.
fn outputs(
    definition: &Definition,
    scope: &check::Declared,
    problems: &mut Vec<Problem>,
) -> Vec<(WorkflowOutput, Expression)> {
    let all: BTreeSet<usize> = (0..definition.steps.len()).collect();
    let mut outputs = Vec::with_capacity(definition.outputs.len());
    for (index, output) in definition.outputs.iter().enumerate() {
        problems.extend(names::check(&output.name, format!("spec.outputs[{index}].name")));
        let path = format!("spec.outputs[{index}].expression");
        match scope.expression(&path, &output.expression, &all, check::Wanted::Typed(output.kind)) {
            Ok(expression) => outputs.push((output.clone(), expression)),
            Err(problem) => problems.push(problem),
        }
    }
    outputs
}
