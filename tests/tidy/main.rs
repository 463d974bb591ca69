//! Rules on the source and its papers, as tests: a rule that a machine holds needs no reviewer.
//!
//! Each rule is a function from text to findings. One test asks it about this repository, another
//! shows it a sample that it must refuse: a rule that cannot fail holds nothing.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics has said what it has to say"
)]

mod architecture;
mod clocks;
mod conformance;
mod crates;
mod crds;
mod dependencies;
mod docs;
mod finding;
mod leftovers;
mod lexer;
mod licences;
mod makefile;
mod members;
mod outside;
mod planted;
mod purity;
mod repository;
mod rights;
mod samples;
mod schema;
mod sizes;
mod tokens;
mod writes;
