//! The compiled form of a definition: checked once, looked at often.

mod check;
mod compile;
mod cycle;
mod flow;
mod fork;
mod handler;
mod http;
mod names;
mod partial;
mod reads;
mod section;
mod site;
mod size;
mod variable;

use jobwright_api::{Duration, Exit, ForEach, Input, Loop, ValueType, Variable, policy::Then, value::WorkflowOutput};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use handler::{ON_EXIT, ON_FAILURE};
pub(crate) use http::{CompiledHeader, CompiledHttp};

use crate::{
    definition::{Definition, Kind, StepDefinition},
    expr::{Expression, TypeEnv},
    problem::Problem,
};

/// A definition whose names, needs and expressions hold.
#[derive(Clone, Debug)]
pub struct Graph {
    definition: Definition,
    root: Body,
    blocks: BTreeMap<String, Body>,
}

/// A list of steps in an order that respects the needs and otherwise keeps the author's.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    nodes: Vec<Node>,
    positions: BTreeMap<String, usize>,
    /// Positions in `nodes`, needs before those that need them.
    order: Vec<usize>,
    declared: Vec<Input>,
    outputs: Vec<(WorkflowOutput, Expression)>,
    types: TypeEnv,
    /// Positions of the steps that set variables, in their order: what outputs and handlers read.
    writers: Vec<usize>,
    /// Names of the steps that are read once all have ended.
    reads: BTreeSet<String>,
    /// What runs at the end: each a body of one step.
    on_failure: Option<Box<Self>>,
    on_exit: Option<Box<Self>>,
}

/// One step, with what its expressions became.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    definition: StepDefinition,
    needs: Vec<usize>,
    when: Option<Expression>,
    inputs: Vec<(String, Given)>,
    fields: Vec<(String, Expression)>,
    idempotency_key: Option<Expression>,
    flow: Option<CompiledFlow>,
    /// The request that it sends, in place of a Job.
    http: Option<Box<CompiledHttp>>,
    /// Positions of the steps above that set variables, in their order.
    writers: Vec<usize>,
    /// Names of the steps that its expressions read.
    reads: BTreeSet<String>,
    /// Of these, and of those that set variables which it reads, the steps that may still run when it begins.
    open_reads: BTreeSet<String>,
    /// What runs once this step has failed: a body of one step.
    on_failure: Option<Box<Body>>,
}

/// What a step without a Job of its own does.
#[derive(Clone, Debug)]
pub(crate) enum CompiledFlow {
    Block(String),
    /// Cases with their blocks, and the block of the default.
    Choice(Vec<(Expression, String)>, String),
    Loop(Box<CompiledLoop>),
    Wait(CompiledWait),
    Set(Vec<(Variable, Given)>),
    Exit(Box<CompiledExit>),
    ForEach(Box<CompiledForEach>),
}

#[derive(Clone, Debug)]
pub(crate) struct CompiledLoop {
    pub(crate) definition: Loop,
    pub(crate) before: Option<Expression>,
    pub(crate) after: Option<Expression>,
    /// What `while` and the inputs of the body may read, and `until` beside it.
    pub(crate) types: TypeEnv,
    pub(crate) types_after: TypeEnv,
}

#[derive(Clone, Debug)]
pub(crate) struct CompiledExit {
    pub(crate) definition: Exit,
    /// Outputs of the run, with the type that it declares.
    pub(crate) outputs: Vec<(String, ValueType, Given)>,
}

#[derive(Clone, Debug)]
pub(crate) struct CompiledForEach {
    pub(crate) definition: ForEach,
    pub(crate) items: Option<Expression>,
    pub(crate) stop_when: Option<Expression>,
    /// What `stopWhen` may read.
    pub(crate) types_after: TypeEnv,
    /// The step as each item runs it.
    pub(crate) item: Body,
}

#[derive(Clone, Debug)]
pub(crate) enum CompiledWait {
    For(Duration),
    At(Expression),
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

    /// The steps of the run itself.
    pub(crate) const fn root(&self) -> &Body {
        &self.root
    }

    pub(crate) fn has_waits(&self) -> bool {
        let blocks = self.definition.blocks.values();
        let mut steps = self
            .definition
            .steps
            .iter()
            .chain(blocks.flat_map(|block| &block.steps));
        steps.any(|step| step.kind == Kind::Wait)
    }

    pub(crate) fn block(&self, name: &str) -> Option<&Body> {
        self.blocks.get(name)
    }
}

impl Body {
    /// A body that one step makes up: of an item, of a handler.
    fn of_one(node: Node, types: TypeEnv) -> Self {
        Self {
            positions: [(node.definition.name.clone(), 0)].into(),
            nodes: vec![node],
            order: vec![0],
            declared: Vec::new(),
            outputs: Vec::new(),
            types,
            writers: Vec::new(),
            reads: BTreeSet::new(),
            on_failure: None,
            on_exit: None,
        }
    }

    /// The steps as the author wrote them.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Positions of the steps, needs before those that need them.
    pub(crate) fn order(&self) -> &[usize] {
        &self.order
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    /// What a block takes in.
    pub(crate) fn declared(&self) -> &[Input] {
        &self.declared
    }

    /// The types that the expressions were checked against.
    pub(crate) const fn types(&self) -> &TypeEnv {
        &self.types
    }

    /// Positions of the steps that set variables, in their order.
    pub(crate) fn writers(&self) -> &[usize] {
        &self.writers
    }

    /// Names of the steps that are read once all have ended.
    pub(crate) const fn reads(&self) -> &BTreeSet<String> {
        &self.reads
    }

    pub(crate) fn on_failure(&self) -> Option<&Self> {
        self.on_failure.as_deref()
    }

    pub(crate) fn on_exit(&self) -> Option<&Self> {
        self.on_exit.as_deref()
    }

    pub(crate) fn outputs(&self) -> impl Iterator<Item = (&WorkflowOutput, &Expression)> {
        self.outputs.iter().map(|(output, expression)| (output, expression))
    }
}

impl Node {
    pub(crate) const fn definition(&self) -> &StepDefinition {
        &self.definition
    }

    pub(crate) fn needs(&self) -> &[usize] {
        &self.needs
    }

    pub(crate) const fn flow(&self) -> Option<&CompiledFlow> {
        self.flow.as_ref()
    }

    /// The request that it sends, in place of a Job.
    pub(crate) fn http(&self) -> Option<&CompiledHttp> {
        self.http.as_deref()
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

    /// Positions of the steps above that set variables, in their order.
    pub(crate) fn writers(&self) -> &[usize] {
        &self.writers
    }

    /// Names of the steps that its expressions read.
    pub(crate) const fn reads(&self) -> &BTreeSet<String> {
        &self.reads
    }

    /// Names of the steps that its expressions read and that may still run when it begins.
    pub(crate) const fn open_reads(&self) -> &BTreeSet<String> {
        &self.open_reads
    }

    pub(crate) fn on_failure(&self) -> Option<&Body> {
        self.on_failure.as_deref()
    }

    /// Its failure lets the steps below start.
    pub(crate) const fn failure_counts_as_done(&self) -> bool {
        matches!(self.definition.then, Then::Continue | Then::FailAtEnd)
    }

    /// Its failure lets all else go on, and fails what is around it then.
    pub(crate) const fn fails_at_end(&self) -> bool {
        matches!(self.definition.then, Then::FailAtEnd)
    }
}
