//! The library, function by function: the examples of Kubernetes' and cel-go's documentation, and the edges.

use super::{check, fails};
use crate::expr::{Error, library};
use serde_json::json;

#[test]
fn every_function_is_documented_and_tested() {
    let documented = include_str!("../library/mod.rs");
    let tested = concat!(include_str!("functions.rs"), include_str!("evaluated.rs"));
    for name in library::names() {
        assert!(
            documented.contains(&format!("{name}(")) || documented.contains(&format!("`{name}`")),
            "{name}"
        );
        assert!(tested.contains(&format!("{name}(")), "{name}");
    }
}

#[test]
fn strings_are_searched_by_characters() {
    check("'hello mellow'.indexOf('')", json!(0));
    check("'hello mellow'.indexOf('ello')", json!(1));
    check("'hello mellow'.indexOf('jello')", json!(-1));
    check("'hello mellow'.indexOf('', 2)", json!(2));
    check("'hello mellow'.indexOf('ello', 2)", json!(7));
    check("'\u{1f600}\u{e4}b'.indexOf('b')", json!(2));
    check("'hello mellow'.lastIndexOf('')", json!(12));
    check("'hello mellow'.lastIndexOf('ello')", json!(7));
    check("'hello mellow'.lastIndexOf('ello', 6)", json!(1));
    check("'\u{e4}\u{e4}\u{e4}'.lastIndexOf('\u{e4}', 1)", json!(1));
    check("'abc'.lastIndexOf('abcd')", json!(-1));
    check("'tacocat'.charAt(4)", json!("c"));
    check("'t\u{1f600}'.charAt(1)", json!("\u{1f600}"));
    check("'tacocat'.charAt(7)", json!(""));
    check("'tacocat'.substring(4)", json!("cat"));
    check("'tacocat'.substring(0, 4)", json!("taco"));
    check("'\u{1f600}\u{e4}b'.substring(1, 2)", json!("\u{e4}"));
    check(
        "'abc'.contains('') && startsWith('abc', 'ab') && 'abc'.endsWith('c')",
        json!(true),
    );
    fails(
        "'hello mellow'.indexOf('ello', 20)",
        "the position 20 is outside of 0 to 12",
    );
    fails("'hello mellow'.lastIndexOf('ello', -1)", "the position -1 is outside");
    fails("'tacocat'.charAt(8)", "the position 8 is outside of 0 to 7");
    fails("'tacocat'.substring(2, 1)", "the start 2 is outside of 0 to 1");
    fails("'tacocat'.substring(8)", "the start 8 is outside of 0 to 7");
    fails(
        "'abc'.indexOf(1)",
        "indexOf(string, integer) is not defined: write indexOf(string, string)",
    );
}

#[test]
fn strings_are_made() {
    check("'TacoC\u{c6}t Xii'.lowerAscii()", json!("tacoc\u{c6}t xii"));
    check("'TacoC\u{c6}t Xii'.upperAscii()", json!("TACOC\u{c6}T XII"));
    check("'hello hello'.replace('he', 'we')", json!("wello wello"));
    check("'hello hello'.replace('he', 'we', -1)", json!("wello wello"));
    check("'hello hello'.replace('he', 'we', 1)", json!("wello hello"));
    check("'hello hello'.replace('he', 'we', 0)", json!("hello hello"));
    check("'ab'.replace('', '_')", json!("_a_b_"));
    check("'hello hello hello'.split(' ')", json!(["hello", "hello", "hello"]));
    check("'hello hello hello'.split(' ', 0)", json!([]));
    check("'hello hello hello'.split(' ', 1)", json!(["hello hello hello"]));
    check("'hello hello hello'.split(' ', 2)", json!(["hello", "hello hello"]));
    check("'a\u{e4}b'.split('')", json!(["a", "\u{e4}", "b"]));
    check("'abc'.split('', 2)", json!(["a", "bc"]));
    check("''.split(',')", json!([""]));
    check("'  \ttrim\u{2003}\\n  '.trim()", json!("trim"));
    check("['hello', 'mellow'].join()", json!("hellomellow"));
    check("['hello', 'mellow'].join(' ')", json!("hello mellow"));
    check("[].join('/')", json!(""));
    fails("[1].join()", "element 0 is an integer: write .map(x, string(x))");
}

