//! The result of an attempt: when the exit counts, and when the cause does.

use crate::stage::check;

#[test]
fn exit_0_runs_ahead_of_the_pods_phase() {
    check(
        "a; b needs a",
        "a#1 runs at 1s; a#1 reports exit=0 at 2s",
        "start b#1 with a; a Succeeded; b Scheduled",
    );
}

#[test]
fn any_other_exit_waits_for_the_pods_phase() {
    check("a", "a#1 runs at 1s; a#1 reports exit=1 at 2s", "a Running");
    check(
        "a",
        "a#1 runs at 1s; a#1 reports exit=1 at 2s; a#1 exit=1 at 3s",
        "a Failed/ExitCode",
    );
}

#[test]
fn from_pending_to_succeeded_is_legal() {
    check("a", "a#1 exit=0 at 1s", "a Succeeded; run Succeeded");
}

#[test]
fn exit_0_of_a_program_that_is_being_stopped_is_no_success() {
    for cause in [
        "drained",
        "preempted",
        "pod-deleted",
        "node-lost",
        "suspended",
        "past-deadline",
    ] {
        let story = format!("a#1 runs at 1s; a#1 {cause} at 2s; a#1 reports exit=0 at 3s");
        check("a", &story, "a Running");
    }
    for (cause, reason) in [
        ("drained", "Evicted"),
        ("preempted", "Preempted"),
        ("node-lost", "NodeLost"),
        ("suspended", "Interrupted"),
    ] {
        let story = format!("a#1 runs at 1s; a#1 {cause} at 2s; a#1 reports exit=0 at 3s; a#1 exit=0 at 4s; now 4s");
        check("a", &story, &format!("a BackingOff; a#1 Failed/{reason}"));
    }
    check(
        "a",
        "a#1 runs at 1s; a#1 past-deadline at 2s; a#1 exit=0 at 4s",
        "a Failed/DeadlineExceeded",
    );
}

#[test]
fn why_a_pod_was_deleted_its_job_says_in_the_end() {
    let deleted = "a#1 runs at 1s; a#1 pod-deleted at 2s; a#1 exit=0 at 3s";
    check("a", deleted, "a Running");
    check(
        "a",
        &format!("{deleted}; a#1 complete at 4s"),
        "a BackingOff/Interrupted",
    );
    check("a", &format!("{deleted}; a#1 failed at 4s"), "a BackingOff/Interrupted");
    check(
        "a",
        &format!("{deleted}; a#1 past-deadline at 4s"),
        "a Failed/DeadlineExceeded",
    );
    check(
        "a",
        &format!("{deleted}; a#1 pod-gone at 4s; a#1 past-deadline at 5s"),
        "pods a#1; a Failed/DeadlineExceeded",
    );
}

#[test]
fn exit_0_of_a_pod_with_a_reason_is_no_success() {
    check(
        "a",
        "a#1 runs at 1s; a#1 pod-reason Evicted at 2s; a#1 reports exit=0 at 3s",
        "a Running",
    );
}

#[test]
fn an_exit_before_the_deletion_was_asked_for_counts() {
    check(
        "a",
        "a#1 runs at 1s; unwritable; a#1 reports exit=0 at 2s; a#1 pod-deleted at 9s; crash; writable",
        "a Succeeded",
    );
}

#[test]
fn sidecars_wait_for_the_pods_phase() {
    let begun = "a#1 sidecar; a#1 runs at 1s; a#1 reports exit=0 at 2s";
    check("a task sidecar", begun, "a Running");
    check("a task sidecar", &format!("{begun}; a#1 ends at 3s"), "a Succeeded");
}

#[test]
fn the_first_result_is_final() {
    check(
        "a; b needs a",
        "a#1 reports exit=0 at 1s; a#1 evicted at 2s",
        "a Succeeded; b Scheduled",
    );
    check(
        "a retry=1",
        "a#1 exit=1 at 1s; a#1 complete at 2s; now 9s",
        "a Failed/ExitCode; run Failed/StepFailed",
    );
}

#[test]
fn the_pod_of_another_job_of_that_name_says_nothing() {
    check("a", "a#1 runs at 1s; a#1 exit=0 at 2s; now 3s", "a Succeeded");
    check(
        "a",
        "a#1 runs at 1s; a#1 stranger at 2s; a#1 exit=0 at 2s; now 3s",
        "a Running",
    );
}
