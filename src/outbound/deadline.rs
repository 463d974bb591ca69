//! One limit of time over all stages of a request.

use std::{future::Future, time::Duration};
use tokio::time::{Instant, timeout_at};

use crate::failure::{Failure, Stage};

#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    pub(crate) time_limit: Duration,
}

impl Deadline {
    /// From now on. The limit is bounded, so the sum cannot overflow.
    pub(crate) fn after(time_limit: Duration) -> Self {
        Self {
            at: Instant::now() + time_limit,
            time_limit,
        }
    }

    /// The future's output, or that the time was over at this stage.
    pub(crate) async fn hold<T>(&self, stage: Stage, future: impl Future<Output = T>) -> Result<T, Failure> {
        timeout_at(self.at, future).await.map_err(|_| Failure::TimedOut {
            time_limit: self.time_limit,
            stage,
        })
    }

    /// An equal share of what is left, for the next of `count` tries.
    pub(crate) fn share(&self, count: usize) -> Duration {
        let left = self.at.saturating_duration_since(Instant::now());
        left / u32::try_from(count.max(1)).unwrap_or(u32::MAX)
    }
}
