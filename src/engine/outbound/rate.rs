//! The rate limit of one endpoint: a token bucket in whole numbers.

use std::time::Duration;

/// So many requests per period, and so many at once after a quiet time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests per period; 0 counts as 1.
    requests: u32,
    /// In nanoseconds; never 0.
    period_ns: u64,
    /// Requests that may go at once; 0 counts as 1.
    burst: u32,
}

impl Rate {
    /// The longest period: a longer one would be an off switch, and is taken for this.
    pub const PERIOD_MAX: Duration = Duration::from_secs(24 * 60 * 60);

    /// Zeros count as one (a period of zero as a nanosecond): a limit that lets nothing through, or
    /// divides by nothing, cannot be made.
    #[must_use]
    pub fn new(requests: u32, period: Duration, burst: u32) -> Self {
        let period = period.clamp(Duration::from_nanos(1), Self::PERIOD_MAX);
        Self {
            requests: requests.max(1),
            period_ns: u64::try_from(period.as_nanos()).unwrap_or(u64::MAX),
            burst: burst.max(1),
        }
    }

    /// What one request takes out of the bucket. A nanosecond brings `requests` units, so a period
    /// brings exactly as many requests, whatever the numbers: nothing is rounded, nothing drifts.
    fn cost(self) -> u128 {
        u128::from(self.period_ns)
    }

    /// At most 2^32 x 2^47 units.
    fn capacity(self) -> u128 {
        u128::from(self.burst).saturating_mul(self.cost())
    }
}

/// Whether a token was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    Ok,
    /// Not before this instant, and then only if nobody else took the token.
    WaitUntil(Duration),
}

/// The bucket of one endpoint.
///
/// Guarantees: within any span `w` at most `burst + requests * w / period` tokens are taken, and who
/// comes again at the instant it was told finds a token, if nobody was faster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    rate: Rate,
    units: u128,
    /// Up to here the units are counted.
    at: Duration,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn new(rate: Rate, now: Duration) -> Self {
        Self {
            rate,
            units: rate.capacity(),
            at: now,
        }
    }

    /// Takes a token, if there is one.
    #[must_use]
    pub fn try_take(&mut self, now: Duration) -> Take {
        self.refill(now);
        if let Some(left) = self.units.checked_sub(self.rate.cost()) {
            self.units = left;
            return Take::Ok;
        }
        let missing = self.rate.cost().saturating_sub(self.units);
        let pause = missing.div_ceil(u128::from(self.rate.requests));
        let pause = Duration::from_nanos(u64::try_from(pause).unwrap_or(u64::MAX));
        Take::WaitUntil(self.at.max(now).saturating_add(pause))
    }

    /// Puts a token back that was not used.
    pub fn give_back(&mut self) {
        let units = self.units.saturating_add(self.rate.cost());
        self.units = units.min(self.rate.capacity());
    }

    /// As full as a new one.
    #[must_use]
    pub fn is_full(&mut self, now: Duration) -> bool {
        self.refill(now);
        self.units == self.rate.capacity()
    }

    fn refill(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.at).as_nanos();
        let brought = elapsed.saturating_mul(u128::from(self.rate.requests));
        self.units = self.units.saturating_add(brought).min(self.rate.capacity());
        self.at = self.at.max(now);
    }
}
