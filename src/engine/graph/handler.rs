//! Blocks that follow a failure, or the end: each is a body of one step, which runs the block.

use jobwright_api::policy::Handler;
use std::collections::BTreeSet;

use super::{Body, check, compile, partial, section::Section, site::Site};
use crate::{
    definition::{Definition, Flow, Kind, StepDefinition},
    expr::{Members, Type, TypeEnv},
    problem::Problem,
};

/// Names that no step can have: they are no identifiers of the language.
pub(crate) const ON_FAILURE: &str = "onFailure";
pub(crate) const ON_EXIT: &str = "onExit";

/// The step that runs the block of a handler.
pub(super) fn step(definition: &Definition, name: &str, handler: &Handler) -> StepDefinition {
    let block = definition.blocks.get(&handler.block);
    StepDefinition {
        name: name.to_owned(),
        kind: Kind::Block,
        declared: block.map(|block| block.inputs.clone()),
        given: handler.inputs.clone(),
        flow: Some(Flow::Block(handler.block.clone())),
        ..StepDefinition::default()
    }
}

/// Compiles a handler that stands in a field of `place`. It sees every step of the section, whatever became of it; of
/// those, `ended` have when it begins.
pub(super) fn compile(
    (section, scope): (&Section, &check::Declared),
    (place, ended): (&str, &BTreeSet<usize>),
    name: &str,
    handler: &Handler,
    problems: &mut Vec<Problem>,
) -> Body {
    let step = step(section.definition, name, handler);
    let all: BTreeSet<usize> = (0..section.steps.len()).collect();
    let types = types(scope, name == ON_EXIT);
    let site = Site {
        section,
        place: format!("{place}.{name}"),
        step: &step,
        upstream: &all,
        ended,
        scope,
        types: &types,
        writers: scope.writers(),
    };
    check::given(&site.place, &step, problems);
    let mut node = compile::work(&site, step.clone(), Vec::new(), ("when", None), &types, problems);
    node.open_reads = partial::open_reads(section, &node, ended);
    Body::of_one(node, types)
}

fn types(scope: &check::Declared, may_be_well: bool) -> TypeEnv {
    let error = Members::new()
        .with("step", Type::String)
        .with("reason", Type::String)
        .with_optional("message", Type::String)
        .with_optional("exitCode", Type::Int);
    let error = if may_be_well { error.all_optional() } else { error };
    scope.types_at_end().clone().with("error", error)
}
