//! `onFailure.then`, three ways.

use crate::stage::check;

#[test]
fn after_a_failure_nothing_new_starts_and_what_runs_finishes() {
    let graph = "a; b; c needs b";
    check(
        graph,
        "a#1 exit=1 at 1s",
        "a Failed; b Scheduled; c Omitted; run Running",
    );
    check(
        graph,
        "a#1 exit=1 at 1s; b#1 exit=0 at 2s",
        "b Succeeded; run Failed/StepFailed; run says `step a failed`",
    );
}

#[test]
fn a_step_that_has_begun_keeps_its_retries() {
    check(
        "a; b retry=3 backoff=5s",
        "b#1 exit=1 at 1s; a#1 exit=1 at 2s; now 9s",
        "start b#2; b Scheduled; run Running",
    );
}

#[test]
fn continue_counts_as_done() {
    let graph = "a then=Continue; b needs a when `steps.a.phase == 'Failed'`";
    check(graph, "a#1 exit=1 at 1s", "start b#1 with a; a Failed; b Scheduled");
    check(graph, "a#1 exit=1 at 1s; b#1 exit=0 at 2s", "run Succeeded");
}

#[test]
fn fail_at_end_lets_all_else_end_first() {
    let graph = "a then=FailAtEnd; b needs a; c needs b";
    check(graph, "a#1 exit=1 at 1s", "start b#1 with a; run Running");
    check(
        graph,
        "a#1 exit=1 at 1s; b#1 exit=0 at 2s; c#1 exit=0 at 3s",
        "c Succeeded; run Failed/StepFailed",
    );
}

#[test]
fn a_condition_that_fails_may_be_let_pass() {
    let graph = "a out=n:integer; b needs a when `1 / steps.a.outputs.n > 0` then=Continue; c needs b";
    check(
        graph,
        "a#1 exit=0 says {\"n\":0} at 1s",
        "start c#1 with a; b Failed/ExpressionError; c Scheduled",
    );
}
