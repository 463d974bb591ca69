//! Blocks, choices, loops and waits.

use crate::stage::check;

const COUNTED: &str = "block body in=n:integer gives=n:integer=steps.probe.outputs.n; \
     block body: probe out=n:integer in n=inputs.n; ";

#[test]
fn a_block_runs_its_steps_and_gives_its_outputs() {
    let graph = "block b gives=n:integer=steps.y.outputs.n; block b: x; block b: y needs x out=n:integer; \
                 a block=b; z needs a in n=steps.a.outputs.n";
    check(graph, "now 1s", "a Running; a.x Scheduled; a.y Pending; z Pending");
    check(graph, "a.x#1 exit=0 at 1s", "start a.y#1 with a.x; a.y Scheduled");
    check(
        graph,
        "a.x#1 exit=0 at 1s; a.y#1 exit=0 says {\"n\":7} at 2s",
        "a Succeeded; a out n=7; start z#1 with a.y",
    );
}

#[test]
fn a_failure_within_a_block_is_the_blocks() {
    let graph = "block b: x; block b: y needs x; a block=b; z needs a";
    check(
        graph,
        "a.x#1 exit=3 at 1s",
        "a.x Failed/ExitCode; a.y Omitted; a Failed/StepFailed; a says `a.x failed`; z Omitted; run Failed",
    );
    check(
        "block b: x; a block=b then=Continue; z needs a",
        "a.x#1 exit=3 at 1s",
        "a Failed/StepFailed; start z#1 with a.x; z Scheduled",
    );
}

#[test]
fn a_failure_beside_a_block_starts_nothing_new_in_it() {
    check(
        "block b: x; block b: y needs x; a block=b; other",
        "other#1 exit=1 at 1s; a.x#1 exit=0 at 2s",
        "a.x Succeeded; a.y Omitted; a Cancelled; run Failed",
    );
}

#[test]
fn a_failure_of_its_own_is_the_blocks_whatever_fails_beside_it() {
    check(
        "block b: x; block b: y needs x; a block=b; other",
        "other#1 exit=1 at 1s; a.x#1 exit=3 at 2s",
        "a.x Failed/ExitCode; a.y Omitted; a Failed/StepFailed; a says `a.x failed`; run Failed",
    );
}

#[test]
fn a_choice_takes_the_first_true_case() {
    let graph = "block yes: x; block no: y; a out=n:integer; \
                 c needs a case=`steps.a.outputs.n > 1->yes` case=`steps.a.outputs.n > 0->no` else=none";
    check(
        graph,
        "a#1 exit=0 says {\"n\":2} at 1s",
        "c Running; c selected yes; start c.x#1 with a",
    );
    check(
        graph,
        "a#1 exit=0 says {\"n\":1} at 1s",
        "c selected no; start c.y#1 with a",
    );
    check(
        graph,
        "a#1 exit=0 says {\"n\":0} at 1s",
        "c Succeeded; c selected none; run Succeeded",
    );
}

#[test]
fn a_loop_runs_until_its_condition_holds_and_counts() {
    let graph = format!("{COUNTED}l loop=body until=`block.outputs.n >= 2` times=5 in n=iteration");
    check(&graph, "now 1s", "l Running; l[0].probe Scheduled");
    check(
        &graph,
        "l[0].probe#1 exit=0 says {\"n\":1} at 1s",
        "l iterations=1; start l[1].probe#1 with l[0].probe; run counts l=1",
    );
    check(
        &graph,
        "l[0].probe#1 exit=0 says {\"n\":1} at 1s; l[1].probe#1 exit=0 says {\"n\":2} at 2s",
        "l Succeeded; l out n=2; l iterations=2; run counts l=2; run Succeeded",
    );
}

#[test]
fn a_loop_whose_iterations_are_used_up_fails() {
    let graph = format!("{COUNTED}l loop=body until=`block.outputs.n >= 2` times=1 in n=iteration");
    check(
        &graph,
        "l[0].probe#1 exit=0 says {\"n\":1} at 1s",
        "l Failed/MaxIterations; l iterations=1; run Failed",
    );
}

#[test]
fn while_may_run_nothing_at_all() {
    let graph = format!("{COUNTED}l loop=body while=`iteration < 0` times=3 in n=iteration");
    check(
        &graph,
        "now 1s",
        "l Succeeded; l iterations=0; l nothing; run Succeeded",
    );
}

#[test]
fn the_next_iteration_sees_the_outputs_of_the_last() {
    let graph = format!("{COUNTED}l loop=body while=`iteration < 2` times=3 in n=`or(last.n, 40) + 1`");
    check(
        &graph,
        "l[0].probe#1 exit=0 says {\"n\":41} at 1s; l[1].probe#1 exit=0 says {\"n\":42} at 2s",
        "l Succeeded; l out n=42",
    );
}

