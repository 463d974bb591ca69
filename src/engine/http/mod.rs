//! Steps that send a request: an attempt history as of a Job, and no Job.
//!
//! ```text
//!  Scheduled ──AdmitRequest──> Running, and that is stored ──SendRequest──> the answer
//!     │  the endpoint holds it back: it waits, and no attempt is spent
//! ```
//! Nobody but this process knows what became of a request: so its start is stored before it is sent, and an
//! attempt that is stored as running, and that this process does not know, was interrupted.

mod answer;
mod attempt;
mod request;
mod stored;

pub(crate) use attempt::{begin, observe};
pub use request::is_json;
pub(crate) use stored::must_store_first;

use jiff::Timestamp;
use jobwright_api::{
    Duration, Reason, SubStatus,
    http::{HttpLimits, HttpMethod, SecretKey},
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// One request as it is to be sent. What is secret in it is named, not held.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Printed id.
    pub step: String,
    pub attempt: u32,
    pub method: HttpMethod,
    /// With its query.
    pub url: String,
    pub headers: Vec<(String, Header)>,
    pub body: Option<String>,
    /// Of the whole attempt.
    pub timeout: Duration,
    pub limits: HttpLimits,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    Text(String),
    Secret(SecretKey),
}

/// What this process knows of the request of an attempt. What is not known was sent by a process that is no
/// more, or never.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// It may not go yet: to be asked again then.
    Held {
        until: Timestamp,
        why: SubStatus,
        message: String,
    },
    /// Its place is kept: it may go.
    Admitted,
    /// It is on its way.
    Sent,
    Answered(Arc<Answer>),
}

/// What became of a request.
pub type Answer = Result<Response, Lost>;

/// A whole answer, whatever its status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    pub status: u16,
    /// By name in lower case.
    pub headers: BTreeMap<String, String>,
    /// Parsed where its type is JSON, else a text.
    pub body: Value,
    /// The begin of the body as it came, for messages.
    pub excerpt: String,
    /// What the receiver asks for before the next attempt.
    pub retry_after: Option<Duration>,
}

/// There is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    pub reason: Reason,
    pub message: String,
    /// Another attempt may end otherwise.
    pub may_pass: bool,
}
