//! Rules of requests.

use serde_json::{Value, json};

use super::{DURATION, at, rule};
use crate::http::OWN_HEADERS;

pub(crate) fn request() -> Value {
    json!([
        at(
            "body",
            "!has(self.body) || !has(self.method) || !(self.method in ['GET', 'HEAD', 'OPTIONS'])",
            "GET, HEAD and OPTIONS have no body: write method POST, PUT, PATCH or DELETE, or take query",
        ),
        at(
            "timeout",
            &format!(
                "!has(self.timeout) || !self.timeout.matches('{DURATION}') || (!self.timeout.contains('d') && duration(self.timeout) <= duration('1h'))"
            ),
            "a request takes 1h at most: what takes longer belongs into a Job, or answers later",
        ),
    ])
}

pub(crate) fn url() -> Value {
    json!([
        rule(
            "has(self.value) != has(self.expression)",
            "give exactly one of value (a literal) and expression (CEL)",
        ),
        at(
            "value",
            "!has(self.value) || self.value.matches('^https?://[^/?#@]+([/?].*)?$')",
            "is not a URL that may be called: write http://host/path or https://host/path, without user, password and fragment (what is secret goes into a header with secretKeyRef)",
        ),
    ])
}

pub(crate) fn parameter() -> Value {
    json!([rule(
        "has(self.value) != has(self.expression)",
        "give exactly one of value (a literal) and expression (CEL)",
    )])
}

pub(crate) fn header() -> Value {
    json!([rule(
        "[has(self.value), has(self.expression), has(self.secretKeyRef)].filter(k, k).size() == 1",
        "give exactly one of value (a literal), expression (CEL) and secretKeyRef",
    )])
}

pub(crate) fn headers() -> Value {
    let own = OWN_HEADERS.join("','");
    json!([rule(
        &format!("!self.exists(h, h.name.lowerAscii() in ['{own}'])"),
        &format!(
            "{} are written by the sender itself: leave them out",
            OWN_HEADERS.join(", ")
        ),
    )])
}
