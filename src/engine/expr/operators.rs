//! The operators (CEL specification, "Standard Definitions"): integers never overflow silently and never mix with
//! fractions in arithmetic; comparison works across the two kinds of numbers and is exact.

use super::ast::Operator;
use super::error::quote;
use super::fault::Fault;
use super::runtime::Runtime;
use super::value::{List, Text, Value, deeper};
use std::cmp::Ordering;

/// The value of `left operator right`.
pub(super) fn apply<'a>(
    runtime: &mut Runtime<'a>,
    operator: Operator,
    left: &Value<'a>,
    right: &Value<'a>,
) -> Result<Value<'a>, Fault> {
    let wanted_order: fn(Ordering) -> bool = match operator {
        Operator::Equal => return Ok(Value::Bool(equal(runtime, left, right, 0)?)),
        Operator::NotEqual => return Ok(Value::Bool(!equal(runtime, left, right, 0)?)),
        Operator::In => return Ok(Value::Bool(contains(runtime, right, left)?)),
        Operator::Less => Ordering::is_lt,
        Operator::LessOrEqual => Ordering::is_le,
        Operator::Greater => Ordering::is_gt,
        Operator::GreaterOrEqual => Ordering::is_ge,
        Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder => {
            return arithmetic(runtime, operator, left, right);
        }
    };
    // Not a number is neither less nor greater than anything.
    Ok(Value::Bool(
        compare(runtime, operator, left, right)?.is_some_and(wanted_order),
    ))
}

fn arithmetic<'a>(
    runtime: &mut Runtime<'a>,
    operator: Operator,
    left: &Value<'a>,
    right: &Value<'a>,
) -> Result<Value<'a>, Fault> {
    match (operator, left, right) {
        (_, Value::Int(left), Value::Int(right)) => integers(operator, *left, *right).map(Value::Int),
        (_, Value::Double(left), Value::Double(right)) => doubles(operator, *left, *right).map(Value::Double),
        (Operator::Add, Value::String(left), Value::String(right)) => {
            runtime.make(left.len().saturating_add(right.len()))?;
            Ok(Value::text([&**left, &**right].concat()))
        }
        (Operator::Add, Value::List(left), Value::List(right)) => join(runtime, left, right),
        _ => Err(mismatch(operator, left.type_name(), right.type_name())),
    }
}

/// What to say about operands of these types, at run time and in the checker.
pub(super) fn mismatch(operator: Operator, left: &str, right: &str) -> Fault {
    let hint = match (operator, left, right) {
        (Operator::In, ..) => "it looks in an array, or for a key in an object",
        (_, "integer", "number") | (_, "number", "integer") => "write double(…) around the integer",
        (Operator::Remainder, "number", _) | (Operator::Remainder, _, "number") => "write int(…) around the numbers",
        (Operator::Add, "string", _) | (Operator::Add, _, "string") => "write string(…) around the other value",
        _ => "the operator is not defined for them",
    };
    Fault::Type(format!(
        "`{}` does not work on {left} and {right}: {hint}",
        operator.mark()
    ))
}

pub(super) fn integers(operator: Operator, left: i64, right: i64) -> Result<i64, Fault> {
    if right == 0 && matches!(operator, Operator::Divide | Operator::Remainder) {
        return Err(Fault::Evaluation("division by zero".to_owned()));
    }
    let result = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Divide => left.checked_div(right),
        Operator::Remainder => left.checked_rem(right),
        _ => return Err(mismatch(operator, "integer", "integer")),
    };
    result.ok_or_else(|| overflow(&format!("{left} {} {right}", operator.mark())))
}

pub(super) fn overflow(what: &str) -> Fault {
    Fault::Evaluation(format!("{what} needs more than 64 bits"))
}

pub(super) fn doubles(operator: Operator, left: f64, right: f64) -> Result<f64, Fault> {
    Ok(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        _ => return Err(mismatch(operator, "number", "number")),
    })
}

fn join<'a>(runtime: &mut Runtime<'a>, left: &List<'a>, right: &List<'a>) -> Result<Value<'a>, Fault> {
    runtime.make_elements(left.len().saturating_add(right.len()))?;
    let elements: Result<Vec<_>, Fault> = left.iter().chain(right.iter()).collect();
    Ok(Value::list(elements?))
}

/// Equality of values of any types: different types are unequal, not an error.
pub(super) fn equal<'a>(
    runtime: &mut Runtime<'a>,
    left: &Value<'a>,
    right: &Value<'a>,
    depth: usize,
) -> Result<bool, Fault> {
    runtime.spend(1)?;
    Ok(match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(_) | Value::Double(_), Value::Int(_) | Value::Double(_)) => {
            numbers(left, right) == Some(Ordering::Equal)
        }
        (Value::String(left), Value::String(right)) => {
            runtime.read(left.len().min(right.len()))?;
            left == right
        }
        (Value::List(left), Value::List(right)) => {
            let below = deeper(depth)?;
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right.iter()) {
                if !equal(runtime, &left?, &right?, below)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(left), Value::Map(right)) => {
            let below = deeper(depth)?;
            if left.len() != right.len() {
                return Ok(false);
            }
            for entry in left.iter() {
                let (key, left) = entry?;
                let Some(right) = right.get(&key) else {
                    return Ok(false);
                };
                if !equal(runtime, &left, &right?, below)? {
                    return Ok(false);
                }
            }
            true
        }
        _ => false,
    })
}

