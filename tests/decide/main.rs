//! The engine's `decide`, alone: random graphs against the reference interpreter, and tables.
//!
//! `JOBWRIGHT_GRAPHS` sets the number of random graphs, `JOBWRIGHT_SEED` plays one of them with a trace.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that panics has said what it has to say, and what it prints is for its reader"
)]

mod checks;
mod coverage;
mod operator;
mod play;
mod random;
mod shrink;
mod stage;
mod tables;
