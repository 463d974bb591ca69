//! What several test suites share: the graphs and the model of the world of the fast ones, the
//! harness and the audit log of those on a cluster.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::module_name_repetitions,
    reason = "a test that panics, and an error that is a sentence, have said what they have to say"
)]

pub mod audit;
pub mod compare;
pub mod conformance;
pub mod graphs;
pub mod harness;
pub mod hunt;
pub mod laws;
pub mod reference;
pub mod rng;
pub mod world;
