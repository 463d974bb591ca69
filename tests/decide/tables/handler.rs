//! Variables, exits, and what follows a failure or the end.

use crate::stage::check;

#[test]
fn variables_are_read_by_the_steps_below() {
    let graph = "a out=n:integer; s needs a set=`n:integer=steps.a.outputs.n + 1` set=`word:string='x'`; \
                 b needs s in n=vars.n in word=vars.word; run: out:n=vars.n";
    check(
        graph,
        "a#1 exit=0 says {\"n\":1} at 1s",
        "s Succeeded; s out n=2; start b#1 with a; b in n=2; b in word=\"x\"",
    );
    check(
        graph,
        "a#1 exit=0 says {\"n\":1} at 1s; b#1 exit=0 at 2s",
        "run Succeeded; run out n=2",
    );
}

#[test]
fn the_later_of_two_steps_sets_the_variable() {
    let graph =
        "s set=`n:integer=1`; t needs s when `inputs_are_few` set=`n:integer=vars.n + 1`; b needs t in n=vars.n";
    let taken = graph.replace("inputs_are_few", "true");
    check(&taken, "now 1s", "b in n=2; b Scheduled");
    let left = graph.replace("inputs_are_few", "false");
    check(&left, "now 1s", "t Skipped; b in n=1; b Scheduled");
}

#[test]
fn steps_side_by_side_do_not_set_the_same_variable() {
    check(
        "s set=`n:integer=1`; t set=`n:integer=2`; b needs s,t in n=vars.n",
        "now 1s",
        "run Failed/InvalidDefinition; run says `spec.steps[1].set[0]: step s sets n too, and may run at the same time`",
    );
    check(
        "s set=`n:integer=1`; b in n=vars.n",
        "now 1s",
        "run Failed/ExpressionError; run says `spec.steps[1].inputs[0].expression`",
    );
    check(
        "s set=`n:integer='x'`",
        "now 1s",
        "run Failed/ExpressionError; run says `gives string where integer is wanted`",
    );
}

#[test]
fn variables_belong_to_their_block() {
    check(
        "s set=`n:integer=1`; block b: x in n=vars.n; l needs s block=b",
        "now 1s",
        "run Failed/ExpressionError; run says `spec.blocks.b.steps[0]`",
    );
    check(
        "block b gives=n:integer=vars.n; block b: s set=`n:integer=7`; l block=b; z needs l in n=steps.l.outputs.n",
        "now 1s",
        "l Succeeded; l out n=7; z in n=7",
    );
}

#[test]
fn an_exit_ends_the_run_and_stops_what_runs() {
    let graph = "a; b; c needs a when `true` exit=Succeeded/NothingToDo; d needs c";
    check(
        graph,
        "b#1 runs at 1s; a#1 exit=0 at 1s",
        "c Succeeded/NothingToDo; d Omitted; run Terminating; stop b#1",
    );
    check(
        graph,
        "b#1 runs at 1s; a#1 exit=0 at 1s; b#1 gone",
        "confirm b#1; b Cancelled/Exited; run Succeeded/NothingToDo",
    );
    check(
        "a; c needs a exit=Failed/TooOld",
        "a#1 exit=0 at 1s",
        "c Succeeded; run Failed/TooOld",
    );
}

#[test]
fn an_exit_gives_outputs_of_the_run() {
    check(
        "a out=n:integer; c needs a exit=Succeeded exitout=`n=steps.a.outputs.n + 1`; run: out:n=steps.a.outputs.n",
        "a#1 exit=0 says {\"n\":1} at 1s",
        "run Succeeded/Exited; run out n=2",
    );
    check(
        "c exit=Succeeded exitout=`m=1`; run: out:n=2",
        "now 1s",
        "run Failed/InvalidDefinition; run says `the Workflow has no output m`",
    );
}

#[test]
fn an_exit_within_a_loop_ends_all_around_it() {
    check(
        "block b: x; block b: e needs x when `true` exit=Succeeded; block b: y needs e; l loop=b while=`iteration < 3` times=3; z needs l",
        "l[0].x#1 exit=0 at 1s",
        "l[0].e Succeeded; l[0].y Omitted; l Cancelled/Exited; z Omitted; run Succeeded/Exited",
    );
}

#[test]
fn a_block_follows_the_failure_of_a_step() {
    let graph = "block undo in=why:string; block undo: u in w=inputs.why; a catch=undo(why=error.reason); z needs a";
    check(
        graph,
        "a#1 exit=3 at 1s",
        "a Failed/ExitCode; a.onFailure Running; start a.onFailure.u#1 with a; a.onFailure.u in w=\"ExitCode\"; run Running",
    );
    check(
        graph,
        "a#1 exit=3 at 1s; crash; a.onFailure.u#1 exit=0 at 2s",
        "a.onFailure Succeeded; z Omitted; run Failed/StepFailed",
    );
    check(graph, "a#1 exit=0 at 1s", "a Succeeded; start z#1 with a");
}

