//! Numbers as the API server stores them.

use serde_json::{Number, Value};

/// The same value with its numbers as they come back from the API server: it is written in Go, which
/// writes a whole float without a point. So `2.0` is `2` at once, and not only after the next write.
pub(crate) fn as_stored(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(whole(number)),
        Value::Array(items) => Value::Array(items.into_iter().map(as_stored).collect()),
        Value::Object(members) => {
            let members = members.into_iter();
            Value::Object(members.map(|(name, member)| (name, as_stored(member))).collect())
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

/// Go leaves out the point below 10^21 (`encoding/json`, `floatEncoder`); what is no 64-bit integer is
/// read as a float again.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "checked to be whole and in range before"
)]
fn whole(number: Number) -> Number {
    match number.as_f64() {
        Some(float)
            if number.is_f64() && float.fract() == 0.0 && float >= i64::MIN as f64 && float < i64::MAX as f64 =>
        {
            Number::from(float as i64)
        }
        _ => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_floats_lose_their_point_wherever_they_stand() {
        for (value, stored) in [
            (json!(2.0), json!(2)),
            (json!(-0.0), json!(0)),
            (json!(2.5), json!(2.5)),
            (json!(1e15), json!(1_000_000_000_000_000_i64)),
            (json!(1e21), json!(1e21)),
            (
                json!({"a": [1.0, {"b": 3.0}], "c": "2.0"}),
                json!({"a": [1, {"b": 3}], "c": "2.0"}),
            ),
        ] {
            assert_eq!(as_stored(value.clone()), stored, "{value}");
        }
    }
}
