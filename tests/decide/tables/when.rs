//! Needs, `when`, and steps that are skipped or left out.

use crate::stage::check;

#[test]
fn a_step_starts_when_all_it_needs_is_done() {
    check("a; b; c needs a,b", "a#1 exit=0 at 1s", "a Succeeded; c Pending");
    check(
        "a; b; c needs a,b",
        "a#1 exit=0 at 1s; b#1 exit=0 at 2s",
        "start c#1 with b; c Scheduled",
    );
}

#[test]
fn a_false_condition_skips_the_step_and_what_needs_it_goes_on() {
    let graph = "a out=n:integer; b needs a when `steps.a.outputs.n > 5`; c needs b";
    check(
        graph,
        "a#1 exit=0 says {\"n\":7} at 1s",
        "start b#1 with a; b Scheduled",
    );
    check(
        graph,
        "a#1 exit=0 says {\"n\":3} at 1s",
        "start c#1 with a; b Skipped/WhenFalse; c Scheduled",
    );
}

#[test]
fn a_condition_is_judged_once_and_only_when_its_needs_are_done() {
    check(
        "a when `false`; b needs a",
        "now 1s",
        "a Skipped/WhenFalse; b Scheduled",
    );
    check("a; b needs a when `false`", "now 1s", "b Pending");
}

#[test]
fn a_condition_that_cannot_be_judged_fails_the_step() {
    let graph = "a out=n:integer; b needs a when `1 / steps.a.outputs.n > 0`; c needs b";
    check(
        graph,
        "a#1 exit=0 says {\"n\":0} at 1s",
        "b Failed/ExpressionError; c Omitted; run Failed/StepFailed",
    );
}

#[test]
fn outputs_of_a_skipped_step_are_absent() {
    let graph = "a out=n:integer when `false`; b needs a when `has(steps.a.outputs.n)`";
    check(graph, "now 1s", "a Skipped; b Skipped");
    let graph = "a out=n:integer when `false`; b needs a when `or(steps.a.outputs.n, 3) == 3`";
    check(graph, "now 1s", "a Skipped; b Scheduled");
}

#[test]
fn what_needs_a_failed_step_is_omitted_with_all_below() {
    check(
        "a; b needs a; c needs b",
        "a#1 exit=1 at 1s",
        "b Omitted; c Omitted; run Failed/StepFailed",
    );
}

#[test]
fn inputs_that_cannot_be_computed_fail_the_step_for_good() {
    let graph = "a out=n:integer; b needs a in `x=1 / steps.a.outputs.n` retry=5";
    check(
        graph,
        "a#1 exit=0 says {\"n\":0} at 1s",
        "b Failed/ExpressionError; b attempts=0",
    );
}