#[test]
fn a_failed_step_is_done_once_its_handler_has_ended() {
    let graph = "block undo: u; a then=Continue catch=undo retry=2 backoff=1s; z needs a";
    check(graph, "a#1 exit=3 at 1s", "a BackingOff; z Pending");
    check(
        graph,
        "a#1 exit=3 at 1s; now 2s; a#2 exit=3 at 2s",
        "a Failed; a.onFailure.u Scheduled; start a.onFailure.u#1 with a; z Pending",
    );
    // How the handler ends changes nothing.
    check(
        graph,
        "a#1 exit=3 at 1s; now 2s; a#2 exit=3 at 2s; a.onFailure.u#1 exit=1 at 3s",
        "a.onFailure Failed; z Scheduled; start z#1 with a.onFailure.u",
    );
}

#[test]
fn a_block_has_a_handler_of_its_own() {
    let graph = "block undo: u; block b onfailure=undo; block b: x; l loop=b until=`true` times=1";
    check(
        graph,
        "l[0].x#1 exit=3 at 1s",
        "l Running; l[0].onFailure Running; start l[0].onFailure.u#1 with l[0].x",
    );
    check(
        graph,
        "l[0].x#1 exit=3 at 1s; l[0].onFailure.u#1 exit=0 at 2s",
        "l[0].onFailure Succeeded; l Failed/StepFailed; run Failed",
    );
    check(
        "block undo: u; block b onfailure=undo; block b: x; l block=b catch=undo",
        "now 1s",
        "run Failed/InvalidDefinition; run says `keep one of the two`",
    );
}

#[test]
fn the_run_has_handlers_for_its_failure_and_its_end() {
    let graph = "block alarm in=step:string; block alarm: page in s=inputs.step; block bye in=why:string; block bye: tidy in w=inputs.why; a; \
                 run: onfailure=alarm(step=error.step) onexit=bye(why=`or(error.reason,'none')`)";
    check(
        graph,
        "a#1 exit=3 at 1s",
        "a Failed; start onFailure.page#1 with a; onFailure.page in s=\"a\"; run Running",
    );
    check(
        graph,
        "a#1 exit=3 at 1s; onFailure.page#1 exit=0 at 2s",
        "onFailure Succeeded; start onExit.tidy#1 with onFailure.page; onExit.tidy in w=\"ExitCode\"; run Running",
    );
    check(
        graph,
        "a#1 exit=3 at 1s; onFailure.page#1 exit=0 at 2s; onExit.tidy#1 exit=9 at 3s",
        "onExit Failed; run Failed/StepFailed; run says `step a failed`",
    );
    check(
        graph,
        "a#1 exit=0 at 1s; onExit.tidy#1 exit=0 at 3s",
        "onExit Succeeded; onExit.tidy in w=\"none\"; run Succeeded",
    );
}

#[test]
fn handlers_follow_an_exit_and_a_time_limit() {
    check(
        "block alarm: page; a exit=Failed/Broken; run: onfailure=alarm",
        "onFailure.page#1 exit=0 at 1s",
        "onFailure Succeeded; run Failed/Broken",
    );
    check(
        "block alarm in=why:string; block alarm: page in w=inputs.why; a; run: total<=10s onfailure=alarm(why=error.reason)",
        "a#1 runs at 1s; now 10s; a#1 gone",
        "a Cancelled; confirm a#1; start onFailure.page#1 with a; onFailure.page in w=\"DeadlineExceeded\"; run Terminating",
    );
}

#[test]
fn what_follows_the_end_does_not_end_the_run() {
    for graph in [
        "block alarm: x; block alarm: e needs x exit=Succeeded; a; run: onfailure=alarm",
        "block inner: e exit=Succeeded; block undo: u block=inner; a catch=undo",
    ] {
        check(
            graph,
            "now 1s",
            "run Failed/InvalidDefinition; run says `.exit: the block may follow a failure or the end`",
        );
    }
}

#[test]
fn the_job_of_a_handler_does_not_begin_its_step_again() {
    check(
        "block b: x; block undo: u; l loop=b until=`false` times=1 catch=undo",
        "unwritable; l[0].x#1 exit=0 at 1s; crash; writable",
        "l Failed/MaxIterations; l.onFailure.u Scheduled",
    );
    check(
        "block b: x; block undo: u; p out=m:object; a needs p when `steps.p.outputs.m.flag` block=b catch=undo",
        "unwritable; p#1 exit=0 says {\"m\":{}} at 1s; crash; writable",
        "a Failed/ExpressionError; a.onFailure.u Scheduled",
    );
}
