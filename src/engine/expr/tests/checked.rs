//! What the checker finds before anything runs.

use super::assert_well_formed;
use crate::expr::{Error, Expression, Members, Scope, Type, TypeEnv};
use jobwright_api::ValueType;
use serde_json::json;

fn types() -> TypeEnv {
    let outputs = Members::new()
        .with("n", Type::Int)
        .with("rate", ValueType::Number)
        .with("files", ValueType::Array)
        .with("rates", Type::list(Type::Double))
        .with_optional("note", Type::String);
    let step = Members::new()
        .with("phase", Type::String)
        .with("outputs", outputs.clone());
    let maybe = Members::new()
        .with("phase", Type::String)
        .with_optional("outputs", outputs.clone());
    let shards = Members::new().with("results", Type::list(outputs));
    TypeEnv::new()
        .with(
            "inputs",
            Members::new()
                .with("day", Type::String)
                .with("n", Type::Int)
                .with("any", Type::Dyn),
        )
        .with(
            "steps",
            Members::new()
                .with("count", step)
                .with("maybe", maybe)
                .with("shards", shards),
        )
        .with("vars", Type::map(Type::Dyn))
        .with("file", Type::Dyn)
}

#[track_caller]
fn gives(text: &str, expected: &Type) {
    match Expression::parse(text).and_then(|expression| expression.check(&types())) {
        Ok(kind) => assert_eq!(kind, *expected, "{text}"),
        Err(error) => panic!("{text}: {error}"),
    }
}

#[track_caller]
fn refused(text: &str, words: &str) -> Error {
    match Expression::parse(text).and_then(|expression| expression.check(&types())) {
        Ok(kind) => panic!("{text} gives {kind}, wanted: {words}"),
        Err(error) => {
            assert_well_formed(&error);
            assert!(error.to_string().contains(words), "{text}: {error}\n   wanted: {words}");
            error
        }
    }
}

#[test]
fn the_type_of_a_result_is_known() {
    gives("inputs.day", &Type::String);
    gives("inputs.n + 1", &Type::Int);
    gives("inputs.any + 1", &Type::Int);
    gives("inputs.any", &Type::Dyn);
    gives("double(inputs.n) * steps.count.outputs.rate", &Type::Double);
    gives("inputs.n > 1 && file == 'a'", &Type::Bool);
    gives("inputs.n > 1 ? 'a' : 'b'", &Type::String);
    gives("inputs.n > 1 ? 'a' : 1", &Type::Dyn);
    gives("steps.shards.results.map(r, r.n)", &Type::list(Type::Int));
    gives("sum(steps.shards.results.map(r, r.n))", &Type::Int);
    gives("avg(steps.shards.results.map(r, r.n))", &Type::Double);
    gives("steps.shards.results.filter(r, r.n > 1)[0].rate", &Type::Double);
    gives("{'a': 1}.a", &Type::Int);
    gives("inputs.day.split('-').map(x, int(x))", &Type::list(Type::Int));
    gives("min(inputs.n, 3)", &Type::Int);
    gives("range(inputs.n)", &Type::list(Type::Int));
    gives("[1] + [2]", &Type::list(Type::Int));
    gives("[1] == [2.0] || inputs.n == 1.5 || inputs.day == null", &Type::Bool);
    gives("vars.anything.below", &Type::Dyn);
    gives("dyn(inputs.n) + 'a'", &Type::String);
    gives("size(steps.count.outputs)", &Type::Int);
}

#[test]
fn mistakes_are_found_with_a_hint() {
    assert!(matches!(
        refused("inptus.day", "did you mean `inputs`?"),
        Error::UnknownRoot { .. }
    ));
    refused("banana", "there is file, inputs, steps, vars");
    assert!(matches!(
        refused("inputs.dat", "`inputs` has no member `dat`; did you mean `day`?"),
        Error::UnknownMember { .. }
    ));
    refused(
        "steps.counts.outputs.n",
        "`steps` has no member `counts`; did you mean `count`?",
    );
    refused(
        "steps.count.outputs.words",
        "`steps.count.outputs` has no member `words`; there is files, n, note, rate, rates",
    );
    refused("steps.count.output.n", "did you mean `outputs`?");
    refused("steps.shards.results.map(r, r.wurds)", "`r` has no member `wurds`");
    assert!(matches!(
        refused("inputs.day + inputs.n", "write string(…)"),
        Error::Type { .. }
    ));
    refused("inputs.n * 1.5", "write double(…)");
    refused("inputs.n == 'a'", "an integer and a string are never equal");
    refused("inputs.n ? 1 : 2", "a condition must be true or false");
    refused("inputs.n && true", "a condition must be true or false");
    refused("!inputs.day", "a condition must be true or false");
    refused("-inputs.day", "`-` wants a number");
    refused("inputs.day.x", "a string has no members");
    refused("inputs.day[0]", "a string has no element at an integer");
    refused("inputs.day.map(x, x)", "an array or object is expected");
    refused(
        "inputs.n.size()",
        "size(integer) is not defined: write size(string) or size(array) or size(object)",
    );
    refused("join(inputs.day)", "join(string) is not defined");
    refused("inputs.n in inputs.day", "it looks in an array");
    refused("{1: 2}", "a key must be a string");
    refused("[1].all(x, x)", "a condition must be true or false");
    refused("inputs.n < 'a'", "does not work on integer and string");
    refused("true < null", "does not work");
}

