//! What expressions give.

use super::{check, fails};
use crate::expr::Error;
use serde_json::json;

#[test]
fn data_is_read() {
    check("inputs.day", json!("2026-11-21"));
    check("inputs['day']", json!("2026-11-21"));
    check("inputs.object", json!({"a": 1, "b": {"c": "d"}, "with-dash": 5}));
    check("inputs.object['with-dash']", json!(5));
    check("inputs.list[0]", json!(3));
    check("inputs.nothing", json!(null));
    check("workflow.namespace", json!("default"));
    check("steps.list.outputs.files", json!(["a.txt", "b.txt"]));
    check("steps['list'].outputs['files'][1]", json!("b.txt"));
    check("sum(steps.shards.results.map(r, r.words)) > 100", json!(false));
    check("sum(steps.shards.results.map(r, r.words))", json!(12));
    check("item + '#' + string(index)", json!("a.txt#0"));
    fails("response.body", "there is no `response` here");
}

#[test]
fn strings_are_kept_byte_by_byte() {
    check("vars.raw", json!("{{ x }} $(HOME) \"'`\\ \n\t\u{1f600} ä"));
    check(
        "vars.raw + '{{ y }}$(A)'",
        json!("{{ x }} $(HOME) \"'`\\ \n\t\u{1f600} ä{{ y }}$(A)"),
    );
    check(
        r#""\"'\n\x41\u00e4\U0001F600\101\`\?\a""#,
        json!("\"'\nAä\u{1f600}A`?\u{7}"),
    );
    check(r"r'\n$(HOME)\d'", json!("\\n$(HOME)\\d"));
    check("'''it's\n\"so\"'''", json!("it's\n\"so\""));
    check("\"\"\"a\"b\"\"\"", json!("a\"b"));
    check("'{{ inputs.n }} ${x}'", json!("{{ inputs.n }} ${x}"));
    check("size('ä\u{1f600}')", json!(2));
}

#[test]
fn integers_are_signed_and_never_wrap() {
    check("inputs.n - 5", json!(-2));
    check("inputs.n == 3 && inputs.n == 3.0 && inputs.n < 3.5", json!(true));
    check("7 / 2", json!(3));
    check("-7 / 2", json!(-3));
    check("-7 % 3", json!(-1));
    check("0x7fffffffffffffff", json!(i64::MAX));
    check("-9223372036854775808", json!(i64::MIN));
    check("9223372036854775807 == 9223372036854775807.0", json!(false));
    check("9007199254740993 > 9007199254740992.0", json!(true));
    check("-(-3) - -3", json!(6));
    check("2 + 3 * 4 - 1", json!(13));
    fails("9223372036854775807 + 1", "needs more than 64 bits");
    fails("-9223372036854775808 - 1", "needs more than 64 bits");
    fails("-(-9223372036854775808)", "needs more than 64 bits");
    fails("-9223372036854775808 / -1", "needs more than 64 bits");
    fails("9223372036854775807 * 2", "needs more than 64 bits");
    fails("inputs.n / 0", "division by zero");
    fails("inputs.n % 0", "division by zero");
    fails("inputs.big", "needs more than 64 bits");
    fails("inputs.n * 1.5", "write double(…)");
    check("double(inputs.n) * 1.5", json!(4.5));
    check("0.1 + 0.2 < 0.4 && .5 == 5e-1", json!(true));
    fails("1.0 / 0.0", "not a finite number");
    check("1.0 / 0.0 > 1e300", json!(true));
}

#[test]
fn conditions_decide_from_either_side() {
    check("inputs.yes ? 'a' : 'b'", json!("a"));
    check("false ? 1 : true ? 2 : 3", json!(2));
    check("inputs.none == 1 || true", json!(true));
    check("true || inputs.none == 1", json!(true));
    check("inputs.none == 1 && false", json!(false));
    check("[1, 2].exists(x, x / (x - 1) == 2)", json!(true));
    check("[1, 2].all(x, x / (x - 1) == 3)", json!(false));
    check("!inputs.yes || !!inputs.yes", json!(true));
    fails("inputs.none == 1 || false", "there is no `none`");
    fails(
        "inputs.n ? 1 : 2",
        "a condition must be true or false, this is an integer",
    );
    fails("inputs.n && true", "a condition must be true or false");
    fails("'a' + 1", "write string(…)");
    fails("true + true", "the operator is not defined");
    fails("'1' < 2", "`<` does not work on string and integer");
    check("'a' < 'b' && 'Z' < 'a' && false < true", json!(true));
}

