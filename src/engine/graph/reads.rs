//! Which steps the expressions of a step read.

use std::collections::BTreeSet;

use super::{Body, CompiledFlow, CompiledWait, Given, Node};
use crate::expr::Expression;

impl Node {
    /// Names of the steps that its expressions read.
    pub(super) fn read_steps(&self) -> BTreeSet<String> {
        names(self.expressions().into_iter())
    }

    /// Whether its expressions read variables.
    pub(super) fn reads_variables(&self) -> bool {
        let mut expressions = self.expressions().into_iter();
        expressions.any(|expression| expression.references().roots.contains("vars"))
    }

    /// Those of its items too.
    fn expressions(&self) -> Vec<&Expression> {
        let inputs = self.inputs.iter().filter_map(|(_, given)| given.expression());
        let own = self.when.iter().chain(&self.idempotency_key).chain(inputs);
        let mut found: Vec<&Expression> = own.collect();
        found.extend(self.flow.iter().flat_map(CompiledFlow::expressions));
        found.extend(self.http.iter().flat_map(|http| http.expressions()));
        if let Some(CompiledFlow::ForEach(each)) = &self.flow {
            found.extend(each.item.nodes.iter().flat_map(Self::expressions));
        }
        found
    }
}

impl Body {
    /// Names of the steps that are read once all have ended: by outputs, and by what follows.
    pub(super) fn read_steps(&self) -> BTreeSet<String> {
        let mut names = names(self.outputs.iter().map(|(_, expression)| expression));
        let handlers = self.on_failure.iter().chain(&self.on_exit);
        names.extend(handlers.flat_map(|handler| &handler.nodes).flat_map(Node::read_steps));
        names
    }
}

impl CompiledFlow {
    fn expressions(&self) -> Vec<&Expression> {
        match self {
            Self::Block(_) | Self::Wait(CompiledWait::For(_)) => Vec::new(),
            Self::Choice(cases, _) => cases.iter().map(|(when, _)| when).collect(),
            Self::Loop(looped) => looped.before.iter().chain(&looped.after).collect(),
            Self::Wait(CompiledWait::At(at)) => vec![at],
            Self::Set(variables) => variables.iter().filter_map(|(_, given)| given.expression()).collect(),
            Self::Exit(exit) => exit
                .outputs
                .iter()
                .filter_map(|(_, _, given)| given.expression())
                .collect(),
            Self::ForEach(each) => each.items.iter().chain(&each.stop_when).collect(),
        }
    }
}

impl Given {
    pub(super) const fn expression(&self) -> Option<&Expression> {
        match self {
            Self::Literal(_) => None,
            Self::Computed(expression) => Some(expression),
        }
    }
}

fn names<'e>(expressions: impl Iterator<Item = &'e Expression>) -> BTreeSet<String> {
    expressions
        .flat_map(|expression| expression.references().steps.keys().cloned())
        .collect()
}
