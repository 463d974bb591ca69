//! One request: its secrets are read, it is sent, its answer is read.

use futures::FutureExt;
use jobwright_api::{
    Reason,
    http::{HttpMethod, SecretKey},
};
use jobwright_engine::http::{Answer, Header, Lost, Request};
use jobwright_outbound::{Failure, Header as OwnHeader, Method, Request as Outgoing, Secret, outcome};
use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::time::timeout;

use super::{Order, Pass, Requests, answer};
use crate::{apply::secret, store::Key};

/// Values by Secret and key: they live as long as the request.
type Secrets = BTreeMap<SecretKey, Vec<u8>>;

impl Requests {
    /// Carries out a request that has leave. Never panics, and ends within the request's time.
    pub(super) async fn exchange(self: &Arc<Self>, run: &Key, request: Request, pass: Pass) -> Answer {
        let work = AssertUnwindSafe(self.one(run, request, pass));
        work.catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(run = %run, "a request failed inside the operator");
            Err(Lost {
                reason: Reason::ResponseInvalid,
                message: "the request failed inside the operator".to_owned(),
                may_pass: true,
            })
        })
    }

    async fn one(&self, run: &Key, request: Request, pass: Pass) -> Answer {
        let started = self.clock.monotonic();
        let limit = Duration::from_millis(request.timeout.as_millis());
        let (step, attempt) = (request.step.clone(), request.attempt);
        let read = timeout(limit, self.secrets(run, &request)).await;
        let secrets = read.unwrap_or_else(|_| Err(unread("no answer of the API server in time")))?;
        let spent = self.clock.monotonic().saturating_sub(started);
        let outgoing =
            outgoing(request, &secrets, limit.saturating_sub(spent)).map_err(|failure| answer::lost(&failure))?;
        let order = Order {
            step,
            attempt,
            request: outgoing,
        };
        let place = pass.endpoint.to_string();
        let (step, attempt) = (order.step.clone(), order.attempt);
        let result = self.transport().send(order).await;
        let now = self.clock.now();
        let outcome = outcome(&result, now);
        let code = match &result {
            Ok(response) => response.status.to_string(),
            Err(failure) => failure.reason().to_owned(),
        };
        let took = self.clock.monotonic().saturating_sub(started);
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(target: "jobwright::outbound", run = %run, step, attempt, to = place, code, ms, "request");
        self.metrics.outbound(code, took);
        pass.record(outcome);
        match result {
            Ok(raw) => {
                let values: Vec<Vec<u8>> = secrets.into_values().collect();
                Ok(answer::response(&raw, raw.retry_after(now), &values))
            }
            Err(failure) => Err(answer::lost(&failure)),
        }
    }

    /// Each Secret is asked for once; of its keys only those that are named are kept.
    async fn secrets(&self, run: &Key, request: &Request) -> Result<Secrets, Lost> {
        let named = request.headers.iter().filter_map(|(_, header)| match header {
            Header::Secret(named) => Some(named),
            Header::Text(_) => None,
        });
        let mut keys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for SecretKey { name, key } in named {
            keys.entry(name).or_default().push(key);
        }
        let mut secrets = Secrets::new();
        for (name, keys) in keys {
            let at = Key::new(run.namespace.clone(), name.to_owned());
            let found = secret::read(&self.caller, &at).await;
            let mut found = found.map_err(|failure| unread(&format!("Secret {name}: {failure}")))?;
            for key in keys {
                let named = SecretKey {
                    name: name.to_owned(),
                    key: key.to_owned(),
                };
                if secrets.contains_key(&named) {
                    continue;
                }
                let value = found
                    .remove(key)
                    .ok_or_else(|| unread(&format!("Secret {name} has no key {key}")))?;
                secrets.insert(named, value);
            }
        }
        Ok(secrets)
    }
}

fn unread(words: &str) -> Lost {
    Lost {
        reason: Reason::SecretMissing,
        message: jobwright_engine::text::clip(words, 512),
        may_pass: true,
    }
}

fn outgoing(request: Request, secrets: &Secrets, time_limit: Duration) -> Result<Outgoing, Failure> {
    let mut outgoing = Outgoing::new(method(request.method), request.url, time_limit);
    for (name, header) in request.headers {
        let header = match header {
            Header::Text(value) => OwnHeader::new(&name, &value)?,
            Header::Secret(named) => {
                // A newline at its end is the usual slip, and never meant.
                let value = secrets.get(&named).map_or(&[][..], |value| value.trim_ascii_end());
                match Secret::new(value) {
                    Some(secret) => OwnHeader::secret(&name, secret)?,
                    // Says which header it is, and nothing of the value.
                    None => OwnHeader::new(&name, "\n")?,
                }
            }
        };
        outgoing.headers.push(header);
    }
    outgoing.body = request.body.unwrap_or_default().into();
    Ok(outgoing)
}

const fn method(method: HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::Get,
        HttpMethod::Head => Method::Head,
        HttpMethod::Post => Method::Post,
        HttpMethod::Put => Method::Put,
        HttpMethod::Patch => Method::Patch,
        HttpMethod::Delete => Method::Delete,
        HttpMethod::Options => Method::Options,
    }
}
