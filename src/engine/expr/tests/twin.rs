//! The `cel` crate as a second opinion: where it has an answer, ours is the same.

use super::{data, run, scope};
use crate::expr::Expression;
use cel::objects::Map;
use cel::{Context, Program, Value};
use proptest::prelude::*;
use serde_json::Value as Json;
use std::sync::Arc;

/// `None` where the other refuses or fails.
fn twin(text: &str) -> Option<Json> {
    let program = Program::compile(text).ok()?;
    let mut context = Context::default();
    for (root, value) in data().as_object()? {
        context.add_variable_from_value(root.clone(), signed(value));
    }
    program.execute(&context).ok()?.json().ok()
}

/// The crate reads the integers of JSON as unsigned.
fn signed(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(int) => Value::Int(int),
            None => Value::Float(number.as_f64().unwrap()),
        },
        Json::String(text) => Value::String(Arc::new(text.clone())),
        Json::Array(elements) => Value::List(Arc::new(elements.iter().map(signed).collect())),
        Json::Object(members) => {
            let members = members.iter().map(|(key, value)| (key.clone().into(), signed(value)));
            Value::Map(Map {
                map: Arc::new(members.collect()),
            })
        }
    }
}

/// Texts on whose values both must agree.
const BOTH: &[&str] = &[
    "1 + 2 * 3 - 4 / 2 % 3",
    "-7 / 2 * -1",
    "-3 - -3",
    "1 - -9223372036854775806",
    "-9223372036854775808",
    "!true || !!true && false",
    "1 < 2 == true",
    "true ? (false ? 1 : 2) : 3",
    "1 == 1.0",
    "1 < 1.5",
    "0x1F + 0",
    "1e3 + .5",
    "'a' + \"b\" + '''c''' + r'\\d'",
    r"'\x41\u00e4\U0001F600\101\n'",
    "size('ä\u{1f600}') + size([1, 2]) + size({'a': 1})",
    "[1, 2] + [3] == [1, 2, 3]",
    "{'a': 1}.a + {'b': 2}['b']",
    "{'a': {'b': [1, null, true, 'x', 1.5]}}",
    "1 in [1, 2] && 'a' in {'a': 1} && !(3 in [1])",
    "inputs.list.map(x, x * 2).filter(x, x > 2)",
    "inputs.list.map(x, x > 1, x + 1)",
    "inputs.list.all(x, x > 0) && inputs.list.exists(x, x == 2) && inputs.list.exists_one(x, x == 1)",
    "has(inputs.day) && !has(inputs.none)",
    "false && inputs.none",
    "inputs.none || true",
    "[1, 2].exists(x, x / (x - 1) == 2)",
    "'hello'.contains('ell') && 'hello'.startsWith('he') && 'hello'.endsWith('lo')",
    "'a1b'.matches('[0-9]')",
    "int('42') + int(3.9) + int(-3.9)",
    "double(3) / 2.0",
    "string(42) + string(true) + string(1.5)",
    "inputs.object.b.c",
    "inputs['object']['with-dash']",
    "workflow.run",
    "1 // comment\n + 1",
    "[1, 2,]",
    "'b' > 'a' && false < true",
    "null == null && null != 1",
];

#[test]
fn both_give_the_same_value() {
    for text in BOTH {
        let theirs = twin(text).unwrap_or_else(|| panic!("{text}: the twin has no answer"));
        assert_eq!(run(text).expect(text), theirs, "{text}");
    }
}

/// Expressions of integers, booleans, strings and lists of integers, wild enough to fail at times.
fn integers(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        (-9_i64..10).prop_map(|n| n.to_string()),
        Just("inputs.n".to_owned()),
        Just("inputs.object.a".to_owned()),
        Just("9223372036854775807".to_owned()),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let (int, boolean, text, list) = (
        integers(depth - 1),
        booleans(depth - 1),
        strings(depth - 1),
        lists(depth - 1),
    );
    prop_oneof![
        leaf,
        (int.clone(), "[-+*/%]", int.clone()).prop_map(|(a, o, b)| format!("{a} {o} {b}")),
        int.clone().prop_map(|a| format!("(-({a}))")),
        int.clone().prop_map(|a| format!("({a})")),
        (boolean, int.clone(), int.clone()).prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
        text.prop_map(|a| format!("size({a})")),
        list.clone().prop_map(|a| format!("{a}.size()")),
        (list, int).prop_map(|(a, b)| format!("{a}[{b}]")),
    ]
    .boxed()
}

fn booleans(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("inputs.yes".to_owned()),
        Just("has(inputs.none)".to_owned()),
        Just("has(inputs.day)".to_owned())
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let (int, boolean, text, list) = (
        integers(depth - 1),
        booleans(depth - 1),
        strings(depth - 1),
        lists(depth - 1),
    );
    prop_oneof![
        leaf,
        (int.clone(), "==|!=|<|<=|>|>=", int.clone()).prop_map(|(a, o, b)| format!("({a} {o} {b})")),
        (text.clone(), "==|!=|<|<=|>|>=", text.clone()).prop_map(|(a, o, b)| format!("({a} {o} {b})")),
        (boolean.clone(), "&&|\\|\\|", boolean.clone()).prop_map(|(a, o, b)| format!("({a} {o} {b})")),
        boolean.prop_map(|a| format!("!({a})")),
        (int.clone(), list.clone()).prop_map(|(a, b)| format!("({a} in {b})")),
        (list.clone(), "all|exists|exists_one", int).prop_map(|(a, f, b)| format!("{a}.{f}(x, x > {b})")),
        (list.clone(), list).prop_map(|(a, b)| format!("({a} == {b})")),
        (text.clone(), "contains|startsWith|endsWith", text).prop_map(|(a, f, b)| format!("{a}.{f}({b})")),
    ]
    .boxed()
}

fn strings(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        "[a-c\u{e4}\u{1f600}]{0,3}".prop_map(|text| format!("'{text}'")),
        Just("inputs.day".to_owned()),
        Just("inputs.words[0]".to_owned()),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let (int, text) = (integers(depth - 1), strings(depth - 1));
    prop_oneof![
        leaf,
        (text.clone(), text).prop_map(|(a, b)| format!("({a} + {b})")),
        int.prop_map(|a| format!("string({a})")),
    ]
    .boxed()
}

fn lists(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![Just("inputs.list".to_owned()), Just("inputs.empty".to_owned())];
    if depth == 0 {
        return leaf.boxed();
    }
    let (int, list) = (integers(depth - 1), lists(depth - 1));
    prop_oneof![
        leaf,
        prop::collection::vec(int.clone(), 0..4).prop_map(|elements| format!("[{}]", elements.join(", "))),
        (list.clone(), list.clone()).prop_map(|(a, b)| format!("({a} + {b})")),
        (list.clone(), int.clone()).prop_map(|(a, b)| format!("{a}.map(x, x * {b})")),
        (list, int).prop_map(|(a, b)| format!("{a}.filter(x, x != {b})")),
    ]
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn both_agree_on_random_expressions(
        text in prop_oneof![integers(3), booleans(3), strings(3), lists(3)]
    ) {
        let data = data();
        match Expression::parse(&text).and_then(|expression| expression.evaluate(&scope(&data))) {
            Ok(ours) => prop_assert_eq!(Some(ours), twin(&text), "{}", text),
            Err(error) if error.is_limit() => {}
            Err(error) => prop_assert_eq!(None, twin(&text), "{}: {}", text, error),
        }
    }
}
