//! The book: endpoints apart from each other, and a bounded number of them.

use proptest::prelude::*;

use super::seconds;
use crate::outbound::{Book, Endpoint, Outcome, Policy, Rate, Verdict};

fn endpoint(path: &str) -> Endpoint {
    Endpoint::new(true, "hooks.example.com", 443, path)
}

fn fail(book: &mut Book, path: &str, times: usize) {
    for _ in 0..times {
        let Verdict::Send(ticket) = book.may_send(seconds(0), &endpoint(path)) else {
            panic!("{path} is closed");
        };
        let outcome = Outcome::Failed { retry_after: None };
        book.record(seconds(0), &endpoint(path), ticket, outcome);
    }
}

fn is_open(book: &mut Book, path: &str) -> bool {
    matches!(
        book.may_send(seconds(1), &endpoint(path)),
        Verdict::BreakerOpen(instant) if instant == seconds(10)
    )
}

#[test]
fn one_endpoint_does_not_stop_another() {
    let mut book = Book::new(Policy::default(), None, 8);
    fail(&mut book, "/bad", 5);
    assert!(is_open(&mut book, "/bad"));
    assert!(!is_open(&mut book, "/good"));
}

#[test]
fn a_limit_takes_no_probe_and_an_open_breaker_no_token() {
    let mut book = Book::new(Policy::default(), Some(Rate::new(1, seconds(60), 5)), 8);
    fail(&mut book, "/a", 5);
    // The bucket is empty now and the breaker open; a minute brings one token.
    assert_eq!(
        book.may_send(seconds(30), &endpoint("/a")),
        Verdict::OverRate(seconds(60))
    );
    assert!(matches!(book.may_send(seconds(60), &endpoint("/a")), Verdict::Send(_)));
    let verdict = book.may_send(seconds(120), &endpoint("/a"));
    assert_eq!(verdict, Verdict::BreakerOpen(seconds(130)), "its probe is on its way");
    assert_eq!(
        book.may_send(seconds(120), &endpoint("/a")),
        verdict,
        "no token was spent"
    );
}

#[test]
fn the_least_recently_used_without_trouble_goes_first() {
    let mut book = Book::new(Policy::default(), None, 3);
    fail(&mut book, "/open", 5);
    fail(&mut book, "/failing", 1);
    assert!(!is_open(&mut book, "/calm"));
    assert!(!is_open(&mut book, "/new"));
    assert_eq!(book.len(), 3);
    assert!(is_open(&mut book, "/open"), "an open breaker is remembered");
    fail(&mut book, "/failing", 4);
    assert!(is_open(&mut book, "/failing"), "so is a failure");
}

#[test]
fn the_oldest_goes_where_all_have_trouble() {
    let mut book = Book::new(Policy::default(), None, 2);
    for path in ["/a", "/b", "/c"] {
        fail(&mut book, path, 5);
    }
    assert_eq!(book.len(), 2);
    assert!(is_open(&mut book, "/c") && is_open(&mut book, "/b"));
    assert!(!is_open(&mut book, "/a"));
}

proptest! {
    #[test]
    fn it_never_grows_beyond_its_bound(
        events in proptest::collection::vec((0_u8..12, 0_u8..3, 0_u64..20), 1..200),
        bound in 1_usize..6,
    ) {
        let rate = Rate::new(1, seconds(5), 2);
        let mut book = Book::new(Policy::default(), Some(rate), bound);
        let mut now = seconds(0);
        for (path, end, pause) in events {
            now += seconds(pause);
            let endpoint = endpoint(&path.to_string());
            if let Verdict::Send(ticket) = book.may_send(now, &endpoint) {
                let outcomes = [Outcome::Succeeded, Outcome::Failed { retry_after: None }, Outcome::Abandoned];
                book.record(now, &endpoint, ticket, outcomes[usize::from(end)]);
            }
            prop_assert!(book.len() <= bound && !book.is_empty());
            prop_assert_eq!(book.by_use_len(), book.len(), "both lists name the same endpoints");
        }
    }
}
