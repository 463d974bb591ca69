//! What is to be sent, checked as a whole before anything is.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::{fmt, time::Duration};

use crate::{guard::Target, secret::Secret};

/// As much as the inputs of a step and more: what a body is made of.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Names and values together. Common receivers take 8 KiB.
const HEADER_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// A request that takes longer belongs into a Job.
const TIME_LIMIT_MAX: Duration = Duration::from_secs(3600);

/// The methods that a request may have. `CONNECT` and `TRACE` mean something to proxies, not to receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    pub(crate) const fn to_http(self) -> http::Method {
        match self {
            Self::Get => http::Method::GET,
            Self::Head => http::Method::HEAD,
            Self::Post => http::Method::POST,
            Self::Put => http::Method::PUT,
            Self::Patch => http::Method::PATCH,
            Self::Delete => http::Method::DELETE,
            Self::Options => http::Method::OPTIONS,
        }
    }
}

/// One header of a request. `Debug` shows the value only where it is no secret.
#[derive(Clone, Debug)]
pub struct Header {
    name: HeaderName,
    value: HeaderValue,
}

/// Headers that say where a message ends, by whom it is passed on, or what we understand: the sender
/// writes them itself, or nobody does (RFC 9110, 7.6.1; RFC 9112, 6). Two voices here are how requests
/// are smuggled.
const OWN: [HeaderName; 11] = [
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

impl Header {
    /// A header that may be shown.
    ///
    /// # Errors
    /// The name or the value is none, or the header is not for a user to set.
    pub fn new(name: &str, value: &str) -> Result<Self, InvalidRequest> {
        let name = Self::name(name)?;
        match HeaderValue::from_bytes(value.as_bytes()) {
            Ok(value) => Ok(Self { name, value }),
            Err(_) => Err(InvalidRequest::HeaderValue(name)),
        }
    }

    /// A header whose value is a secret.
    ///
    /// # Errors
    /// The name is none, or the header is not for a user to set.
    pub fn secret(name: &str, value: Secret) -> Result<Self, InvalidRequest> {
        let (name, value) = (Self::name(name)?, value.into_header());
        Ok(Self { name, value })
    }

    fn name(name: &str) -> Result<HeaderName, InvalidRequest> {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| InvalidRequest::HeaderName(jobwright_engine::text::clip(name, 60)))?;
        if OWN.contains(&parsed) {
            return Err(InvalidRequest::HeaderOwn(parsed));
        }
        Ok(parsed)
    }
}

/// One request, for one attempt.
///
/// `Debug` shows neither secrets nor body nor URL: the address guard's words have of the URL what may be shown.
#[derive(Clone)]
pub struct Request {
    pub method: Method,
    pub url: String,
    pub headers: Vec<Header>,
    /// At most 1 MiB.
    pub body: Bytes,
    /// From the call to the last byte of the answer, waiting for a place included; at most an hour.
    pub time_limit: Duration,
}

impl Request {
    /// One without headers and body.
    #[must_use]
    pub fn new(method: Method, url: impl Into<String>, time_limit: Duration) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            time_limit,
        }
    }

    pub(crate) fn time_limit(&self) -> Duration {
        self.time_limit.min(TIME_LIMIT_MAX)
    }

    /// The message as it goes out.
    pub(crate) fn build(self, target: &Target) -> Result<http::Request<Bytes>, InvalidRequest> {
        if self.body.len() > BODY_BYTES_MAX {
            return Err(InvalidRequest::BodyTooLarge);
        }
        let bytes = |header: &Header| header.name.as_str().len().saturating_add(header.value.len());
        let total: usize = self.headers.iter().map(bytes).sum();
        if self.headers.len() > HEADERS_MAX || total > HEADER_BYTES_MAX {
            return Err(InvalidRequest::HeadersTooLarge);
        }
        let mut headers = HeaderMap::with_capacity(self.headers.len().saturating_add(3));
        let host = HeaderValue::try_from(target.authority()).map_err(|_| InvalidRequest::HeaderValue(header::HOST))?;
        headers.insert(header::HOST, host);
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("jobwright/", env!("CARGO_PKG_VERSION"))),
        );
        for header in self.headers {
            // A name that stands twice has both values (RFC 9110, 5.3); a User-Agent of its own replaces ours.
            if header.name == header::USER_AGENT {
                headers.insert(header.name, header.value);
            } else {
                headers.append(header.name, header.value);
            }
        }
        let uri = http::Uri::try_from(target.path_and_query()).map_err(|_| InvalidRequest::Path)?;
        let mut request = http::Request::new(self.body);
        *request.method_mut() = self.method.to_http();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|header| header.name.as_str()).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("headers", &headers)
            .field("body_bytes", &self.body.len())
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

/// Why a request cannot be sent as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    #[error("header name {0:?} is none: letters, digits and any of !#$%&'*+-.^_`|~")]
    HeaderName(String),
    #[error("the value of header {0} has a line break or another control character")]
    HeaderValue(HeaderName),
    #[error("header {0} is written by the sender itself: leave it out")]
    HeaderOwn(HeaderName),
    #[error("the headers are more than {HEADERS_MAX}, or longer than {HEADER_BYTES_MAX} bytes")]
    HeadersTooLarge,
    #[error("the body is longer than {BODY_BYTES_MAX} bytes: send large data by reference")]
    BodyTooLarge,
    #[error("the path or query of the URL has a character that must be percent-encoded")]
    Path,
}
