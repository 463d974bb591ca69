//! The operator: watch, gather, let the engine decide, apply, report.
//!
//! ```text
//! watch ─> store ─> gather ──────────> decide ──────────> apply ─────────> report
//!          (feed)   a plain value      the engine, pure   all requests     events, metrics, log
//! ```
//! Every part can be built without a cluster: [`context::Context`] takes a client and a clock,
//! [`store::Stores::feed`] takes events by hand, and [`reconcile::workflow`] is one look at one run,
//! [`write::status`] one write of its status, without timers or tasks of their own.

pub mod apply;
pub mod clock;
pub mod config;
pub mod context;
pub mod gather;
pub mod health;
pub mod memory;
pub mod operator;
pub mod outbox;
mod quarantine;
pub mod queue;
pub mod reconcile;
pub mod report;
pub mod request;
pub mod store;
pub mod sweep;
pub mod task;
pub mod template;
#[cfg(test)]
mod testing;
pub mod view;
mod watch;
pub mod write;
