//! One request: paced, bounded in number and in time, counted.

use http::Request;
use kube::Client;
use serde::de::DeserializeOwned;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until, timeout},
};

use super::classify::{Failure, classify};
use crate::{config::Api, report::metrics::Metrics};

/// What a request is, for metrics and logs.
#[derive(Clone, Copy, Debug)]
pub struct What {
    pub verb: &'static str,
    pub resource: &'static str,
}

/// Sends requests. Every write, and every read outside the watches, goes through one of these.
pub struct Caller {
    client: Client,
    pace: Pace,
    in_flight: Semaphore,
    timeout: Mutex<Duration>,
    metrics: Arc<Metrics>,
}

impl Caller {
    #[must_use]
    pub fn new(client: Client, api: &Api, metrics: Arc<Metrics>) -> Self {
        Self {
            client,
            pace: Pace::new(api),
            in_flight: Semaphore::new(api.in_flight),
            timeout: Mutex::new(Duration::from_millis(api.timeout.as_millis())),
            metrics,
        }
    }

    /// Takes over new settings, but for the number of requests in flight.
    pub fn reload(&self, api: &Api) {
        self.pace.reload(api);
        *self.timeout.lock().unwrap_or_else(PoisonError::into_inner) = Duration::from_millis(api.timeout.as_millis());
    }

    /// Sends a request and reads its answer as `T`.
    ///
    /// # Errors
    /// The server refused it, or there was no answer in time: then it may have been done.
    pub async fn send<T: DeserializeOwned>(&self, what: What, request: Request<Vec<u8>>) -> Result<T, Failure> {
        self.pace.wait().await;
        // Never closed, so an error cannot happen; without a permit the bound would just not hold.
        let _permit = self.in_flight.acquire().await.ok();
        let limit = *self.timeout.lock().unwrap_or_else(PoisonError::into_inner);
        let started = Instant::now();
        let path = request.uri().path().to_owned();
        let answer = timeout(limit, self.client.request::<T>(request)).await;
        let took = started.elapsed();
        let code = match &answer {
            Ok(Ok(_)) => "2xx".to_owned(),
            Ok(Err(kube::Error::Api(status))) => status.code.to_string(),
            Ok(Err(_)) => "error".to_owned(),
            Err(_) => "timeout".to_owned(),
        };
        tracing::debug!(
            target: "jobwright::requests",
            verb = what.verb, path, code, ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX), "request"
        );
        self.metrics.request(what.verb, what.resource, code, took);
        match answer {
            Ok(answer) => answer.map_err(|error| classify(&error)),
            Err(_) => Err(Failure::timed_out(limit)),
        }
    }
}

/// A token bucket that hands out instants: who comes gets the next free one and sleeps until then.
struct Pace {
    inner: Mutex<Bucket>,
}

struct Bucket {
    /// Between two requests.
    interval: Duration,
    /// How far ahead of the pace a burst may run.
    slack: Duration,
    /// When the next request would be on pace.
    next: Option<Instant>,
}

impl Bucket {
    fn of(api: &Api) -> (Duration, Duration) {
        let interval = Duration::from_secs_f64(1.0 / api.qps.max(0.001));
        (interval, interval.saturating_mul(api.burst.saturating_sub(1)))
    }
}

impl Pace {
    fn new(api: &Api) -> Self {
        let (interval, slack) = Bucket::of(api);
        Self {
            inner: Mutex::new(Bucket {
                interval,
                slack,
                next: None,
            }),
        }
    }

    fn reload(&self, api: &Api) {
        let mut bucket = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        (bucket.interval, bucket.slack) = Bucket::of(api);
    }

    async fn wait(&self) {
        let due = {
            let mut bucket = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let next = bucket.next.map_or(now, |next| next.max(now));
            bucket.next = Some(next + bucket.interval);
            // Before `next` by as much as the burst allows.
            next.checked_sub(bucket.slack).filter(|due| *due > now)
        };
        if let Some(due) = due {
            sleep_until(due).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_the_rest_on_pace() {
        let pace = Pace::new(&Api {
            qps: 10.0,
            burst: 5,
            ..Api::default()
        });
        let started = Instant::now();
        let mut at_ms = Vec::new();
        for _ in 0..8 {
            pace.wait().await;
            at_ms.push(started.elapsed().as_millis());
        }
        assert_eq!(at_ms, [0, 0, 0, 0, 0, 100, 200, 300]);
    }
}
