//! Suspend, deletion, and Jobs that would never end.

use crate::stage::check;

#[test]
fn while_suspended_nothing_starts_and_what_runs_is_recorded() {
    check(
        "a; b needs a",
        "suspend; a#1 exit=0 at 1s",
        "a Succeeded; b Pending; run Suspended",
    );
    check(
        "a; b needs a",
        "suspend; a#1 exit=0 at 1s; resume at 2s",
        "start b#1; b Scheduled; run Running",
    );
    check(
        "a retry=3 backoff=5s",
        "a#1 exit=1 at 1s; suspend; now 1m",
        "a BackingOff; run Suspended",
    );
    check(
        "a retry=3 backoff=5s",
        "a#1 exit=1 at 1s; suspend; now 1m; resume",
        "start a#2; run Running",
    );
}

#[test]
fn a_run_that_is_applied_suspended_waits() {
    check("run: suspend; a", "now 1m", "a Pending; run Suspended; run run=1");
    check("run: suspend; a", "resume at 1m", "start a#1; run Running");
}

#[test]
fn deadlines_go_on_while_suspended() {
    check("a run<=10m", "a#1 runs at 1m; suspend; now 11m", "stop a#1");
}

#[test]
fn a_workflow_that_is_being_deleted_is_left_to_the_garbage_collector() {
    check("a; b needs a", "deleted; a#1 exit=0 at 1s", "a Scheduled; b Pending");
}

#[test]
fn a_job_that_somebody_suspended_is_deleted_once_its_result_is_stored() {
    check(
        "a",
        "a#1 runs at 1s; a#1 suspended at 2s; a#1 exit=143 at 3s",
        "stop a#1; a BackingOff; a#1 Failed/Interrupted",
    );
}
