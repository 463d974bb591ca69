//! No text and no data makes the module panic, and each answer is the same twice.

use super::{assert_well_formed, data, scope};
use crate::expr::{Error, Expression, Type, TypeEnv};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// Everything that can be done with a text. A panic or an overflow of the stack is a failure of the test.
fn exercise(text: &str) {
    let data = data();
    let types = TypeEnv::new()
        .with("inputs", Type::Dyn)
        .with("steps", Type::Dyn)
        .with("vars", Type::Dyn);
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(error) => return assert_well_formed(&error),
    };
    if let Err(error) = expression.check(&types) {
        assert_well_formed(&error);
    }
    let first = expression.evaluate(&scope(&data));
    assert_eq!(first, expression.evaluate(&scope(&data)), "{text}");
    match first {
        Ok(value) => assert!(
            !matches!(value, serde_json::Value::Number(n) if n.is_u64() && !n.is_i64()),
            "{text}"
        ),
        Err(error) => assert_well_formed(&error),
    }
}

/// Pieces of expressions in any order: much of it parses.
fn pieces() -> impl Strategy<Value = String> {
    const PIECES: &str = "inputs .n .list .words .nested .object steps.shards.results vars.raw item ( ) [ ] { } 'a' \
        \"b\" r'\\d' 1 0 -1 2.5 1e300 9223372036854775807 true null + - * / % == != < >= && || ! ? : , x has( or( \
        .map(x, .filter(x, .all(x, .exists(x, sum( range( json( string( int( .flatten() .distinct() .join( .split( \
        .replace( .substring( .indexOf( .lastIndexOf( .charAt( .matches( .findAll( .slice( min( max( avg( .size() \
        .isSorted() in //c";
    let pieces: Vec<&str> = PIECES.split_whitespace().collect();
    let glue = prop::sample::select(vec!["", "", " ", "\n"]);
    prop::collection::vec((prop::sample::select(pieces), glue), 0..24)
        .prop_map(|pieces| pieces.into_iter().flat_map(|(piece, glue)| [piece, glue]).collect())
}

/// Functions on all kinds of arguments, most of which do not fit.
fn calls() -> impl Strategy<Value = String> {
    let names: Vec<&'static str> = crate::expr::library::names().collect();
    let argument = prop::sample::select(vec![
        "inputs.n",
        "-1",
        "0",
        "1",
        "2",
        "9223372036854775807",
        "-9223372036854775808",
        "1.5",
        "1e300",
        "0.0/0.0",
        "''",
        "'a'",
        "'ä\u{1f600}b'",
        "inputs.day",
        "'-'",
        "inputs.list",
        "inputs.words",
        "inputs.nested",
        "inputs.empty",
        "inputs.object",
        "null",
        "true",
        "[1, 1.0, 2.5]",
        "['x', 'y']",
        "inputs.none",
        "steps.shards.outputs",
        "'('",
    ]);
    (prop::sample::select(names), prop::collection::vec(argument, 1..5))
        .prop_map(|(name, arguments)| format!("{name}({})", arguments.join(", ")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn any_text_is_survived(text in "(?s).{0,300}") {
        exercise(&text);
    }

    #[test]
    fn any_ascii_is_survived(text in "[ -~\\n]{0,300}") {
        exercise(&text);
    }

    #[test]
    fn any_pieces_are_survived(text in pieces()) {
        exercise(&text);
    }

    #[test]
    fn any_arguments_are_survived(text in calls()) {
        exercise(&text);
    }

    /// A string literal with every character escaped gives the string.
    #[test]
    fn strings_come_out_as_they_went_in(text in "(?s).{0,40}") {
        let escaped = text.chars().fold(String::new(), |escaped, letter| escaped + &format!("\\U{:08x}", u32::from(letter)));
        let expression = Expression::parse(&format!("'{escaped}'")).unwrap();
        prop_assert_eq!(expression.evaluate(&scope(&data())).unwrap(), serde_json::Value::String(text));
    }
}

#[test]
fn the_checker_is_right_about_types() {
    let runner = &mut proptest::test_runner::TestRunner::deterministic();
    let data = data();
    let types = crate::expr::tests::evaluated_types();
    for _ in 0..3_000 {
        let text = prop_oneof![pieces(), calls()].new_tree(runner).unwrap().current();
        let Ok(expression) = Expression::parse(&text) else {
            continue;
        };
        let (Ok(kind), outcome) = (
            expression.check(&types),
            expression.evaluate(&scope(&data).typed(&types)),
        ) else {
            continue;
        };
        match outcome {
            Ok(value) => assert!(is_of(&value, &kind), "{text}: {value} is not of type {kind}"),
            Err(error) => assert!(
                !matches!(error, Error::UnknownRoot { .. } | Error::UnknownFunction { .. }),
                "{text}: {error}"
            ),
        }
    }
}

fn is_of(value: &serde_json::Value, kind: &Type) -> bool {
    match kind {
        Type::Dyn => true,
        Type::Null => value.is_null(),
        Type::Bool => value.is_boolean(),
        Type::Int => value.is_i64(),
        Type::Double => value.is_number(),
        Type::String => value.is_string(),
        Type::List(element) => value
            .as_array()
            .is_some_and(|elements| elements.iter().all(|value| is_of(value, element))),
        Type::Map(_) | Type::Object(_) => value.is_object(),
    }
}
