//! The compiled form of a definition: checked once, looked at often.

mod check;
mod compile;
mod cycle;
mod names;

use jobwright_api::policy::Then;
use jobwright_api::value::WorkflowOutput;
use serde_json::Value;
use std::collections::BTreeSet;

use crate::{
    definition::{Definition, StepDefinition},
    expr::{Expression, TypeEnv},
    id::StepId,
    problem::Problem,
};

/// A definition whose names, needs and expressions hold, with its steps in an order that respects
/// the needs and otherwise keeps the author's.
#[derive(Clone, Debug)]
pub struct Graph {
    definition: Definition,
    nodes: Vec<Node>,
    /// Positions in `nodes`, needs before those that need them.
    order: Vec<usize>,
    outputs: Vec<(WorkflowOutput, Expression)>,
    types: TypeEnv,
}

/// One step, with what its expressions became.
#[derive(Clone, Debug)]
pub struct Node {
    id: StepId,
    key: String,
    definition: StepDefinition,
    needs: Vec<usize>,
    upstream: BTreeSet<usize>,
    when: Option<Expression>,
    inputs: Vec<(String, Given)>,
    fields: Vec<(String, Expression)>,
    idempotency_key: Option<Expression>,
}

/// Where the value of an input comes from.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    Literal(Value),
    Computed(Expression),
}

impl Graph {
    /// Checks the whole definition and compiles it.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the fields, at most 20 problems.
    pub fn compile(definition: Definition) -> Result<Self, Vec<Problem>> {
        compile::compile(definition)
    }

    #[must_use]
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The steps as the author wrote them.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Needs before those that need them.
    pub fn in_order(&self) -> impl Iterator<Item = &Node> {
        self.order.iter().filter_map(|position| self.nodes.get(*position))
    }

    /// The direct needs of a step.
    pub fn needs<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Node> {
        node.needs.iter().filter_map(|position| self.nodes.get(*position))
    }

    /// All steps above a step.
    pub fn upstream<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Node> {
        node.upstream.iter().filter_map(|position| self.nodes.get(*position))
    }

    /// The types that the expressions were checked against.
    pub(crate) const fn types(&self) -> &TypeEnv {
        &self.types
    }

    pub(crate) fn outputs(&self) -> impl Iterator<Item = (&WorkflowOutput, &Expression)> {
        self.outputs.iter().map(|(output, expression)| (output, expression))
    }
}

impl Node {
    #[must_use]
    pub const fn id(&self) -> &StepId {
        &self.id
    }

    /// The printed id: the key in the status.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    #[must_use]
    pub const fn definition(&self) -> &StepDefinition {
        &self.definition
    }

    pub(crate) const fn when(&self) -> Option<&Expression> {
        self.when.as_ref()
    }

    pub(crate) fn inputs(&self) -> &[(String, Given)] {
        &self.inputs
    }

    pub(crate) fn fields(&self) -> &[(String, Expression)] {
        &self.fields
    }

    pub(crate) const fn idempotency_key(&self) -> Option<&Expression> {
        self.idempotency_key.as_ref()
    }

    /// Its failure lets the steps below start.
    pub(crate) const fn failure_counts_as_done(&self) -> bool {
        matches!(self.definition.then, Then::Continue | Then::FailAtEnd)
    }

    pub(crate) const fn failure_fails_run(&self) -> bool {
        matches!(self.definition.then, Then::Fail | Then::FailAtEnd)
    }
}
