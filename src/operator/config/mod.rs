//! The operator's settings: one YAML file, checked as a whole, taken over while running.

mod check;
mod outbound;
pub mod reload;

use jobwright_api::{Duration, settings::JobSettings};
use serde::{Deserialize, Serialize};
use std::{fmt, net::SocketAddr, path::Path};

pub use outbound::Outbound;

/// Where the file is, if nothing else is said: as the chart mounts it.
pub const PATH_DEFAULT: &str = "/etc/jobwright/config.yaml";

/// The whole file. Every field has a default: an empty file is a valid one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Layers around every Job. A change holds for runs that begin after it.
    pub jobs: JobSettings,
    pub api: Api,
    /// How many Workflows are looked at at once.
    pub concurrency: Concurrency,
    /// Namespaces to serve; empty for all. Only read at start.
    pub namespaces: Vec<String>,
    pub log: Log,
    pub http: Http,
    pub outbound: Outbound,
}

/// How hard the API server is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Api {
    /// Requests per second, watches apart.
    pub qps: f64,
    /// Requests that may go at once after a quiet time.
    pub burst: u32,
    /// Requests on their way at one time: each is a connection (HTTP/1.1).
    pub in_flight: usize,
    /// A request without answer for this long counts as failed. Half of what a Lease's holder has
    /// to renew it.
    pub timeout: Duration,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            qps: 100.0,
            burst: 200,
            in_flight: 32,
            timeout: Duration::from_secs(5),
        }
    }
}

/// A number of reconciles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Concurrency(pub usize);

impl Default for Concurrency {
    fn default() -> Self {
        Self(16)
    }
}

/// Only read at start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Log {
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,kube=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            level: "info".into(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    Human,
}

/// Health and metrics. Only read at start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Http {
    pub bind: SocketAddr,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([0, 0, 0, 0], 8080)),
        }
    }
}

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}: {source}; give the file with --config")]
    Read { path: String, source: std::io::Error },
    /// The text is no YAML, has an unknown field or a value of the wrong type.
    #[error("{0}")]
    Parse(String),
    #[error("{0}")]
    Wrong(Wrongs),
}

/// Everything that is wrong with the values, each with its field path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrongs(pub Vec<String>);

impl fmt::Display for Wrongs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl Settings {
    /// Reads and checks a text.
    ///
    /// # Errors
    /// It cannot be parsed, or values are wrong: all of them are named.
    pub fn parse(text: &str) -> Result<Self, Error> {
        // An empty document is null to YAML; to us it is a file without wishes.
        let is_empty = text
            .lines()
            .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
        let settings: Self = if is_empty { Self::default() } else { read_yaml(text)? };
        let wrongs = check::settings(&settings);
        if wrongs.is_empty() {
            Ok(settings)
        } else {
            Err(Error::Wrong(Wrongs(wrongs)))
        }
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// As [`Self::parse`], or it cannot be read.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = Self::read(path)?;
        Self::parse(&text)
    }

    fn read(path: &Path) -> Result<String, Error> {
        std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.display().to_string(),
            source,
        })
    }

    /// Names of the fields that differ and are only read at start.
    #[must_use]
    pub fn needs_restart(&self, newer: &Self) -> Vec<&'static str> {
        let differs = [
            ("namespaces", self.namespaces != newer.namespaces),
            ("concurrency", self.concurrency != newer.concurrency),
            ("api.inFlight", self.api.in_flight != newer.api.in_flight),
            ("log", self.log != newer.log),
            ("http", self.http != newer.http),
        ];
        differs
            .into_iter()
            .filter_map(|(name, differs)| differs.then_some(name))
            .collect()
    }
}

/// The parser knows the line, serde the field: both are told.
fn read_yaml(text: &str) -> Result<Settings, Error> {
    let mut path = String::new();
    serde_saphyr::with_deserializer_from_str(text, |yaml| {
        serde_path_to_error::deserialize(yaml).map_err(|error| {
            path = error.path().to_string();
            error.into_inner()
        })
    })
    .map_err(|error| {
        let is_known = !path.is_empty() && path != ".";
        let place = if is_known { format!("{path}: ") } else { String::new() };
        Error::Parse(format!("{place}{error}"))
    })
}
