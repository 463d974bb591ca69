//! Names of hosts, normalised, and patterns over them.

use std::{fmt, net::IpAddr, str::FromStr};

/// Of a name, without the dot at its end (RFC 1035, 2.3.4: 255 octets on the wire).
const NAME_BYTES_MAX: usize = 253;
/// Of one part of it (RFC 1035, 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// A host as it is compared, resolved and connected to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// Lower case, ASCII (IDNA), without a dot at its end.
    Name(String),
    /// Written as an address, in whatever spelling; an IPv4-mapped one is IPv4.
    Address(IpAddr),
}

impl Host {
    /// Normalises what the WHATWG parser returns. `None`: no name that the DNS could have.
    ///
    /// The parser allows almost any character; a name of ours has letters, digits, `-` and `_`, so it
    /// can be shown, logged and sent in a header as it is.
    pub(super) fn of(parsed: &url::Host<&str>) -> Option<Self> {
        let name = match parsed {
            url::Host::Ipv4(address) => return Some(Self::Address(IpAddr::V4(*address))),
            url::Host::Ipv6(address) => return Some(Self::Address(IpAddr::V6(*address).to_canonical())),
            url::Host::Domain(name) => name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase(),
        };
        let is_label = |label: &str| {
            (1..=LABEL_BYTES_MAX).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let is_name = name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label);
        is_name.then_some(Self::Name(name))
    }

    /// Reads a host that stands alone, as in a setting; an IPv6 address with or without brackets.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical()));
        }
        let parsed = url::Host::parse(text).ok()?;
        Self::of(&match &parsed {
            url::Host::Domain(name) => url::Host::Domain(name.as_str()),
            url::Host::Ipv4(address) => url::Host::Ipv4(*address),
            url::Host::Ipv6(address) => url::Host::Ipv6(*address),
        })
    }

    /// `localhost` and what lies below it mean this machine, whatever a resolver says (RFC 6761, 6.3).
    pub(super) fn is_localhost(&self) -> bool {
        matches!(self, Self::Name(name) if name == "localhost" || name.ends_with(".localhost"))
    }

    /// The names that Kubernetes' DNS gives the API server, with any domain of the cluster and as
    /// search lists shorten them.
    pub(super) fn is_api_server(&self) -> bool {
        let Self::Name(name) = self else { return false };
        let rest = name.strip_prefix("kubernetes");
        matches!(rest, Some("" | ".default" | ".default.svc")) || name.starts_with("kubernetes.default.svc.")
    }
}

/// As it stands in a URL: an IPv6 address in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// `hooks.example.com`, or `*.example.com` for every name below it (but not itself), or an address.
///
/// Compared with the whole normalised host, so neither case, nor a dot at the end, nor another spelling
/// of an address, nor `evil-example.com` gets by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    Exact(Host),
    /// With the dot in front.
    Below(String),
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no pattern of hosts: write a name, *.name for all names below it, or an address")]
pub struct HostPatternError(String);

impl HostPattern {
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Exact(own), host) => own == host,
            (Self::Below(suffix), Host::Name(name)) => name.len() > suffix.len() && name.ends_with(suffix),
            (Self::Below(_), Host::Address(_)) => false,
        }
    }
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        let wrong = || HostPatternError(jobwright_engine::text::clip(text, 60));
        let Some(suffix) = text.strip_prefix("*.") else {
            return Host::parse(text).map(Self::Exact).ok_or_else(wrong);
        };
        match Host::parse(suffix) {
            Some(Host::Name(name)) => Ok(Self::Below(format!(".{name}"))),
            Some(Host::Address(_)) | None => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_hosts() {
        for (pattern, inside, outside) in [
            ("hooks.example.com", "HOOKS.example.com.", "a.hooks.example.com"),
            ("*.Example.com.", "a.b.example.com", "example.com"),
            ("*.example.com", "a.example.com", "evil-example.com"),
            ("*.example.com", "x.example.com", "x.example.com.evil.test"),
            ("bücher.example", "xn--bcher-kva.example", "bucher.example"),
            ("127.0.0.1", "0x7f.1", "127.0.0.2"),
            ("[::1]", "::1", "::2"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
        ] {
            let parsed: HostPattern = pattern.parse().unwrap();
            assert!(parsed.matches(&Host::parse(inside).unwrap()), "{pattern} {inside}");
            assert!(!parsed.matches(&Host::parse(outside).unwrap()), "{pattern} {outside}");
        }
        for wrong in [
            "",
            "*",
            "*.",
            "*.*.com",
            "a*.com",
            "*.127.0.0.1",
            "a b",
            "http://a",
            "a/b",
            "a..b",
        ] {
            assert!(wrong.parse::<HostPattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_api_server_is_known_by_all_its_names() {
        for (name, expected) in [
            ("kubernetes", true),
            ("kubernetes.default", true),
            ("Kubernetes.Default.SVC.", true),
            ("kubernetes.default.svc.cluster.local", true),
            ("kubernetes.default.svc.corp.example", true),
            ("kubernetes.team", false),
            ("kubernetes.default.example.com", false),
            ("kubernetes.io", false),
            ("10.96.0.1", false),
        ] {
            assert_eq!(Host::parse(name).unwrap().is_api_server(), expected, "{name}");
        }
    }
}
