//! What the termination message must be.

use crate::stage::check;

#[test]
fn declared_outputs_are_read_and_typed() {
    check(
        "a out=n:integer out=s:string",
        "a#1 exit=0 says `{\"n\":5,\"s\":\"x\"}` at 1s",
        "a Succeeded; a out n=5; a out s=\"x\"",
    );
    check(
        "a out=n:number",
        "a#1 exit=0 says {\"n\":5} at 1s",
        "a Succeeded; a out n=5",
    );
    check(
        "a out=l:array out=o:object out=b:boolean",
        "a#1 exit=0 says {\"l\":[1],\"o\":{},\"b\":true} at 1s",
        "a Succeeded; a out l=[1]",
    );
}

#[test]
fn what_is_not_declared_is_not_read() {
    check("a", "a#1 exit=0 says nonsense at 1s", "a Succeeded; a nothing");
    check(
        "a out=n:integer",
        "a#1 exit=0 says {\"n\":1,\"m\":2} at 1s",
        "a Succeeded; a out n=1",
    );
}

#[test]
fn a_wrong_message_fails_the_attempt_and_is_quoted() {
    for (message, words) in [
        ("nonsense", "nonsense"),
        ("[1,2]", "array"),
        ("{\"n\":\"5\"}", "string instead of integer"),
        ("{\"n\":1.5}", "number instead of integer"),
        ("{\"m\":5}", "output n is missing"),
        ("{\"n\":null}", "output n is missing"),
        ("{\"n\":9223372036854775808}", "instead of integer"),
        ("{\"n\":5", "not JSON"),
    ] {
        let story = format!("a#1 exit=0 says `{message}` at 1s");
        check(
            "a out=n:integer",
            &story,
            &format!("a Failed/OutputInvalid; a says `{words}`; a nothing"),
        );
    }
    check(
        "a out=n:integer",
        "a#1 exit=0 at 1s",
        "a Failed/OutputInvalid; a says `output n is missing`",
    );
}

#[test]
fn what_is_optional_or_has_a_default_may_be_left_out() {
    check(
        "a out=n:integer? out=m:integer=4",
        "a#1 exit=0 says {} at 1s",
        "a Succeeded; a out m=4",
    );
    check(
        "a out=n:integer? out=m:integer=4",
        "a#1 exit=0 at 1s",
        "a Succeeded; a out m=4",
    );
    check(
        "a out=n:integer? out=m:integer=4",
        "a#1 exit=0 says {\"n\":1,\"m\":2} at 1s",
        "a Succeeded; a out m=2; a out n=1",
    );
    check(
        "a out=n:integer?",
        "a#1 exit=0 says {\"n\":\"x\"} at 1s",
        "a Failed/OutputInvalid",
    );
}

#[test]
fn text_is_taken_whole() {
    check(
        "a out=t:Text",
        "a#1 exit=0 says `{\"a\": 1}` at 1s",
        "a Succeeded; a out `t=\"{\\\"a\\\": 1}\"`",
    );
    check("a out=t:Text", "a#1 exit=0 at 1s", "a Failed/OutputInvalid");
    check("a out=t:Text?", "a#1 exit=0 at 1s", "a Succeeded; a nothing");
}

#[test]
fn a_message_that_was_cut_says_what_to_do() {
    let story = format!("a#1 exit=0 says `{{\"n\":\"{}` at 1s", "x".repeat(4_096));
    check(
        "a out=n:string",
        &story,
        "a Failed/OutputInvalid; a says `cut at 4096 bytes`",
    );
}

#[test]
fn an_exit_code_goes_before_its_message() {
    check(
        "a out=n:integer",
        "a#1 exit=4 says {\"n\":1} at 1s",
        "a Failed/ExitCode; a nothing",
    );
}

#[test]
fn whole_floats_are_integers() {
    check(
        "a out=n:integer",
        "a#1 exit=0 says {\"n\":3.0} at 1s",
        "a Succeeded; a out n=3",
    );
}
