//! Breaker, bucket and book: tables, and random histories against slow and obvious twins.

mod book;
mod breaker;
mod rate;

use std::time::Duration;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
