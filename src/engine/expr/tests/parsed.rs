//! What is and what is not an expression, and what an expression reads.

use super::{assert_well_formed, check, fails};
use crate::expr::{Error, Expression};
use serde_json::json;

#[track_caller]
fn refused(text: &str, words: &str) -> Error {
    let error = Expression::parse(text).expect_err(text);
    assert_well_formed(&error);
    assert!(error.to_string().contains(words), "{text}: {error}\n   wanted: {words}");
    error
}

#[test]
fn a_mistake_is_shown_with_its_place_and_a_cure() {
    refused("", "column 1 (the end): the expression ends here, a value is expected");
    refused("1 +", "column 4 (the end)");
    refused("a\n  b", "line 2, column 3 `b`: this does not belong here");
    refused("inputs.n = 3", "column 10 `=`: write `==`");
    refused("a & b", "write `&&`");
    refused("{{ inputs.x }}", "`:` is expected");
    refused("${x}", "`$` has no meaning here");
    refused("'abc", "column 1 `'abc`: the string is not closed: ' is missing");
    refused("'a\nb'", "not closed");
    refused(r"'\q'", "there is no such escape");
    refused(r"'\ud800'", "no Unicode character");
    refused(r"'\x4'", "wants 2 digits");
    refused("b'x'", "bytes are not used");
    refused("3u", "unsigned integers are not used");
    refused("12ab", "this is not a number");
    refused("0x", "this is not a number");
    refused("9223372036854775808", "more than 64 bits");
    refused("1e999", "too large");
    refused("Type{a: 1}", "messages are not used");
    refused(".a", "nothing stands before the dot");
    refused("x.in", "write x['in']");
    refused("loop", "`loop` is a reserved word");
    refused("a.`b-c`", "write x['a-b']");
    refused("(1", "`)` is expected");
    refused("[1 2]", "`]` is expected");
    refused("a.b.", "the name of a member is expected");
    refused("a ? b", "`:` is expected");
    refused("a\u{202e}b", "\\u{202e}");
    refused("\0", "\\u{0}");
}

#[test]
fn unknown_functions_are_refused_with_the_near_name() {
    refused("inputs.list.summ()", "there is no function `summ`: did you mean `sum`?");
    refused("lenght(x)", "there is no function `lenght`");
    refused("'a'.toLower()", "there is no function `toLower`");
    refused("now()", "there is no function `now`");
    refused("timestamp('2026')", "there is no function `timestamp`");
    refused(
        "join(a, b, c)",
        "3 arguments do not fit: write join(array) or join(array, string)",
    );
    refused("has(a)", "write has(x.member)");
    refused("has(a.b, c.d)", "write has(x.member)");
    refused("or(a)", "write or(value, default)");
    refused("a.map(x)", "write list.map(x, value)");
    refused("a.all(1, true)", "a plain name");
    refused("a.map(steps, 1)", "`steps` is taken");
    refused("all(a, x, true)", "there is no function `all`");
    refused("'a'.matches('(')", "bad regular expression: unclosed group");
    refused("'a'.matches('(?:a{900}){900}')", "too complex");
}

#[test]
fn references_are_what_is_read() {
    let read = |text: &str| {
        let expression = Expression::parse(text).expect(text);
        let references = expression.references();
        let steps: Vec<String> = references
            .steps
            .iter()
            .flat_map(|(step, paths)| paths.iter().map(move |path| format!("{step}:{}", path.join("."))))
            .collect();
        (
            references.roots.iter().cloned().collect::<Vec<_>>().join(" "),
            steps.join(" "),
        )
    };
    let is = |text, roots: &str, steps: &str| {
        assert_eq!(read(text), (roots.to_owned(), steps.to_owned()), "{text}");
    };
    is("1 + 1", "", "");
    is("inputs.a + file", "file inputs", "");
    is("steps.a.outputs.n + steps['b'].phase", "steps", "a:outputs.n b:phase");
    is("has(steps.a.outputs.n) ? steps.a.outputs.n : 0", "steps", "a:outputs.n");
    is("steps.a.outputs.list[0].n", "steps", "a:outputs.list");
    is("steps.a.outputs[inputs.key]", "inputs steps", "a:outputs");
    is("steps.a.results.map(r, r.steps.b)", "steps", "a:results");
    is("steps.a", "steps", "a:");
    is(
        "inputs.xs.map(x, x + vars.y).filter(z, z > last.n)",
        "inputs last vars",
        "",
    );
    is("x.map(x, x)", "x", "");
    for text in [
        "steps",
        "steps[inputs.name].outputs",
        "steps.map(s, s)",
        "size(steps)",
        "'a' in steps",
    ] {
        assert!(matches!(
            refused(text, "a step must be named"),
            Error::UnnamedStep { .. }
        ));
    }
}

#[test]
fn blanks_and_comments_are_skipped() {
    check(" 1 // one\n\t+ 2\r\n// the end", json!(3));
    check("inputs . day . size ( )", json!(10));
    fails("// nothing", "a value is expected");
}
