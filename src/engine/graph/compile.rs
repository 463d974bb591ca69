//! From a definition to a graph, or to the list of what is wrong with it.

use jobwright_api::{Reason, policy::Handler, value::WorkflowOutput};
use std::collections::{BTreeMap, BTreeSet};

use super::{
    Body, CompiledFlow, Given, Graph, Node,
    check::{self, Wanted},
    cycle, flow, fork, handler, http, names,
    partial::{self, Certainty},
    section::Section,
    site::Site,
    size, variable,
};
use crate::{
    definition::{Definition, Kind, StepDefinition},
    expr::{Expression, TypeEnv},
    job,
    problem::Problem,
    text::nearest,
};

/// More problems than this help nobody.
const PROBLEMS_MAX: usize = 20;

pub(super) fn compile(definition: Definition) -> Result<Graph, Vec<Problem>> {
    let mut problems = Vec::new();
    flow::blocks(&definition, &mut problems);
    let root = body(&Section::root(&definition), &mut problems);
    let mut blocks = BTreeMap::new();
    for (name, block) in &definition.blocks {
        let compiled = body(&Section::block(&definition, name, block), &mut problems);
        blocks.extend(compiled.map(|body| (name.clone(), body)));
    }
    check::inputs("spec", &definition.inputs, &mut problems);
    if problems.is_empty() {
        size::check(&definition, &mut problems);
    }
    match root {
        Some(root) if problems.is_empty() => Ok(Graph {
            definition,
            root,
            blocks,
        }),
        _ => Err(limited(problems)),
    }
}

/// Compiles one list of steps; none where needs do not hold, so that nothing else can be said of it.
fn body(section: &Section, problems: &mut Vec<Problem>) -> Option<Body> {
    let known = problems.len();
    let positions = positions(section, problems);
    let needs: Vec<Vec<usize>> = section
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| needs_of(section, at, step, &positions, problems))
        .collect();
    let order = cycle::order(&needs).unwrap_or_else(|cycle| {
        problems.push(cycle_problem(section, &cycle));
        Vec::new()
    });
    if problems.len() > known {
        return None;
    }
    let upstream = cycle::upstream(&needs, &order);
    variable::check(section, &upstream, problems);
    let certainty = Certainty::new(section, &needs, &order);
    let scope = check::Declared::new(section, (&positions, &order), &certainty.dropped);
    let mut nodes = Vec::with_capacity(section.steps.len());
    let sets = upstream.iter().zip(&certainty.ended);
    for (at, ((step, needs), (upstream, ended))) in section.steps.iter().zip(needs).zip(sets).enumerate() {
        let writers = variable::writers(section, &order, upstream);
        let types = scope.types_behind(upstream, ended);
        let types = variable::with_variables(&types, section, &writers, |at| ended.contains(&at));
        let site = Site {
            section,
            place: format!("{}.steps[{at}]", section.path),
            step,
            upstream,
            ended,
            scope: &scope,
            types: &types,
            writers: &writers,
        };
        nodes.push(node(&site, (at, needs), problems));
    }
    let outputs = outputs(section, &scope, problems);
    check::steps(section, problems);
    let all = (0..section.steps.len()).collect();
    let mut handler = |name: &str, handler: Option<&Handler>| {
        let place = (section.path.as_str(), &all);
        let compiled = handler.map(|found| handler::compile((section, &scope), place, name, found, problems));
        compiled.map(Box::new)
    };
    let on_failure = handler(handler::ON_FAILURE, section.on_failure);
    let on_exit = handler(handler::ON_EXIT, section.on_exit);
    let (types, writers) = scope.into_parts();
    let mut body = Body {
        nodes,
        positions,
        order,
        declared: section.inputs.to_vec(),
        outputs,
        types,
        writers,
        reads: BTreeSet::new(),
        on_failure,
        on_exit,
    };
    body.reads = body.read_steps();
    Some(body)
}

fn limited(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.truncate(PROBLEMS_MAX);
    problems
}

/// Step names and where they are; bad and double ones are problems.
fn positions(section: &Section, problems: &mut Vec<Problem>) -> BTreeMap<String, usize> {
    let mut positions = BTreeMap::new();
    for (at, step) in section.steps.iter().enumerate() {
        let path = section.step(at, "name");
        problems.extend(names::check(&step.name, path.clone()));
        if let Some(first) = positions.insert(step.name.clone(), at) {
            let words = format!(
                "{} is the name of {} too: names are unique",
                step.name,
                section.step(first, "name")
            );
            problems.push(Problem::new(Reason::DuplicateName, path, words));
        }
    }
    positions
}

fn needs_of(
    section: &Section,
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
            section.step(at, &format!("needs[{index}]")),
            words,
        ));
    }
    needs
}

