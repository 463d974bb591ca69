//! One request and its answer.

use bytes::BytesMut;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use std::{net::SocketAddr, sync::Arc};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_rustls::TlsConnector;

use crate::{
    deadline::Deadline,
    failure::{Failure, Stage, quoted},
    guard::{AddressRefused, Guard, Host, Target},
    line::{Line, Lost, Message, Place, broken},
    pool::Pool,
    request::Request,
    resolve::Resolve,
    response::Response,
    settings::{Settings, SettingsError},
    tls,
};

/// How many addresses of one name are tried: each takes its share of the time.
const TRIES_MAX: usize = 4;

/// Sends requests. One for the whole process, shared; new settings are a new one.
///
/// # Guarantees
/// * Each call resolves once, judges every address, and connects to one of exactly these; `Host` and SNI
///   are those of the URL. No proxy, no environment variable, no redirect, no second attempt once a byte of
///   the request may have been written.
/// * It ends within the request's time limit, waiting for a place included. Dropping the future ends
///   it at once and closes its connection.
/// * An answer takes at most 64 KiB of head (100 fields) and `body_bytes_max` of body, which is what came over the
///   line: `Accept-Encoding: identity` is sent, and an encoded body is a failure, so nothing unfolds.
/// * At most `in_flight_max` requests are on their way.
///
/// # Caveats
/// * A receiver that closes a kept connection at the moment when a request is written to it makes that
///   attempt fail with [`Failure::Closed`]: whether it was received is not known.
/// * HTTP/1.1 only, so each request that is on its way has a connection of its own.
pub struct Outbound {
    guard: Guard,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
    pool: Arc<Pool>,
    slots: Semaphore,
    in_flight_max: usize,
    body_bytes_max: usize,
}

