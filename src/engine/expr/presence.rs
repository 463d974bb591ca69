//! Which optional members are known to be there, at one place of an expression.

use super::ast::{Kind, Node};

/// A member's path from its root.
pub(super) type Path<'t> = Vec<&'t str>;

#[derive(Debug, Default)]
pub(super) struct Presence<'t> {
    proven: Vec<Path<'t>>,
    is_tolerant: bool,
}

impl<'t> Presence<'t> {
    /// Whether absence of this member is no error here. `has(a.b.c)` proves `a.b` too.
    pub(super) fn is_proven(&self, path: &[&str]) -> bool {
        self.is_tolerant || self.proven.iter().any(|proven| proven.starts_with(path))
    }

    /// Sets whether absence is dealt with by an `or()` or `has()` around, and gives what it was.
    pub(super) fn tolerate(&mut self, is_tolerant: bool) -> bool {
        std::mem::replace(&mut self.is_tolerant, is_tolerant)
    }

    pub(super) fn mark(&self) -> usize {
        self.proven.len()
    }

    pub(super) fn reset(&mut self, mark: usize) {
        self.proven.truncate(mark);
    }

    /// Adds what `condition` proves where it is `truth`: `has(x)`, `!has(x)`, and these under `&&` and `||`.
    pub(super) fn assume(&mut self, condition: &'t Node, truth: bool) {
        match &condition.kind {
            Kind::Has(operand) if truth => self.proven.extend(operand.path()),
            Kind::Not(operand) => self.assume(operand, !truth),
            Kind::Logic { is_and, left, right } if *is_and == truth => {
                self.assume(left, truth);
                self.assume(right, truth);
            }
            _ => {}
        }
    }
}
