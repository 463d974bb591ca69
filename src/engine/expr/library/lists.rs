//! Functions on arrays, as Kubernetes has them, and those of ours that fold the results of a fork.

use super::strings::count;
use super::{misfit, out_of_range, position};
use crate::expr::ast::Operator;
use crate::expr::fault::Fault;
use crate::expr::operators::{article, doubles, equal, integers, order, overflow, to_double, whole};
use crate::expr::runtime::Runtime;
use crate::expr::value::{List, Text, Value, deeper};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::rc::Rc;

pub(super) fn size<'a>(_: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    match arguments {
        [Value::List(list)] => Ok(count(list.len())),
        [Value::Map(map)] => Ok(count(map.len())),
        _ => Err(misfit()),
    }
}

pub(super) fn index_of<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let [Value::List(list), wanted] = arguments else {
        return Err(misfit());
    };
    for (index, element) in list.iter().enumerate() {
        if equal(runtime, &element?, wanted, 0)? {
            return Ok(count(index));
        }
    }
    Ok(Value::Int(-1))
}

pub(super) fn last_index_of<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let [Value::List(list), wanted] = arguments else {
        return Err(misfit());
    };
    for (index, element) in list.iter().enumerate().rev() {
        if equal(runtime, &element?, wanted, 0)? {
            return Ok(count(index));
        }
    }
    Ok(Value::Int(-1))
}

pub(super) fn join<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (list, separator) = match arguments {
        [Value::List(list)] => (list, ""),
        [Value::List(list), Value::String(separator)] => (list, &**separator),
        _ => return Err(misfit()),
    };
    let mut joined = String::new();
    for (index, element) in list.iter().enumerate() {
        let element = element?;
        let Value::String(part) = &element else {
            let kind = article(element.type_name());
            return Err(Fault::Type(format!(
                "join() wants strings, element {index} is {kind}: write .map(x, string(x))"
            )));
        };
        if index > 0 {
            runtime.make(separator.len())?;
            joined.push_str(separator);
        }
        runtime.make(part.len())?;
        joined.push_str(part);
    }
    Ok(Value::text(joined))
}

pub(super) fn is_sorted<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let [Value::List(list)] = arguments else {
        return Err(misfit());
    };
    let mut before: Option<Value<'a>> = None;
    for element in list.iter() {
        runtime.spend(1)?;
        let element = element?;
        if let Some(before) = &before
            && order(runtime, before, &element)?.is_none_or(Ordering::is_gt)
        {
            return Ok(Value::Bool(false));
        }
        before = Some(element);
    }
    Ok(Value::Bool(true))
}

pub(super) fn sum<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let [Value::List(list)] = arguments else {
        return Err(misfit());
    };
    total(runtime, "sum", list)
}

pub(super) fn avg<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let [Value::List(list)] = arguments else {
        return Err(misfit());
    };
    let length = to_double(i64::try_from(list.len()).unwrap_or(i64::MAX));
    let total = match total(runtime, "avg", list)? {
        _ if list.len() == 0 => return Err(empty("avg")),
        Value::Int(total) => to_double(total),
        Value::Double(total) => total,
        _ => return Err(misfit()),
    };
    doubles(Operator::Divide, total, length).map(Value::Double)
}

/// Integers are added exactly; the first fraction makes the rest of the sum one too.
fn total<'a>(runtime: &mut Runtime<'a>, function: &str, list: &List<'a>) -> Result<Value<'a>, Fault> {
    let mut total = Value::Int(0);
    for (index, element) in list.iter().enumerate() {
        runtime.spend(1)?;
        total = match (total, element?) {
            (Value::Int(total), Value::Int(more)) => integers(Operator::Add, total, more).map(Value::Int)?,
            (Value::Int(total), Value::Double(more)) => Value::Double(doubles(Operator::Add, to_double(total), more)?),
            (Value::Double(total), Value::Int(more)) => Value::Double(doubles(Operator::Add, total, to_double(more))?),
            (Value::Double(total), Value::Double(more)) => Value::Double(doubles(Operator::Add, total, more)?),
            (_, other) => {
                let kind = article(other.type_name());
                return Err(Fault::Type(format!(
                    "{function}() wants numbers, element {index} is {kind}"
                )));
            }
        };
    }
    Ok(total)
}

pub(super) fn min<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    extreme(runtime, "min", Ordering::Less, arguments)
}

pub(super) fn max<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    extreme(runtime, "max", Ordering::Greater, arguments)
}

