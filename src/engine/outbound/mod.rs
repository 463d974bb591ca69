//! When a request may go out: a breaker and a rate limit for each endpoint, as plain state machines.
//!
//! Nothing here sends anything or asks for the time. An instant is a [`Duration`](std::time::Duration)
//! since any fixed moment, from a clock that never goes back: these states live in memory only, and a
//! jump of the wall clock must neither freeze nor flood an endpoint. Should the clock go back all the
//! same, nothing opens early, and nothing is lost but time.

mod book;
mod breaker;
mod endpoint;
mod rate;
#[cfg(test)]
mod tests;

pub use book::{Book, ENDPOINTS_MAX, Verdict};
pub use breaker::{Breaker, Leave, Outcome, Policy, Ticket};
pub use endpoint::Endpoint;
pub use rate::{Bucket, Rate, Take};
