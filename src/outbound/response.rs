//! What came back.

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use std::{fmt, net::SocketAddr, time::Duration};

/// A whole answer, whatever its status: 3xx is not followed, 4xx and 5xx are no failures here.
///
/// `Debug` shows neither values of headers nor the body: receivers echo what they were sent, secrets too.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    /// As it was sent, never decoded.
    pub body: Bytes,
    /// Where it came from: an address that the guard has judged.
    pub address: SocketAddr,
}

impl Response {
    /// What `Retry-After` asks for, from `now` on: see [`retry_after`](crate::retry_after()).
    #[must_use]
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let value = self.headers.get(http::header::RETRY_AFTER)?;
        crate::retry_after(value.to_str().ok()?, now)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.keys().map(http::HeaderName::as_str).collect();
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .field("address", &self.address)
            .finish()
    }
}
