//! The API server's audit log: who asked for what, to the microsecond, and what it says of us.

pub mod counts;
pub mod invariants;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::{
    env,
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    time::Duration,
};

/// A finished request.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub received: Timestamp,
    pub completed: Timestamp,
    /// Who asked; where somebody asked as another, that other.
    pub user: String,
    pub verb: String,
    pub uri: String,
    pub namespace: String,
    pub resource: String,
    pub subresource: String,
    pub name: String,
    pub code: i64,
    pub request: Value,
    pub response: Value,
}

impl Event {
    /// `verb resource` or `verb resource/subresource`.
    #[must_use]
    pub fn what(&self) -> String {
        let Self {
            verb,
            resource,
            subresource,
            ..
        } = self;
        let dry = if self.is_dry_run() { " (dry run)" } else { "" };
        if subresource.is_empty() {
            format!("{verb} {resource}{dry}")
        } else {
            format!("{verb} {resource}/{subresource}{dry}")
        }
    }

    /// The version of what was stored: etcd's own order, of all kinds.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        text(&self.response, "/metadata/resourceVersion").parse().ok()
    }

    /// The API server did it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        (200..300).contains(&self.code) && !self.is_dry_run()
    }

    /// The API server gave no answer, but may have done it.
    #[must_use]
    pub fn may_be_done(&self) -> bool {
        (self.code == 0 || self.code >= 500) && !self.is_dry_run()
    }

    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        self.uri.contains("dryRun=")
    }

    /// The status of a Workflow that this request has stored.
    #[must_use]
    pub fn stored_status(&self) -> Option<&Value> {
        let writes = matches!(self.verb.as_str(), "patch" | "update");
        let is_ours = self.resource == "workflows" && self.subresource == "status";
        (writes && is_ours && self.is_done()).then(|| self.response.get("status"))?
    }
}

/// The log as it lies in the file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    request_received_timestamp: Timestamp,
    stage_timestamp: Timestamp,
    stage: String,
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    user: User,
    impersonated_user: Option<User>,
    #[serde(default)]
    object_ref: ObjectReference,
    response_status: Option<ResponseStatus>,
    #[serde(default)]
    request_object: Value,
    #[serde(default)]
    response_object: Value,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ObjectReference {
    resource: String,
    namespace: String,
    name: String,
    subresource: String,
}

#[derive(Deserialize)]
struct ResponseStatus {
    #[serde(default)]
    code: i64,
}

/// Where this cluster's log is.
pub fn path() -> Result<PathBuf> {
    let path = env::var_os("JOBWRIGHT_AUDIT_LOG");
    path.map(PathBuf::from)
        .context("JOBWRIGHT_AUDIT_LOG is not set: run this under `jobwright-cluster run`")
}

/// A request is logged after its answer has gone out: gives the last ones the time for that.
pub async fn settle() {
    crate::harness::wait::let_pass(Duration::from_millis(300), "the audit log cannot be watched").await;
}

/// The finished requests about one namespace, or about all with an empty name, in the order of the log.
pub fn read(path: &Path, namespace: &str) -> Result<Vec<Event>> {
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    // Looked for in the text first: most lines are about other tests.
    let mark = format!("/namespaces/{namespace}");
    let mut events = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line?;
        if !namespace.is_empty() && !line.contains(&mark) {
            continue;
        }
        // The last line may be in the making.
        if let Ok(line) = serde_json::from_str::<Line>(&line)
            && line.stage == "ResponseComplete"
            && (namespace.is_empty() || line.object_ref.namespace == namespace)
        {
            events.push(line.into());
        }
    }
    Ok(events)
}

impl From<Line> for Event {
    fn from(line: Line) -> Self {
        Self {
            received: line.request_received_timestamp,
            completed: line.stage_timestamp,
            user: line.impersonated_user.unwrap_or(line.user).username,
            verb: line.verb,
            uri: line.request_uri,
            namespace: line.object_ref.namespace,
            resource: line.object_ref.resource,
            subresource: line.object_ref.subresource,
            name: line.object_ref.name,
            code: line.response_status.map_or(0, |status| status.code),
            request: line.request_object,
            response: line.response_object,
        }
    }
}

/// A text below a value, by JSON pointer; empty where there is none.
#[must_use]
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
