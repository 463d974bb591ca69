//! Conversions between types (CEL specification, "Type Conversions").

use super::misfit;
use crate::expr::error::quote;
use crate::expr::fault::Fault;
use crate::expr::operators::{article, overflow, to_double, whole};
use crate::expr::runtime::Runtime;
use crate::expr::value::Value;

pub(super) fn int<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    match arguments {
        [Value::Int(int)] => Ok(Value::Int(*int)),
        [Value::Double(double)] => whole(double.trunc())
            .map(Value::Int)
            .ok_or_else(|| overflow(&format!("int({double})"))),
        [Value::String(text)] => {
            runtime.read(text.len())?;
            text.parse()
                .map(Value::Int)
                .map_err(|_| unreadable(text, "an integer of 64 bits"))
        }
        [other] => Err(unconvertible("int", other)),
        _ => Err(misfit()),
    }
}

pub(super) fn double<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    match arguments {
        [Value::Int(int)] => Ok(Value::Double(to_double(*int))),
        [Value::Double(double)] => Ok(Value::Double(*double)),
        [Value::String(text)] => {
            runtime.read(text.len())?;
            match text.parse::<f64>() {
                Ok(double) if double.is_finite() => Ok(Value::Double(double)),
                _ => Err(unreadable(text, "a finite number")),
            }
        }
        [other] => Err(unconvertible("double", other)),
        _ => Err(misfit()),
    }
}

pub(super) fn string<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let text = match arguments {
        [Value::String(text)] => return Ok(Value::String(text.clone())),
        [Value::Int(int)] => int.to_string(),
        [Value::Double(double)] => double_text(*double),
        [Value::Bool(value)] => value.to_string(),
        [other] => {
            let kind = article(other.type_name());
            return Err(Fault::Type(format!("string() does not take {kind}: write json(…)")));
        }
        _ => return Err(misfit()),
    };
    // More than the bytes: digits are dear to make.
    runtime.make(text.len().saturating_add(64))?;
    Ok(Value::text(text))
}

/// Plain digits where a person would write them, an exponent where they would fill a page.
fn double_text(double: f64) -> String {
    let size = double.abs();
    if double == 0.0 || !double.is_finite() || (1e-6..1e21).contains(&size) {
        format!("{double}")
    } else {
        format!("{double:e}")
    }
}

pub(super) fn bool<'a>(_: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    match arguments {
        [Value::Bool(value)] => Ok(Value::Bool(*value)),
        [Value::String(text)] => match &**text {
            "true" | "True" | "TRUE" | "t" | "1" => Ok(Value::Bool(true)),
            "false" | "False" | "FALSE" | "f" | "0" => Ok(Value::Bool(false)),
            _ => Err(unreadable(text, "true or false")),
        },
        [other] => Err(unconvertible("bool", other)),
        _ => Err(misfit()),
    }
}

/// Compact JSON, keys in alphabetical order: equal values give equal texts.
pub(super) fn json<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let [value] = arguments else {
        return Err(misfit());
    };
    let text = value.to_json(runtime)?.to_string();
    runtime.make(text.len())?;
    Ok(Value::text(text))
}

pub(super) fn dynamic<'a>(_: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    match arguments {
        [value] => Ok(value.clone()),
        _ => Err(misfit()),
    }
}

fn unreadable(text: &str, wanted: &str) -> Fault {
    Fault::Evaluation(format!("\"{}\" is not {wanted}", quote(text)))
}

fn unconvertible(function: &str, value: &Value<'_>) -> Fault {
    Fault::Type(format!("{function}() does not take {}", article(value.type_name())))
}
