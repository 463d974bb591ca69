//! What a step is given, against what its Task declares.

use jobwright_api::{Input, Reason, ValueType};
use regex::{Error, Regex, RegexBuilder};
use serde_json::Value;
use std::collections::BTreeMap;

use super::{Unbuildable, check::quote};
use crate::text::nearest;

/// The regex crate never backtracks, but at worst it visits each state of the compiled pattern for each byte of text:
/// 64 KiB of states over 4 KiB of text took 4 ms, measured with `[ab]*[ab]{700}[ab]*b`.
const PATTERN_BYTES_MAX: usize = 65_536;
/// Longest value that may be held against a pattern.
const MATCHED_BYTES_MAX: usize = 4_096;

/// Fills in defaults and checks types, patterns and names. A null is as good as nothing given.
///
/// An inline job declares nothing and takes what it is given.
///
/// # Errors
/// `InvalidInput`, naming each input that is wrong.
pub fn check_inputs(
    declared: Option<&[Input]>,
    given: BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, Unbuildable> {
    let mut given = given;
    given.retain(|_, value| !value.is_null());
    let Some(declared) = declared else {
        return Ok(given);
    };
    let mut checked = BTreeMap::new();
    let mut wrong = Vec::new();
    for input in declared {
        let value = given.remove(&input.name).or_else(|| input.default.clone());
        match value.map(|value| admit(input, &value)) {
            Some(Ok(value)) => {
                checked.insert(input.name.clone(), value);
            }
            Some(Err(hint)) => wrong.push(format!("input {} {hint}", quote(&input.name))),
            None if input.optional => {}
            None => wrong.push(format!(
                "input {} is required ({}), and was not given",
                quote(&input.name),
                input.kind
            )),
        }
    }
    for name in given.keys() {
        let names = || declared.iter().map(|input| input.name.as_str());
        let hint = match nearest(name, names()) {
            Some(near) => format!("did you mean {near}?"),
            None if declared.is_empty() => "the Task declares none".to_owned(),
            None => format!("the Task declares {}", names().collect::<Vec<_>>().join(", ")),
        };
        wrong.push(format!("input {} is not declared: {hint}", quote(name)));
    }
    if wrong.is_empty() {
        Ok(checked)
    } else {
        Err(Unbuildable::new(Reason::InvalidInput, &wrong.join("; ")))
    }
}

/// What is wrong with a declared input, if anything: the field, and what to do.
pub(crate) fn declaration(input: &Input) -> Option<(&'static str, String)> {
    if let Some(pattern) = &input.pattern {
        if input.kind != ValueType::String {
            let words = format!("a pattern is for strings, and the type is {}: leave it out", input.kind);
            return Some(("pattern", words));
        }
        if let Err(error) = compile(pattern) {
            return Some(("pattern", format!("not a regular expression (RE2): {error}")));
        }
    }
    let hint = admit(input, input.default.as_ref()?).err()?;
    Some(("default", hint))
}

/// The value in its declared type, if it is of it and matches its pattern.
pub(crate) fn admit(input: &Input, value: &Value) -> Result<Value, String> {
    let admitted = coerce(input.kind, value).ok_or_else(|| {
        format!(
            "must be of type {}, and is of type {} ({})",
            input.kind,
            ValueType::name_of(value),
            quote(&value.to_string())
        )
    })?;
    if let (Some(pattern), Some(text)) = (&input.pattern, admitted.as_str()) {
        if text.len() > MATCHED_BYTES_MAX {
            let bytes = text.len();
            return Err(format!(
                "has a pattern, so {MATCHED_BYTES_MAX} bytes are the most, and it has {bytes}"
            ));
        }
        let whole = compile(pattern).map_err(|error| format!("cannot be checked: {error}"))?;
        if !whole.is_match(text) {
            return Err(format!(
                "does not match {} as a whole: \"{}\"",
                quote(pattern),
                quote(text)
            ));
        }
    }
    Ok(admitted)
}

/// A number without a fraction is an integer, however it was written: JSON has one kind of numbers.
pub(super) fn coerce(kind: ValueType, value: &Value) -> Option<Value> {
    if kind.admits(value) {
        return Some(value.clone());
    }
    let number = value
        .as_f64()
        .filter(|number| kind == ValueType::Integer && value.is_f64() && number.fract() == 0.0)?;
    let integer: i64 = format!("{number:.0}").parse().ok()?;
    Some(integer.into())
}

/// A pattern that a whole text must match.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let built = |text: &str, bytes_max| RegexBuilder::new(text).size_limit(bytes_max).build();
    // By itself first, so that `a)|(?:b` cannot close our group. Of no size: only its syntax is looked at.
    if let Err(error @ Error::Syntax(_)) = built(pattern, 0) {
        return Err(words(&error));
    }
    built(&format!(r"\A(?:{pattern})\z"), PATTERN_BYTES_MAX).map_err(|error| words(&error))
}

fn words(error: &Error) -> String {
    match error {
        Error::CompiledTooBig(_) => {
            "too complex: write fewer or smaller repetitions, and [A-Za-z0-9_] in place of \\w".to_owned()
        }
        // A picture with an arrow over several lines; the last says what is wrong.
        other => quote(other.to_string().lines().last().unwrap_or_default()),
    }
}
