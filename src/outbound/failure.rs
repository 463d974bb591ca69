//! Why there is no answer.

use std::{fmt, net::SocketAddr, time::Duration};

use crate::{guard::AddressRefused, request::InvalidRequest};

/// How far a request had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Resolving,
    Connecting,
    /// TLS is set up.
    Securing,
    /// The request is on its way, or the head of its answer.
    Answering,
    /// The head of the answer is here, its body is not.
    Reading,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolving => "resolving the host's name",
            Self::Connecting => "connecting",
            Self::Securing => "setting up TLS",
            Self::Answering => "waiting for the answer",
            Self::Reading => "reading the answer's body",
        })
    }
}

/// A request without a whole answer. A status such as 503 is an answer, not a failure.
///
/// Its words name the host or the address, never the rest of the URL, a header's value or a body. What a
/// library or a peer says is cut to 200 bytes, control characters escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    InvalidRequest(#[from] InvalidRequest),
    #[error("{0}")]
    AddressRefused(#[from] AddressRefused),
    #[error("{in_flight_max} requests are on their way already, and none ended within {} s; the setting outbound.inFlightMax bounds them", .time_limit.as_secs_f64())]
    Busy { in_flight_max: usize, time_limit: Duration },
    #[error("host {host} cannot be resolved: {detail}")]
    NotResolved { host: String, detail: String },
    #[error("no connection to {address}: {detail}")]
    NotConnected { address: SocketAddr, detail: String },
    #[error("no TLS with {host}: {detail}")]
    TlsFailed { host: String, detail: String },
    #[error("not done within {} s; it ended while {stage}", .time_limit.as_secs_f64())]
    TimedOut { time_limit: Duration, stage: Stage },
    #[error("{address} closed the connection before the end of its answer: {detail}")]
    Closed { address: SocketAddr, detail: String },
    #[error("{address} does not answer in HTTP/1.1: {detail}")]
    Malformed { address: SocketAddr, detail: String },
    #[error(
        "the head of the answer is longer than {bytes_max} bytes, has more than {fields_max} fields, or promises a body of 16 EiB"
    )]
    HeaderTooLarge { bytes_max: usize, fields_max: usize },
    #[error("the body of the answer is longer than {bytes_max} bytes; the setting outbound.bodyBytesMax bounds it")]
    BodyTooLarge { bytes_max: usize },
    #[error("the body of the answer is encoded ({encoding}), although none was asked for")]
    Encoded { encoding: &'static str },
}

impl Failure {
    /// One word, stable: for a status, for alerts.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "InvalidRequest",
            Self::AddressRefused(_) => AddressRefused::REASON,
            Self::Busy { .. } => "Busy",
            Self::NotResolved { .. } => "NotResolved",
            Self::NotConnected { .. } => "NotConnected",
            Self::TlsFailed { .. } => "TlsFailed",
            Self::TimedOut { .. } => "TimedOut",
            Self::Closed { .. } => "Closed",
            Self::Malformed { .. } => "Malformed",
            Self::HeaderTooLarge { .. } => "HeaderTooLarge",
            Self::BodyTooLarge { .. } => "BodyTooLarge",
            Self::Encoded { .. } => "Encoded",
        }
    }

    /// Whether the receiver may have got the request, or a part of it. `false` is certain: not a byte of
    /// it was written, so sending it again cannot do anything twice.
    #[must_use]
    pub const fn was_sent(&self) -> bool {
        match self {
            Self::InvalidRequest(_)
            | Self::AddressRefused(_)
            | Self::Busy { .. }
            | Self::NotResolved { .. }
            | Self::NotConnected { .. }
            | Self::TlsFailed { .. } => false,
            Self::TimedOut { stage, .. } => matches!(stage, Stage::Answering | Stage::Reading),
            Self::Closed { .. }
            | Self::Malformed { .. }
            | Self::HeaderTooLarge { .. }
            | Self::BodyTooLarge { .. }
            | Self::Encoded { .. } => true,
        }
    }
}

/// Words of others, made fit for ours.
pub(crate) fn quoted(error: &impl fmt::Display) -> String {
    jobwright_engine::text::clip(&error.to_string(), 200)
}