impl Outbound {
    /// # Errors
    /// A setting is out of its range, or the extra authorities are no certificates.
    pub fn new(settings: &Settings, resolver: Arc<dyn Resolve>) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self {
            guard: Guard::new(settings),
            resolver,
            tls: tls::connector(settings)?,
            pool: Arc::default(),
            slots: Semaphore::new(settings.in_flight_max),
            in_flight_max: settings.in_flight_max,
            body_bytes_max: settings.body_bytes_max,
        })
    }

    /// What can be said of a URL without a packet: for the check of a definition, and for the endpoint
    /// whose breaker is asked before [`Self::send`].
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn check(&self, url: &str) -> Result<Target, AddressRefused> {
        self.guard.check(url)
    }

    /// Sends a request once, and reads its answer.
    ///
    /// # Errors
    /// There is no whole answer: the failure says why, and whether the receiver may have got the request.
    pub async fn send(&self, request: Request) -> Result<Response, Failure> {
        let target = self.guard.check(&request.url)?;
        let deadline = Deadline::after(request.time_limit());
        let message = request.build(&target)?.map(Full::new);
        let _slot = self.slot(&deadline).await?;
        let addresses = self.addresses(&target, &deadline).await?;
        let (line, answer) = self.exchange(&target, &addresses, message, &deadline).await?;
        self.read(line, answer, &deadline).await
    }

    async fn slot(&self, deadline: &Deadline) -> Result<SemaphorePermit<'_>, Failure> {
        let waited = deadline.hold(Stage::Connecting, self.slots.acquire()).await;
        match waited {
            Ok(Ok(permit)) => Ok(permit),
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(Failure::Busy {
                in_flight_max: self.in_flight_max,
                time_limit: deadline.time_limit,
            }),
        }
    }

    async fn addresses(&self, target: &Target, deadline: &Deadline) -> Result<Vec<SocketAddr>, Failure> {
        let name = match target.host() {
            Host::Address(address) => return Ok(self.guard.judge(target, &[*address])?),
            Host::Name(name) => name,
        };
        let not_resolved = |detail: String| Failure::NotResolved {
            host: name.clone(),
            detail,
        };
        let found = deadline.hold(Stage::Resolving, self.resolver.resolve(name)).await?;
        let found = found.map_err(|error| not_resolved(quoted(&error)))?;
        let judged = self.guard.judge(target, &found)?;
        if judged.is_empty() {
            return Err(not_resolved("it has no address".into()));
        }
        Ok(judged)
    }

    /// On a kept line, as long as there is one that the request was not written to; else on a new one.
    async fn exchange(
        &self,
        target: &Target,
        addresses: &[SocketAddr],
        mut message: Message,
        deadline: &Deadline,
    ) -> Result<(Line, http::Response<Incoming>), Failure> {
        while let Some(mut line) = self.pool.take(target, addresses) {
            match line.send(message, deadline).await {
                Ok(answer) => return Ok((line, answer)),
                Err(Lost::Unsent(back)) => message = *back,
                Err(Lost::Failed(failure)) => return Err(failure),
            }
        }
        let mut line = self.connect(target, addresses, deadline).await?;
        match line.send(message, deadline).await {
            Ok(answer) => Ok((line, answer)),
            Err(Lost::Failed(failure)) => Err(failure),
            Err(Lost::Unsent(_)) => Err(Failure::NotConnected {
                address: line.place.address,
                detail: "it was closed before the request was written".into(),
            }),
        }
    }

    /// The first of the judged addresses that takes a connection.
    async fn connect(&self, target: &Target, addresses: &[SocketAddr], deadline: &Deadline) -> Result<Line, Failure> {
        let tried = addresses.get(..TRIES_MAX).unwrap_or(addresses);
        let mut last = None;
        for (index, address) in tried.iter().enumerate() {
            let tries_left = tried.len().saturating_sub(index);
            let opened = Line::open(Place::of(target, *address), &self.tls, deadline, tries_left).await;
            match opened {
                Err(failure @ Failure::NotConnected { .. }) => last = Some(failure),
                Ok(_) | Err(_) => return opened,
            }
        }
        Err(last.unwrap_or_else(|| Failure::NotResolved {
            host: target.host().to_string(),
            detail: "it has no address".into(),
        }))
    }

    /// Reads the body within its cap. What is not read to its end takes its connection along.
    async fn read(
        &self,
        line: Line,
        answer: http::Response<Incoming>,
        deadline: &Deadline,
    ) -> Result<Response, Failure> {
        let (head, mut body) = answer.into_parts();
        let address = line.place.address;
        let too_large = Failure::BodyTooLarge {
            bytes_max: self.body_bytes_max,
        };
        if let Some(encoding) = encoding(&head.headers).filter(|_| !body.is_end_stream()) {
            return Err(Failure::Encoded { encoding });
        }
        if body.size_hint().lower() > self.body_bytes_max as u64 {
            return Err(too_large);
        }
        let mut bytes = BytesMut::new();
        while let Some(frame) = deadline.hold(Stage::Reading, body.frame()).await? {
            let frame = frame.map_err(|error| broken(address, &error))?;
            let Ok(data) = frame.into_data() else { continue };
            if data.len() > self.body_bytes_max.saturating_sub(bytes.len()) {
                return Err(too_large);
            }
            bytes.extend_from_slice(&data);
        }
        if line.is_reusable().await {
            self.pool.put(line);
        }
        Ok(Response {
            status: head.status.as_u16(),
            headers: head.headers,
            body: bytes.freeze(),
            address,
        })
    }

    #[cfg(test)]
    pub(crate) fn idle_lines(&self) -> usize {
        self.pool.len()
    }
}

/// Codings by their registered names (RFC 9110, 18.6): a receiver's own word might be anything.
const CODINGS: [&str; 6] = ["br", "compress", "dcb", "deflate", "gzip", "zstd"];

/// The coding of the body, if there is one (RFC 9110, 8.4).
fn encoding(headers: &HeaderMap) -> Option<&'static str> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    let mut codings = values.map(|value| value.as_bytes().trim_ascii());
    let coding = codings.find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))?;
    let known = CODINGS
        .iter()
        .find(|known| coding.eq_ignore_ascii_case(known.as_bytes()));
    Some(known.copied().unwrap_or("unknown"))
}
