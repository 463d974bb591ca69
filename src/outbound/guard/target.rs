//! Where a request goes: a URL, read once and normalised.

use jobwright_engine::outbound::Endpoint;
use std::fmt;
use url::Url;

use super::{
    host::Host,
    refused::{AddressRefused, Rule},
};

/// What senders and receivers should support at least (RFC 9110, 4.1), and most do at most.
pub(super) const URL_BYTES_MAX: usize = 8000;

/// A URL that the guard has admitted. Made by [`Guard::check`](super::Guard::check) alone.
///
/// Its `Debug` shows no path and no query: they may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    is_tls: bool,
    host: Host,
    port: u16,
    path: String,
    query: Option<String>,
}

impl Target {
    /// Reads a URL as the WHATWG URL Standard does, and refuses what other parsers would read
    /// otherwise.
    pub(super) fn parse(text: &str) -> Result<Self, AddressRefused> {
        let refuse = |rule| Err(AddressRefused::url(rule));
        if text.len() > URL_BYTES_MAX {
            return refuse(Rule::TooLong);
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return refuse(Rule::Character);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return refuse(Rule::Scheme);
        };
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return refuse(Rule::Scheme);
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.is_empty() {
            // The parser would take the first part of the path.
            return refuse(Rule::Host);
        }
        if authority.contains('@') {
            return refuse(Rule::Userinfo);
        }
        if rest.contains('#') {
            return refuse(Rule::Fragment);
        }
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(error) => return refuse(Rule::Malformed(error.to_string())),
        };
        let Some(host) = url.host().as_ref().and_then(Host::of) else {
            return refuse(Rule::Host);
        };
        let Some(port) = url.port_or_known_default().filter(|port| *port != 0) else {
            return Err(AddressRefused::host(Rule::Port, &host));
        };
        Ok(Self {
            is_tls: url.scheme() == "https",
            host,
            port,
            path: url.path().to_owned(),
            query: url.query().map(ToOwned::to_owned),
        })
    }

    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What a breaker and a rate limit count by.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new(self.is_tls, &self.host.to_string(), self.port, &self.path)
    }

    /// The same for whoever shares its limits: `shared` tells them from others. The path counts only where it is to.
    #[must_use]
    pub fn endpoint_of(&self, shared: &str, with_path: bool) -> Endpoint {
        let path = if with_path { self.path.as_str() } else { "" };
        // A line break stands in no path.
        Endpoint::new(
            self.is_tls,
            &self.host.to_string(),
            self.port,
            &format!("{path}\n{shared}"),
        )
    }

    /// The value of the header `Host` (RFC 9110, 7.2): the port only where it is not the scheme's.
    pub(crate) fn authority(&self) -> String {
        let usual = if self.is_tls { 443 } else { 80 };
        if self.port == usual {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The request target in origin form (RFC 9112, 3.2.1).
    pub(crate) fn path_and_query(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}/…", self.host, self.port)
    }
}
