//! The address guard: which URLs may be called from inside a cluster.
//!
//! Whoever may write a Workflow could else make the operator, which sits within the network and has
//! rights, call what he himself cannot reach: metadata services, the API server, other tenants (server-side
//! request forgery).
//!
//! **Guarantees.** [`Guard::check`] judges what a URL says, without a packet; [`Guard::judge`] judges
//! every address that its name was resolved to. A sender that connects to exactly what `judge` returned,
//! and resolves no second time, reaches only what was judged: a name that changes its address meanwhile
//! (DNS rebinding) changes nothing.
//!
//! **Assumes** that a redirect is a new URL and is judged as such; this crate's sender follows none.
//!
//! **Caveats.** A public address may lead anywhere behind a gateway or a NAT64 prefix of one's own (RFC 6052,
//! 2.2): put such into `refused_networks`. A receiver that was allowed may itself be a proxy.

mod host;
mod network;
mod ranges;
mod refused;
mod target;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

pub use host::{Host, HostPattern, HostPatternError};
pub use network::{Network, NetworkError};
pub use refused::{AddressRefused, Rule, Special};
pub use target::Target;

use crate::settings::Settings;
use ranges::Kind;

/// How many addresses of a name are returned for connecting. A zone's owner can list thousands.
const KEPT_MAX: usize = 16;

/// Judges URLs and addresses by the settings. Pure: resolves nothing, knows no time.
#[derive(Clone, Debug)]
pub struct Guard {
    allowed_hosts: Vec<HostPattern>,
    private_networks: Vec<Network>,
    loopback_networks: Vec<Network>,
    refused_networks: Vec<Network>,
    api_server_hosts: Vec<HostPattern>,
    api_server_addresses: Vec<IpAddr>,
}

impl Guard {
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let canonical = |address: &IpAddr| address.to_canonical();
        Self {
            allowed_hosts: settings.allowed_hosts.clone(),
            private_networks: settings.private_networks.clone(),
            loopback_networks: settings.loopback_networks.clone(),
            refused_networks: settings.refused_networks.clone(),
            api_server_hosts: settings.api_server_hosts.clone(),
            api_server_addresses: settings.api_server_addresses.iter().map(canonical).collect(),
        }
    }

    /// Reads a URL and judges all that it says: scheme, form, host, and the address where it names one.
    ///
    /// # Errors
    /// The rule that refuses it, in a sentence that says what to do.
    pub fn check(&self, url: &str) -> Result<Target, AddressRefused> {
        let target = Target::parse(url)?;
        let host = target.host();
        let refuse = |rule| Err(AddressRefused::host(rule, host));
        if host.is_api_server() || self.api_server_hosts.iter().any(|own| own.matches(host)) {
            return refuse(Rule::ApiServer);
        }
        if !self.allowed_hosts.is_empty() && !self.allowed_hosts.iter().any(|pattern| pattern.matches(host)) {
            return refuse(Rule::HostNotAllowed);
        }
        if host.is_localhost() && self.loopback_networks.is_empty() {
            return refuse(Rule::Localhost);
        }
        if let Host::Address(address) = host {
            self.judge(&target, &[*address])?;
        }
        Ok(target)
    }

    /// Judges every address of a target, and returns where to connect: the first 16 of exactly these, in
    /// their order, each once, IPv4-mapped ones as IPv4.
    ///
    /// One bad address refuses all: a name that also leads where it must not is not to be trusted, and
    /// which of its addresses a connection would take is chance.
    ///
    /// # Errors
    /// The first address that is refused, and the rule.
    pub fn judge(&self, target: &Target, addresses: &[IpAddr]) -> Result<Vec<SocketAddr>, AddressRefused> {
        let mut judged = Vec::with_capacity(addresses.len().min(KEPT_MAX));
        for address in addresses {
            let address = address.to_canonical();
            self.judge_one(address).map_err(|rule| AddressRefused {
                rule,
                host: Some(target.host().clone()),
                address: Some(address),
            })?;
            let socket = SocketAddr::new(address, target.port());
            if judged.len() < KEPT_MAX && !judged.contains(&socket) {
                judged.push(socket);
            }
        }
        Ok(judged)
    }

    /// An address and, where it leads to an IPv4 address, that one too.
    fn judge_one(&self, address: IpAddr) -> Result<(), Rule> {
        self.judge_form(address, None)?;
        match ranges::embedded(address) {
            Some(inner) => self.judge_form(inner.into(), Some(inner.into())),
            None => Ok(()),
        }
    }

    /// What is always refused comes first: no setting opens it.
    fn judge_form(&self, address: IpAddr, leads_to: Option<IpAddr>) -> Result<(), Rule> {
        if self.api_server_addresses.contains(&address) {
            return Err(Rule::ApiServer);
        }
        if let Some(network) = self.refused_networks.iter().find(|network| network.contains(address)) {
            return Err(Rule::Network(*network));
        }
        let Some(range) = ranges::of(address) else {
            return Ok(());
        };
        let special = Special {
            what: range.what,
            leads_to,
        };
        let is_in = |networks: &[Network]| networks.iter().any(|network| network.contains(address));
        match range.kind {
            Kind::Embeds => Ok(()),
            Kind::Refused => Err(Rule::Special(special)),
            Kind::Private if is_in(&self.private_networks) => Ok(()),
            Kind::Private => Err(Rule::Private(special)),
            Kind::Loopback if is_in(&self.loopback_networks) => Ok(()),
            Kind::Loopback => Err(Rule::Loopback(special)),
        }
    }
}
