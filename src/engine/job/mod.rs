//! Jobs: their names, their layers, their making.
//!
//! A definition is folded once, when a run begins ([`fold()`]); each attempt makes its Job from the
//! folded template and the values of that moment ([`build()`]). What a Task alone can know is said
//! by [`review()`], before any run.

use jobwright_api::Reason;
use serde_json::Value;
use std::collections::BTreeMap;

use crate::{
    definition::StepDefinition,
    id::{RunIdentity, StepId},
    text::{MESSAGE_BYTES_MAX, clip},
};

mod build;
mod check;
mod field;
mod fold;
mod inputs;
mod name;
mod part;
mod program;
mod review;
mod sources;
#[cfg(test)]
mod tests;
mod values;

pub use build::{build, pod_of};
pub use check::settings as check_settings;
pub(crate) use field::{compile_field, field_types};
pub use fold::{Layers, enforce, fold};
pub(crate) use inputs::admit;
pub use inputs::check_inputs;
pub(crate) use inputs::declaration;
#[expect(
    clippy::module_name_repetitions,
    reason = "the name of a Job, beside the keys of an attempt"
)]
pub use name::job_name;
pub(crate) use name::path;
pub use name::{attempt_key, content_name, idempotency_key, jitter};
pub use review::review;
pub use values::INPUT_BYTES_MAX;

/// One attempt of a step, with the values that it gets.
#[derive(Clone, Debug)]
pub struct Attempt<'a> {
    pub run: &'a RunIdentity,
    pub id: &'a StepId,
    /// From 1.
    pub number: u32,
    pub step: &'a StepDefinition,
    /// By name, checked against the declared types; an optional one that was not given is absent.
    pub inputs: &'a BTreeMap<String, Value>,
    /// Values of `fieldsFrom`, by field.
    pub fields: &'a BTreeMap<String, Value>,
    pub idempotency_key: &'a str,
    /// Results of needs that are not stored yet, as JSON: carried as an annotation.
    pub carried: Option<String>,
}

/// Why no Job can be made of an attempt. Never tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unbuildable {
    pub reason: Reason,
    pub message: String,
}

impl Unbuildable {
    fn new(reason: Reason, message: &str) -> Self {
        Self {
            reason,
            message: clip(message, MESSAGE_BYTES_MAX),
        }
    }

    fn invalid(message: &str) -> Self {
        Self::new(Reason::InvalidInput, message)
    }
}