/// `None` where one of them is not a number (NaN).
fn compare(
    runtime: &mut Runtime<'_>,
    operator: Operator,
    left: &Value<'_>,
    right: &Value<'_>,
) -> Result<Option<Ordering>, Fault> {
    match (left, right) {
        (Value::Int(_) | Value::Double(_), Value::Int(_) | Value::Double(_)) => Ok(numbers(left, right)),
        (Value::Bool(left), Value::Bool(right)) => Ok(Some(left.cmp(right))),
        (Value::String(left), Value::String(right)) => {
            runtime.read(left.len().min(right.len()))?;
            Ok(Some(left.cmp(right)))
        }
        _ => Err(mismatch(operator, left.type_name(), right.type_name())),
    }
}

/// As [`compare`], for the functions that order a list.
pub(super) fn order(runtime: &mut Runtime<'_>, left: &Value<'_>, right: &Value<'_>) -> Result<Option<Ordering>, Fault> {
    compare(runtime, Operator::Less, left, right)
}

fn numbers(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
        (Value::Int(left), Value::Double(right)) => exact(*left, *right),
        (Value::Double(left), Value::Int(right)) => exact(*right, *left).map(Ordering::reverse),
        _ => None,
    }
}

/// 2^63, the first whole number above all integers.
const ABOVE_INTEGERS: f64 = 9_223_372_036_854_775_808.0;

/// Compares without rounding the integer: 2^53 + 1 is greater than 2^53 as a double.
fn exact(int: i64, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    Some(match whole(double.trunc()) {
        Some(whole) => int.cmp(&whole).then_with(|| double.trunc().total_cmp(&double)),
        None if double > 0.0 => Ordering::Less,
        None => Ordering::Greater,
    })
}

/// The integer of a whole double that is in its range.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked and there is no fraction"
)]
pub(super) fn whole(double: f64) -> Option<i64> {
    let fits = (-ABOVE_INTEGERS..ABOVE_INTEGERS).contains(&double) && double.fract() == 0.0;
    fits.then_some(double as i64)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "rounding to the nearest double is what CEL's double() does"
)]
pub(super) fn to_double(int: i64) -> f64 {
    int as f64
}

fn contains<'a>(runtime: &mut Runtime<'a>, container: &Value<'a>, wanted: &Value<'a>) -> Result<bool, Fault> {
    match (container, wanted) {
        (Value::List(list), _) => {
            for element in list.iter() {
                if equal(runtime, &element?, wanted, 0)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (Value::Map(map), Value::String(key)) => Ok(map.get(key).is_some()),
        (Value::Map(_), _) => Ok(false),
        _ => Err(mismatch(Operator::In, wanted.type_name(), container.type_name())),
    }
}

/// The member `key`; its absence is told apart from a value that has no members.
pub(super) fn member<'a>(of: &Value<'a>, key: &str) -> Result<Value<'a>, Fault> {
    match of {
        Value::Map(map) => map.get(key).unwrap_or_else(|| Err(absent(key))),
        // A step of a fork that gave nothing is null in the list: so are its members.
        Value::Null => Err(Fault::Absent(format!("null has no member `{}`", quote(key)))),
        other => Err(Fault::Type(format!(
            "{} has no members, `{}` is asked for",
            other.type_name(),
            quote(key)
        ))),
    }
}

fn absent(key: &str) -> Fault {
    Fault::Absent(format!("there is no `{}`", quote(key)))
}

/// `of[index]`.
pub(super) fn element<'a>(of: &Value<'a>, index: &Value<'a>) -> Result<Value<'a>, Fault> {
    let position = match (of, index) {
        (Value::Map(_) | Value::Null, Value::String(key)) => return member(of, key),
        (Value::Null, _) => return Err(Fault::Absent("null has no elements".to_owned())),
        (Value::List(_), Value::Int(position)) => Some(*position),
        (Value::List(_), Value::Double(double)) => whole(*double),
        _ => None,
    };
    match (of, position) {
        (Value::List(list), Some(position)) => usize::try_from(position)
            .ok()
            .and_then(|position| list.get(position))
            .unwrap_or_else(|| {
                Err(Fault::Absent(format!(
                    "there is no element {position} of {}",
                    list.len()
                )))
            }),
        _ => Err(Fault::Type(format!(
            "{} has no element at a {}",
            of.type_name(),
            index.type_name()
        ))),
    }
}

/// `-operand`.
pub(super) fn negate<'a>(operand: &Value<'a>) -> Result<Value<'a>, Fault> {
    match operand {
        Value::Int(int) => int
            .checked_neg()
            .map(Value::Int)
            .ok_or_else(|| overflow(&format!("-({int})"))),
        Value::Double(double) => Ok(Value::Double(-double)),
        other => Err(Fault::Type(format!(
            "`-` wants a number, this is {}",
            article(other.type_name())
        ))),
    }
}

/// A type with its article, for messages.
pub(super) fn article(name: &str) -> String {
    match name {
        "null" => name.to_owned(),
        "integer" | "array" | "object" => format!("an {name}"),
        _ => format!("a {name}"),
    }
}

/// The keys or elements that a macro runs over.
pub(super) fn range<'a>(of: &Value<'a>, position: usize, keys: &[Text<'a>]) -> Option<Result<Value<'a>, Fault>> {
    match of {
        Value::List(list) => list.get(position),
        _ => keys.get(position).cloned().map(|key| Ok(Value::String(key))),
    }
}
