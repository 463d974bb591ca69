//! Which inputs a step takes.

use jobwright_api::{Input, Reason};
use serde_json::{Value, json};

use crate::job::check_inputs;

/// A Task that declares this, given that, takes `expected`, or refuses with these words.
fn check(declared: &Value, given: &Value, expected: Result<Value, &str>) {
    let inputs: Option<Vec<Input>> = serde_json::from_value(declared.clone()).unwrap();
    let values = given.as_object().unwrap().clone().into_iter().collect();
    let taken = check_inputs(inputs.as_deref(), values);
    match (taken, expected) {
        (Ok(taken), Ok(expected)) => assert_eq!(json!(taken), expected, "{declared} {given}"),
        (Err(wrong), Err(words)) => {
            assert_eq!(wrong.reason, Reason::InvalidInput);
            assert!(wrong.message.contains(words), "{declared} {given}: {}", wrong.message);
        }
        (taken, expected) => panic!("{declared} {given}: {taken:?}, not {expected:?}"),
    }
}

#[test]
fn what_was_given_is_taken_and_defaults_fill_the_rest() {
    let declared = json!([{"name": "file"}, {"name": "top", "type": "integer", "default": 10}, {"name": "note", "optional": true}]);
    check(&declared, &json!({"file": "a"}), Ok(json!({"file": "a", "top": 10})));
    check(
        &declared,
        &json!({"file": "a", "top": null, "note": null}),
        Ok(json!({"file": "a", "top": 10})),
    );
    check(&declared, &json!({"top": 1}), Err("input file is required (string)"));
    check(&declared, &json!({"file": null}), Err("input file is required"));
    check(
        &declared,
        &json!({"file": "a", "flie": "b"}),
        Err("input flie is not declared: did you mean file?"),
    );
    check(
        &declared,
        &json!({"file": "a", "zzzzzzz": "b"}),
        Err("the Task declares file, top, note"),
    );
    check(&json!([]), &json!({"x": 1}), Err("declares none"));
    check(
        &Value::Null,
        &json!({"x": 1, "y": null, "z": {"a": [null]}}),
        Ok(json!({"x": 1, "z": {"a": [null]}})),
    );
}

#[test]
fn values_are_of_their_type() {
    let taken = |kind: &str, value: Value, expected: Option<Value>| {
        let expected = expected.map(|value| json!({"x": value})).ok_or("must be of type");
        check(&json!([{"name": "x", "type": kind}]), &json!({"x": value}), expected);
    };
    taken("integer", json!(3), Some(json!(3)));
    taken("integer", json!(3.0), Some(json!(3)));
    taken("integer", json!(-0.0), Some(json!(0)));
    taken("integer", json!(i64::MIN), Some(json!(i64::MIN)));
    taken("integer", json!(3.5), None);
    taken("integer", json!(1e300), None);
    taken("integer", json!(9_223_372_036_854_775_808_u64), None);
    taken("integer", json!(9_223_372_036_854_775_808.0), None);
    taken("integer", json!("3"), None);
    taken("number", json!(3), Some(json!(3)));
    taken("number", json!(3.5), Some(json!(3.5)));
    taken("string", json!(""), Some(json!("")));
    taken("string", json!(3), None);
    taken("boolean", json!(true), Some(json!(true)));
    taken("boolean", json!("true"), None);
    taken("array", json!([1, "a", null]), Some(json!([1, "a", null])));
    taken("array", json!({}), None);
    taken("object", json!({"a": 1}), Some(json!({"a": 1})));
}

#[test]
fn a_pattern_holds_for_the_whole_value() {
    for (pattern, value, matches) in [
        ("[a-z]+", "abc", true),
        ("[a-z]+", "abc;", false),
        ("[a-z]+", "abc\n", false),
        ("a|ab", "ab", true),
        ("a|b", "ax", false),
        ("(?m)^a$", "a\nb", false),
        ("", "", true),
        (
            "(a+)+$",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
            false,
        ),
        // None of these closes our group.
        ("a)|(?:b", "ax", false),
        ("(?x)a#", "ab", false),
        ("(a{999}){999}", "a", false),
        (r"\w+", "\u{e9}t\u{e9}_1", true),
        ("a+", &"a".repeat(4096), true),
        ("a+", &"a".repeat(4097), false),
    ] {
        let expected = if matches {
            Ok(json!({"x": value}))
        } else {
            Err("input x ")
        };
        check(
            &json!([{"name": "x", "pattern": pattern}]),
            &json!({"x": value}),
            expected,
        );
    }
}
