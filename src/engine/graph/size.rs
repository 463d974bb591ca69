//! Bounds of a definition as a whole: what no step runs, and how many steps may be open at once.

use jobwright_api::Reason;
use std::collections::{BTreeMap, BTreeSet};

use crate::{
    definition::{BlockDefinition, Definition, Flow, StepDefinition},
    problem::Problem,
};

/// Steps that may stand in a status at once, each fork counted with one item: forks begin further items only while
/// there is room. A status with twice as many stays below 512 KiB.
const OPEN_MAX: usize = 500;

/// Needs that the references hold and no block runs itself.
pub(super) fn check(definition: &Definition, problems: &mut Vec<Problem>) {
    unused_blocks(definition, problems);
    exits_in_handlers(definition, problems);
    depth(definition, problems);
    let mut bounds = BTreeMap::new();
    let open = of_list(definition, &definition.steps, &mut bounds).saturating_add(of_ends(definition, &mut bounds));
    if open > OPEN_MAX {
        let words = format!(
            "up to {open} steps would be open at once, {OPEN_MAX} may be: let steps need each other, or begin parts in \
             a fork or loop"
        );
        problems.push(Problem::new(Reason::TooLarge, "spec.steps", words));
    }
}

/// Names in the id of a step: the API has room for so many.
const DEPTH_MAX: usize = 32;

fn depth(definition: &Definition, problems: &mut Vec<Problem>) {
    let mut known = BTreeMap::new();
    let steps = definition.steps.iter().enumerate();
    let steps = steps.map(|(at, step)| (format!("spec.steps[{at}]"), depth_of(definition, step, &mut known)));
    let mut deepest: Vec<(String, usize)> = steps.collect();
    for (name, handler) in [("onFailure", &definition.on_failure), ("onExit", &definition.on_exit)] {
        let depth = handler
            .iter()
            .map(|handler| depth_of_block(definition, &handler.block, &mut known));
        deepest.extend(depth.map(|depth| (format!("spec.{name}"), depth.saturating_add(1))));
    }
    for (path, depth) in deepest.into_iter().filter(|(_, depth)| *depth > DEPTH_MAX) {
        let words = format!(
            "goes {depth} steps deep, block within block, and {DEPTH_MAX} may be: let some of these blocks stand side by side"
        );
        problems.push(Problem::new(Reason::TooLarge, path, words));
    }
}

/// Names in the ids of a step and of what it runs.
fn depth_of<'a>(definition: &'a Definition, step: &'a StepDefinition, known: &mut Bounds<'a>) -> usize {
    let blocks = step.flow.iter().flat_map(Flow::blocks);
    let inner = blocks
        .map(|name| depth_of_block(definition, name, known))
        .max()
        .unwrap_or(0);
    let handler = step.on_failure.as_ref().map_or(0, |handler| {
        depth_of_block(definition, &handler.block, known).saturating_add(1)
    });
    inner.max(handler).saturating_add(1)
}

fn depth_of_block<'a>(definition: &'a Definition, name: &'a str, known: &mut Bounds<'a>) -> usize {
    if let Some(depth) = known.get(name) {
        return *depth;
    }
    let Some(BlockDefinition { steps, on_failure, .. }) = definition.blocks.get(name) else {
        return 0;
    };
    let inner = steps
        .iter()
        .map(|step| depth_of(definition, step, known))
        .max()
        .unwrap_or(0);
    let handler = on_failure.as_ref().map_or(0, |handler| {
        depth_of_block(definition, &handler.block, known).saturating_add(1)
    });
    let depth = inner.max(handler);
    known.insert(name, depth);
    depth
}

/// A block that nothing runs is a mistake: a name that was mistyped, or what is left of a change.
fn unused_blocks(definition: &Definition, problems: &mut Vec<Problem>) {
    let ends = definition.on_failure.iter().chain(&definition.on_exit);
    let ends = ends.map(|handler| handler.block.as_str());
    let used = reachable(definition, runs(&definition.steps).chain(ends));
    for name in definition.blocks.keys().filter(|name| !used.contains(name.as_str())) {
        let words = "no step runs it: name it in a step, or leave it out";
        problems.push(Problem::new(
            Reason::InvalidDefinition,
            format!("spec.blocks.{name}"),
            words,
        ));
    }
}

