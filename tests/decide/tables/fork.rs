//! `forEach` and `join`.

use crate::stage::check;

#[test]
fn each_item_runs_once_and_the_outputs_stand_in_their_order() {
    let graph = "s each=`[30, 10, 20]` out=n:integer in n=item; \
                 z needs s in sum=`sum(steps.s.results.map(r, r.n))` in all=`steps.s.outputs`";
    check(
        graph,
        "now 1s",
        "s Running; s counts opened:3; s[0] Scheduled; s[2] Scheduled; z Pending",
    );
    check(
        graph,
        "s[2]#1 exit=0 says {\"n\":3} at 1s; s[0]#1 exit=0 says {\"n\":1} at 2s; s[1]#1 exit=0 says {\"n\":2} at 3s",
        "s Succeeded; s counts succeeded:3; start z#1 with s[1]; \
         z in sum=6; z in all=[{\"n\":1},{\"n\":2},{\"n\":3}]",
    );
}

#[test]
fn an_item_and_its_place_are_roots() {
    let graph = "s each=`['a', 'b']` as=file in file=`file + string(index)`";
    check(graph, "now 1s", "s[0] in file=\"a0\"; s[1] in file=\"b1\"");
    check("s count=2 in n=item", "now 1s", "s[0] in n=0; s[1] in n=1");
}

#[test]
fn no_items_are_a_success_at_once() {
    check(
        "s each=`[]` out=n:integer; z needs s in all=steps.s.outputs",
        "now 1s",
        "s Succeeded; s counts total:0; z Scheduled; z in all=[]",
    );
}

#[test]
fn what_is_no_list_fails_before_the_first_job() {
    let graph = "a out=n:integer out=m:object; s needs a each=steps.a.outputs.m.list";
    check(
        graph,
        "a#1 exit=0 says {\"n\":1,\"m\":{\"list\":7}} at 1s",
        "s Failed/InvalidInput; s says `gives integer instead of a list`; run Failed",
    );
    check(
        graph,
        "a#1 exit=0 says {\"n\":1,\"m\":{}} at 1s",
        "s Failed/ExpressionError; run Failed",
    );
    check(
        "s each=`range(10001)` in n=item",
        "now 1s",
        "s Failed/TooLarge; s says `10000 are allowed`",
    );
}

#[test]
fn at_most_so_many_run_at_once() {
    let graph = "s count=3 atonce=1";
    check(graph, "now 1s", "s counts opened:1; s[0] Scheduled");
    check(
        graph,
        "s[0]#1 exit=0 at 1s",
        "s counts opened:2; start s[1]#1 with s[0]",
    );
    check(graph, "s[0]#1 exit=0 at 1s; crash", "s counts opened:2; s[1] Scheduled");
}

#[test]
fn a_failed_item_stops_the_others() {
    let graph = "s count=3 atonce=2";
    check(
        graph,
        "s[0]#1 runs at 1s; s[1]#1 exit=3 at 1s",
        "s Running; stop s[0]#1; s[0]#1 asked-to-stop; s counts opened:2",
    );
    check(
        graph,
        "s[0]#1 runs at 1s; s[1]#1 exit=3 at 1s; s[0]#1 gone",
        "confirm s[0]#1; s[0] Cancelled; s Failed/ItemsFailed; s says `1 of 3 items failed, 0 may: step s[1] failed`; run Failed",
    );
}

#[test]
fn what_runs_may_finish_after_a_failed_item() {
    let graph = "s count=3 atonce=2 onfail=LetFinish";
    check(
        graph,
        "s[1]#1 exit=3 at 1s",
        "s Running; s counts opened:2,succeeded:0,failed:1; s[0] Scheduled",
    );
    check(
        graph,
        "s[1]#1 exit=3 at 1s; s[0]#1 exit=0 at 2s",
        "s Failed/ItemsFailed; s counts opened:2,succeeded:1,failed:1; run Failed",
    );
}

