//! Tests as data: an expression, what it reads, and what must come of it.

mod bounds;
mod checked;
mod evaluated;
mod functions;
mod hostile;
mod parsed;
mod random;
mod twin;

use super::{Error, Expression, Members, Scope, Type, TypeEnv};
use serde_json::{Value as Json, json};

/// The values that most tests read.
pub(super) fn data() -> Json {
    json!({
        "inputs": {
            "day": "2026-11-21", "n": 3, "half": 0.5, "yes": true, "nothing": null,
            "list": [3, 1, 2], "words": ["b", "a", "b"], "nested": [[1], [2, [3]], 4], "empty": [],
            "object": {"a": 1, "b": {"c": "d"}, "with-dash": 5}, "big": 18_446_744_073_709_551_615_u64
        },
        "vars": {"raw": "{{ x }} $(HOME) \"'`\\ \n\t\u{1f600} ä"},
        "steps": {
            "shards": {"phase": "Succeeded", "results": [{"words": 7}, {"words": 5}],
                       "outputs": [{"words": 7}, null, {"words": 5}], "counts": {"failed": 1}},
            "list": {"phase": "Succeeded", "exitCode": 0, "outputs": {"files": ["a.txt", "b.txt"]}},
            "skipped": {"phase": "Skipped"}
        },
        "workflow": {"namespace": "default", "run": 1},
        "item": "a.txt", "index": 0
    })
}

pub(super) fn scope(data: &Json) -> Scope<'_> {
    let roots = data.as_object().unwrap();
    roots.iter().fold(Scope::new(), |scope, (root, value)| {
        scope.with_ref(root.as_str(), value)
    })
}

pub(super) fn run(text: &str) -> Result<Json, Error> {
    Expression::parse(text)?.evaluate(&scope(&data()))
}

/// `text` must give `expected`.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "reads better in the tables")]
pub(super) fn check(text: &str, expected: Json) {
    match run(text) {
        Ok(value) => assert_eq!(value, expected, "{text}"),
        Err(error) => panic!("{text}: {error}"),
    }
}

/// `text` must fail with a message that contains `words`; returns the error for its variant.
#[track_caller]
pub(super) fn fails(text: &str, words: &str) -> Error {
    match run(text) {
        Ok(value) => panic!("{text} gives {value}, an error is expected: {words}"),
        Err(error) => {
            assert_well_formed(&error);
            assert!(error.to_string().contains(words), "{text}: {error}\n   wanted: {words}");
            error
        }
    }
}

/// What every message promises.
#[track_caller]
pub(super) fn assert_well_formed(error: &Error) {
    let message = error.to_string();
    assert!(message.len() <= 1024, "{} bytes: {message}", message.len());
    assert!(!message.contains(char::is_control), "{message:?}");
}

/// The types of [`data`], as a definition would declare them.
pub(super) fn evaluated_types() -> TypeEnv {
    let inputs = Members::new()
        .with("day", Type::String)
        .with("n", Type::Int)
        .with("half", Type::Double)
        .with("yes", Type::Bool)
        .with("nothing", Type::Dyn)
        .with("list", Type::list(Type::Int))
        .with("words", Type::list(Type::String))
        .with("nested", Type::list(Type::Dyn))
        .with("empty", Type::list(Type::Int))
        .with("object", Type::map(Type::Dyn))
        .with_optional("none", Type::Int);
    let shards = Members::new()
        .with("results", Type::list(Members::new().with("words", Type::Int)))
        .with("outputs", Type::list(Type::Dyn));
    TypeEnv::new()
        .with("inputs", inputs)
        .with("steps", Members::new().with("shards", shards))
        .with("vars", Type::map(Type::String))
        .with("item", Type::String)
}
