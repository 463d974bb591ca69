//! Steps without a Job of their own: their blocks, their conditions, the types of what they give.

use jobwright_api::{Exit, Reason, ValueType, Variable, flow::NONE};
use std::collections::BTreeMap;

use super::{
    CompiledExit, CompiledFlow, CompiledLoop, CompiledWait, Given,
    check::{self, Wanted},
    cycle,
    handler::{ON_EXIT, ON_FAILURE},
    section::Section,
    site::Site,
};
use crate::{
    definition::{BlockDefinition, Definition, Flow, StepDefinition},
    expr::{Expression, Members, Type, TypeEnv},
    problem::Problem,
    text::nearest,
};

/// Every reference to a block holds, no block runs itself, and their inputs have names.
pub(super) fn blocks(definition: &Definition, problems: &mut Vec<Problem>) {
    references(&Section::root(definition), problems);
    for (name, block) in &definition.blocks {
        references(&Section::block(definition, name, block), problems);
        check::inputs(&format!("spec.blocks.{name}"), &block.inputs, problems);
    }
    recursion(definition, problems);
}

fn references(section: &Section, problems: &mut Vec<Problem>) {
    let ends = [(ON_FAILURE, section.on_failure), (ON_EXIT, section.on_exit)];
    for (name, handler) in ends.into_iter().filter_map(|(name, handler)| Some((name, handler?))) {
        let path = format!("{}.{name}.block", section.path);
        reference(section.definition, path, &handler.block, problems);
    }
    for (at, step) in section.steps.iter().enumerate() {
        if let Some(handler) = &step.on_failure {
            let path = section.step(at, "onFailure.block");
            reference(section.definition, path, &handler.block, problems);
        }
        problems.extend(two_handlers(section, at, step));
        problems.extend(after_exit(section, at, step));
        problems.extend(two_types(section, at, step));
        for (field, name) in step.flow.iter().flat_map(fields).filter(|(_, name)| *name != NONE) {
            reference(section.definition, section.step(at, &field), name, problems);
        }
    }
}

/// Whatever needs a step that ends the run in any case never starts.
fn after_exit(section: &Section, at: usize, step: &StepDefinition) -> Option<Problem> {
    let needs = step
        .needs
        .iter()
        .filter_map(|need| section.steps.iter().find(|other| other.name == *need));
    let mut ends = needs.filter(|other| matches!(other.flow, Some(Flow::Exit(_))) && other.when.is_none());
    let end = ends.next().filter(|_| step.join.is_none())?;
    let words = format!(
        "never starts: {} ends the run. Give that a when, or leave this step out",
        end.name
    );
    Some(Problem::new(
        Reason::InvalidDefinition,
        section.step(at, "needs"),
        words,
    ))
}

/// What a choice is given goes to each block that it may run.
fn two_types(section: &Section, at: usize, step: &StepDefinition) -> Option<Problem> {
    let mut known: BTreeMap<&str, (&str, ValueType)> = BTreeMap::new();
    for name in step.flow.iter().flat_map(Flow::blocks) {
        let block = section.definition.blocks.get(name);
        for input in block.iter().flat_map(|block| &block.inputs) {
            let (other, kind) = *known.entry(&input.name).or_insert((name, input.kind));
            if kind != input.kind {
                let words = format!(
                    "input {} is {kind} in block {other} and {} in block {name}: give it one type, or two names",
                    input.name, input.kind
                );
                return Some(Problem::new(
                    Reason::InvalidDefinition,
                    section.step(at, "choice"),
                    words,
                ));
            }
        }
    }
    None
}

/// A block that runs once has the id of its step: what follows a failure there can stand in one place only.
fn two_handlers(section: &Section, at: usize, step: &StepDefinition) -> Option<Problem> {
    let runs_once = step.for_each.is_none() && matches!(step.flow, Some(Flow::Block(_) | Flow::Choice(_)));
    if step.on_failure.is_none() || !runs_once {
        return None;
    }
    let blocks = step.flow.iter().flat_map(Flow::blocks);
    let has_own = |name: &&str| {
        let block = section.definition.blocks.get(*name);
        block.is_some_and(|block| block.on_failure.is_some())
    };
    let block = blocks.into_iter().find(has_own)?;
    let words = format!("block {block} has an onFailure of its own: keep one of the two");
    let path = section.step(at, "onFailure.block");
    Some(Problem::new(Reason::InvalidDefinition, path, words))
}

