//! The breaker against a table in words, and against a twin that remembers every request.

use proptest::prelude::*;
use std::time::Duration;

use super::seconds;
use crate::outbound::{Breaker, Leave, Outcome, Policy, Ticket};

/// `ask`, `ok`, `fail`, `fail/30` (with Retry-After), `drop`, each `@second`; the outcome is that of the
/// oldest request on its way, or with `!` of the newest. Expected: what each `ask` got.
fn check(history: &str, expected: &str) {
    let mut breaker = Breaker::new(Policy::default());
    let mut sent: Vec<Ticket> = Vec::new();
    let mut answers = Vec::new();
    for event in history.split_whitespace() {
        let (what, at) = event.split_once('@').unwrap();
        let now = seconds(at.parse().unwrap());
        if what == "ask" {
            answers.push(match breaker.may_send(now) {
                Leave::Allowed(ticket) => {
                    sent.push(ticket);
                    "allowed".to_owned()
                }
                Leave::Probe(ticket) => {
                    sent.push(ticket);
                    "probe".to_owned()
                }
                Leave::WaitUntil(instant) => instant.as_secs().to_string(),
            });
            continue;
        }
        let (what, ticket) = match what.strip_suffix('!') {
            Some(what) => (what, sent.pop().unwrap()),
            None => (what, sent.remove(0)),
        };
        let outcome = match what.split_once('/') {
            Some((_, pause)) => Outcome::Failed {
                retry_after: Some(seconds(pause.parse().unwrap())),
            },
            None if what == "fail" => Outcome::Failed { retry_after: None },
            None if what == "ok" => Outcome::Succeeded,
            None => Outcome::Abandoned,
        };
        breaker.record(now, ticket, outcome);
    }
    assert_eq!(answers.join(" "), expected, "{history}");
}

/// Requests one after the other that end alike, in one second.
fn times(count: usize, outcome: &str, at: u64) -> String {
    format!("ask@{at} {outcome}@{at} ").repeat(count)
}

#[test]
fn five_failures_in_a_row_open_it() {
    let four = times(4, "fail", 0);
    let allowed = "allowed ".repeat(5);
    check(&format!("{four} ask@1"), allowed.trim());
    check(&format!("{four} ask@0 fail@0 ask@1"), &format!("{allowed}10"));
    check(
        &format!("{four} ask@0 ok@0 {four} ask@1"),
        &format!("{}allowed", "allowed ".repeat(9)),
    );
    check(
        &format!("{four} ask@0 drop@0 ask@1"),
        &format!("{}allowed", "allowed ".repeat(5)),
    );
}

#[test]
fn one_probe_decides() {
    let open = times(5, "fail", 0);
    let allowed = "allowed ".repeat(5);
    check(&format!("{open} ask@9 ask@10 ask@11"), &format!("{allowed}10 probe 21"));
    check(
        &format!("{open} ask@10 ok@11 ask@11 ask@11"),
        &format!("{allowed}probe allowed allowed"),
    );
    check(
        &format!("{open} ask@10 fail@11 ask@12 ask@31 fail@31 ask@32"),
        &format!("{allowed}probe 31 probe 71"),
    );
    check(
        &format!("{open} ask@10 drop@11 ask@11 ask@11"),
        &format!("{allowed}probe probe 21"),
    );
    check(
        &format!("{open} ask@10 ask@309 ask@310"),
        &format!("{allowed}probe 310 probe"),
    );
}

#[test]
fn the_pause_doubles_up_to_five_minutes_and_starts_anew() {
    let mut history = times(5, "fail", 0);
    let mut expected = "allowed ".repeat(5);
    let mut now = 0;
    for pause in [10, 20, 40, 80, 160, 300, 300] {
        now += pause;
        history = format!("{history}ask@{} ask@{now} fail@{now} ", now - 1);
        expected = format!("{expected}{now} probe ");
    }
    now += 300;
    history = format!("{history} ask@{now} ok@{now} {} ask@{now}", times(5, "fail", now));
    expected = format!("{expected}probe {}{}", "allowed ".repeat(5), now + 10);
    check(&history, &expected);
}

#[test]
fn retry_after_lengthens_the_pause_for_a_day_at_most() {
    let allowed = "allowed ".repeat(5);
    let open = |last: &str| format!("{}ask@0 {last}@0 ask@1", times(4, "fail", 0));
    check(&open("fail/60"), &format!("{allowed}60"));
    check(&open("fail/5"), &format!("{allowed}10"));
    check(&open("fail/9999999"), &format!("{allowed}86400"));
    // Also what an earlier one of them asked for.
    let first = format!("ask@0 fail/60@0 {} ask@1", times(4, "fail", 0));
    check(&first, &format!("{allowed}60"));
    // Of a probe, and of a request that was on its way when it opened.
    let probe = format!("{} ask@10 fail/100@10 ask@11", times(5, "fail", 0));
    check(&probe, &format!("{allowed}probe 110"));
    let late = format!("ask@0 {} fail/90@2 ask@3", "ask@0 fail!@0 ".repeat(5));
    check(&late, &format!("allowed {allowed}92"));
}

