//! The operator's clock: the only place that reads the time.

use jiff::Timestamp;
use std::time::{Duration, Instant};

/// Where the time comes from. Tests and the simulator bring their own.
pub trait Clock: Send + Sync {
    /// Wall time: what is stored and shown. May jump. In whole microseconds, as `MicroTime` is written:
    /// a status that is read back equals the one that was decided.
    fn now(&self) -> Timestamp;

    /// Time since some instant of this process: what pauses and throttles are measured with, so
    /// that a jump of the wall clock neither freezes nor floods anything.
    fn monotonic(&self) -> Duration;
}

/// The machine's clock.
pub struct System {
    started: Instant,
}

impl System {
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for System {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_stored_whole() {
        let times = std::iter::repeat_with(|| System::new().now()).take(100);
        assert!(times.into_iter().all(|time| time.subsec_nanosecond() % 1_000 == 0));
    }
}
