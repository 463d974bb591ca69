//! How often, and after which delay.

use jobwright_api::{
    Duration, Reason,
    policy::{Backoff, Retry},
};

/// Whose failure it was: each kind has its own budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Spends `retry.maxAttempts`.
    Program,
    /// Eviction, preemption, a lost node, an outside deletion: three by default, whatever `retry` says.
    Platform,
    /// Another attempt would end alike, or must not be made.
    Final,
}

/// Failures of the platform that a step survives.
pub(crate) const PLATFORM_BUDGET: u32 = 3;

const INITIAL_DEFAULT: Duration = Duration::from_secs(1);
const FACTOR_DEFAULT: f64 = 2.0;
const MAX_OVER_INITIAL: u64 = 100;
const JITTER_DEFAULT: f64 = 0.1;

pub(crate) fn class(reason: &Reason) -> Class {
    match reason {
        Reason::ExitCode
        | Reason::OOMKilled
        | Reason::DeadlineExceeded
        | Reason::OutputInvalid
        | Reason::ChildFailed => Class::Program,
        Reason::Evicted | Reason::Preempted | Reason::NodeLost | Reason::Interrupted => Class::Platform,
        _ => Class::Final,
    }
}

/// Whether the program may be tried again after `failures` of its own failed attempts.
pub(crate) fn allows(retry: Option<&Retry>, failures: u32, exit_code: Option<i32>) -> bool {
    let Some(retry) = retry else {
        return false;
    };
    let never = retry
        .never
        .as_ref()
        .map_or(&[][..], |never| never.exit_codes.as_slice());
    if exit_code.is_some_and(|code| never.contains(&code)) {
        return false;
    }
    match retry.max_attempts.unwrap_or(Retry::ATTEMPTS_DEFAULT) {
        0 => true,
        max => failures < max,
    }
}

/// The delay after the `failures`th failure: `min(max, initial * factor^(n-1)) * (1 + jitter * u)`.
///
/// Saturates: no input makes it overflow, and it is never longer than ten years.
pub(crate) fn delay(retry: Option<&Retry>, failures: u32, u: f64) -> Duration {
    let none = Backoff::default();
    backoff(retry.map_or(&none, |retry| &retry.backoff), failures, u)
}

/// The same of a bare backoff, after the `count`th time.
pub(crate) fn backoff(backoff: &Backoff, count: u32, u: f64) -> Duration {
    let initial = backoff.initial.unwrap_or(INITIAL_DEFAULT);
    let max = backoff
        .max
        .unwrap_or_else(|| Duration::from_millis(initial.as_millis().saturating_mul(MAX_OVER_INITIAL)));
    let factor = backoff.factor.unwrap_or(FACTOR_DEFAULT).max(1.0);
    let exponent = i32::try_from(count.saturating_sub(1)).unwrap_or(i32::MAX);
    let grown = millis(initial) * factor.powi(exponent);
    let spread = backoff.jitter.unwrap_or(JITTER_DEFAULT).clamp(0.0, 1.0) * u.clamp(0.0, 1.0);
    from_millis(grown.min(millis(max)) * (1.0 + spread))
}

#[expect(clippy::cast_precision_loss, reason = "delays are far below 2^53 milliseconds")]
fn millis(duration: Duration) -> f64 {
    duration.as_millis() as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and the value is clamped to what a Duration holds"
)]
fn from_millis(milliseconds: f64) -> Duration {
    Duration::from_millis(milliseconds.clamp(0.0, millis(Duration::MAX)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry(initial: &str, factor: f64, max: &str) -> Retry {
        Retry {
            backoff: Backoff {
                initial: Some(initial.parse().unwrap()),
                factor: Some(factor),
                max: Some(max.parse().unwrap()),
                jitter: Some(0.5),
            },
            ..Retry::default()
        }
    }

    #[test]
    fn delays_grow_and_are_capped() {
        let retry = retry("1s", 2.0, "5s");
        for (failures, u, expected) in [
            (1, 0.0, "1s"),
            (2, 0.0, "2s"),
            (3, 0.0, "4s"),
            (4, 0.0, "5s"),
            (1, 1.0, "1s500ms"),
        ] {
            assert_eq!(
                delay(Some(&retry), failures, u).to_string(),
                expected,
                "after {failures}"
            );
        }
        assert_eq!(delay(None, 1, 0.0).to_string(), "1s");
        assert_eq!(delay(None, 1000, 0.0).to_string(), "1m40s");
    }

    #[test]
    fn hostile_numbers_saturate() {
        let retry = retry("3650d", 10.0, "3650d");
        assert_eq!(delay(Some(&retry), u32::MAX, 1.0), Duration::MAX);
    }

    #[test]
    fn one_attempt_without_retry_and_three_with_an_empty_one() {
        assert!(!allows(None, 1, Some(1)));
        let retry = Retry::default();
        assert!(allows(Some(&retry), 2, Some(1)));
        assert!(!allows(Some(&retry), 3, Some(1)));
    }
}
