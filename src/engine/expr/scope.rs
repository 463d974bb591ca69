//! The values that an expression may read.

use super::types::{Type, TypeEnv};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The values of the roots, by name. Only those that [`Expression::references`](super::Expression::references) names
/// need be given; values are borrowed where possible, never copied.
#[derive(Clone, Debug, Default)]
pub struct Scope<'a> {
    roots: BTreeMap<Cow<'a, str>, Cow<'a, Json>>,
    types: Option<&'a TypeEnv>,
}

impl<'a> Scope<'a> {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The declared types. With them, data that is declared a `number` is read as one even where it is stored as `1`
    /// (the API server drops the fraction of 1.0): give the environment that the expression was checked against.
    #[must_use]
    pub fn typed(mut self, types: &'a TypeEnv) -> Self {
        self.types = Some(types);
        self
    }

    #[must_use]
    pub fn with(mut self, root: impl Into<Cow<'a, str>>, value: Json) -> Self {
        self.roots.insert(root.into(), Cow::Owned(value));
        self
    }

    /// As [`Scope::with`], without taking the value.
    #[must_use]
    pub fn with_ref(mut self, root: impl Into<Cow<'a, str>>, value: &'a Json) -> Self {
        self.roots.insert(root.into(), Cow::Borrowed(value));
        self
    }

    pub(super) fn root(&self, name: &str) -> Option<&Json> {
        self.roots.get(name).map(Cow::as_ref)
    }

    pub(super) fn kind(&self, name: &str) -> &'a Type {
        self.types
            .and_then(|types| types.root(name))
            .unwrap_or_else(|| Type::unknown())
    }
}
