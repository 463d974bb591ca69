//! The bucket against one that is filled nanosecond by nanosecond.

use proptest::prelude::*;
use std::time::Duration;

use super::seconds;
use crate::outbound::{Bucket, Rate, Take};

const fn nanos(count: u64) -> Duration {
    Duration::from_nanos(count)
}

#[test]
fn a_burst_then_the_rate() {
    let mut bucket = Bucket::new(Rate::new(2, seconds(1), 3), seconds(0));
    for _ in 0..3 {
        assert_eq!(bucket.try_take(seconds(0)), Take::Ok);
    }
    let (before, next) = (nanos(499_999_999), nanos(500_000_000));
    assert_eq!(bucket.try_take(seconds(0)), Take::WaitUntil(next));
    assert_eq!(bucket.try_take(before), Take::WaitUntil(next));
    assert_eq!(bucket.try_take(next), Take::Ok);
    assert!(!bucket.is_full(seconds(1)));
    assert!(bucket.is_full(seconds(3)));
}

#[test]
fn what_was_not_used_goes_back() {
    let mut bucket = Bucket::new(Rate::new(1, seconds(1), 1), seconds(0));
    assert_eq!(bucket.try_take(seconds(0)), Take::Ok);
    bucket.give_back();
    bucket.give_back();
    assert_eq!(bucket.try_take(seconds(0)), Take::Ok);
    assert_eq!(bucket.try_take(seconds(0)), Take::WaitUntil(seconds(1)));
}

#[test]
fn three_a_second_are_three_a_second_for_ever() {
    let mut bucket = Bucket::new(Rate::new(3, seconds(1), 1), seconds(0));
    let mut now = seconds(0);
    let mut taken = 0;
    while now < seconds(10_000) {
        match bucket.try_take(now) {
            Take::Ok => taken += 1,
            Take::WaitUntil(instant) => now = instant,
        }
    }
    assert_eq!(taken, 30_000);
}

#[test]
fn hostile_numbers_and_clocks_do_no_harm() {
    let mut bucket = Bucket::new(Rate::new(0, Duration::ZERO, 0), seconds(5));
    assert_eq!(bucket.try_take(seconds(5)), Take::Ok);
    let mut bucket = Bucket::new(Rate::new(u32::MAX, Duration::MAX, u32::MAX), Duration::MAX);
    assert_eq!(bucket.try_take(Duration::MAX), Take::Ok);
    // The clock went back: nothing is brought twice.
    let mut bucket = Bucket::new(Rate::new(1, seconds(1), 1), seconds(9));
    assert_eq!(bucket.try_take(seconds(9)), Take::Ok);
    assert_eq!(bucket.try_take(seconds(1)), Take::WaitUntil(seconds(10)));
    assert_eq!(bucket.try_take(seconds(9)), Take::WaitUntil(seconds(10)));
    assert_eq!(bucket.try_take(seconds(10)), Take::Ok);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn it_does_as_its_twin(
        requests in 1_u32..8,
        period in 1_u64..30,
        burst in 1_u32..6,
        pauses in proptest::collection::vec(0_u64..25, 1..60),
    ) {
        let mut bucket = Bucket::new(Rate::new(requests, nanos(period), burst), nanos(0));
        // The twin counts in parts of a token, a period's worth of them each, one nanosecond after the other.
        let capacity = u64::from(burst) * period;
        let mut parts = capacity;
        let brought = |parts: u64| (parts + u64::from(requests)).min(capacity);
        let mut now = 0;
        let mut taken = Vec::new();
        for pause in pauses {
            for _ in 0..pause {
                now += 1;
                parts = brought(parts);
            }
            let expected = if parts >= period {
                parts -= period;
                taken.push(now);
                Take::Ok
            } else {
                let (mut later, mut then) = (parts, now);
                while later < period {
                    later = brought(later);
                    then += 1;
                }
                Take::WaitUntil(nanos(then))
            };
            prop_assert_eq!(bucket.try_take(nanos(now)), expected, "at {}", now);
            prop_assert_eq!(bucket.is_full(nanos(now)), parts == capacity);
        }
        for (first, from) in taken.iter().enumerate() {
            for (last, to) in taken.iter().enumerate().skip(first) {
                let most = u64::from(burst) * period + u64::from(requests) * (to - from);
                prop_assert!((last - first + 1) as u64 * period <= most, "{} to {}", from, to);
            }
        }
    }
}
