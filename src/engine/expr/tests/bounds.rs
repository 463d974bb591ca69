//! The limits that are checked before the run.

use super::{assert_well_formed, check};
use crate::expr::{Error, Expression, Members, Scope, Type, TypeEnv};
use serde_json::json;

#[track_caller]
fn refused(text: &str) -> Error {
    let error = Expression::parse(text).expect_err("a limit");
    assert_well_formed(&error);
    assert!(error.is_limit(), "{error}");
    error
}

#[test]
fn long_texts_are_refused_unread() {
    assert!(matches!(
        refused(&"x".repeat(2049)),
        Error::TooLong { bytes: 2049, max: 2048 }
    ));
    refused(&"(".repeat(10_000));
    refused(&format!("1{}", "+1".repeat(100_000)));
    assert!(Expression::parse(&format!("'{}'", "x".repeat(2046))).is_ok());
}

#[test]
fn deep_and_wide_texts_are_refused_early() {
    refused(&"(".repeat(2000));
    refused(&"[".repeat(2000));
    refused(&"{[(".repeat(600));
    refused(&"f(".repeat(1000));
    refused(&format!("{}a", "!".repeat(2000)));
    refused(&format!("{}1", "- ".repeat(1000)));
    refused(&format!("1{}", "+1".repeat(1000)));
    refused(&format!("a{}", "?a:a".repeat(500)));
    refused(&format!("a{}", ".a".repeat(1000)));
    refused(&format!("a{}", "[0]".repeat(600)));
    refused(&format!("[{}]", "1,".repeat(900)));
    refused(&format!("true{}", "&&true".repeat(300)));
    check(&format!("{}1{}", "(".repeat(32), ")".repeat(32)), json!(1));
    check(&format!("1{}", "+1".repeat(99)), json!(100));
    check(&format!("{}true", "!".repeat(198)), json!(true));
}

#[test]
fn macros_nest_in_two_levels() {
    assert!(Expression::parse("a.all(x, x.all(y, y))").is_ok());
    assert!(Expression::parse("a.map(x, x).map(x, x).map(x, x).map(x, x)").is_ok());
    assert!(Expression::parse("a.filter(x, x.all(y, y)).map(x, x.map(y, y))").is_ok());
    assert!(matches!(
        refused("a.all(x, x.all(y, y.all(z, z)))"),
        Error::TooComplex { .. }
    ));
}

#[test]
fn messages_are_short_even_for_strange_names() {
    let strange = "\u{10ffff}".repeat(90);
    let types = TypeEnv::new().with("a", Members::new().with_optional(strange.as_str(), Type::Int));
    for text in [
        format!("a['{strange}']"),
        format!("a['{strange}x']"),
        format!("{{'{strange}': 1, '{strange}y': 2}}['{strange}x']"),
        format!("int('{strange}')"),
        format!("'{strange}'.substring(5000)"),
        format!("'{strange}'.matches('(' + '{strange}')"),
    ] {
        let expression = Expression::parse(&text).unwrap();
        for error in [
            expression.check(&types).err(),
            expression.evaluate(&Scope::new().with("a", json!({}))).err(),
        ] {
            error.iter().for_each(assert_well_formed);
        }
    }
    assert_well_formed(&Expression::parse(&format!("'x'.matches('{strange}(')")).unwrap_err());
    assert_well_formed(&Expression::parse(&format!("{}()", "f".repeat(2000))).unwrap_err());
}

#[test]
fn types_are_shared_not_copied() {
    let text = format!("[1]{}", ".map(a, {'a': a, 'b': a, 'c': a})".repeat(20));
    assert!(Expression::parse(&text).unwrap().check(&TypeEnv::new()).is_ok());
}

#[test]
fn expressions_are_shared_between_threads() {
    fn assert_shared<T: Send + Sync + Clone>() {}
    assert_shared::<Expression>();
}