#[test]
fn what_may_be_absent_is_read_with_care() {
    let error = refused(
        "steps.count.outputs.note",
        "`steps.count.outputs.note` may be absent: test it with has(",
    );
    assert!(matches!(error, Error::MayBeAbsent { .. }));
    refused("steps.maybe.outputs.n", "`steps.maybe.outputs` may be absent");
    refused(
        "has(steps.maybe.outputs.n) ? 1 : steps.maybe.outputs.n",
        "may be absent",
    );
    refused(
        "has(steps.maybe.outputs) && steps.maybe.outputs.note == 'a'",
        "may be absent",
    );
    refused("or(1, steps.count.outputs.note)", "may be absent");
    gives("has(steps.count.outputs.note)", &Type::Bool);
    gives("or(steps.count.outputs.note, '')", &Type::String);
    gives("or(steps.maybe.outputs.n, 0) + 1", &Type::Int);
    gives("has(steps.maybe.outputs.n) ? steps.maybe.outputs.n : 0", &Type::Int);
    gives("!has(steps.maybe.outputs.n) ? 0 : steps.maybe.outputs.n", &Type::Int);
    gives(
        "has(steps.count.outputs.note) && steps.count.outputs.note == 'a'",
        &Type::Bool,
    );
    gives(
        "!has(steps.count.outputs.note) || steps.count.outputs['note'] == 'a'",
        &Type::Bool,
    );
    gives(
        "steps.shards.results.filter(r, has(r.note)).map(r, r.note)",
        &Type::list(Type::String),
    );
    gives("steps.maybe.phase", &Type::String);
}

#[test]
fn the_result_must_fit_where_it_goes() {
    let check_as = |text: &str, wanted: ValueType| {
        Expression::parse(text).and_then(|expression| expression.check_as(&types(), &wanted.into()))
    };
    assert!(check_as("inputs.n", ValueType::Number).is_ok());
    assert!(check_as("inputs.any", ValueType::Boolean).is_ok());
    assert!(check_as("{'a': 1}", ValueType::Object).is_ok());
    assert!(check_as("[1]", ValueType::Array).is_ok());
    let error = check_as("inputs.n", ValueType::Boolean).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column 1 `inputs.n`: the expression gives type integer, boolean is wanted"
    );
    assert!(check_as("1.5", ValueType::Integer).is_err());
}

/// The API server stores 1.0 as 1: the declared type decides, not how the number is written.
#[test]
fn declared_numbers_are_numbers_however_they_are_stored() {
    let env = types();
    let steps = json!({
        "count": {"outputs": {"rate": 3, "rates": [1, 2]}},
        "shards": {"results": [{"rate": 1, "n": 1}, {"rate": 2.5, "n": 2}]},
        "maybe": {"outputs": {"rate": 7}}
    });
    let scope = Scope::new().typed(&env).with_ref("steps", &steps);
    let value = |text: &str| {
        let expression = Expression::parse(text).expect(text);
        expression.check(&env).expect(text);
        expression.evaluate(&scope).expect(text)
    };
    assert_eq!(value("steps.count.outputs.rate / 2.0"), json!(1.5));
    assert_eq!(value("steps.shards.results.map(r, r.rate * 2.0)"), json!([2.0, 5.0]));
    assert_eq!(
        value("steps.shards.results.filter(r, r.n == 1).map(r, r.rate / 2.0)"),
        json!([0.5])
    );
    assert_eq!(value("steps.shards.results[0].rate / 2.0"), json!(0.5));
    assert_eq!(value("or(steps.maybe.outputs.rate, 1.0) / 2.0"), json!(3.5));
    assert_eq!(
        value("(steps.shards.results[1].n == 2 ? steps.count.outputs.rate : 1.0) / 2.0"),
        json!(1.5)
    );
    assert_eq!(value("steps.shards.results.map(r, r.n / 2)"), json!([0, 1]));
    assert_eq!(
        value("[sum(steps.count.outputs.rates) / 2.0, steps.count.outputs.rates[0] / 2.0]"),
        json!([1.5, 0.5])
    );
}
