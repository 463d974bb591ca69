//! Where a step stands while a run goes on. A frame is one pass through a list of steps; a place is one
//! step in it, with the id that it has there.

use jobwright_api::status::PathSegment;
use serde_json::{Map, Value};
use std::ops::Deref;

use crate::{
    graph::{Body, Graph, Node},
    id::StepId,
};

/// One pass through the steps of a body: of the run, of a block, of an iteration, of an item.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    body: &'a Body,
    /// Where its steps stand.
    path: Vec<PathSegment>,
    /// Ids in the order in which the author wrote the steps.
    ids: Vec<Id>,
    around: Around<'a>,
}

/// What the expressions of a frame see beside its own steps.
#[derive(Debug)]
enum Around<'a> {
    /// The scope of a run or block is closed: this is the root `inputs`.
    Closed(Value),
    /// An item sees what the step sees that it is of, and its own roots.
    Within(&'a Frame<'a>, Vec<(&'a str, Value)>),
}

#[derive(Debug)]
struct Id {
    id: StepId,
    key: String,
}

impl<'a> Frame<'a> {
    /// The steps of the run itself.
    pub(crate) fn root(graph: &'a Graph, inputs: Map<String, Value>) -> Self {
        Self::new(graph.root(), &[], inputs)
    }

    /// The steps of a block below a step, whose path tells the iteration too.
    pub(crate) fn new(body: &'a Body, path: &[PathSegment], inputs: Map<String, Value>) -> Self {
        let id = |node: &Node| Id::new(StepId::below(path, &node.definition().name));
        let ids = body.nodes().iter().map(id).collect();
        Self {
            body,
            path: path.to_vec(),
            ids,
            around: Around::Closed(Value::Object(inputs)),
        }
    }

    /// The one step of `body`, under this id. It sees what the steps of `outer` see, and `roots`.
    pub(crate) fn within(outer: &'a Self, body: &'a Body, id: StepId, roots: Vec<(&'a str, Value)>) -> Self {
        Self {
            body,
            path: Vec::new(),
            ids: vec![Id::new(id)],
            around: Around::Within(outer, roots),
        }
    }

    pub(crate) const fn body(&self) -> &'a Body {
        self.body
    }

    pub(crate) fn path(&self) -> &[PathSegment] {
        &self.path
    }

    /// The steps that have set the variables that a step with these writers reads, in their order.
    pub(crate) fn writers<'f>(&'f self, writers: &'f [usize]) -> Box<dyn Iterator<Item = Instance<'f>> + 'f> {
        match &self.around {
            Around::Closed(_) => Box::new(writers.iter().filter_map(|position| self.instance(*position))),
            Around::Within(outer, _) => outer.writers(writers),
        }
    }

    /// The root `inputs`.
    pub(crate) fn inputs(&self) -> &Value {
        match &self.around {
            Around::Closed(inputs) => inputs,
            Around::Within(outer, _) => outer.inputs(),
        }
    }

    /// The roots that only this frame has.
    pub(crate) fn roots(&self) -> &[(&'a str, Value)] {
        match &self.around {
            Around::Closed(_) => &[],
            Around::Within(_, roots) => roots,
        }
    }

    fn instance(&self, position: usize) -> Option<Instance<'_>> {
        let (node, id) = (self.body.nodes().get(position)?, self.ids.get(position)?);
        Some(Instance { frame: self, node, id })
    }

    /// The steps as the author wrote them.
    pub(crate) fn instances(&self) -> impl Iterator<Item = Instance<'_>> {
        (0..self.ids.len()).filter_map(|position| self.instance(position))
    }

    /// Needs before those that need them.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = Instance<'_>> {
        self.body.order().iter().filter_map(|position| self.instance(*position))
    }

    /// The step of this name that the expressions of this frame read.
    pub(crate) fn find(&self, name: &str) -> Option<Instance<'_>> {
        match &self.around {
            Around::Closed(_) => self.instance(self.body.position(name)?),
            Around::Within(outer, _) => outer.find(name),
        }
    }
}

impl Id {
    fn new(id: StepId) -> Self {
        let key = id.to_string();
        Self { id, key }
    }
}

/// A step in a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instance<'f> {
    frame: &'f Frame<'f>,
    node: &'f Node,
    id: &'f Id,
}

impl Deref for Instance<'_> {
    type Target = Node;

    fn deref(&self) -> &Node {
        self.node
    }
}

impl<'f> Instance<'f> {
    pub(crate) const fn frame(self) -> &'f Frame<'f> {
        self.frame
    }

    pub(crate) const fn node(self) -> &'f Node {
        self.node
    }

    pub(crate) const fn id(self) -> &'f StepId {
        &self.id.id
    }

    /// The printed id: the key in the status.
    pub(crate) fn key(self) -> &'f str {
        &self.id.key
    }

    /// The direct needs of this step.
    pub(crate) fn needs(self) -> impl Iterator<Item = Instance<'f>> {
        let needs = self.node.needs().iter();
        needs.filter_map(move |position| self.frame.instance(*position))
    }
}
