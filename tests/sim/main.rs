//! The simulator: the real operator over a model of the API server, the Job controller, the kubelet and the clock.
//!
//! Faults come first, by plan or by chance: then the world heals, and the end must be what it would
//! have been. `JOBWRIGHT_SIMS` sets the number of random runs, `JOBWRIGHT_SEED` plays one of them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that panics has said what it has to say, and what it prints is for its reader"
)]

mod faults;
mod http;
mod laws;
mod operator;
mod patch;
mod play;
mod random;
mod receiver;
mod rest;
mod samples;
mod server;
mod systematic;
mod watch;
