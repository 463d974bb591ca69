//! A step that sends a request and reads its answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

use crate::{duration::Duration, rules, schema, value::ValueType};

/// Sends one request for each attempt. No Job is made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::http::request()))]
pub struct Http {
    /// Default GET.
    #[serde(default)]
    pub method: HttpMethod,
    /// With `http` or `https`, without user and password.
    pub url: HttpUrl,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-validations" = rules::http::headers()))]
    pub headers: Vec<HttpHeader>,
    /// Encoded, and added to the URL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub query: Vec<HttpParameter>,
    /// Sent as JSON, unless a header Content-Type says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<HttpBody>,
    /// CEL over `response`: whether the answer is a good one. Default: status 200 to 299.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_expression")]
    pub expect: Option<String>,
    /// Of one attempt, from its start to the last byte of the answer. Default 30s, at most 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub outputs: Vec<HttpOutput>,
    /// When requests to the same endpoint have to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<HttpLimits>,
}

impl Http {
    pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
    pub const TIMEOUT_MAX: Duration = Duration::from_secs(3_600);

    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(Self::TIMEOUT_DEFAULT)
    }
}

/// Headers that the sender writes itself, or nobody does: two voices about where a message ends are how
/// requests are smuggled.
pub const OWN_HEADERS: [&str; 11] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl HttpMethod {
    /// Sent twice, it does what it does once (RFC 9110, 9.2.2).
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        !matches!(self, Self::Post | Self::Patch)
    }
}

impl fmt::Display for HttpMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        })
    }
}

/// A literal or CEL, exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::http::url()))]
pub struct HttpUrl {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_expression")]
    pub expression: Option<String>,
}

/// What is sent: a literal or CEL, exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::binding()))]
pub struct HttpBody {
    /// Plain data: never evaluated, whatever it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any")]
    pub value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_expression")]
    pub expression: Option<String>,
}

/// One parameter of the query. A null leaves it out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::http::parameter()))]
pub struct HttpParameter {
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_expression")]
    pub expression: Option<String>,
}

/// One header. A null leaves it out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::http::header()))]
pub struct HttpHeader {
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_expression")]
    pub expression: Option<String>,
    /// A key of a Secret of the same namespace. It is read when the request is sent, and shown nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKey>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// What the step gives: CEL over `response`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpOutput {
    #[schemars(schema_with = "schema::identifier")]
    pub name: String,
    #[serde(rename = "type", default)]
    pub kind: ValueType,
    /// Null and a member that is not there leave it out: then it is absent (`has()` is false).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Used where the expression gives null or reads what is not there. Must be of the declared type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any")]
    pub default: Option<Value>,
    #[schemars(schema_with = "schema::expression")]
    pub expression: String,
}

/// A circuit breaker and a rate limit. All steps of a namespace that write the same limits share them by endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpLimits {
    /// What counts as the same endpoint.
    #[serde(default)]
    pub scope: HttpScope,
    /// Default: as many as may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<HttpRate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<HttpBreaker>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HttpScope {
    /// Scheme, host and port.
    #[default]
    Endpoint,
    /// These and the path.
    Path,
}

/// So many requests in a time, spread evenly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpRate {
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests: u32,
    /// At most 1d.
    pub per: Duration,
    /// How many may go at once after a quiet time; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: Option<u32>,
}

/// After so many failures in a row nothing is sent for a while, and then one request that finds out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpBreaker {
    /// Default 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub failures: Option<u32>,
    /// Default 10s; doubles with each request that fails again, up to 30 times as long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Duration>,
}