fn cycle_problem(section: &Section, cycle: &[usize]) -> Problem {
    let name = |at: &usize| section.steps.get(*at).map_or("", |step| step.name.as_str());
    let path: Vec<&str> = cycle.iter().map(name).collect();
    let at = cycle.first().copied().unwrap_or_default();
    let words = format!(
        "the steps need each other in a circle: {}; remove one of these needs",
        path.join(" -> ")
    );
    Problem::new(Reason::Cycle, section.step(at, "needs"), words)
}

fn node(site: &Site, (at, needs): (usize, Vec<usize>), problems: &mut Vec<Problem>) -> Node {
    let on_failure = site.step.on_failure.as_ref().map(|handler| {
        let scope = (site.section, site.scope);
        let mut ended = site.ended.clone();
        ended.insert(at);
        Box::new(handler::compile(
            scope,
            (&site.place, &ended),
            handler::ON_FAILURE,
            handler,
            problems,
        ))
    });
    let when = site.step.when.as_deref();
    let node = match &site.step.for_each {
        None => work(site, site.step.clone(), needs, ("when", when), site.types, problems),
        Some(each) => Node {
            definition: fork::whole(site.step),
            needs,
            when: site.optional("when", when, site.types, Wanted::Boolean, problems),
            flow: Some(CompiledFlow::ForEach(Box::new(fork::compile(site, each, problems)))),
            writers: site.writers.to_vec(),
            ..Node::default()
        },
    };
    let mut node = Node {
        reads: node.read_steps(),
        on_failure,
        ..node
    };
    node.open_reads = partial::open_reads(site.section, &node, site.ended);
    node
}

/// What a step does once, under these types; `when` with the name of its field.
pub(super) fn work(
    site: &Site,
    definition: StepDefinition,
    needs: Vec<usize>,
    (field, when): (&str, Option<&str>),
    types: &TypeEnv,
    problems: &mut Vec<Problem>,
) -> Node {
    let step = site.step;
    let when = site.optional(field, when, types, Wanted::Boolean, problems);
    let flow = flow::compile(site, types, problems);
    let types = flow.as_ref().map_or(types, |flow| flow.types(types));
    let idempotency_key = site.optional(
        "idempotencyKey.expression",
        step.idempotency_key.as_deref(),
        types,
        Wanted::String,
        problems,
    );
    let inputs = inputs(site, types, problems);
    let fields = fields(site, problems);
    let http = http::compile(site, types, problems);
    let mut node = Node {
        definition,
        needs,
        when,
        inputs,
        fields,
        idempotency_key,
        flow,
        http: http.map(Box::new),
        writers: site.writers.to_vec(),
        reads: BTreeSet::new(),
        open_reads: BTreeSet::new(),
        on_failure: None,
    };
    node.reads = node.read_steps();
    node
}

fn inputs(site: &Site, types: &TypeEnv, problems: &mut Vec<Problem>) -> Vec<(String, Given)> {
    let mut inputs = Vec::with_capacity(site.step.given.len());
    for (index, binding) in site.step.given.iter().enumerate() {
        let wanted = check::declared_type(site.step, &binding.name);
        let source = (binding.value.as_ref(), binding.expression.as_deref());
        let given = site.given(&format!("inputs[{index}]"), source, types, wanted, problems);
        inputs.extend(given.map(|given| (binding.name.clone(), given)));
    }
    inputs
}

/// Computed fields see the inputs of their own step, as the Task that may have written them does.
fn fields(site: &Site, problems: &mut Vec<Problem>) -> Vec<(String, Expression)> {
    let step = site.step;
    let given = step.given.iter().map(|binding| binding.name.as_str());
    let types = job::field_types(step.declared.as_deref(), given);
    let mut fields = Vec::with_capacity(step.job.fields_from.len());
    for from in &step.job.fields_from {
        match job::compile_field(from, &types) {
            Ok(expression) => fields.push((from.field.clone(), expression)),
            Err(error) => {
                let reason = match step.kind {
                    Kind::Task => Reason::TaskMismatch,
                    _ => Reason::ExpressionError,
                };
                let place = site.path(&format!("job.fieldsFrom[{}].expression", from.field));
                problems.push(Problem::new(reason, place, error.to_string()));
            }
        }
    }
    fields
}

/// Outputs of the run, or of a block: they may read every step.
fn outputs(
    section: &Section,
    scope: &check::Declared,
    problems: &mut Vec<Problem>,
) -> Vec<(WorkflowOutput, Expression)> {
    let all: BTreeSet<usize> = (0..section.steps.len()).collect();
    let types = scope.types();
    let mut outputs = Vec::with_capacity(section.outputs.len());
    for (index, output) in section.outputs.iter().enumerate() {
        problems.extend(names::check(
            &output.name,
            format!("{}.outputs[{index}].name", section.path),
        ));
        let path = format!("{}.outputs[{index}].expression", section.path);
        match scope.expression(&path, &output.expression, (&all, types), Wanted::Typed(output.kind)) {
            Ok(expression) => outputs.push((output.clone(), expression)),
            Err(problem) => problems.push(problem),
        }
    }
    outputs
}
