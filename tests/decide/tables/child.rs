//! Steps that run other Workflows, and Workflows that run for steps of others.

use crate::stage::check;

const TEMPLATE: &str = "template t in=n:integer gives=m:integer=inputs.n; template t: x";

fn table(graph: &str, story: &str, expected: &str) {
    check(&format!("{graph}; {TEMPLATE}"), story, expected);
}

#[test]
fn a_step_gives_what_its_workflow_gives() {
    let graph = "c child=t in n=`1 + 2`; d needs c in m=steps.c.outputs.m";
    table(graph, "", "snapshot; snapshot; start c#1 n=3; c Scheduled; run Running");
    table(graph, "c#1 child=Running", "c Running");
    let given = "c#1 child=Running; c#1 child=Succeeded says `{\"m\": 7}`";
    table(graph, given, "c Succeeded; c out m=7; start d#1 with c; d Scheduled");
    // It rides on the next Job, as the result of a Job does.
    table(graph, &format!("{given}; crash"), "c Succeeded; d Scheduled");
}

#[test]
fn it_is_created_once_all_that_it_is_given_is_stored() {
    let graph = "a out=n:integer; c needs a child=t in n=steps.a.outputs.n";
    table(
        graph,
        "unwritable; a#1 reports exit=0 says `{\"n\": 1}`",
        "a Succeeded; c Pending",
    );
    table(
        graph,
        "unwritable; a#1 reports exit=0 says `{\"n\": 1}`; writable",
        "start c#1 n=1; c Scheduled",
    );
}

#[test]
fn a_failed_workflow_fails_its_step_with_its_words() {
    let graph = "c child=t in n=1; d needs c";
    let story = "c#1 child=Failed/StepFailed says `step x failed: ExitCode: exit code 3`";
    table(
        graph,
        story,
        "c Failed/ChildFailed; c says `is Failed: StepFailed: step x failed: ExitCode: exit code 3`; d Omitted; run Failed",
    );
    for phase in ["Cancelled", "Terminated"] {
        table(
            graph,
            &format!("c#1 child={phase}"),
            "c Failed/ChildFailed; d Omitted; run Failed",
        );
    }
}

#[test]
fn each_attempt_is_a_workflow_of_its_own() {
    let graph = "c child=t in n=1 retry=2 backoff=5s";
    table(
        graph,
        "c#1 child=Failed/StepFailed",
        "c BackingOff/ChildFailed; c#1 Failed; wake 5s",
    );
    table(
        graph,
        "c#1 child=Failed/StepFailed; now 5s",
        "start c#2 n=1; c Scheduled; c attempts=2",
    );
    table(
        graph,
        "c#1 child=Failed/StepFailed; now 5s; c#2 child=Succeeded says `{\"m\": 1}`",
        "c Succeeded; run Succeeded",
    );
}

#[test]
fn without_waiting_the_step_is_over_once_it_exists() {
    table(
        "c child=t! in n=1; d needs c",
        "",
        "snapshot; snapshot; start c#1 n=1; c Succeeded; c nothing; start d#1 with c; d Scheduled",
    );
    table(
        "c child=t! in n=1",
        "",
        "snapshot; snapshot; start c#1 n=1; run Succeeded",
    );
}

#[test]
fn an_abandoned_one_has_no_owner() {
    table(
        "c child=t! close=Abandon in n=1",
        "",
        "snapshot; snapshot; start c#1 n=1 apart; run Succeeded",
    );
}

#[test]
fn what_stops_the_step_is_stored_and_its_workflow_sees_it() {
    let graph = "c child=t in n=1 run<=1m; d needs c";
    // Nothing is sent: the child reads what its parent has stored.
    table(
        graph,
        "c#1 child=Running; now 60s",
        "c#1 asked-to-stop; c Running+Stopping",
    );
    table(
        graph,
        "c#1 child=Running; now 60s; c#1 child=Terminated",
        "c Failed/DeadlineExceeded; d Omitted; run Failed",
    );
    // Its end came too late to count.
    table(
        graph,
        "c#1 child=Running; now 60s; c#1 child=Succeeded says `{\"m\": 1}`",
        "c Failed/DeadlineExceeded; d Omitted; run Failed",
    );
}

#[test]
fn the_end_of_the_run_stops_it() {
    let graph = "c child=t in n=1; run: total<=1m";
    table(
        graph,
        "c#1 child=Running; now 60s",
        "c#1 asked-to-stop; run Terminating",
    );
    table(
        graph,
        "c#1 child=Running; now 60s; c#1 child=Terminated",
        "c Cancelled; run Failed/DeadlineExceeded",
    );
}

#[test]
fn one_that_is_deleted_is_not_started_again() {
    let graph = "c child=t in n=1";
    table(
        graph,
        "c#1 child=Running; c#1 gone",
        "confirm c#1; c Failed/ResultLost; run Failed",
    );
    table(graph, "c#1 unseen", "confirm c#1; c Scheduled");
}

#[test]
fn a_lost_memory_finds_it_again() {
    let graph = "c child=t in n=1";
    table(graph, "c#1 child=Running; crash", "c Running");
    table(graph, "anew", "snapshot; snapshot; start c#1 n=1; c Scheduled");
}

#[test]
fn refusals_are_shown_and_tried_again() {
    let graph = "c child=t in n=1";
    table(
        graph,
        "c#1 post=quota; anew",
        "snapshot; snapshot; try c#1; c Queued+QuotaBlocked",
    );
    table(
        graph,
        "c#1 post=refused; anew",
        "snapshot; snapshot; try c#1; c Failed/Refused; run Failed",
    );
    table(
        graph,
        "c#1 post=taken; anew",
        "snapshot; snapshot; try c#1; c Failed/NameTaken; run Failed",
    );
}