fn reference(definition: &Definition, path: String, name: &str, problems: &mut Vec<Problem>) {
    if definition.blocks.contains_key(name) {
        return;
    }
    let known = definition.blocks.keys().map(String::as_str);
    let hint = nearest(name, known).map_or_else(
        || ": write it under spec.blocks".to_owned(),
        |near| format!("; did you mean {near}?"),
    );
    let words = format!("there is no block {name}{hint}");
    problems.push(Problem::new(Reason::UnknownBlock, path, words));
}

/// Where a step names blocks.
fn fields(flow: &Flow) -> Vec<(String, &str)> {
    match flow {
        Flow::Block(name) => vec![("block".to_owned(), name)],
        Flow::Choice(choice) => {
            let cases = choice.cases.iter().enumerate();
            let cases = cases.map(|(at, case)| (format!("choice.cases[{at}].block"), case.block.as_str()));
            let default = ("choice.default.block".to_owned(), choice.default.block.as_str());
            cases.chain([default]).collect()
        }
        Flow::Loop(looped) => vec![("loop.block".to_owned(), &looped.block)],
        Flow::Wait(_) | Flow::Set(_) | Flow::Exit(_) => Vec::new(),
    }
}

/// A block that runs itself, through whatever others, would never end.
fn recursion(definition: &Definition, problems: &mut Vec<Problem>) {
    let names: Vec<&String> = definition.blocks.keys().collect();
    let runs = |block: &BlockDefinition| -> Vec<usize> {
        let handlers = block.steps.iter().filter_map(|step| step.on_failure.as_ref());
        let handlers = handlers.chain(&block.on_failure).map(|handler| handler.block.as_str());
        let steps = block.steps.iter().filter_map(|step| step.flow.as_ref());
        let blocks = steps.flat_map(Flow::blocks).chain(handlers);
        blocks
            .filter_map(|name| names.iter().position(|known| *known == name))
            .collect()
    };
    let graph: Vec<Vec<usize>> = definition.blocks.values().map(runs).collect();
    if let Err(cycle) = cycle::order(&graph) {
        let path: Vec<&str> = cycle
            .iter()
            .filter_map(|at| names.get(*at).map(|name| name.as_str()))
            .collect();
        let first = path.first().copied().unwrap_or_default();
        let words = format!(
            "blocks run each other in a circle: {}; a loop step repeats a block",
            path.join(" -> ")
        );
        problems.push(Problem::new(Reason::Cycle, format!("spec.blocks.{first}.steps"), words));
    }
}

/// What the step gives when it has succeeded.
pub(super) fn outputs(definition: &Definition, flow: &Flow) -> Members {
    let of = |name: &str| definition.blocks.get(name);
    match flow {
        Flow::Block(name) => of(name).map_or_else(Members::new, members),
        Flow::Loop(looped) => of(&looped.block).map_or_else(Members::new, members),
        Flow::Choice(choice) => {
            let cases = choice.cases.iter().map(|case| case.block.as_str());
            let blocks: Vec<Option<&BlockDefinition>> = cases.chain([choice.default.block.as_str()]).map(of).collect();
            chosen(&blocks)
        }
        Flow::Set(variables) => variables.iter().fold(Members::new(), |members, variable| {
            members.with(&variable.name, variable.kind)
        }),
        Flow::Wait(_) | Flow::Exit(_) => Members::new(),
    }
}

fn members(block: &BlockDefinition) -> Members {
    let outputs = block.outputs.iter();
    outputs.fold(Members::new(), |members, output| {
        members.with(&output.name, output.kind)
    })
}

/// What each block gives is there; what only some give may be absent.
fn chosen(blocks: &[Option<&BlockDefinition>]) -> Members {
    let mut kinds = BTreeMap::new();
    for output in blocks.iter().flatten().flat_map(|block| &block.outputs) {
        kinds
            .entry(output.name.as_str())
            .or_insert_with(Vec::new)
            .push(output.kind);
    }
    kinds.into_iter().fold(Members::new(), |members, (name, found)| {
        let first = found.first().copied().unwrap_or_default();
        let kind = if found.iter().all(|kind| *kind == first) {
            first.into()
        } else {
            Type::Dyn
        };
        if found.len() == blocks.len() {
            members.with(name, kind)
        } else {
            members.with_optional(name, kind)
        }
    })
}

/// What a step gives when it has succeeded, each item of a fork for itself.
pub(super) fn given(definition: &Definition, step: &StepDefinition) -> Members {
    match &step.flow {
        Some(flow) => outputs(definition, flow),
        None => step.outputs.iter().fold(Members::new(), |members, output| {
            if output.optional && output.default.is_none() {
                members.with_optional(&output.name, output.kind)
            } else {
                members.with(&output.name, output.kind)
            }
        }),
    }
}

