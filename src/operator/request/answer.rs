//! From what came over the line to what the engine is told.

use jobwright_api::Reason;
use jobwright_engine::http::{Lost, Response, is_json};
use jobwright_outbound::{Failure, Response as Raw};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// As much of a body as a message quotes, and room for what is escaped.
const EXCERPT_CHARS: usize = 256;
/// Shorter ones are no secrets, and would tear holes into every answer.
const SECRET_BYTES_MIN: usize = 4;
/// What stands after a word such as Bearer, from this length on.
const TOKEN_BYTES_MIN: usize = 8;

/// Why there is no answer, and whether another attempt may bring one.
pub(super) fn lost(failure: &Failure) -> Lost {
    let (reason, may_pass) = match failure {
        Failure::InvalidRequest(_) => (Reason::InvalidInput, false),
        Failure::AddressRefused(_) => (Reason::AddressRefused, false),
        Failure::TimedOut { .. } => (Reason::DeadlineExceeded, true),
        Failure::Busy { .. }
        | Failure::NotResolved { .. }
        | Failure::NotConnected { .. }
        | Failure::TlsFailed { .. }
        | Failure::Closed { .. } => (Reason::ConnectionFailed, true),
        Failure::Malformed { .. } | Failure::Encoded { .. } => (Reason::ResponseInvalid, false),
        Failure::HeaderTooLarge { .. } | Failure::BodyTooLarge { .. } => (Reason::TooLarge, false),
    };
    Lost {
        reason,
        message: failure.to_string(),
        may_pass,
    }
}

/// Nothing can be sent at all.
pub(super) fn unset(words: String) -> Lost {
    Lost {
        reason: Reason::ConnectionFailed,
        message: words,
        may_pass: true,
    }
}

/// An answer as expressions see it. Receivers echo what they were sent: the secrets among that are taken out first.
pub(super) fn response(raw: &Raw, retry_after: Option<Duration>, secrets: &[Vec<u8>]) -> Response {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &raw.headers {
        let value = without(&String::from_utf8_lossy(value.as_bytes()), secrets);
        let known = headers.entry(name.as_str().to_owned()).or_default();
        // A name that stands twice has both values (RFC 9110, 5.3).
        if !known.is_empty() {
            known.push_str(", ");
        }
        known.push_str(&value);
    }
    let text = without(&String::from_utf8_lossy(&raw.body), secrets);
    let is_json = headers.get("content-type").is_some_and(|kind| is_json(kind));
    let parsed = is_json.then(|| serde_json::from_str(&text).ok()).flatten();
    let excerpt = text.chars().take(EXCERPT_CHARS).collect();
    Response {
        status: raw.status,
        headers,
        body: parsed.unwrap_or(Value::String(text)),
        excerpt,
        retry_after: retry_after.map(|pause| {
            let milliseconds = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            jobwright_api::Duration::from_millis(milliseconds)
        }),
    }
}

/// The same text with `…` where a secret stood.
fn without(text: &str, secrets: &[Vec<u8>]) -> String {
    let mut clean = text.to_owned();
    for secret in secrets {
        let Ok(secret) = std::str::from_utf8(secret) else {
            continue;
        };
        let token = secret.rsplit(' ').next().filter(|token| token.len() >= TOKEN_BYTES_MIN);
        let whole = Some(secret).filter(|secret| secret.len() >= SECRET_BYTES_MIN);
        for part in whole.into_iter().chain(token) {
            clean = clean.replace(part, "…");
            // As it stands within a string of JSON.
            let escaped = Value::from(part).to_string();
            clean = clean.replace(escaped.trim_matches('"'), "…");
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use serde_json::json;

    fn read(kind: &str, body: &str, secrets: &[&str]) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", kind.parse().unwrap());
        headers.append("X-A", "1".parse().unwrap());
        headers.append("X-A", "2".parse().unwrap());
        let raw = Raw {
            status: 200,
            headers,
            body: body.to_owned().into(),
            address: "127.0.0.1:1".parse().unwrap(),
        };
        let secrets: Vec<Vec<u8>> = secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect();
        response(&raw, None, &secrets)
    }

    #[test]
    fn a_body_is_parsed_by_its_type() {
        assert_eq!(
            read("application/json; charset=utf-8", r#"{"a": 1}"#, &[]).body,
            json!({"a": 1})
        );
        assert_eq!(read("application/problem+json", "[1]", &[]).body, json!([1]));
        assert_eq!(read("text/plain", r#"{"a": 1}"#, &[]).body, json!(r#"{"a": 1}"#));
        assert_eq!(read("application/json", "{", &[]).body, json!("{"));
        let deep = "[".repeat(100_000);
        assert_eq!(read("application/json", &deep, &[]).body, json!(deep));
        assert_eq!(read("text/plain", "", &[]).headers["x-a"], "1, 2");
    }

    #[test]
    fn an_echoed_secret_is_taken_out() {
        let echo = r#"{"authorization": "Bearer hunter2-long", "again": "hunter2-long", "quoted": "a\"bcd"}"#;
        let found = read("application/json", echo, &["Bearer hunter2-long", "a\"bcd"]);
        let shown = format!("{found:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("bcd"), "{shown}");
        assert_eq!(found.body, json!({"authorization": "…", "again": "…", "quoted": "…"}));
        assert_eq!(
            read("text/plain", "abc", &["abc"]).body,
            json!("abc"),
            "too short for a secret"
        );
    }
}
