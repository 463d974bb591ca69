//! Outputs: the termination message against what was declared.

use jobwright_api::{Output, ValueType, value::OutputFormat};
use serde_json::Value;
use std::collections::BTreeMap;

use crate::{number::as_stored, text::clip};

/// How much of a wrong message is quoted, in bytes.
const QUOTE_BYTES_MAX: usize = 200;
/// The kubelet cuts messages here (Kubernetes API, `ContainerStateTerminated.message`).
const MESSAGE_BYTES_MAX: usize = 4096;

/// Reads the outputs of a step from its termination message.
///
/// # Errors
/// What is wrong with the message, quoting what came.
pub(crate) fn read(declared: &[Output], message: &str) -> Result<BTreeMap<String, Value>, String> {
    if declared.is_empty() {
        return Ok(BTreeMap::new());
    }
    if message.contains(char::REPLACEMENT_CHARACTER) {
        // The kubelet puts it where bytes were no UTF-8.
        return Err(format!("the termination message is not UTF-8: {}", quote(message)));
    }
    if let [only] = declared
        && only.format == Some(OutputFormat::Text)
    {
        return read_text(only, message);
    }
    let members = members(message)?;
    let mut outputs = BTreeMap::new();
    for output in declared {
        match members.get(&output.name).filter(|value| !value.is_null()) {
            Some(value) => {
                outputs.insert(output.name.clone(), as_stored(typed(output, value, message)?));
            }
            None => {
                if let Some(default) = &output.default {
                    outputs.insert(output.name.clone(), as_stored(default.clone()));
                } else if !output.optional {
                    return Err(missing(output, message));
                }
            }
        }
    }
    Ok(outputs)
}

fn read_text(output: &Output, message: &str) -> Result<BTreeMap<String, Value>, String> {
    let value = match (message.is_empty(), &output.default) {
        (false, _) => Value::String(message.to_owned()),
        (true, Some(default)) => default.clone(),
        (true, None) if output.optional => return Ok(BTreeMap::new()),
        (true, None) => return Err(missing(output, message)),
    };
    Ok(BTreeMap::from([(output.name.clone(), value)]))
}

fn members(message: &str) -> Result<serde_json::Map<String, Value>, String> {
    if message.trim().is_empty() {
        return Ok(serde_json::Map::new());
    }
    match serde_json::from_str::<Value>(message) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(other) => Err(format!(
            "the termination message is {} instead of a JSON object: {}",
            ValueType::name_of(&other),
            quote(message)
        )),
        Err(_) if message.len() >= MESSAGE_BYTES_MAX => Err(format!(
            "the termination message was cut at {MESSAGE_BYTES_MAX} bytes: write a reference (a URL, a path on a volume) instead of the data: {}",
            quote(message)
        )),
        Err(error) => Err(format!(
            "the termination message is not JSON ({error}): {}",
            quote(message)
        )),
    }
}

fn typed(output: &Output, value: &Value, message: &str) -> Result<Value, String> {
    let value = integral(output.kind, value);
    if output.kind.admits(&value) {
        return Ok(value);
    }
    Err(format!(
        "output {} is {} instead of {}: {}",
        output.name,
        ValueType::name_of(&value),
        output.kind,
        quote(message)
    ))
}

/// JSON has one kind of number: `3.0` is an integer.
pub(crate) fn integral(kind: ValueType, value: &Value) -> Value {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be whole and within 2^53 before"
    )]
    match (kind, value.as_f64()) {
        (ValueType::Integer, Some(number))
            if value.is_f64() && number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 =>
        {
            Value::from(number as i64)
        }
        _ => value.clone(),
    }
}

fn missing(output: &Output, message: &str) -> String {
    format!(
        "output {} is missing: write it to /dev/termination-log, or declare it optional or with a default; what came: {}",
        output.name,
        quote(message)
    )
}

fn quote(message: &str) -> String {
    if message.is_empty() {
        "nothing".to_owned()
    } else {
        format!("{:?}", clip(message, QUOTE_BYTES_MAX))
    }
}
