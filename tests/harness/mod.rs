//! Tests on a cluster, in a user's terms.
//!
//! Each test has a [`World`]: a namespace of its own and an operator of its own for that namespace, a
//! real process. So tests run side by side on one cluster, may kill their operator, and count its
//! requests to the last one. Nobody sleeps: waiting is watching, with a deadline whose error shows
//! what was seen last.

mod kubectl;
mod manifest;
pub mod operator;
pub mod receiver;
mod shared;
pub mod wait;
mod world;

pub use kubectl::kubectl;
pub use manifest::{documents, indented};
pub use operator::Operator;
pub use shared::install;
pub use wait::{wait, wait_all};
pub use world::{World, create_namespace, status, step};

use anyhow::{Context, Result};
use std::{future::Future, time::Duration};
use tokio::time::timeout;

/// No test takes longer: its world is reported as it is then.
const TEST_MAX: Duration = Duration::from_secs(300);

/// Who reports on pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kubelet {
    /// The cluster has a node.
    Real,
    /// This process: one fake kubelet for all tests.
    Fake,
}

/// Runs one test in a world of its own; when it fails, tells what the world looks like.
///
/// `config` is the operator's configuration beyond what every test has.
pub fn run<T>(kubelet: Kubelet, config: &str, test: T) -> Result<()>
where
    T: AsyncFnOnce(&mut World) -> Result<()>,
{
    block_on(async {
        let mut world = World::create(kubelet, config).await?;
        let outcome = timeout(TEST_MAX, Box::pin(test(&mut world))).await;
        let outcome = outcome.context("the test took too long").and_then(|inner| inner);
        match &outcome {
            Ok(()) => world.remove().await,
            Err(_) => world.tell().await,
        }
        outcome
    })
}

/// One thread, one runtime: a program that this thread starts dies with it.
pub fn block_on<F: Future<Output = Result<()>>>(test: F) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(test)
}
