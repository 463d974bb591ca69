//! A step that sends a request: its values, and what it reads of the answer.

use jobwright_api::{
    Duration, Http, Reason, ValueType,
    http::{HttpHeader, HttpLimits, HttpMethod, HttpOutput, OWN_HEADERS, SecretKey},
};
use serde_json::Value;

use super::{Given, check::Wanted, site::Site};
use crate::{
    expr::{Expression, Members, Type, TypeEnv},
    problem::Problem,
    step::output::integral,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Clone, Debug)]
pub(crate) struct CompiledHttp {
    pub(crate) method: HttpMethod,
    pub(crate) url: Given,
    pub(crate) headers: Vec<(String, CompiledHeader)>,
    pub(crate) query: Vec<(String, Given)>,
    pub(crate) body: Option<Given>,
    pub(crate) timeout: Duration,
    pub(crate) limits: HttpLimits,
    pub(crate) expect: Option<Expression>,
    pub(crate) outputs: Vec<(HttpOutput, Expression)>,
    /// What `expect` and outputs may read.
    pub(crate) types_after: TypeEnv,
}

#[derive(Clone, Debug)]
pub(crate) enum CompiledHeader {
    Given(Given),
    Secret(SecretKey),
}

impl CompiledHttp {
    pub(super) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let headers = self.headers.iter().filter_map(|(_, header)| match header {
            CompiledHeader::Given(given) => Some(given),
            CompiledHeader::Secret(_) => None,
        });
        let query = self.query.iter().map(|(_, given)| given);
        let given = headers.chain(query).chain(&self.body).chain([&self.url]);
        let outputs = self.outputs.iter().map(|(_, expression)| expression);
        given.filter_map(Given::expression).chain(&self.expect).chain(outputs)
    }
}

/// Compiles the request of a step, if it sends one, under these types.
pub(super) fn compile(site: &Site, types: &TypeEnv, problems: &mut Vec<Problem>) -> Option<CompiledHttp> {
    let http = site.step.http.as_ref()?;
    let known = problems.len();
    bounds(site, http, problems);
    let url = url(site, http, types, problems);
    let headers = headers(site, &http.headers, types, problems);
    let mut query = Vec::with_capacity(http.query.len());
    for (index, parameter) in http.query.iter().enumerate() {
        let field = format!("http.query[{index}]");
        let source = (parameter.value.as_ref(), parameter.expression.as_ref());
        let given = text(site, &field, source, Wanted::Any, types, problems);
        query.extend(given.map(|given| (parameter.name.clone(), given)));
    }
    let body = http.body.as_ref().and_then(|body| {
        let source = (body.value.as_ref(), body.expression.as_deref());
        site.given("http.body", source, types, Wanted::Any, problems)
    });
    let response = Members::new()
        .with("status", Type::Int)
        .with("headers", Type::Map(Type::String.into()))
        .with("body", Type::Dyn);
    let types_after = types.clone().with("response", response);
    let expect = http.expect.as_deref();
    let expect = site.optional("http.expect", expect, &types_after, Wanted::Boolean, problems);
    let outputs = outputs(site, &http.outputs, &types_after, problems);
    if problems.len() > known {
        return None;
    }
    Some(CompiledHttp {
        method: http.method,
        url: url?,
        headers,
        query,
        body,
        timeout: http.timeout(),
        limits: http.limits.clone().unwrap_or_default(),
        expect,
        outputs,
        types_after,
    })
}

fn wrong(site: &Site, field: &str, words: impl Into<String>) -> Problem {
    Problem::new(Reason::InvalidDefinition, site.path(field), words.into())
}

fn bounds(site: &Site, http: &Http, problems: &mut Vec<Problem>) {
    let timeout = http.timeout();
    if timeout > Http::TIMEOUT_MAX || timeout.as_millis() == 0 {
        let words = format!(
            "is {timeout}: a request takes longer than 0s and 1h at most; what takes longer belongs into a Job"
        );
        problems.push(wrong(site, "http.timeout", words));
    }
    let is_bodiless = matches!(http.method, HttpMethod::Get | HttpMethod::Head | HttpMethod::Options);
    if http.body.is_some() && is_bodiless {
        let words = format!("{} has no body: write another method, or take query", http.method);
        problems.push(wrong(site, "http.body", words));
    }
    let rate = http.limits.as_ref().and_then(|limits| limits.rate);
    if let Some(rate) = rate.filter(|rate| rate.per > DAY || rate.per.as_millis() == 0 || rate.requests == 0) {
        let words = format!(
            "{} requests per {}: one at least, in 1d at most",
            rate.requests, rate.per
        );
        problems.push(wrong(site, "http.limits.rate", words));
    }
}