#[test]
fn what_was_on_its_way_neither_lengthens_nor_closes() {
    let six = "allowed ".repeat(6);
    let history = format!("ask@0 {}", "ask@0 fail!@0 ".repeat(5));
    check(&format!("{history} fail@9 ask@9 ask@10"), &format!("{six}10 probe"));
    check(&format!("{history} ok@9 ask@9 ask@10"), &format!("{six}10 probe"));
    // The late one ends while the probe is on its way.
    check(
        &format!("{history} ask@10 fail@11 ask@11 ok@12 ask@12"),
        &format!("{six}probe 21 allowed"),
    );
}

#[test]
fn hostile_numbers_saturate() {
    let policy = Policy {
        failures_max: 0,
        pause_first: Duration::MAX,
        pause_max: Duration::MAX,
        probe_max: Duration::MAX,
    };
    let mut breaker = Breaker::new(policy);
    let Leave::Allowed(ticket) = breaker.may_send(seconds(1)) else {
        panic!("closed at first");
    };
    breaker.record(seconds(1), ticket, Outcome::Failed { retry_after: None });
    assert_eq!(breaker.may_send(seconds(2)), Leave::WaitUntil(Duration::MAX));
}

/// The slow twin: every request has a number, and what counts is told by lists of them.
#[derive(Default)]
struct Twin {
    requests: usize,
    /// Requests that were let go since it was closed last.
    of_this_time: Vec<usize>,
    /// What the failures in a row ask for.
    row: Vec<Duration>,
    open: Option<(Duration, Duration)>,
    probe: Option<(usize, Duration)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Allowed,
    Probe,
    WaitUntil(Duration),
}

impl Twin {
    fn ask(&mut self, policy: &Policy, now: Duration) -> Answer {
        if let Some((_, lost_at)) = self.probe
            && now < lost_at
        {
            return Answer::WaitUntil(lost_at.min(now + policy.pause_first));
        }
        if self.probe.is_none()
            && let Some((until, _)) = self.open
            && now < until
        {
            return Answer::WaitUntil(until);
        }
        self.requests += 1;
        if self.open.is_none() {
            self.of_this_time.push(self.requests);
            return Answer::Allowed;
        }
        self.probe = Some((self.requests, now + policy.probe_max));
        Answer::Probe
    }

    fn end(&mut self, policy: &Policy, now: Duration, request: usize, outcome: Outcome) {
        let asked = match outcome {
            Outcome::Failed { retry_after } => Some(now + retry_after.unwrap_or_default()),
            _ => None,
        };
        if self.probe.is_some_and(|(probe, _)| probe == request) {
            self.probe = None;
            let (_, pause) = self.open.unwrap();
            let longer = policy.pause_max.min(pause * 2);
            match (outcome, asked) {
                (_, Some(asked)) => self.open = Some(((now + longer).max(asked), longer)),
                (Outcome::Succeeded, None) => {
                    *self = Self {
                        requests: self.requests,
                        ..Self::default()
                    }
                }
                _ => self.open = Some((now, pause)),
            }
        } else if self.open.is_none() && self.of_this_time.contains(&request) {
            match (outcome, asked) {
                (_, Some(asked)) => self.row.push(asked),
                (Outcome::Succeeded, None) => self.row.clear(),
                _ => {}
            }
            if self.row.len() == policy.failures_max as usize {
                let asked = self.row.iter().copied().max().unwrap();
                self.open = Some(((now + policy.pause_first).max(asked), policy.pause_first));
            }
        } else if self.probe.is_none()
            && let (Some((until, _)), Some(asked)) = (&mut self.open, asked)
        {
            *until = asked.max(*until);
        }
    }
}

#[derive(Clone, Debug)]
enum Event {
    Pass(u64),
    Ask,
    /// Of one that is on its way.
    End(usize, Outcome),
}

fn event() -> impl Strategy<Value = Event> {
    let outcome = prop_oneof![
        2 => Just(Outcome::Succeeded),
        6 => proptest::option::of(0_u64..40).prop_map(|pause| Outcome::Failed { retry_after: pause.map(seconds) }),
        1 => Just(Outcome::Abandoned),
    ];
    prop_oneof![
        2 => (0_u64..12).prop_map(Event::Pass),
        4 => Just(Event::Ask),
        4 => (0_usize..8, outcome).prop_map(|(which, outcome)| Event::End(which, outcome)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn it_does_as_its_twin(events in proptest::collection::vec(event(), 1..80), failures_max in 1_u32..4) {
        let policy = Policy { failures_max, pause_first: seconds(5), pause_max: seconds(17), probe_max: seconds(30) };
        let (mut breaker, mut twin) = (Breaker::new(policy), Twin::default());
        let (mut now, mut sent) = (seconds(0), Vec::new());
        for event in events {
            match event {
                Event::Pass(pause) => now += seconds(pause),
                Event::Ask => {
                    let answer = match breaker.may_send(now) {
                        Leave::Allowed(ticket) => { sent.push(ticket); Answer::Allowed }
                        Leave::Probe(ticket) => { sent.push(ticket); Answer::Probe }
                        Leave::WaitUntil(instant) => {
                            prop_assert!(instant > now, "a wait is never over already");
                            Answer::WaitUntil(instant)
                        }
                    };
                    prop_assert_eq!(answer, twin.ask(&policy, now));
                }
                Event::End(which, outcome) if !sent.is_empty() => {
                    let which = which % sent.len();
                    // Numbers and tickets are given in one order; one that ended stays in the list,
                    // for nobody stops a caller from telling twice.
                    breaker.record(now, sent[which], outcome);
                    twin.end(&policy, now, which + 1, outcome);
                }
                Event::End(..) => {}
            }
        }
    }
}
