//! What an expression reads, found before anything runs.

use super::ast::{Kind, Node};
use super::error::Error;
use std::collections::{BTreeMap, BTreeSet};

/// Macros in macros, by the bodies: three would be cubic in the data.
const NESTING_MAX: usize = 2;

/// What an expression reads. Variables of macros are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// The roots, `steps` and a user's `as` name included.
    pub roots: BTreeSet<String>,
    /// The steps, each with the paths below it: `steps.a.outputs.n` is `a: [[outputs, n]]`, `steps.a` is `a: [[]]`.
    /// A path ends before the first part that is computed: `steps.a.outputs.list[0].n` is `a: [[outputs, list]]`.
    pub steps: BTreeMap<String, BTreeSet<Vec<String>>>,
}

/// The references of a tree. Refuses macros that are nested too deeply, and steps without a name, since then nobody
/// could say which steps must come first.
pub(super) fn collect(node: &Node, text: &str) -> Result<References, Error> {
    let mut collector = Collector {
        text,
        references: References::default(),
        locals: Vec::new(),
    };
    collector.visit(node)?;
    Ok(collector.references)
}

struct Collector<'t> {
    text: &'t str,
    references: References,
    locals: Vec<&'t str>,
}

impl<'t> Collector<'t> {
    fn visit(&mut self, node: &'t Node) -> Result<(), Error> {
        if let Some(path) = node.path() {
            return self.record(node, &path);
        }
        match &node.kind {
            Kind::Name(_) | Kind::Literal(_) => Ok(()),
            Kind::Select { of: operand, .. } | Kind::Has(operand) | Kind::Not(operand) | Kind::Negate(operand) => {
                self.visit(operand)
            }
            Kind::Index {
                of: first,
                index: second,
            }
            | Kind::Or {
                value: first,
                default: second,
            }
            | Kind::Logic {
                left: first,
                right: second,
                ..
            }
            | Kind::Binary {
                left: first,
                right: second,
                ..
            } => {
                self.visit(first)?;
                self.visit(second)
            }
            Kind::Conditional { when, then, otherwise } => {
                self.visit(when)?;
                self.visit(then)?;
                self.visit(otherwise)
            }
            Kind::List(nodes) | Kind::Call { arguments: nodes, .. } => {
                nodes.iter().try_for_each(|node| self.visit(node))
            }
            Kind::Map(entries) => entries.iter().try_for_each(|(key, value)| {
                self.visit(key)?;
                self.visit(value)
            }),
            Kind::Macro(expansion) => {
                self.visit(&expansion.range)?;
                if self.locals.len() >= NESTING_MAX {
                    let at = node.span.place(self.text);
                    return Err(Error::TooComplex {
                        at,
                        limit: "a macro in a macro in a macro",
                    });
                }
                self.locals.push(&expansion.variable);
                expansion
                    .condition
                    .iter()
                    .chain(&expansion.transform)
                    .try_for_each(|body| self.visit(body))?;
                self.locals.pop();
                Ok(())
            }
        }
    }

    fn record(&mut self, node: &Node, path: &[&str]) -> Result<(), Error> {
        let Some((root, below)) = path.split_first() else {
            return Ok(());
        };
        if self.locals.contains(root) {
            return Ok(());
        }
        self.references.roots.insert((*root).to_owned());
        if *root != "steps" {
            return Ok(());
        }
        let Some((step, members)) = below.split_first() else {
            return Err(Error::UnnamedStep {
                at: node.span.place(self.text),
            });
        };
        let members = members.iter().map(|member| (*member).to_owned()).collect();
        self.references
            .steps
            .entry((*step).to_owned())
            .or_default()
            .insert(members);
        Ok(())
    }
}
