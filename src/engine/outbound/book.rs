//! The breakers and buckets of all endpoints: a bounded number of them.

use std::{collections::BTreeMap, time::Duration};

use super::{
    breaker::{Breaker, Leave, Outcome, Policy, Ticket},
    endpoint::Endpoint,
    rate::{Bucket, Rate, Take},
};

/// Endpoints that are remembered: about a megabyte, and more receivers than a cluster calls within
/// a pause.
pub const ENDPOINTS_MAX: usize = 4096;

/// How many of the oldest are looked at for one that may be forgotten: a burst of new endpoints
/// must not cost a walk through all of them each time.
const SEARCHED_MAX: usize = 64;

/// Whether a request may go to an endpoint now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Give the ticket back with [`Book::record`], whatever becomes of the request.
    Send(Ticket),
    /// Its breaker is open: not before this instant. No attempt is spent.
    BreakerOpen(Duration),
    /// Its rate limit is used up: not before this instant. No attempt is spent.
    OverRate(Duration),
}

/// What is known of the endpoints.
///
/// Guarantees: at most `endpoints_max` are remembered. For a new one the least recently used goes
/// that holds nothing (breaker closed without failures, bucket full); only if none of the oldest
/// 64 is such, the oldest of all.
///
/// Caveat: whoever may call more than `endpoints_max` failing endpoints within a pause can make us
/// forget an open breaker. It costs that endpoint `failures_max` requests more.
#[derive(Debug)]
pub struct Book {
    policy: Policy,
    rate: Option<Rate>,
    endpoints_max: usize,
    entries: BTreeMap<Endpoint, Entry>,
    /// By last use.
    by_use: BTreeMap<u64, Endpoint>,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    breaker: Breaker,
    bucket: Option<Bucket>,
    used: u64,
}

impl Book {
    /// An empty one; without a rate only breakers are kept. `endpoints_max` is at least 1.
    #[must_use]
    pub fn new(policy: Policy, rate: Option<Rate>, endpoints_max: usize) -> Self {
        Self {
            policy,
            rate,
            endpoints_max: endpoints_max.max(1),
            entries: BTreeMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
        }
    }

    /// Whether a request may go now. The breaker is asked last: a probe is a leave that must not be
    /// taken in vain.
    #[must_use]
    pub fn may_send(&mut self, now: Duration, endpoint: &Endpoint) -> Verdict {
        let limits = (self.policy, self.rate);
        self.may_send_within(now, endpoint, limits)
    }

    /// The same under limits of its own, which hold as long as the endpoint is remembered: whoever asks with
    /// others makes them a part of the endpoint.
    #[must_use]
    pub fn may_send_within(&mut self, now: Duration, endpoint: &Endpoint, limits: (Policy, Option<Rate>)) -> Verdict {
        let entry = self.touch(now, endpoint, limits);
        if let Some(bucket) = &mut entry.bucket
            && let Take::WaitUntil(instant) = bucket.try_take(now)
        {
            return Verdict::OverRate(instant);
        }
        match entry.breaker.may_send(now) {
            Leave::Allowed(ticket) | Leave::Probe(ticket) => Verdict::Send(ticket),
            Leave::WaitUntil(instant) => {
                if let Some(bucket) = &mut entry.bucket {
                    bucket.give_back();
                }
                Verdict::BreakerOpen(instant)
            }
        }
    }

    /// Takes in how a request ended. An endpoint that was forgotten meanwhile stays forgotten.
    pub fn record(&mut self, now: Duration, endpoint: &Endpoint, ticket: Ticket, outcome: Outcome) {
        if let Some(entry) = self.entries.get_mut(endpoint) {
            entry.breaker.record(now, ticket, outcome);
        }
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[cfg(test)]
    pub(super) fn by_use_len(&self) -> usize {
        self.by_use.len()
    }

    fn touch(&mut self, now: Duration, endpoint: &Endpoint, (policy, rate): (Policy, Option<Rate>)) -> &mut Entry {
        self.uses = self.uses.wrapping_add(1);
        if let Some(known) = self.entries.get(endpoint) {
            self.by_use.remove(&known.used);
        } else if self.entries.len() >= self.endpoints_max {
            self.forget_one(now);
        }
        self.by_use.insert(self.uses, endpoint.clone());
        let entry = self.entries.entry(endpoint.clone()).or_insert_with(|| Entry {
            breaker: Breaker::new(policy),
            bucket: rate.map(|rate| Bucket::new(rate, now)),
            used: 0,
        });
        entry.used = self.uses;
        entry
    }

    fn forget_one(&mut self, now: Duration) {
        let entries = &mut self.entries;
        let mut oldest = self.by_use.iter().take(SEARCHED_MAX);
        let idle = oldest.find_map(|(used, endpoint)| {
            let entry = entries.get_mut(endpoint)?;
            let is_full = entry.bucket.as_mut().is_none_or(|bucket| bucket.is_full(now));
            (is_full && entry.breaker.is_fresh()).then_some(*used)
        });
        let first = self.by_use.keys().next().copied();
        if let Some(used) = idle.or(first)
            && let Some(endpoint) = self.by_use.remove(&used)
        {
            self.entries.remove(&endpoint);
        }
    }
}