#[test]
fn a_loop_waits_between_iterations() {
    let graph = format!("{COUNTED}l loop=body until=`block.outputs.n >= 2` times=5 delay=10s in n=iteration");
    check(
        &graph,
        "l[0].probe#1 exit=0 says {\"n\":1} at 1s",
        "l Running; wake 11s",
    );
    check(
        &graph,
        "l[0].probe#1 exit=0 says {\"n\":1} at 1s; now 11s",
        "start l[1].probe#1",
    );
    check(
        &graph,
        "l[0].probe#1 exit=0 says {\"n\":1} at 1s; crash; now 11s",
        "start l[1].probe#1",
    );
}

#[test]
fn loops_nest_and_each_has_its_ids() {
    let graph = "block inner gives=n:integer=steps.x.outputs.n; block inner: x out=n:integer; \
                 block outer gives=n:integer=`or(steps.l.outputs.n, 0)`; \
                 block outer: l loop=inner while=`iteration < 2` times=2; block outer: after needs l; \
                 o loop=outer while=`iteration < 2` times=2; last_one needs o";
    check(graph, "now 1s", "o[0].l[0].x Scheduled");
    check(
        graph,
        "o[0].l[0].x#1 exit=0 says {\"n\":1} at 1s; o[0].l[1].x#1 exit=0 says {\"n\":2} at 2s",
        "o[0].l Succeeded; run counts o.l=2; start o[0].after#1 with o[0].l[1].x",
    );
}

#[test]
fn a_wait_is_over_when_its_time_has_come_and_that_is_stored() {
    let graph = "a wait=10s; b needs a";
    check(graph, "now 1s", "a Running; wake 10s; b Pending");
    check(graph, "now 10s", "a Succeeded; start b#1");
    check(graph, "unwritable; now 10s", "a Succeeded; b Pending");
}

#[test]
fn the_time_limit_of_a_block_stops_what_is_below() {
    let graph = "block b: x; a block=b all<=10s";
    check(graph, "a.x#1 runs at 1s; now 10s", "stop a.x#1");
    check(
        graph,
        "a.x#1 runs at 1s; now 10s; a.x#1 gone",
        "confirm a.x#1; a.x Cancelled; a Failed/DeadlineExceeded; run Failed",
    );
}

#[test]
fn a_loss_of_memory_changes_nothing_within_a_loop() {
    let graph = format!("{COUNTED}l loop=body until=`block.outputs.n >= 2` times=5 in n=iteration; z needs l");
    check(
        &graph,
        "l[0].probe#1 exit=0 says {\"n\":1} at 1s; crash; l[1].probe#1 exit=0 says {\"n\":2} at 2s; crash",
        "l Succeeded; z Scheduled",
    );
}

#[test]
fn a_job_below_tells_that_a_block_has_begun_whatever_was_lost() {
    let graph = "block b: x; p; other; a needs p block=b";
    let begun = "unwritable; p#1 reports exit=0 at 1s";
    check(
        graph,
        &format!("{begun}; other#1 exit=1 at 1s; crash"),
        "other Failed; a Running; a.x Scheduled",
    );
    check(
        graph,
        &format!("{begun}; suspend; crash; writable"),
        "a Running; a.x Scheduled",
    );
    check(
        &format!("run: total<=1h; {graph}"),
        &format!("{begun}; now 1h; crash; writable"),
        "stop a.x#1; stop other#1; a Running",
    );
}

#[test]
fn a_job_of_an_iteration_tells_that_it_has_begun_whatever_was_lost() {
    check(
        "block b: x; other; l loop=b until=`iteration == 1` times=3",
        "unwritable; l[0].x#1 reports exit=0 at 1s; other#1 exit=1 at 1s; crash",
        "other Failed; l Running; l iterations=1; l[1].x Scheduled",
    );
}

#[test]
fn what_was_decided_without_a_job_and_lost_is_decided_again_alike() {
    let graph = "other; p; c needs p case=`true->none` else=none; z needs c";
    let begun = "unwritable; p#1 reports exit=0 at 1s";
    check(
        graph,
        &format!("{begun}; other#1 exit=1 at 1s; crash"),
        "other Failed; c Succeeded; z Scheduled",
    );
    check(
        graph,
        &format!("{begun}; suspend; crash; writable"),
        "c Succeeded; z Scheduled",
    );
}

#[test]
fn what_counts_from_its_begin_is_stored_at_once() {
    check("w wait=10s", "now 1s; crash; now 2s", "w Running; wake 10s");
    check(
        "block b: x; l block=b all<=1m",
        "l.x#1 runs at 1s; crash; now 2s",
        "l Running; wake 60s",
    );
}
