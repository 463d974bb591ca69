//! What an answer means for the step.

use jobwright_api::{Duration, Reason, ValueType, http::HttpOutput};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

use super::{Answer, Lost, Response};
use crate::{
    draft::Draft,
    expr::{self, Expression, Scope},
    frame::Instance,
    graph::CompiledHttp,
    number::as_stored,
    run::Run,
    scope,
    step::{
        attempt::{Failure, Seen},
        outcome,
        output::integral,
        retry::Class,
    },
    text::clip,
};

/// How much of a body is quoted, in bytes.
const QUOTE_BYTES_MAX: usize = 200;
/// What a step may give in all, as much as a termination message holds.
const OUTPUTS_BYTES_MAX: usize = 4096;
/// A receiver may ask for a pause; for no longer than this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// Ends the attempt by its answer.
pub(super) fn take_in(run: &Run, draft: &mut Draft, instance: Instance<'_>, http: &CompiledHttp, answer: &Answer) {
    let seen = Seen {
        started: true,
        ..Seen::default()
    };
    let judged = match answer {
        Err(lost) => Err(of_lost(lost)),
        Ok(response) => {
            draft.edit_attempt(instance.key(), |attempt| {
                attempt.response_status = Some(response.status);
            });
            judge(run, draft, instance, http, response)
        }
    };
    match judged {
        Ok(outputs) => outcome::succeed(draft, instance, outputs, seen),
        Err(wrong) => {
            let not_before = wrong.pause.map(|pause| pause.min(RETRY_AFTER_MAX));
            let ended = (&wrong.failure, seen);
            outcome::fail_as(draft, instance, &run.identity, ended, (wrong.class, not_before));
        }
    }
}

struct Wrong {
    failure: Failure,
    class: Class,
    pause: Option<Duration>,
}

impl Wrong {
    fn last(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            failure: Failure::new(reason, message),
            class: Class::Final,
            pause: None,
        }
    }
}

fn of_lost(lost: &Lost) -> Wrong {
    let class = if lost.may_pass { Class::Program } else { Class::Final };
    Wrong {
        class,
        ..Wrong::last(lost.reason.clone(), lost.message.clone())
    }
}

fn judge(
    run: &Run,
    draft: &Draft,
    instance: Instance<'_>,
    http: &CompiledHttp,
    response: &Response,
) -> Result<BTreeMap<String, Value>, Wrong> {
    let root = json!({
        "status": response.status,
        "headers": response.headers,
        "body": response.body,
    });
    let root = as_stored(root);
    let scope_of = |expression: &Expression| -> Scope<'_> {
        scope::of(run, draft, instance, expression)
            .typed(&http.types_after)
            .with_ref("response", &root)
    };
    let is_expected = match &http.expect {
        None => Ok((200..=299).contains(&response.status)),
        Some(expect) => match expect.evaluate(&scope_of(expect)) {
            Ok(Value::Bool(is_expected)) => Ok(is_expected),
            Ok(other) => Err(format!(
                "http.expect: gives {} instead of a boolean",
                ValueType::name_of(&other)
            )),
            Err(error) => Err(format!("http.expect: {error}")),
        },
    };
    match is_expected {
        Ok(true) => outputs(http, |expression| expression.evaluate(&scope_of(expression))),
        _ if is_passing(response.status) => Err(Wrong {
            failure: Failure::new(Reason::Unavailable, said(response)),
            class: Class::Program,
            pause: response.retry_after,
        }),
        Ok(false) => Err(Wrong::last(Reason::UnexpectedResponse, said(response))),
        Err(words) => Err(Wrong::last(
            Reason::ExpressionError,
            format!("{words}; {}", said(response)),
        )),
    }
}

/// The receiver, or what stands before it, cannot answer now.
const fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

fn said(response: &Response) -> String {
    let body = clip(&response.excerpt, QUOTE_BYTES_MAX);
    if body.is_empty() {
        format!("the answer has status {} and no body", response.status)
    } else {
        format!("the answer has status {}: {body}", response.status)
    }
}

fn outputs(
    http: &CompiledHttp,
    evaluate: impl Fn(&Expression) -> Result<Value, expr::Error>,
) -> Result<BTreeMap<String, Value>, Wrong> {
    let mut outputs = Map::new();
    for (output, expression) in &http.outputs {
        let value = match evaluate(expression) {
            Ok(value) => value,
            Err(expr::Error::Absent { .. }) if output.optional || output.default.is_some() => Value::Null,
            Err(error) => {
                let words = format!("output {}: {error}", output.name);
                return Err(Wrong::last(Reason::OutputInvalid, words));
            }
        };
        let value = if value.is_null() {
            output.default.clone()
        } else {
            Some(value)
        };
        match value {
            Some(value) => drop(outputs.insert(output.name.clone(), typed(output, &value)?)),
            None if output.optional => {}
            None => return Err(mistyped(output, &Value::Null)),
        }
    }
    let bytes = serde_json::to_string(&outputs).map_or(usize::MAX, |text| text.len());
    if bytes > OUTPUTS_BYTES_MAX {
        let words = format!(
            "the outputs are {bytes} bytes, {OUTPUTS_BYTES_MAX} are kept: take less of the answer, or a reference such as a URL"
        );
        return Err(Wrong::last(Reason::TooLarge, words));
    }
    Ok(outputs.into_iter().collect())
}

fn typed(output: &HttpOutput, value: &Value) -> Result<Value, Wrong> {
    let value = integral(output.kind, value);
    if output.kind.admits(&value) {
        return Ok(as_stored(value));
    }
    Err(mistyped(output, &value))
}

fn mistyped(output: &HttpOutput, value: &Value) -> Wrong {
    let found = ValueType::name_of(value);
    let words = format!("output {}: gives {found} instead of {}", output.name, output.kind);
    Wrong::last(Reason::OutputInvalid, words)
}
