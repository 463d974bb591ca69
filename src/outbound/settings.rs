//! What an administrator decides about requests that go out.

use std::net::IpAddr;

use crate::guard::{HostPattern, Network};

/// The settings. The default is the strict one: every public host, no private address.
///
/// Errors call a field by the name it has in the operator's settings file: `outbound.allowedHosts` is
/// `allowed_hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Hosts that may be called; empty for all that the guard admits. It narrows only: a host that is
    /// listed here must still have admissible addresses.
    pub allowed_hosts: Vec<HostPattern>,
    /// Private networks (RFC 1918, RFC 4193) that may be called, such as the cluster's services.
    pub private_networks: Vec<Network>,
    /// Loopback networks that may be called: for tests and development.
    pub loopback_networks: Vec<Network>,
    /// Networks that may not be called, whatever else is allowed.
    pub refused_networks: Vec<Network>,
    /// Names of the API server, beside those that Kubernetes' DNS gives it.
    pub api_server_hosts: Vec<HostPattern>,
    /// Addresses of the API server, on whichever port. Assumes that all of them are here: the service's
    /// and those behind it.
    pub api_server_addresses: Vec<IpAddr>,
    /// Certificates in PEM of authorities that are trusted beside those of the web.
    pub extra_ca_pem: Vec<u8>,
    /// Longest body of an answer, in bytes.
    pub body_bytes_max: usize,
    /// Requests on their way at once: each is a connection.
    pub in_flight_max: usize,
}

impl Settings {
    /// What `body_bytes_max` may be set to: a thousand answers at once are then a gigabyte.
    pub const BODY_BYTES_LIMIT: usize = 1024 * 1024;
    /// What `in_flight_max` may be set to: a connection takes a port, of which there are 64 Ki.
    pub const IN_FLIGHT_LIMIT: usize = 20_000;

    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        for (field, value, max) in [
            ("bodyBytesMax", self.body_bytes_max, Self::BODY_BYTES_LIMIT),
            ("inFlightMax", self.in_flight_max, Self::IN_FLIGHT_LIMIT),
        ] {
            if !(1..=max).contains(&value) {
                return Err(SettingsError::OutOfRange { field, value, max });
            }
        }
        // A network that allows nothing is a mistake, and one that opens more than its name says is a worse one.
        let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];
        let loopback = ["127.0.0.0/8", "::1/128"];
        within("privateNetworks", &self.private_networks, &private)?;
        within("loopbackNetworks", &self.loopback_networks, &loopback)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            private_networks: Vec::new(),
            loopback_networks: Vec::new(),
            refused_networks: Vec::new(),
            api_server_hosts: Vec::new(),
            api_server_addresses: Vec::new(),
            extra_ca_pem: Vec::new(),
            // As much as the inputs of a step.
            body_bytes_max: 64 * 1024,
            in_flight_max: 1000,
        }
    }
}

fn within(field: &'static str, networks: &[Network], blocks: &[&str]) -> Result<(), SettingsError> {
    let blocks: Vec<Network> = blocks.iter().filter_map(|block| block.parse().ok()).collect();
    let outside = networks
        .iter()
        .find(|network| !blocks.iter().any(|block| block.covers(network)));
    match outside {
        None => Ok(()),
        Some(network) => Err(SettingsError::Outside {
            field,
            network: *network,
            blocks: blocks.iter().map(Network::to_string).collect::<Vec<_>>().join(", "),
        }),
    }
}

/// Why settings are refused: the field, what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error("outbound.{field}: is {value}, must be from 1 to {max}")]
    OutOfRange {
        field: &'static str,
        value: usize,
        max: usize,
    },
    #[error("outbound.{field}: {network} does not lie within one of {blocks}, and only these can be allowed")]
    Outside {
        field: &'static str,
        network: Network,
        blocks: String,
    },
    #[error("outbound.extraCa: {0}; give certificates in PEM, each between BEGIN and END CERTIFICATE")]
    ExtraCa(String),
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Settings), expected: &str) {
        let mut settings = Settings::default();
        change(&mut settings);
        let text = settings
            .check()
            .map_or_else(|error| error.to_string(), |()| "ok".into());
        assert!(text.contains(expected), "expected {expected}, was {text}");
    }

    #[test]
    fn a_wrong_setting_is_named_with_its_field() {
        check(|_| (), "ok");
        check(
            |s| s.body_bytes_max = 0,
            "outbound.bodyBytesMax: is 0, must be from 1 to 1048576",
        );
        check(|s| s.body_bytes_max = 2 << 20, "outbound.bodyBytesMax: is 2097152");
        check(|s| s.in_flight_max = 0, "outbound.inFlightMax: is 0");
        check(|s| s.private_networks = vec!["10.1.0.0/16".parse().unwrap()], "ok");
        check(
            |s| s.private_networks = vec!["0.0.0.0/0".parse().unwrap()],
            "outbound.privateNetworks: 0.0.0.0/0 does not lie within one of 10.0.0.0/8, ",
        );
        check(
            |s| s.loopback_networks = vec!["10.0.0.0/8".parse().unwrap()],
            "outbound.loopbackNetworks: 10.0.0.0/8 does not",
        );
    }
}
