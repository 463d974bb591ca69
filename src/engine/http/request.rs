//! From a definition and the values of a moment to the request of an attempt.

use jobwright_api::{Reason, ValueType};
use serde_json::Value;
use std::fmt::Write as _;

use super::{Header, Request};
use crate::{
    draft::Draft,
    frame::Instance,
    graph::{CompiledHeader, CompiledHttp, Given},
    job::{INPUT_BYTES_MAX, Unbuildable},
    number::as_stored,
    run::Run,
    scope,
    step::start,
    text::{MESSAGE_BYTES_MAX, clip},
};

/// Equal over the attempts of a step (the draft "The Idempotency-Key HTTP Header Field" of the IETF).
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
const CONTENT_TYPE: &str = "Content-Type";

/// Makes the request of an attempt from what is known now. Equal at every look: what it reads has ended.
pub(super) fn request(
    run: &Run,
    draft: &Draft,
    instance: Instance<'_>,
    http: &CompiledHttp,
    attempt: u32,
) -> Result<Request, Unbuildable> {
    let value = |field: &str, given: &Given| {
        let value = scope::value(run, draft, instance, given);
        value
            .map(as_stored)
            .map_err(|error| refuse(Reason::ExpressionError, &format!("http.{field}: {error}")))
    };
    let Value::String(url) = value("url", &http.url)? else {
        return Err(refuse(Reason::InvalidInput, "http.url: gives no string"));
    };
    let mut query = Vec::with_capacity(http.query.len());
    for (name, given) in &http.query {
        let field = format!("query[{name}]");
        query.extend(plain(&field, value(&field, given)?)?.map(|text| (name.as_str(), text)));
    }
    let mut headers = Vec::with_capacity(http.headers.len().saturating_add(2));
    for (name, header) in &http.headers {
        let field = format!("headers[{name}]");
        let header = match header {
            CompiledHeader::Secret(secret) => Some(Header::Secret(secret.clone())),
            CompiledHeader::Given(given) => plain(&field, value(&field, given)?)?.map(Header::Text),
        };
        headers.extend(header.map(|header| (name.clone(), header)));
    }
    let body = match &http.body {
        Some(given) => Some(body(&mut headers, &value("body", given)?)?),
        None => None,
    };
    if !has(&headers, IDEMPOTENCY_KEY) {
        let key = start::idempotency_key(run, draft, instance)?;
        headers.push((IDEMPOTENCY_KEY.to_owned(), Header::Text(key)));
    }
    Ok(Request {
        step: instance.key().to_owned(),
        attempt,
        method: http.method,
        url: with_query(url, &query),
        headers,
        body,
        timeout: http.timeout,
        limits: http.limits.clone(),
    })
}

fn refuse(reason: Reason, message: &str) -> Unbuildable {
    Unbuildable {
        reason,
        message: clip(message, MESSAGE_BYTES_MAX),
    }
}

fn has(headers: &[(String, Header)], name: &str) -> bool {
    headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// A text of one line; none where the value is null.
fn plain(field: &str, value: Value) -> Result<Option<String>, Unbuildable> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(_) | Value::Bool(_) => Ok(Some(value.to_string())),
        Value::Array(_) | Value::Object(_) => {
            let found = ValueType::name_of(&value);
            let words =
                format!("http.{field}: gives {found} instead of a string, number or boolean: wrap it in json()");
            Err(refuse(Reason::InvalidInput, &words))
        }
    }
}

/// JSON, unless a header says that it is something else, and then a text goes as it is.
fn body(headers: &mut Vec<(String, Header)>, value: &Value) -> Result<String, Unbuildable> {
    let own = headers.iter().find_map(|(name, header)| match header {
        Header::Text(text) if name.eq_ignore_ascii_case(CONTENT_TYPE) => Some(text),
        Header::Text(_) | Header::Secret(_) => None,
    });
    let is_json = own.is_none_or(|kind| is_json(kind));
    if !has(headers, CONTENT_TYPE) {
        headers.push((CONTENT_TYPE.to_owned(), Header::Text("application/json".to_owned())));
    }
    let text = match value {
        Value::String(text) if !is_json => text.clone(),
        other => other.to_string(),
    };
    if text.len() > INPUT_BYTES_MAX {
        let words = format!(
            "http.body: is {} bytes, and {INPUT_BYTES_MAX} is the most that is sent: hand over a reference, such as a URL",
            text.len()
        );
        return Err(refuse(Reason::TooLarge, &words));
    }
    Ok(text)
}

/// `application/json`, or a type that is made of it (RFC 6839, 3.1).
#[must_use]
pub fn is_json(content_type: &str) -> bool {
    let kind = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    kind == "application/json" || kind == "text/json" || kind.ends_with("+json")
}

/// Each part is encoded by itself: no value can become a part of the URL's form.
fn with_query(mut url: String, query: &[(&str, String)]) -> String {
    for (name, value) in query {
        url.push(if url.contains('?') { '&' } else { '?' });
        encode(&mut url, name);
        url.push('=');
        encode(&mut url, value);
    }
    url
}

/// All but the unreserved characters (RFC 3986, 2.3).
fn encode(into: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(into, "%{byte:02X}").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_part_by_part() {
        for (url, query, expected) in [
            ("http://h/p", vec![], "http://h/p"),
            (
                "http://h/p",
                vec![("a", "b c&d=é/?#")],
                "http://h/p?a=b%20c%26d%3D%C3%A9%2F%3F%23",
            ),
            (
                "http://h/p?x=1",
                vec![("a b", "1"), ("c", "")],
                "http://h/p?x=1&a%20b=1&c=",
            ),
        ] {
            let query: Vec<(&str, String)> = query
                .into_iter()
                .map(|(name, value)| (name, value.to_owned()))
                .collect();
            assert_eq!(with_query(url.to_owned(), &query), expected);
        }
    }

    #[test]
    fn a_body_is_json_unless_a_header_says_otherwise() {
        let send = |kind: Option<&str>, value: Value| {
            let mut headers: Vec<(String, Header)> = kind
                .map(|kind| ("content-TYPE".to_owned(), Header::Text(kind.to_owned())))
                .into_iter()
                .collect();
            let text = body(&mut headers, &value).unwrap();
            assert_eq!(headers.len(), 1);
            text
        };
        assert_eq!(send(None, "a".into()), "\"a\"");
        assert_eq!(send(Some("text/plain; charset=utf-8"), "a".into()), "a");
        assert_eq!(send(Some("application/problem+json"), "a".into()), "\"a\"");
        assert_eq!(send(Some("text/plain"), serde_json::json!([1])), "[1]");
        assert!(body(&mut Vec::new(), &"x".repeat(70_000).into()).is_err());
    }
}
