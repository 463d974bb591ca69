//! Where requests of steps may go, and how large their answers may be.

use jobwright_outbound::{
    Outbound as Sender, Settings, System,
    guard::{HostPattern, Network},
};
use serde::{Deserialize, Serialize};
use std::{fmt::Display, net::IpAddr, str::FromStr, sync::Arc};

/// Requests that go out. The default is the strict one: every public host, no private address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Outbound {
    /// Hosts that may be called, such as `hooks.example.com` or `*.example.com`; empty for all.
    pub allowed_hosts: Vec<String>,
    /// Private networks that may be called, such as that of the cluster's services.
    pub private_networks: Vec<String>,
    /// Loopback networks that may be called: for tests and development.
    pub loopback_networks: Vec<String>,
    /// Networks that may not be called, whatever else is allowed.
    pub refused_networks: Vec<String>,
    /// Hosts and addresses of the API server, beside those that the operator itself knows.
    pub api_server: Vec<String>,
    /// Certificates in PEM of authorities that are trusted beside those of the web.
    pub extra_ca: String,
    /// Longest body of an answer.
    pub body_bytes_max: usize,
    /// Requests on their way at once: each is a connection.
    pub in_flight_max: usize,
}

impl Default for Outbound {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            allowed_hosts: Vec::new(),
            private_networks: Vec::new(),
            loopback_networks: Vec::new(),
            refused_networks: Vec::new(),
            api_server: Vec::new(),
            extra_ca: String::new(),
            body_bytes_max: settings.body_bytes_max,
            in_flight_max: settings.in_flight_max,
        }
    }
}

impl Outbound {
    /// As the sender wants them. What cannot be read is left out: [`Self::wrongs`] has refused it before.
    pub(crate) fn settings(&self) -> Settings {
        let (addresses, hosts): (Vec<&String>, Vec<&String>) =
            self.api_server.iter().partition(|host| host.parse::<IpAddr>().is_ok());
        Settings {
            allowed_hosts: read(&self.allowed_hosts),
            private_networks: read(&self.private_networks),
            loopback_networks: read(&self.loopback_networks),
            refused_networks: read(&self.refused_networks),
            api_server_hosts: hosts.iter().filter_map(|host| host.parse().ok()).collect(),
            api_server_addresses: addresses.iter().filter_map(|address| address.parse().ok()).collect(),
            extra_ca_pem: self.extra_ca.clone().into_bytes(),
            body_bytes_max: self.body_bytes_max,
            in_flight_max: self.in_flight_max,
        }
    }

    /// Everything that is wrong, each with its field path.
    pub(super) fn wrongs(&self) -> Vec<String> {
        let mut wrongs = Vec::new();
        unreadable::<HostPattern>("allowedHosts", &self.allowed_hosts, &mut wrongs);
        unreadable::<Network>("privateNetworks", &self.private_networks, &mut wrongs);
        unreadable::<Network>("loopbackNetworks", &self.loopback_networks, &mut wrongs);
        unreadable::<Network>("refusedNetworks", &self.refused_networks, &mut wrongs);
        unreadable::<HostPattern>("apiServer", &self.api_server, &mut wrongs);
        if wrongs.is_empty() && *self != Self::default() {
            let made = Sender::new(&self.settings(), Arc::new(System::new()));
            wrongs.extend(made.err().map(|error| error.to_string()));
        }
        wrongs
    }
}

fn read<T: FromStr>(texts: &[String]) -> Vec<T> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

fn unreadable<T>(field: &str, texts: &[String], wrongs: &mut Vec<String>)
where
    T: FromStr,
    T::Err: Display,
{
    for (index, text) in texts.iter().enumerate() {
        if let Err(error) = text.parse::<T>() {
            wrongs.push(format!("outbound.{field}[{index}]: {error}"));
        }
    }
}
