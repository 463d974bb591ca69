//! The values of an attempt as environment variables: data, never text to be read again.

use jobwright_api::{Reason, meta::variable};
use k8s_openapi::api::core::v1::EnvVar;
use serde_json::Value;

use super::{Attempt, Unbuildable, check::quote, name, program::literal};

/// All inputs of a step with their names, as they stand in its environment. Linux bounds one variable to 128 KiB; this
/// keeps the Job, where each `$` counts twice, small among the objects of the API server.
pub const INPUT_BYTES_MAX: usize = 65_536;

/// The variables that every main container gets.
///
/// # Guarantees
/// The program reads each value byte for byte: `$(HOME)` stays `$(HOME)`.
pub(super) fn variables(attempt: &Attempt<'_>) -> Result<Vec<EnvVar>, Unbuildable> {
    let mut variables = Vec::new();
    let mut bytes: usize = 0;
    for (input, value) in attempt.inputs {
        let name = format!("{}{}", variable::INPUT_PREFIX, input.to_ascii_uppercase());
        let text = text(value);
        bytes = bytes.saturating_add(name.len()).saturating_add(text.len());
        variables.push(checked(name, &text, &format!("input {}", quote(input)))?);
    }
    if bytes > INPUT_BYTES_MAX {
        let message = format!(
            "the inputs are {bytes} bytes, and {INPUT_BYTES_MAX} is the most that a step is \
                 given: hand over a reference (a URL, or a path on a volume) in place of the data"
        );
        return Err(Unbuildable::new(Reason::TooLarge, &message));
    }
    let (run, id, number) = (attempt.run, attempt.id, attempt.number);
    let ours = [
        (variable::WORKFLOW, run.name.clone()),
        (variable::RUN, run.run.to_string()),
        (variable::STEP, id.to_string()),
        (variable::ATTEMPT, number.to_string()),
        (variable::IDEMPOTENCY_KEY, attempt.idempotency_key.to_owned()),
        (variable::TRACEPARENT, name::trace_parent(run, id, number)),
    ];
    for (name, value) in ours {
        variables.push(checked(name.to_owned(), &value, name)?);
    }
    Ok(variables)
}

/// Strings as they are, all else as compact JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn checked(name: String, value: &str, what: &str) -> Result<EnvVar, Unbuildable> {
    if value.contains('\0') {
        let message = format!("{what} has a NUL character, which no environment variable can have");
        return Err(Unbuildable::invalid(&message));
    }
    Ok(EnvVar {
        name,
        value: Some(literal(value)),
        value_from: None,
    })
}