impl CompiledFlow {
    /// What the inputs of the step may read, where others may read `types`.
    pub(super) fn types<'a>(&'a self, types: &'a TypeEnv) -> &'a TypeEnv {
        match self {
            Self::Loop(looped) => &looped.types,
            _ => types,
        }
    }
}

/// Compiles what a step without a Job does, under these types.
pub(super) fn compile(site: &Site, types: &TypeEnv, problems: &mut Vec<Problem>) -> Option<CompiledFlow> {
    match site.step.flow.as_ref()? {
        Flow::Block(name) => Some(CompiledFlow::Block(name.clone())),
        Flow::Choice(choice) => {
            let mut cases: Vec<(Expression, String)> = Vec::with_capacity(choice.cases.len());
            for (index, case) in choice.cases.iter().enumerate() {
                let field = format!("choice.cases[{index}].when");
                let when = site.expression(&field, &case.when, types, Wanted::Boolean, problems);
                cases.extend(when.map(|when| (when, case.block.clone())));
            }
            Some(CompiledFlow::Choice(cases, choice.default.block.clone()))
        }
        Flow::Loop(looped) => {
            let outputs = outputs(site.section.definition, &Flow::Loop(looped.clone()));
            let types = types
                .clone()
                .with("iteration", Type::Int)
                .with("last", outputs.clone().all_optional());
            let types_after = types.clone().with("block", Members::new().with("outputs", outputs));
            let before = looped.before.as_deref();
            let before = site.optional("loop.while", before, &types, Wanted::Boolean, problems);
            let after = looped.after.as_deref();
            let after = site.optional("loop.until", after, &types_after, Wanted::Boolean, problems);
            Some(CompiledFlow::Loop(Box::new(CompiledLoop {
                definition: looped.clone(),
                before,
                after,
                types,
                types_after,
            })))
        }
        Flow::Wait(wait) => match (&wait.duration, &wait.at) {
            (Some(duration), _) => Some(CompiledFlow::Wait(CompiledWait::For(*duration))),
            (None, Some(at)) => {
                let at = site.expression("wait.at.expression", &at.expression, types, Wanted::String, problems);
                at.map(|at| CompiledFlow::Wait(CompiledWait::At(at)))
            }
            (None, None) => None,
        },
        Flow::Set(variables) => Some(CompiledFlow::Set(set(site, variables, types, problems))),
        Flow::Exit(exit) => Some(CompiledFlow::Exit(Box::new(CompiledExit {
            definition: exit.clone(),
            outputs: exit_outputs(site, exit, types, problems),
        }))),
    }
}

fn set(site: &Site, variables: &[Variable], types: &TypeEnv, problems: &mut Vec<Problem>) -> Vec<(Variable, Given)> {
    let mut compiled = Vec::with_capacity(variables.len());
    for (index, variable) in variables.iter().enumerate() {
        let field = format!("set[{index}]");
        let source = (variable.value.as_ref(), variable.expression.as_deref());
        let given = site.typed(&field, source, types, variable.kind, problems);
        compiled.extend(given.map(|given| (variable.clone(), given)));
    }
    compiled
}

/// An exit gives outputs that the Workflow declares.
fn exit_outputs(
    site: &Site,
    exit: &Exit,
    types: &TypeEnv,
    problems: &mut Vec<Problem>,
) -> Vec<(String, ValueType, Given)> {
    let declared = &site.section.definition.outputs;
    let mut compiled = Vec::with_capacity(exit.outputs.len());
    for (index, binding) in exit.outputs.iter().enumerate() {
        let field = format!("exit.outputs[{index}]");
        let Some(output) = declared.iter().find(|output| output.name == binding.name) else {
            let near = nearest(&binding.name, declared.iter().map(|output| output.name.as_str()));
            let hint = near.map_or_else(
                || ": declare it under spec.outputs".to_owned(),
                |near| format!("; did you mean {near}?"),
            );
            let words = format!("the Workflow has no output {}{hint}", binding.name);
            problems.push(Problem::new(
                Reason::InvalidDefinition,
                site.path(&format!("{field}.name")),
                words,
            ));
            continue;
        };
        let source = (binding.value.as_ref(), binding.expression.as_deref());
        let given = site.typed(&field, source, types, output.kind, problems);
        compiled.extend(given.map(|given| (output.name.clone(), output.kind, given)));
    }
    compiled
}