#[test]
fn patterns_search_anywhere() {
    check("'abc 123'.matches('[0-9]+')", json!(true));
    check("'abc 123'.matches('^[0-9]+$')", json!(false));
    check("'abc 123 45'.find('[0-9]+')", json!("123"));
    check("'abc'.find('[0-9]+')", json!(""));
    check("'123 abc 456'.findAll('[0-9]+')", json!(["123", "456"]));
    check("'123 abc 456'.findAll('[0-9]+', 1)", json!(["123"]));
    check("'123 abc 456'.findAll('x')", json!([]));
    check(
        "inputs.words.map(w, w.matches('^' + w + '$'))",
        json!([true, true, true]),
    );
    check("['1', 'a'].filter(w, w.matches(r'^\\d$'))", json!(["1"]));
    fails("'a'.matches('(' + 'b')", "bad regular expression: unclosed group");
    let error = fails("'a'.matches('(?:.?){900}' + 'b')", "too complex");
    assert!(matches!(error, Error::Evaluation { .. }));
}

#[test]
fn lists_are_folded() {
    check("[1, 2, 3].sum()", json!(6));
    check("sum([1, 2.5])", json!(3.5));
    check("sum([])", json!(0));
    check("[3, 1, 2].min() + max([3, 1, 2])", json!(4));
    check("min(2, 1.5)", json!(1.5));
    check("max(2, 3)", json!(3));
    check("['b', 'a'].min()", json!("a"));
    check("avg([1, 2])", json!(1.5));
    check("avg(inputs.list)", json!(2.0));
    check(
        "[1, 2, 2].isSorted() && !['b', 'a'].isSorted() && [].isSorted()",
        json!(true),
    );
    check("[1, 2, 2, 3].indexOf(2)", json!(1));
    check("[1, 2, 2, 3].lastIndexOf(2.0)", json!(2));
    check("['a'].indexOf(1)", json!(-1));
    assert!(matches!(
        fails("min([])", "min() of an empty array"),
        Error::Absent { .. }
    ));
    assert!(matches!(
        fails("avg([])", "avg() of an empty array"),
        Error::Absent { .. }
    ));
    fails("sum(['a'])", "sum() wants numbers, element 0 is a string");
    fails("min([1, 'a'])", "does not work on string and integer");
    fails("sum([9223372036854775807, 1])", "needs more than 64 bits");
}

#[test]
fn lists_are_made() {
    check("[1, 2, 2.0, 3, 3].distinct()", json!([1, 2, 3]));
    check(
        "[[1], [2], [1.0], {}, {}, null, null, 'a', 'a', true].distinct()",
        json!([[1], [2], {}, null, "a", true]),
    );
    check("inputs.nested.flatten()", json!([1, 2, [3], 4]));
    check("inputs.nested.flatten(2)", json!([1, 2, 3, 4]));
    check("inputs.nested.flatten(0)", json!([[1], [2, [3]], 4]));
    check("[1, 2, 3, 4].slice(1, 3)", json!([2, 3]));
    check("[1, 2].slice(2, 2)", json!([]));
    check("range(3)", json!([0, 1, 2]));
    check("range(-1, 2)", json!([-1, 0, 1]));
    check("range(-1)", json!([]));
    check("size(range(2, 1))", json!(0));
    fails("[1].flatten(-1)", "cannot open -1 levels");
    fails("[1, 2].slice(0, 3)", "the end 3 is outside of 0 to 2");
    fails("[1, 2].slice(2, 1)", "the start 2 is outside of 0 to 1");
    fails(
        "range(-9223372036854775807, 9223372036854775807)",
        "needs more than 64 bits",
    );
}

#[test]
fn values_change_their_type() {
    check("int('42') + int(3.99) + int(-3.99) + int(7)", json!(49));
    check("double('1.5') + double(2)", json!(3.5));
    check(
        "string(1) + string(1.0) + string(1.5) + string(true) + string('x')",
        json!("111.5truex"),
    );
    check("string(1e300) + string(1e-9)", json!("1e3001e-9"));
    check("bool('true') && !bool('false') && bool(true)", json!(true));
    check(
        "json({'b': [1, 1.5, null], 'a': 'q\"'})",
        json!(r#"{"a":"q\"","b":[1,1.5,null]}"#),
    );
    check("dyn(1) == 1", json!(true));
    fails("int('4 2')", "\"4 2\" is not an integer");
    fails("int(1e30)", "needs more than 64 bits");
    fails("int(true)", "int() does not take a boolean");
    fails("double('NaN')", "is not a finite number");
    fails("string([1])", "string() does not take an array: write json(…)");
    fails("bool('yes')", "\"yes\" is not true or false");
    fails("json(0.0 / 0.0)", "not a finite number");
}