/// A literal text, or CEL.
fn text(
    site: &Site,
    field: &str,
    (value, expression): (Option<&String>, Option<&String>),
    wanted: Wanted,
    types: &TypeEnv,
    problems: &mut Vec<Problem>,
) -> Option<Given> {
    if value.is_some() == expression.is_some() {
        let words = "give exactly one of value (a literal) and expression (CEL)";
        problems.push(wrong(site, field, words));
        return None;
    }
    let value = value.map(|text| Value::String(text.clone()));
    let source = (value.as_ref(), expression.map(String::as_str));
    site.given(field, source, types, wanted, problems)
}

fn url(site: &Site, http: &Http, types: &TypeEnv, problems: &mut Vec<Problem>) -> Option<Given> {
    let url = &http.url;
    if let Some(words) = url.value.as_deref().and_then(misspelt) {
        problems.push(wrong(site, "http.url.value", words));
    }
    let source = (url.value.as_ref(), url.expression.as_ref());
    text(site, "http.url", source, Wanted::String, types, problems)
}

/// What can be said of a literal URL before anything runs; the address guard says the rest.
fn misspelt(url: &str) -> Option<&'static str> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    if !matches!(scheme, "http" | "https") {
        return Some("is not a URL that may be called: begin with http:// or https://");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Some("has a user or password: leave them out, and send what is secret in a header with secretKeyRef");
    }
    authority.is_empty().then_some("has no host")
}

fn headers(
    site: &Site,
    headers: &[HttpHeader],
    types: &TypeEnv,
    problems: &mut Vec<Problem>,
) -> Vec<(String, CompiledHeader)> {
    let mut compiled = Vec::with_capacity(headers.len());
    for (index, header) in headers.iter().enumerate() {
        let field = format!("http.headers[{index}]");
        if let Some(words) = wrong_name(&header.name) {
            problems.push(wrong(site, &format!("{field}.name"), words));
        }
        let source = (header.value.as_ref(), header.expression.as_ref());
        let value = match (&header.secret_key_ref, source) {
            (Some(secret), (None, None)) => Some(CompiledHeader::Secret(secret.clone())),
            (Some(_), _) => {
                let words = "give exactly one of value, expression and secretKeyRef";
                problems.push(wrong(site, &field, words));
                None
            }
            (None, source) => {
                let given = text(site, &field, source, Wanted::Any, types, problems);
                given.map(CompiledHeader::Given)
            }
        };
        compiled.extend(value.map(|value| (header.name.clone(), value)));
    }
    compiled
}

fn wrong_name(name: &str) -> Option<String> {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_of_token) {
        return Some("is not the name of a header: write letters, digits and '-', such as X-Request-Id".to_owned());
    }
    let is_own = OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str());
    is_own.then(|| format!("{name} is written by the sender itself: leave it out"))
}

fn outputs(
    site: &Site,
    outputs: &[HttpOutput],
    types: &TypeEnv,
    problems: &mut Vec<Problem>,
) -> Vec<(HttpOutput, Expression)> {
    let mut compiled = Vec::with_capacity(outputs.len());
    for (index, output) in outputs.iter().enumerate() {
        let field = format!("http.outputs[{index}]");
        let default = output.default.as_ref();
        if let Some(default) = default.filter(|value| !output.kind.admits(&integral(output.kind, value))) {
            let words = format!("is {} instead of {}", ValueType::name_of(default), output.kind);
            problems.push(wrong(site, &format!("{field}.default"), words));
        }
        // A null leaves it out where that is allowed: its type is looked at when it is there.
        let may_be_left_out = output.optional || output.default.is_some();
        let wanted = if may_be_left_out {
            Wanted::Any
        } else {
            Wanted::Typed(output.kind)
        };
        let field = format!("{field}.expression");
        let expression = site.expression(&field, &output.expression, types, wanted, problems);
        compiled.extend(expression.map(|expression| (output.clone(), expression)));
    }
    compiled
}
