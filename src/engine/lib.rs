//! The pure core of Jobwright: compiles definitions, evaluates expressions, decides.
//!
//! Nothing here has a clock, does I/O, logs or draws random numbers: what a decision depends on is
//! a field of [`observed::Observed`], what it wants done is a variant of [`decision::Action`].
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)
)]
#![expect(
    clippy::module_name_repetitions,
    reason = "StepId and StepDefinition are read far from their modules, where Id would say nothing"
)]

mod begin;
pub mod decide;
pub mod decision;
pub mod definition;
mod draft;
pub mod expr;
mod flow;
mod frame;
pub mod graph;
pub mod http;
pub mod id;
mod inputs;
pub mod job;
mod jobs;
mod number;
pub mod observed;
pub mod outbound;
mod pages;
mod parent;
pub mod plan;
pub mod problem;
pub mod resolve;
mod run;
mod scope;
mod seal;
mod settle;
mod step;
mod summary;
pub mod text;

pub use decide::decide;