#[test]
fn so_many_items_may_fail() {
    let graph = "s count=3 mayfail=1 out=n:integer; z needs s in all=steps.s.outputs in why=steps.s.failedItems";
    check(
        graph,
        "s[1]#1 exit=3 at 1s; s[0]#1 exit=0 says {\"n\":1} at 2s; s[2]#1 exit=0 says {\"n\":3} at 3s",
        "s Succeeded; start z#1 with s[2]; \
         z in all=[{\"n\":1},null,{\"n\":3}]; z in why=[{\"index\":1,\"reason\":\"ExitCode\"}]",
    );
    // A third of two is none.
    check(
        "s count=2 mayfail=33% onfail=LetFinish",
        "s[1]#1 exit=3 at 1s; s[0]#1 exit=0 at 2s",
        "s Failed/ItemsFailed; run Failed",
    );
}

#[test]
fn each_item_has_its_own_retries() {
    let graph = "s count=2 retry=2 backoff=5s";
    check(
        graph,
        "s[0]#1 runs at 1s; s[1]#1 exit=3 at 1s",
        "s[1] BackingOff/ExitCode; s Running; wake 6s",
    );
    check(
        graph,
        "s[1]#1 exit=3 at 1s; s[0]#1 exit=0 at 2s; now 6s; s[1]#2 exit=0 at 7s",
        "s Succeeded; run Succeeded; s[1] attempts=2",
    );
}

#[test]
fn an_item_may_be_skipped() {
    check(
        "s each=`[1, 2, 3]` eachwhen=`item > 2` in n=item",
        "now 1s",
        "s[0] Skipped/WhenFalse; s[1] Skipped; s[2] Scheduled; s counts skipped:2",
    );
    check(
        "s each=`[1, 2]` eachwhen=`item > 2` in n=item",
        "now 1s",
        "s Succeeded; run Succeeded",
    );
}

#[test]
fn the_first_item_that_meets_the_condition_ends_the_fork() {
    let graph = "s count=3 atonce=2 stopwhen=`last.n > 5` out=n:integer; z needs s";
    check(
        graph,
        "s[0]#1 runs at 1s; s[1]#1 exit=0 says {\"n\":7} at 2s",
        "s Running; stop s[0]#1; s counts opened:2",
    );
    check(
        graph,
        "s[0]#1 runs at 1s; s[1]#1 exit=0 says {\"n\":7} at 2s; s[0]#1 gone",
        "confirm s[0]#1; s Succeeded; s[0] Cancelled/StopWhen; start z#1 with s[0]",
    );
    check(
        graph,
        "s[0]#1 runs at 1s; s[1]#1 exit=0 says {\"n\":4} at 2s",
        "s Running; s counts opened:3; start s[2]#1 with s[1]",
    );
}

#[test]
fn a_fork_runs_blocks() {
    let graph = "block b in=n:integer gives=n:integer=steps.y.outputs.n; block b: x; block b: y needs x out=n:integer in n=inputs.n; \
                 s each=`[5, 6]` block=b in n=item; z needs s in sum=`sum(steps.s.results.map(r, r.n))`";
    check(
        graph,
        "now 1s",
        "s[0] Running; s[0].x Scheduled; s[0].y Pending; s[1].x Scheduled",
    );
    check(
        graph,
        "s[0].x#1 exit=0 at 1s; s[0].y#1 exit=0 says {\"n\":1} at 1s; s[1].x#1 exit=0 at 2s; s[1].y#1 exit=0 says {\"n\":2} at 3s",
        "s[0] Succeeded; s[0] out n=1; s Succeeded; start z#1 with s[1].y; z in sum=3",
    );
    check(
        graph,
        "s[0].x#1 exit=4 at 1s",
        "s[0].x Failed/ExitCode; s[0].y Omitted; s[0] Failed/StepFailed; s Running; stop s[1].x#1",
    );
}

#[test]
fn a_failure_beside_a_fork_begins_nothing_new() {
    check(
        "s count=3 atonce=1; other",
        "other#1 exit=1 at 1s; s[0]#1 exit=0 at 2s",
        "s[0] Succeeded; s Cancelled; s counts opened:1; run Failed",
    );
}

