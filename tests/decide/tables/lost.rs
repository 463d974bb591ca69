//! What cannot be read any more: negative facts are confirmed, and nothing runs twice.

use crate::stage::check;

#[test]
fn a_missing_job_is_asked_for_before_it_is_believed() {
    // The store lags: the Job is there.
    check("a", "a#1 runs at 1s; a#1 unseen", "confirm a#1; a Running");
    check(
        "a",
        "a#1 runs at 1s; a#1 gone",
        "confirm a#1; a Failed/ResultLost; run Failed/StepFailed",
    );
}

#[test]
fn a_lost_result_is_never_run_again() {
    check(
        "a retry=5 backoff=1s",
        "a#1 runs at 1s; a#1 gone; now 1h",
        "a Failed/ResultLost; a attempts=1",
    );
}

#[test]
fn a_complete_job_without_pod_succeeded_if_it_had_nothing_to_say() {
    check("a", "a#1 pod; a#1 pod-gone; a#1 complete", "pods a#1; a Succeeded");
    check(
        "a out=n:integer",
        "a#1 pod; a#1 pod-gone; a#1 complete",
        "pods a#1; a Failed/ResultLost",
    );
    check(
        "a out=n:integer?",
        "a#1 pod; a#1 pod-gone; a#1 complete",
        "pods a#1; a Failed/ResultLost",
    );
}

#[test]
fn a_complete_job_waits_for_the_pod_that_its_store_lacks() {
    check("a out=n:integer", "a#1 complete", "pods a#1; a Failed/ResultLost");
}

#[test]
fn a_job_deleted_by_hand_gives_no_result() {
    let deleted = "a#1 runs at 1s; a#1 job-deleted at 2s; a#1 pod-deleted at 2s";
    check("a", &format!("{deleted}; a#1 reports exit=0 at 3s"), "a Running");
    check(
        "a",
        &format!("{deleted}; a#1 exit=0 at 3s; a#1 gone at 4s"),
        "confirm a#1; a Failed/ResultLost",
    );
    // The Job controller counts what the dying program returned.
    check(
        "a",
        &format!("{deleted}; a#1 exit=0 at 3s; a#1 complete at 4s; a#1 pod-gone at 5s; a#1 gone at 6s"),
        "confirm a#1; a Failed/ResultLost",
    );
}

#[test]
fn results_ride_on_the_next_job_until_they_are_stored() {
    let graph = "a out=n:integer; b needs a in x=steps.a.outputs.n";
    // The operator dies before the status is written, and the pod of a goes away.
    let story = "unwritable; a#1 reports exit=0 says {\"n\":7} at 1s; a#1 pod-gone at 2s; crash; writable";
    check(graph, story, "a Succeeded; a out n=7; b Scheduled");
    // Once stored they do not.
    check(
        "a; b needs a; c needs b",
        "a#1 exit=0 at 1s; b#1 exit=0 at 2s",
        "start c#1 with b; c Scheduled",
    );
}

#[test]
fn a_job_made_before_a_crash_is_taken_up() {
    check(
        "a; b needs a",
        "unwritable; a#1 exit=0 at 1s; crash; writable",
        "a Succeeded; b Scheduled; b attempts=1",
    );
    // Even where the run fails meanwhile.
    let story = "unwritable; a#1 exit=0 at 1s; crash; c#1 exit=1; writable";
    check("a; b needs a; c", story, "b Scheduled; c Failed; run Running");
}

#[test]
fn a_foreign_job_under_our_name_is_no_start() {
    check(
        "a; b",
        "a#1 foreign; anew",
        "snapshot; a Failed/NameTaken; a attempts=0; run Failed/StepFailed",
    );
    check(
        "run: suspend; a",
        "a#1 post=taken; resume",
        "try a#1; a Failed/NameTaken",
    );
}
