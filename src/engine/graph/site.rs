//! One step as it stands in a definition, while its expressions are compiled.

use jobwright_api::{Reason, ValueType};
use serde_json::Value;
use std::collections::BTreeSet;

use super::{
    Given,
    check::{Declared, Wanted},
    section::Section,
};
use crate::{
    definition::StepDefinition,
    expr::{Expression, TypeEnv},
    problem::Problem,
    step::output::integral,
};

/// Where a step stands and what its expressions may read.
pub(super) struct Site<'a> {
    pub(super) section: &'a Section<'a>,
    /// Its field path: `spec.steps[3]`.
    pub(super) place: String,
    pub(super) step: &'a StepDefinition,
    /// The steps that its expressions may read.
    pub(super) upstream: &'a BTreeSet<usize>,
    /// Of these, those that have ended whenever it begins.
    pub(super) ended: &'a BTreeSet<usize>,
    pub(super) scope: &'a Declared<'a>,
    pub(super) types: &'a TypeEnv,
    /// Positions of the steps above that set variables, in their order.
    pub(super) writers: &'a [usize],
}

impl Site<'_> {
    /// The field path of a part of the step.
    pub(super) fn path(&self, field: &str) -> String {
        format!("{}.{field}", self.place)
    }

    /// Compiles the expression in a field. What is wrong with it becomes a problem.
    pub(super) fn expression(
        &self,
        field: &str,
        text: &str,
        types: &TypeEnv,
        wanted: Wanted,
        problems: &mut Vec<Problem>,
    ) -> Option<Expression> {
        self.scope
            .expression(&self.path(field), text, (self.upstream, types), wanted)
            .map_err(|problem| problems.push(problem))
            .ok()
    }

    /// The same where the field may be left out.
    pub(super) fn optional(
        &self,
        field: &str,
        text: Option<&str>,
        types: &TypeEnv,
        wanted: Wanted,
        problems: &mut Vec<Problem>,
    ) -> Option<Expression> {
        self.expression(field, text?, types, wanted, problems)
    }

    /// Compiles where a value comes from: a literal, or the expression in `<field>.expression`.
    pub(super) fn given(
        &self,
        field: &str,
        (value, expression): (Option<&Value>, Option<&str>),
        types: &TypeEnv,
        wanted: Wanted,
        problems: &mut Vec<Problem>,
    ) -> Option<Given> {
        if value.is_some() && expression.is_some() {
            let words = "has both a value and an expression: keep one of the two";
            problems.push(Problem::new(Reason::InvalidDefinition, self.path(field), words));
            return None;
        }
        match expression {
            Some(text) => {
                let expression = self.expression(&format!("{field}.expression"), text, types, wanted, problems);
                expression.map(Given::Computed)
            }
            None => Some(Given::Literal(value.cloned().unwrap_or_default())),
        }
    }

    /// The same of a declared type, which a literal has to have.
    pub(super) fn typed(
        &self,
        field: &str,
        source: (Option<&Value>, Option<&str>),
        types: &TypeEnv,
        kind: ValueType,
        problems: &mut Vec<Problem>,
    ) -> Option<Given> {
        if let (Some(value), None) = source
            && !kind.admits(&integral(kind, value))
        {
            let words = format!("is {} instead of {kind}", ValueType::name_of(value));
            problems.push(Problem::new(
                Reason::InvalidInput,
                self.path(&format!("{field}.value")),
                words,
            ));
            return None;
        }
        self.given(field, source, types, Wanted::Typed(kind), problems)
    }
}