#[test]
fn any_need_lets_a_step_start() {
    let graph = "a; b; j needs a,b join=Any";
    check(graph, "b#1 exit=0 at 1s", "start j#1 with b; a Scheduled");
    check(
        graph,
        "a#1 exit=1 at 1s",
        "a Failed; j Pending; b Scheduled; run Running",
    );
    check(
        graph,
        "a#1 exit=1 at 1s; b#1 exit=0 at 2s; j#1 exit=0 at 3s",
        "j Succeeded; run Succeeded",
    );
    check(
        graph,
        "a#1 exit=1 at 1s; b#1 exit=1 at 2s",
        "j Omitted/NeedNotMet; run Failed",
    );
}

#[test]
fn a_join_counts_what_it_says() {
    check(
        "a when `false`; b; j needs a,b join=1 counts=Succeeded",
        "now 1s",
        "a Skipped; j Pending",
    );
    check(
        "a when `false`; b; j needs a,b join=1",
        "now 1s",
        "a Skipped; j Scheduled",
    );
    check(
        "a; b; c; j needs a,b,c join=2",
        "a#1 exit=0 at 1s; c#1 exit=0 at 2s",
        "start j#1 with c; b Scheduled",
    );
}

#[test]
fn what_a_met_join_does_not_need_is_stopped() {
    let graph = "a; b; c needs b; j needs a,b join=Any others=Cancel";
    check(
        graph,
        "b#1 runs at 1s; a#1 exit=0 at 1s",
        "start j#1 with a; stop b#1; b#1 asked-to-stop",
    );
    check(
        graph,
        "b#1 runs at 1s; a#1 exit=0 at 1s; b#1 gone; j#1 exit=0 at 2s",
        "b Cancelled/JoinMet; c Omitted; j Succeeded; run Succeeded",
    );
    check(
        "a; w wait=1h; block k: x; l block=k; j needs a,w,l join=Any others=Cancel",
        "l.x#1 runs at 1s; a#1 exit=0 at 1s; l.x#1 gone; j#1 exit=0 at 2s",
        "w Cancelled/JoinMet; l.x Cancelled; l Cancelled/JoinMet; run Succeeded",
    );
}

#[test]
fn an_item_that_is_not_needed_any_more_gets_no_job() {
    check(
        "block b in=n:integer gives=n:integer=inputs.n; block b: x when `inputs.n > 0`; \
         a; s needs a each=`[5, 0]` block=b stopwhen=`last.n == 0` in n=item",
        "a#1 exit=0 at 1s",
        "s Succeeded; s[0].x Omitted; s[1] Succeeded",
    );
}

#[test]
fn an_item_is_skipped_though_others_have_jobs() {
    check(
        "block b: x; s each=`[1, 0, 2]` atonce=1 eachwhen=`item > 0` block=b",
        "s[0].x#1 exit=0 at 1s",
        "s[1] Skipped/WhenFalse; start s[2].x#1 with s[0].x",
    );
}

#[test]
fn items_whose_jobs_exist_have_begun_whatever_was_lost() {
    check(
        "p; other; s needs p count=2",
        "unwritable; p#1 exit=0 at 1s; other#1 exit=1 at 1s; crash; writable",
        "s Running; s[0] Scheduled; s[1] Scheduled; other Failed; run Running",
    );
    check(
        "p; s needs p count=2 onfail=LetFinish",
        "unwritable; p#1 exit=0 at 1s; s[0]#1 exit=3 at 2s; crash; writable; s[1]#1 exit=0 at 3s",
        "s Failed/ItemsFailed; s counts opened:2,succeeded:1,failed:1; run Failed",
    );
    check(
        "p; s needs p count=2",
        "unwritable; p#1 exit=0 at 1s; suspend; crash; writable",
        "s[0] Scheduled; s[1] Scheduled; run Suspended",
    );
}

#[test]
fn a_fork_that_has_failed_does_not_succeed_by_its_stop_condition() {
    check(
        "s count=2 onfail=LetFinish stopwhen=`true`",
        "s[0]#1 exit=3 at 1s; s[1]#1 exit=0 at 2s",
        "s Failed/ItemsFailed; run Failed",
    );
}
