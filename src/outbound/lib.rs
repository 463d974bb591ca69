//! HTTP out: what `http` steps and callbacks send, and the guard over where it goes.
//!
//! ```text
//!  Request ─> guard.check ─> a place among those in flight ─> resolve once ─> guard.judge
//!             no packet      Busy if none comes free                          every address
//!          ─> a connection to exactly a judged address ─> send ─> read within the caps ─> Response
//!             kept for the next request that is judged to the same
//! ```
//! [`Outbound::send`] makes one attempt. Whether to try again, and when, is decided elsewhere: by the engine,
//! with [`Failure::was_sent`] and `jobwright_engine::outbound`, whose breaker takes [`outcome`].
//!
//! Deliberately absent: redirects (a 3xx is an answer like others; its `Location` would be a new URL, for the
//! guard to judge anew), automatic decoding (so a compressed body is no bomb), HTTP/2, cookies, proxies and the
//! environment variables that name them, retries, a clock of its own for dates.

mod deadline;
mod failure;
pub mod guard;
mod line;
mod outcome;
mod pool;
mod request;
mod resolve;
mod response;
mod retry_after;
mod secret;
mod send;
mod settings;
#[cfg(test)]
mod tests;
mod tls;

pub use failure::{Failure, Stage};
pub use outcome::outcome;
pub use request::{Header, InvalidRequest, Method, Request};
pub use resolve::{Resolve, Resolved, System};
pub use response::Response;
pub use retry_after::retry_after;
pub use secret::Secret;
pub use send::Outbound;
pub use settings::{Settings, SettingsError};