#[test]
fn a_fork_runs_one_for_each_item() {
    let graph = "c child=t each=`[3, 4]` in n=item; run: out:s=`sum(steps.c.results.map(r, r.m))`";
    table(
        graph,
        "",
        "snapshot; snapshot; start c[0]#1 n=3; start c[1]#1 n=4; c Running",
    );
    table(
        graph,
        "c[0]#1 child=Succeeded says `{\"m\": 3}`; c[1]#1 child=Succeeded says `{\"m\": 4}`",
        "run Succeeded; run out s=7",
    );
    table(
        graph,
        "c[0]#1 child=Failed/StepFailed",
        "c[1]#1 asked-to-stop; c[0] Failed/ChildFailed; c Running",
    );
}

#[test]
fn a_missing_template_is_waited_for() {
    let graph = "c child=t in n=1";
    table(
        graph,
        "missing t; anew",
        "run Pending/TemplateNotFound+TemplateNotFound",
    );
    table(
        graph,
        "missing t; anew; appears t",
        "snapshot; snapshot; start c#1 n=1; run Running",
    );
}

#[test]
fn what_does_not_fit_the_template_is_waited_for() {
    let says = |graph: &str, words: &str| {
        table(graph, "", &format!("run Pending/TemplateMismatch; run says `{words}`"));
    };
    says(
        "c child=t",
        "spec.steps[0].inputs: WorkflowTemplate t requires input n: give it a value",
    );
    says(
        "c child=t in n=1 in k=2",
        "spec.steps[0].inputs[1].name: WorkflowTemplate t has no input k",
    );
    says("c child=t in n=1; d needs c in x=steps.c.outputs.q", "steps.c.outputs");
}

#[test]
fn templates_run_no_circle() {
    check(
        "c child=a; template a: x child=b; template b: y child=a",
        "",
        "run Pending/Cycle; run says `templates run each other in a circle: a -> b -> a`",
    );
    check(
        "c child=a; template a: x child=a",
        "",
        "run Pending/Cycle; run says `a -> a`",
    );
}

#[test]
fn templates_run_each_other_ten_deep_at_most() {
    let chain = |length: usize| {
        let links = (1..length).map(|at| format!("template t{at}: x child=t{}; ", at + 1));
        format!("c child=t1; {}template t{length}: x", links.collect::<String>())
    };
    let snapshots = "snapshot; ".repeat(11);
    check(&chain(10), "", &format!("{snapshots}start c#1"));
    check(&chain(11), "", "run Pending/TooLarge; run says `10 deep at most`");
}

#[test]
fn a_workflow_runs_a_template() {
    let graph = "run: template=t input=n=3";
    table(graph, "", "snapshot; start x#1; run Running");
    table(graph, "x#1 exit=0", "run Succeeded; run out m=3");
    table(
        "run: template=t",
        "",
        "run Pending/TemplateMismatch; run says `requires input n`",
    );
    table(
        "run: template=t input=n=`\"x\"`",
        "",
        "run Pending/TemplateMismatch; run says `spec.inputs[0].value`",
    );
    table(
        "run: template=t input=n=1 input=k=1",
        "",
        "run Pending/TemplateMismatch; run says `has no input k`",
    );
    table(
        "run: template=other",
        "",
        "run Pending/TemplateNotFound; run says `there is no WorkflowTemplate other`",
    );
}

#[test]
fn a_child_ends_with_its_parent() {
    let graph = "a; run: onexit=tidy; block tidy: z";
    for how in ["stops", "Succeeded", "Failed"] {
        let story = format!("parent Terminate; a#1 runs; parent {how}");
        check(graph, &story, "stop a#1; a#1 asked-to-stop; run Terminating");
        check(
            graph,
            &format!("{story}; a#1 gone"),
            "confirm a#1; a Cancelled; run Terminated/ParentClosed",
        );
    }
    check(
        graph,
        "parent Abandon; a#1 runs; parent Failed",
        "a Running; run Running",
    );
}

#[test]
fn a_cancelled_child_does_what_follows_its_end() {
    let graph = "a; run: onexit=tidy onfailure=alarm; block tidy: z; block alarm: y";
    let story = "parent Cancel; a#1 runs; parent stops; a#1 gone";
    check(
        graph,
        story,
        "confirm a#1; a Cancelled; start onExit.z#1 with a; run Cancelling",
    );
    check(
        graph,
        &format!("{story}; onExit.z#1 exit=0"),
        "run Cancelled/ParentClosed",
    );
}

#[test]
fn a_terminated_child_stops_what_follows_as_well() {
    let graph = "a; run: onexit=tidy; block tidy: z";
    let story = "parent Terminate; a#1 exit=0; onExit.z#1 runs; parent stops";
    check(graph, story, "stop onExit.z#1; onExit.z#1 asked-to-stop");
    check(
        graph,
        &format!("{story}; onExit.z#1 gone"),
        "confirm onExit.z#1; run Terminated/ParentClosed",
    );
}

#[test]
fn a_child_that_has_not_begun_never_does() {
    check(
        "a task",
        "missing t-a; anew; parent Terminate; parent Failed",
        "run Terminated/ParentClosed",
    );
}

#[test]
fn what_an_exit_may_leave_out_may_be_absent() {
    let graph =
        "c child=q; d needs c in m=steps.c.outputs.m; template q gives=m:integer=1; template q: x exit=Succeeded";
    check(graph, "", "run Pending/TemplateMismatch; run says `may be absent`");
}
