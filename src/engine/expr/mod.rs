//! Expressions: a bounded CEL over JSON.
//!
//! The language is the [Common Expression Language](https://github.com/cel-expr/cel-spec/blob/master/doc/langdef.md)
//! with the values of JSON, a fixed library (see `library`), and no clock. It differs from CEL in these points, all
//! of them so that an expression works on stored JSON:
//! * Integers are signed; there are no unsigned ones, no bytes, timestamps, durations, types or messages.
//! * `has(a.b.c)` is false where `a.b` is absent, and takes `has(a['b'])`.
//! * `or(x, default)` gives the default where `x` is absent or null.
//! * `x.f(y)` and `f(x, y)` are the same for all functions of the library.
//!
//! The parser and interpreter are our own, since no crate has a budget: parsing is linear, and an evaluation pays for
//! every operation and every byte that it makes (`runtime`). The `cel` crate is the twin that the tests compare with.

mod ast;
mod call;
mod check;
mod error;
mod evaluate;
mod fault;
mod library;
mod literal;
mod names;
mod operators;
mod parse;
mod pattern;
mod presence;
mod references;
mod runtime;
mod scope;
#[cfg(test)]
mod tests;
mod token;
mod types;
mod value;

pub use error::{Error, Place};
pub use names::{KEYWORDS, RESERVED, ROOTS, is_reserved};
pub use pattern::Pattern;
pub use references::References;
pub use scope::Scope;
pub use types::{Members, Type, TypeEnv};

use ast::Node;
use serde_json::Value as Json;
use std::fmt;
use std::sync::Arc;

/// A parsed expression; cheap to clone.
///
/// Guarantees: parsing, checking and evaluating never panic and end within milliseconds, whatever the text and the
/// data; the same expression on the same scope gives the same result. Assumes that nothing in the scope was built
/// deeper than JSON from Kubernetes can be (a `serde_json::Value` cannot even be dropped then).
#[derive(Clone)]
pub struct Expression {
    parsed: Arc<Parsed>,
}

struct Parsed {
    text: String,
    root: Node,
    references: References,
}

impl Expression {
    /// Parses, and enforces the limits of the language: 2 KiB, 200 nodes, macros nested in two levels, brackets in 32.
    ///
    /// # Errors
    /// With the place in the text, if it is no expression, calls an unknown function or reads an unnamed step.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let root = parse::parse(text)?;
        let references = references::collect(&root, text)?;
        Ok(Self {
            parsed: Arc::new(Parsed {
                text: text.to_owned(),
                root,
                references,
            }),
        })
    }

    /// The text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.parsed.text
    }

    /// What it reads.
    #[must_use]
    pub fn references(&self) -> &References {
        &self.parsed.references
    }

    /// The type of the result, as far as it can be known before the run.
    ///
    /// # Errors
    /// For an unknown root or member, a read of an optional member without `has()` or `or()`, and types that can
    /// never fit.
    pub fn check(&self, types: &TypeEnv) -> Result<Type, Error> {
        check::check(&self.parsed.root, &self.parsed.text, types)
    }

    /// As [`Expression::check`], and the result may be one of `wanted`.
    ///
    /// # Errors
    /// As [`Expression::check`], or if the result can never be of that type.
    pub fn check_as(&self, types: &TypeEnv, wanted: &Type) -> Result<Type, Error> {
        let kind = self.check(types)?;
        if kind.may_be(wanted) {
            return Ok(kind);
        }
        let message = format!("the expression gives type {kind}, {wanted} is wanted");
        Err(Error::Type {
            at: self.parsed.root.span.place(&self.parsed.text),
            message,
        })
    }

    /// The value of the expression.
    ///
    /// # Errors
    /// [`Error::Absent`] where something is read that is not there, [`Error::OutOfFuel`] and [`Error::TooMuchData`]
    /// at the limits, else what the data is not fit for.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Json, Error> {
        evaluate::evaluate(&self.parsed.root, scope).map_err(|failure| failure.into_error(&self.parsed.text))
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.parsed.text).finish()
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parsed.text)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.parsed.text == other.parsed.text
    }
}

impl Eq for Expression {}
