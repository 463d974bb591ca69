//! Joins that ask for less than all of their needs.

use crate::stage::check;

#[test]
fn what_a_step_has_not_seen_end_it_never_sees() {
    let graph = "a out=n:integer; b out=n:integer; j needs a,b join=Any retry=2 backoff=1s in n=`or(steps.b.outputs.n, -1)` in p=steps.b.phase";
    let begun = "a#1 exit=0 says {\"n\":1} at 1s; b#1 exit=0 says {\"n\":2} at 2s; j#1 exit=1 at 3s; now 4s";
    check(graph, begun, "start j#2; j in n=-1; j in p=\"Running\"");
    check(graph, &format!("{begun}; crash"), "j in n=-1; j in p=\"Running\"");
    // A fork keeps its items, a block its inputs, a choice its block.
    check(
        "a; b out=n:integer; s needs a,b join=Any each=`range(3 - or(steps.b.outputs.n, 0))` in n=item",
        "a#1 exit=0 at 1s; b#1 exit=0 says {\"n\":2} at 2s; s[0]#1 exit=0 at 2s; s[1]#1 exit=0 at 2s; s[2]#1 exit=0 at 3s",
        "s Succeeded; s counts succeeded:3; run Succeeded",
    );
    check(
        "block k in=n:integer; block k: x; block k: y needs x in n=inputs.n; \
         a; b out=n:integer; l needs a,b join=Any block=k in n=`or(steps.b.outputs.n, 7)`",
        "a#1 exit=0 at 1s; b#1 exit=0 says {\"n\":2} at 2s; l.x#1 exit=0 at 2s",
        "start l.y#1 with l.x; l.y in n=7",
    );
    // What is seen is stored before the first Job.
    check(
        graph,
        "unwritable; a#1 exit=0 says {\"n\":1} at 1s",
        "j Pending; a Succeeded",
    );
}

#[test]
fn a_handler_reads_the_same_though_others_end_meanwhile() {
    check(
        "block undo in=n:integer; block undo: u; block undo: w needs u in n=inputs.n; \
         b out=n:integer; a catch=undo(n=`or(steps.b.outputs.n, -1)`)",
        "a#1 exit=3 at 1s; b#1 exit=0 says {\"n\":2} at 2s; a.onFailure.u#1 exit=0 at 2s",
        "start a.onFailure.w#1 with a.onFailure.u; a.onFailure.w in n=-1",
    );
}

#[test]
fn outputs_that_may_not_be_there_are_read_by_has_or_or() {
    check(
        "a out=n:integer; b out=n:integer; j needs a,b join=Any in n=steps.b.outputs.n",
        "now 1s",
        "run Failed/ExpressionError; run says `spec.steps[2].inputs[0].expression`",
    );
    // Nor is what stands behind such a join sure of what stands before it.
    check(
        "a out=n:integer; b out=n:integer; j needs a,b join=1; z needs j in n=steps.b.outputs.n",
        "now 1s",
        "run Failed/ExpressionError; run says `spec.steps[3].inputs[0].expression`",
    );
    check(
        "a out=n:integer; b needs a; c needs a; j needs b,c join=Any in n=steps.a.outputs.n",
        "a#1 exit=0 says {\"n\":1} at 1s",
        "start b#1 with a; start c#1 with a; j Pending",
    );
    check(
        "a out=n:integer; b out=n:integer; j needs a,b join=Any others=Cancel; run: out:n=steps.a.outputs.n",
        "now 1s",
        "run Failed/ExpressionError; run says `spec.outputs[0].expression`",
    );
    check(
        "block undo in=n:integer; block undo: u; s set=`n:integer=1`; a catch=undo(n=vars.n)",
        "now 1s",
        "run Failed/ExpressionError; run says `spec.steps[1].onFailure.inputs[0].expression`",
    );
}

#[test]
fn a_block_that_ends_well_without_some_of_its_steps_has_succeeded() {
    let graph = "block k gives=n:integer=7; block k: x; block k: y; block k: z needs y; block k: j needs x,y join=Any others=Cancel; \
                 l block=k; other then=Fail";
    check(
        graph,
        "l.x#1 exit=0 at 1s; other#1 runs at 1s; l.y#1 gone; other#1 exit=1 at 2s; l.j#1 exit=0 at 3s",
        "l.y Cancelled/JoinMet; l.z Omitted; l Succeeded; l out n=7; run Failed",
    );
}

#[test]
fn what_a_met_join_does_without_does_not_begin() {
    check(
        "block k: x; a; b; c needs a block=k; j needs a,c join=Any others=Cancel",
        "a#1 exit=0 at 1s",
        "c Omitted/JoinMet; start j#1 with a; j Scheduled; b Scheduled",
    );
}

#[test]
fn what_a_join_has_counted_is_not_lost() {
    check(
        "s when `false` wait=1s; j needs s join=Any others=Cancel when `false`; z; y needs s",
        "suspend; crash; resume",
        "s Skipped; j Skipped; z Scheduled; y Scheduled",
    );
}

#[test]
fn nothing_starts_beside_an_exit() {
    check(
        "a; c exit=Succeeded",
        "now 1s",
        "a Omitted; c Succeeded; run Succeeded/Exited",
    );
}