fn extreme<'a>(
    runtime: &mut Runtime<'a>,
    function: &str,
    wanted: Ordering,
    arguments: &[Value<'a>],
) -> Result<Value<'a>, Fault> {
    let values = match arguments {
        [Value::List(list)] => list.clone(),
        numbers => List::Made(Rc::from(numbers)),
    };
    let mut values = values.iter();
    let mut best = values.next().unwrap_or_else(|| Err(empty(function)))?;
    for value in values {
        runtime.spend(1)?;
        let value = value?;
        if order(runtime, &value, &best)? == Some(wanted) {
            best = value;
        }
    }
    Ok(best)
}

fn empty(function: &str) -> Fault {
    Fault::Absent(format!("{function}() of an empty array"))
}

pub(super) fn distinct<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let [Value::List(list)] = arguments else {
        return Err(misfit());
    };
    runtime.make_elements(list.len())?;
    let mut scalars = BTreeSet::new();
    let mut composites: Vec<Value<'a>> = Vec::new();
    let mut kept: Vec<Value<'a>> = Vec::new();
    for element in list.iter() {
        let element = element?;
        let is_new = if let Some(scalar) = Scalar::of(&element) {
            pay_lookup(runtime, &scalar)?;
            scalars.insert(scalar)
        } else {
            let is_new = !is_known(runtime, &composites, &element)?;
            if is_new {
                composites.push(element.clone());
            }
            is_new
        };
        if is_new {
            kept.push(element);
        }
    }
    Ok(Value::list(kept))
}

/// A look-up in a set is some comparisons of it with others.
fn pay_lookup(runtime: &mut Runtime<'_>, scalar: &Scalar<'_>) -> Result<(), Fault> {
    runtime.spend(4)?;
    match scalar {
        Scalar::String(text) => runtime.read(text.len().saturating_mul(4)),
        _ => Ok(()),
    }
}

fn is_known<'a>(runtime: &mut Runtime<'a>, known: &[Value<'a>], element: &Value<'a>) -> Result<bool, Fault> {
    for known in known {
        if equal(runtime, known, element, 0)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A value that a set can hold, so that equal values are equal keys: 1 and 1.0 are.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Bits(u64),
    String(Text<'a>),
}

impl<'a> Scalar<'a> {
    /// `None` for values that are compared one by one; not a number equals nothing, itself included.
    fn of(value: &Value<'a>) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(int) => Self::Int(*int),
            Value::Double(double) if double.is_nan() => return None,
            Value::Double(double) => whole(*double).map_or_else(|| Self::Bits(double.to_bits()), Self::Int),
            Value::String(text) => Self::String(text.clone()),
            Value::List(_) | Value::Map(_) => return None,
        })
    }
}

pub(super) fn flatten<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (list, levels) = match arguments {
        [Value::List(list)] => (list, 1),
        [Value::List(list), Value::Int(levels)] => (list, *levels),
        _ => return Err(misfit()),
    };
    let levels =
        usize::try_from(levels).map_err(|_| Fault::Evaluation(format!("flatten() cannot open {levels} levels")))?;
    let mut flat = Vec::new();
    open(runtime, list, levels, 0, &mut flat)?;
    Ok(Value::list(flat))
}

fn open<'a>(
    runtime: &mut Runtime<'a>,
    list: &List<'a>,
    levels: usize,
    depth: usize,
    flat: &mut Vec<Value<'a>>,
) -> Result<(), Fault> {
    let below = deeper(depth)?;
    for element in list.iter() {
        match element? {
            Value::List(inner) if depth < levels => {
                runtime.spend(1)?;
                open(runtime, &inner, levels, below, flat)?;
            }
            other => {
                runtime.make_elements(1)?;
                flat.push(other);
            }
        }
    }
    Ok(())
}

pub(super) fn slice<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let [Value::List(list), Value::Int(from), Value::Int(to)] = arguments else {
        return Err(misfit());
    };
    let start = position("the start", *from, list.len())?;
    let end = position("the end", *to, list.len())?;
    if end < start {
        return Err(out_of_range("the start", *from, end));
    }
    let length = end.saturating_sub(start);
    runtime.make_elements(length)?;
    let elements: Result<Vec<_>, Fault> = list.iter().skip(start).take(length).collect();
    Ok(Value::list(elements?))
}

pub(super) fn range<'a>(runtime: &mut Runtime<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (from, to) = match arguments {
        [Value::Int(to)] => (0, *to),
        [Value::Int(from), Value::Int(to)] => (*from, *to),
        _ => return Err(misfit()),
    };
    let length = to
        .checked_sub(from)
        .ok_or_else(|| overflow("the length of the range"))?;
    // Paid for before it is made: range(1000000000) ends here.
    runtime.make_elements(usize::try_from(length).unwrap_or(0))?;
    Ok(Value::list((from..to).map(Value::Int).collect()))
}
