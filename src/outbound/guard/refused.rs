//! Why a URL or an address is refused: in a sentence, with what to do.

use std::{fmt, net::IpAddr};

use super::{host::Host, network::Network};

/// A URL that is not sent to. It costs no packet: where a name had to be resolved to know, none but
/// that.
///
/// Shows the host and the address, never the rest of the URL: its path and query may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRefused {
    pub rule: Rule,
    /// Unless the URL could not be read so far.
    pub host: Option<Host>,
    /// The address that the host was resolved to, or is.
    pub address: Option<IpAddr>,
}

/// The rule that refused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    TooLong,
    /// A space, a control character or a backslash. The WHATWG parser drops or replaces them, others
    /// do not: such a URL means two things.
    Character,
    /// Not http or https, or without `//`.
    Scheme,
    /// A user or password (RFC 3986, 7.6: an old way to disguise a host).
    Userinfo,
    /// A fragment: it is never sent, and hides what some parsers take for the host.
    Fragment,
    Port,
    /// No host, or none that the DNS could have.
    Host,
    /// The parser's words.
    Malformed(String),
    HostNotAllowed,
    ApiServer,
    /// `localhost` by name.
    Localhost,
    /// A network that the settings refuse.
    Network(Network),
    /// Never allowed.
    Special(Special),
    /// Allowed by a setting only.
    Private(Special),
    /// Likewise, for tests and development.
    Loopback(Special),
}

/// What is special about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Special {
    /// Completes "which is", with the source.
    pub what: &'static str,
    /// The IPv4 address in an IPv6 address, if that one is special.
    pub leads_to: Option<IpAddr>,
}

impl AddressRefused {
    /// Stable, for a status and for alerts.
    pub const REASON: &'static str = "AddressRefused";

    pub(super) const fn url(rule: Rule) -> Self {
        Self {
            rule,
            host: None,
            address: None,
        }
    }

    pub(super) fn host(rule: Rule, host: &Host) -> Self {
        Self {
            rule,
            host: Some(host.clone()),
            address: None,
        }
    }

    /// "host a.example", or "address 10.0.0.1 of host a.example".
    fn subject(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, &self.address) {
            (Some(Host::Name(name)), Some(address)) => write!(f, "address {address} of host {name}"),
            (_, Some(address)) | (Some(Host::Address(address)), None) => write!(f, "address {address}"),
            (Some(Host::Name(name)), None) => write!(f, "host {name}"),
            (None, None) => f.write_str("the URL"),
        }
    }
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.leads_to {
            Some(address) => write!(f, "leads to {address}, which is {}", self.what),
            None => write!(f, "is {}", self.what),
        }
    }
}

impl fmt::Display for AddressRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.subject(f)?;
        match &self.rule {
            Rule::TooLong => write!(
                f,
                " is longer than {} bytes: send large values in the body",
                super::target::URL_BYTES_MAX
            ),
            Rule::Character => f.write_str(" has a space, a control character or a backslash: encode it, as in %20"),
            Rule::Scheme => f.write_str(" does not begin with http:// or https://: nothing else is sent"),
            Rule::Userinfo => {
                f.write_str(" has a user or password before its host: put credentials into a header, from a Secret")
            }
            Rule::Fragment => f.write_str(" has a fragment, which is never sent: leave it out, or write # as %23"),
            Rule::Port => f.write_str(" has port 0: write one from 1 to 65535"),
            Rule::Host => f.write_str(
                " has no valid host: write a DNS name of letters, digits and '-', in parts of at most 63, or an address",
            ),
            Rule::Malformed(why) => write!(f, " cannot be read ({why}): write it like https://host.example/path"),
            Rule::HostNotAllowed => {
                f.write_str(" is not allowed: an administrator may add it to the setting outbound.allowedHosts")
            }
            Rule::ApiServer => f.write_str(
                " is the Kubernetes API server, which no step may call through the operator: run a Job with a service account of its own",
            ),
            Rule::Localhost => f.write_str(
                " is the operator's own pod: name the receiver as others reach it; in development the setting outbound.loopbackNetworks can allow it",
            ),
            Rule::Network(network) => write!(f, " lies in {network}, which the setting outbound.refusedNetworks refuses"),
            Rule::Special(special) => write!(f, " {special}: no receiver has such an address, and no setting allows it"),
            Rule::Private(special) => write!(
                f,
                " {special}: an administrator may add its network to the setting outbound.privateNetworks"
            ),
            Rule::Loopback(special) => write!(
                f,
                " {special}: name the receiver as others reach it; in development the setting outbound.loopbackNetworks can allow it"
            ),
        }
    }
}

impl std::error::Error for AddressRefused {}
