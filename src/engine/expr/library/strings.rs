//! Functions on strings, as Kubernetes has them. Positions count characters.

use super::{misfit, out_of_range, position};
use crate::expr::fault::Fault;
use crate::expr::pattern::Search;
use crate::expr::runtime::Runtime;
use crate::expr::value::{ELEMENT_BYTES, Value};

pub(super) fn size<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let [Value::String(text)] = arguments else {
        return Err(misfit());
    };
    Ok(count(length(runtime, text)?))
}

pub(super) fn contains<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (text, part) = two(runtime, arguments)?;
    Ok(Value::Bool(text.contains(part)))
}

pub(super) fn starts_with<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (text, part) = two(runtime, arguments)?;
    Ok(Value::Bool(text.starts_with(part)))
}

pub(super) fn ends_with<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (text, part) = two(runtime, arguments)?;
    Ok(Value::Bool(text.ends_with(part)))
}

pub(super) fn matches<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (text, pattern) = two(runtime, arguments)?;
    let pattern = runtime.pattern(pattern, Search::Test, text)?;
    Ok(Value::Bool(pattern.is_match(text)))
}

pub(super) fn find<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (text, pattern) = two(runtime, arguments)?;
    let pattern = runtime.pattern(pattern, Search::Find, text)?;
    let found = pattern.find_iter(text).next();
    made(runtime, found.map_or("", |(_, part)| part))
}

pub(super) fn find_all<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let limit = match arguments {
        [_, _, Value::Int(limit)] => usize::try_from(*limit).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let (text, pattern) = two(runtime, arguments)?;
    let pattern = runtime.pattern(pattern, Search::Find, text)?;
    let mut parts = Vec::new();
    for (span, part) in pattern.find_iter(text).take(limit) {
        // To know where a match ends, the search may have read on to the end of the text.
        runtime.read(text.len().saturating_sub(span.start))?;
        runtime.make(ELEMENT_BYTES)?;
        parts.push(made(runtime, part)?);
    }
    Ok(Value::list(parts))
}

pub(super) fn char_at<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let [Value::String(text), Value::Int(at)] = arguments else {
        return Err(misfit());
    };
    let at = position("the position", *at, length(runtime, text)?)?;
    let rest = text.get(byte_of(text, at)..).unwrap_or("");
    let length = rest.chars().next().map_or(0, char::len_utf8);
    made(runtime, rest.get(..length).unwrap_or(""))
}

pub(super) fn index_of<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (text, part) = two(runtime, arguments)?;
    let start = match arguments.get(2) {
        Some(Value::Int(from)) => position("the position", *from, length(runtime, text)?)?,
        _ => 0,
    };
    let from = byte_of(text, start);
    let found = text.get(from..).and_then(|rest| rest.find(part));
    Ok(found.map_or(Value::Int(-1), |at| characters_before(text, from.saturating_add(at))))
}

pub(super) fn last_index_of<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (text, part) = two(runtime, arguments)?;
    let end = match arguments.get(2) {
        Some(Value::Int(from)) => {
            // The match may begin at `from`, so it may end so much later.
            let start = position("the position", *from, length(runtime, text)?)?;
            byte_of(text, start).saturating_add(part.len()).min(text.len())
        }
        _ => text.len(),
    };
    let found = (0..=end)
        .rev()
        .find_map(|end| text.get(..end))
        .and_then(|head| head.rfind(part));
    Ok(found.map_or(Value::Int(-1), |at| characters_before(text, at)))
}

pub(super) fn lower_ascii<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let [Value::String(text)] = arguments else {
        return Err(misfit());
    };
    runtime.make(text.len())?;
    Ok(Value::text(text.to_ascii_lowercase()))
}

pub(super) fn upper_ascii<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let [Value::String(text)] = arguments else {
        return Err(misfit());
    };
    runtime.make(text.len())?;
    Ok(Value::text(text.to_ascii_uppercase()))
}

pub(super) fn replace<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (text, old) = two(runtime, arguments)?;
    let Some(Value::String(new)) = arguments.get(2) else {
        return Err(misfit());
    };
    let limit = match arguments.get(3) {
        Some(Value::Int(limit)) => usize::try_from(*limit).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let mut times = 0_usize;
    for _ in text.matches(old).take(limit) {
        runtime.spend(1)?;
        times = times.saturating_add(1);
    }
    // Paid for before it is made: an empty `old` is found between all letters, and `new` may be long.
    runtime.make(text.len().saturating_add(times.saturating_mul(new.len())))?;
    Ok(Value::text(text.replacen(old, new, times)))
}

pub(super) fn split<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (text, separator) = two(runtime, arguments)?;
    let limit = match arguments.get(2) {
        Some(Value::Int(limit)) => usize::try_from(*limit).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let mut parts = Vec::new();
    let mut push = |part: &str| -> Result<(), Fault> {
        runtime.make(ELEMENT_BYTES)?;
        parts.push(made(runtime, part)?);
        Ok(())
    };
    if separator.is_empty() {
        // Between all letters, without the empty ends that Rust's own split gives.
        let mut rest = text;
        let mut left = limit;
        while let Some(letter) = rest.chars().next().filter(|_| left > 0) {
            let (part, after) = if left == 1 {
                (rest, "")
            } else {
                rest.split_at_checked(letter.len_utf8()).unwrap_or((rest, ""))
            };
            push(part)?;
            rest = after;
            left = left.saturating_sub(1);
        }
    } else {
        text.splitn(limit, separator).try_for_each(push)?;
    }
    Ok(Value::list(parts))
}

pub(super) fn substring<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (Some(Value::String(text)), Some(Value::Int(from))) = (arguments.first(), arguments.get(1)) else {
        return Err(misfit());
    };
    let length = length(runtime, text)?;
    let start = position("the start", *from, length)?;
    let end = match arguments.get(2) {
        Some(Value::Int(end)) => position("the end", *end, length)?,
        _ => length,
    };
    if end < start {
        return Err(out_of_range("the start", *from, end));
    }
    let part = text.get(byte_of(text, start)..byte_of(text, end)).unwrap_or("");
    made(runtime, part)
}

pub(super) fn trim<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let [Value::String(text)] = arguments else {
        return Err(misfit());
    };
    made(runtime, text.trim())
}

/// The first two strings, paid for.
fn two<'v>(runtime: &mut Runtime<'_>, arguments: &'v [Value<'_>]) -> Result<(&'v str, &'v str), Fault> {
    let [Value::String(first), Value::String(second), ..] = arguments else {
        return Err(misfit());
    };
    runtime.read(first.len().saturating_add(second.len()))?;
    Ok((first, second))
}

/// Characters of the text, paid for.
fn length(runtime: &mut Runtime<'_>, text: &str) -> Result<usize, Fault> {
    runtime.read(text.len())?;
    Ok(text.chars().count())
}

fn made<'a>(runtime: &mut Runtime<'a>, text: &str) -> Result<Value<'a>, Fault> {
    runtime.make(text.len())?;
    Ok(Value::text(text))
}

/// Where the character `position` begins; the end if there are fewer.
fn byte_of(text: &str, position: usize) -> usize {
    text.char_indices().nth(position).map_or(text.len(), |(at, _)| at)
}

fn characters_before<'a>(text: &str, byte: usize) -> Value<'a> {
    count(text.get(..byte).unwrap_or("").chars().count())
}

pub(super) fn count<'a>(number: usize) -> Value<'a> {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}