#[test]
fn absent_is_not_null() {
    check("has(inputs.day)", json!(true));
    check("has(inputs.none)", json!(false));
    check("has(inputs.none.below)", json!(false));
    check("has(inputs.nothing)", json!(true));
    check("has(inputs.object['with-dash'])", json!(true));
    check("has(steps.skipped.outputs.x)", json!(false));
    check("inputs.nothing == null", json!(true));
    assert!(matches!(fails("inputs.none", "has()"), Error::Absent { .. }));
    assert!(matches!(
        fails("steps.skipped.outputs.x", "there is no `outputs`"),
        Error::Absent { .. }
    ));
    assert!(matches!(
        fails("inputs.list[3]", "there is no element 3 of 3"),
        Error::Absent { .. }
    ));
    assert!(matches!(
        fails("inputs.list[-1]", "there is no element -1"),
        Error::Absent { .. }
    ));
    assert!(matches!(
        fails("inputs.n.x", "integer has no members"),
        Error::Type { .. }
    ));
    assert!(matches!(
        fails("has(inputs.n.x)", "integer has no members"),
        Error::Type { .. }
    ));
    assert!(matches!(fails("{'a': 1}.b", "there is no `b`"), Error::Absent { .. }));
}

#[test]
fn or_gives_the_default_for_what_is_absent_only() {
    check("or(inputs.none, 5)", json!(5));
    check("or(inputs.n, 5)", json!(3));
    check("or(inputs.none.below[3].x, 5)", json!(5));
    check("or(inputs.nothing, 5)", json!(5));
    check("inputs.none.or(7) + 1", json!(8));
    check("or(inputs.n, 1 / 0)", json!(3));
    check("or(inputs.none, or(inputs.no, 'x'))", json!("x"));
    check("or(steps.skipped.outputs.x, 0)", json!(0));
    check("steps.shards.outputs.map(o, or(o.words, 0))", json!([7, 0, 5]));
    check("or(min(inputs.empty), 9)", json!(9));
    check("or(inputs.none + 1, 9)", json!(9));
    fails("or(1 / 0, 5)", "division by zero");
    fails("or('a' + 1, 5)", "`+` does not work");
    fails("or(response.x, 5)", "there is no `response`");
}

#[test]
fn macros_run_over_lists_and_keys() {
    check("inputs.list.filter(x, x > 1).map(x, x * 2)", json!([6, 4]));
    check("inputs.list.map(x, x > 1, x * 2)", json!([6, 4]));
    check("inputs.list.exists_one(x, x == 1)", json!(true));
    check("inputs.words.existsOne(x, x == 'b')", json!(false));
    check("inputs.empty.all(x, false)", json!(true));
    check("inputs.empty.exists(x, true)", json!(false));
    check("inputs.object.map(k, k)", json!(["a", "b", "with-dash"]));
    check("inputs.object.exists(k, k == 'a')", json!(true));
    check(
        "inputs.list.map(x, inputs.list.filter(y, y < x))",
        json!([[1, 2], [], [1]]),
    );
    check("[1].map(x, [2].map(x, x) + [x])", json!([[2, 1]]));
    check("['a'].map(file, file)", json!(["a"]));
    fails("inputs.n.map(x, x)", "an array or object is expected");
    fails("inputs.list.map(x, x + 'a')", "does not work on integer and string");
}

#[test]
fn literals_make_objects_and_arrays() {
    check(
        "{'by': item, 'n': [1, 'a', null, 1.5, true,],}",
        json!({"by": "a.txt", "n": [1, "a", null, 1.5, true]}),
    );
    check("{}", json!({}));
    check("{item: 1}['a.txt']", json!(1));
    check("[1, 2] + inputs.list == [1, 2, 3, 1, 2]", json!(true));
    check("{'a': [1.0]} == {'a': [1]}", json!(true));
    check("{'a': 1} != {'b': 1} && [1] != [1, 2] && 1 != 'a'", json!(true));
    check(
        "3 in inputs.list && !('3' in inputs.list) && 'a' in inputs.object",
        json!(true),
    );
    fails("{1: 2}", "a key must be a string, this is an integer");
    fails("{'a': 1, 'a': 2}", "the key is there twice");
    fails("1 in 'abc'", "it looks in an array");
}