/// These blocks, and all that they may run.
fn reachable<'a>(definition: &'a Definition, from: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut open: Vec<&str> = from.collect();
    let mut found = BTreeSet::new();
    while let Some(name) = open.pop() {
        if found.insert(name)
            && let Some(block) = definition.blocks.get(name)
        {
            open.extend(runs(&block.steps));
            open.extend(block.on_failure.iter().map(|handler| handler.block.as_str()));
        }
    }
    found
}

/// How a handler ends changes nothing: an exit would change how the run ends.
fn exits_in_handlers(definition: &Definition, problems: &mut Vec<Problem>) {
    let of_run = definition.on_failure.iter().chain(&definition.on_exit);
    let of_blocks = definition.blocks.values().flat_map(|block| &block.on_failure);
    let lists = definition.blocks.values().map(|block| &block.steps);
    let steps = lists.chain([&definition.steps]).flatten();
    let of_steps = steps.flat_map(|step| &step.on_failure);
    let handlers = of_run
        .chain(of_blocks)
        .chain(of_steps)
        .map(|handler| handler.block.as_str());
    for name in reachable(definition, handlers) {
        let steps = definition.blocks.get(name).map_or(&[][..], |block| &block.steps);
        for (at, step) in steps.iter().enumerate() {
            if matches!(step.flow, Some(Flow::Exit(_))) {
                let path = format!("spec.blocks.{name}.steps[{at}].exit");
                let words =
                    "the block may follow a failure or the end, and how that ends changes nothing: leave the exit out";
                problems.push(Problem::new(Reason::InvalidDefinition, path, words));
            }
        }
    }
}

/// The blocks that a list of steps may run.
fn runs(steps: &[StepDefinition]) -> impl Iterator<Item = &str> {
    steps.iter().flat_map(|step| {
        let handler = step.on_failure.iter().map(|handler| handler.block.as_str());
        step.flow.iter().flat_map(Flow::blocks).chain(handler)
    })
}

type Bounds<'a> = BTreeMap<&'a str, usize>;

fn of_list<'a>(definition: &'a Definition, steps: &'a [StepDefinition], bounds: &mut Bounds<'a>) -> usize {
    let of_step = |step: &'a StepDefinition| {
        let blocks = step.flow.iter().flat_map(Flow::blocks);
        let largest = blocks.map(|name| of_block(definition, name, bounds)).max().unwrap_or(0);
        let handler = step.on_failure.iter().map(|handler| handler.block.as_str());
        let handler = handler
            .map(|name| of_block(definition, name, bounds).saturating_add(1))
            .sum::<usize>();
        let item = usize::from(step.for_each.is_some());
        largest.saturating_add(handler).saturating_add(item).saturating_add(1)
    };
    steps.iter().map(of_step).fold(0, usize::saturating_add)
}

fn of_block<'a>(definition: &'a Definition, name: &'a str, bounds: &mut Bounds<'a>) -> usize {
    if let Some(known) = bounds.get(name) {
        return *known;
    }
    let Some(BlockDefinition { steps, on_failure, .. }) = definition.blocks.get(name) else {
        return 0;
    };
    let mut bound = of_list(definition, steps, bounds);
    if let Some(handler) = on_failure {
        bound = bound
            .saturating_add(of_block(definition, &handler.block, bounds))
            .saturating_add(1);
    }
    bounds.insert(name, bound);
    bound
}

fn of_ends<'a>(definition: &'a Definition, bounds: &mut Bounds<'a>) -> usize {
    let ends = definition.on_failure.iter().chain(&definition.on_exit);
    let bounds = ends.map(|handler| of_block(definition, &handler.block, bounds).saturating_add(1));
    bounds.fold(0, usize::saturating_add)
}
