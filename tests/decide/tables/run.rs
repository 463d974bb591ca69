//! The run as a whole: definitions that are wrong or not there yet, outputs, new runs.

use crate::stage::check;

#[test]
fn an_unknown_task_is_waited_for() {
    check(
        "a task",
        "missing t-a; anew",
        "run Pending/TaskNotFound+TaskNotFound; run says t-a",
    );
    check(
        "a task",
        "missing t-a; anew; appears t-a at 1h",
        "snapshot; start a#1; a Scheduled; run Running",
    );
}

#[test]
fn a_task_that_goes_or_changes_mid_run_changes_nothing() {
    check(
        "a task; b needs a task",
        "missing t-b; a#1 exit=0 at 1s",
        "start b#1 with a; b Scheduled",
    );
}

#[test]
fn a_definition_that_is_wrong_ends_before_it_begins() {
    check("a needs a", "now 1s", "run Failed/Cycle; run says `a -> a`");
    check("a needs b; b needs a", "now 1s", "run Failed/Cycle");
    check("a needs x", "now 1s", "run Failed/UnknownNeed");
    check("a; a", "now 1s", "run Failed/DuplicateName");
    check(
        "a out=n:integer; b when `steps.a.outputs.n > 1`",
        "now 1s",
        "run Failed/NotUpstream",
    );
    check("a when `1 +`", "now 1s", "run Failed/ExpressionError");
    check("a when `'x'`", "now 1s", "run Failed/ExpressionError");
}

#[test]
fn a_run_gives_its_outputs_at_its_end() {
    let graph = "run: `out:total=steps.a.outputs.n * 2`; a out=n:integer";
    check(
        graph,
        "a#1 exit=0 says {\"n\":21} at 1s",
        "run Succeeded; run out total=42",
    );
    let graph = "run: `out:total=1 / steps.a.outputs.n`; a out=n:integer";
    check(graph, "a#1 exit=0 says {\"n\":0} at 1s", "run Failed/ExpressionError");
}

#[test]
fn a_changed_definition_is_a_new_run_where_asked_for() {
    let graph = "run: OnChange; a";
    check(
        graph,
        "a#1 exit=0 at 1s; change tools:2 at 2s",
        "snapshot; start a#1; run Running; run run=2",
    );
    check(
        graph,
        "a#1 runs at 1s; change tools:2 at 2s",
        "a Running; run Running; run run=1",
    );
    check(
        graph,
        "a#1 runs at 1s; change tools:2 at 2s; a#1 exit=0 at 3s",
        "snapshot; start a#1; run run=2",
    );
    // The end of the last run, and what is its Jobs' to get, come first.
    check(
        graph,
        "a#1 runs at 1s; change tools:2 at 2s; unwritable; a#1 exit=0 at 3s",
        "a Succeeded",
    );
    check(
        "run: OnChange ttl=60; a",
        "a#1 runs at 1s; change tools:2 at 2s; a#1 exit=0 at 3s",
        "expire a#1=60; snapshot; start a#1; run run=2",
    );
    check(
        graph,
        "a#1 exit=0 at 1s; change tools:1 at 2s",
        "a Succeeded; run Succeeded; run run=1",
    );
    check(
        "a",
        "a#1 exit=0 at 1s; change tools:2 at 2s",
        "run Succeeded; run run=1",
    );
}

#[test]
fn a_suspension_is_no_change_of_the_definition() {
    check(
        "run: OnChange; a",
        "a#1 exit=0 at 1s; suspend; resume",
        "run Succeeded; run run=1",
    );
}

#[test]
fn a_definition_says_what_cannot_happen() {
    check(
        "block b: x; a",
        "now 1s",
        "run Failed/InvalidDefinition; run says `spec.blocks.b: no step runs it`",
    );
    check(
        "a exit=Succeeded; b needs a",
        "now 1s",
        "run Failed/InvalidDefinition; run says `spec.steps[1].needs: never starts: a ends the run`",
    );
    check(
        "block b: x block=c; block c: y; block c: z; a block=d; block d: e block=b",
        "now 1s",
        "a.e.x.y Scheduled",
    );
}

#[test]
fn a_definition_opens_a_bounded_number_of_steps() {
    use std::fmt::Write;
    let mut graph = String::new();
    for step in 0..60 {
        write!(graph, "block b: x{step}; ").unwrap();
    }
    for step in 0..9 {
        write!(graph, "s{step} block=b; ").unwrap();
    }
    check(
        &graph,
        "now 1s",
        "run Failed/TooLarge; run says `up to 549 steps would be open at once, 500 may be`",
    );
}
