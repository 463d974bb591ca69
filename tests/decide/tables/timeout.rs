//! The four time limits.

use crate::stage::check;

#[test]
fn schedule_to_start_ends_a_step_that_could_not_start() {
    let graph = "a start<=5m retry=5";
    check(
        graph,
        "a#1 unschedulable at 1s; now 4m",
        "a Scheduled+Unschedulable; wake 5m",
    );
    check(
        graph,
        "a#1 unschedulable at 1s; now 5m",
        "stop a#1; a Scheduled+Stopping; a#1 asked-to-stop",
    );
    check(
        graph,
        "a#1 unschedulable at 1s; now 5m; a#1 gone",
        "confirm a#1; a Failed/DeadlineExceeded; a says `says the cluster`; a attempts=1",
    );
}

#[test]
fn schedule_to_start_is_an_hour_where_nobody_says_otherwise() {
    check(
        "a",
        "a#1 waits ImagePullBackOff at 1s; now 3s",
        "a Scheduled+ImagePull; wake 1h",
    );
}

#[test]
fn start_to_close_begins_when_the_program_runs_and_is_retried() {
    let graph = "a run<=10m retry=2 backoff=5s";
    check(graph, "a#1 runs at 1m; now 2m", "wake 11m");
    check(graph, "a#1 runs at 1m; now 11m", "stop a#1; a Running+Stopping");
    // A program that traps TERM and exits 0 was stopped.
    let stopped = "a#1 runs at 1m; now 11m; a#1 exit=0 at 12m; a#1 gone at 13m";
    check(graph, stopped, "confirm a#1; a BackingOff; a#1 Failed/DeadlineExceeded");
    check(graph, &format!("{stopped}; now 14m"), "start a#2; a Scheduled");
}

#[test]
fn schedule_to_close_holds_over_all_attempts_and_is_not_retried() {
    let graph = "a all<=10m retry=9 backoff=1m";
    check(graph, "a#1 exit=1 at 1m; a#2 runs at 3m; now 4m", "wake 10m");
    check(graph, "a#1 exit=1 at 1m; a#2 runs at 3m; now 10m", "stop a#2");
    check(
        graph,
        "a#1 exit=1 at 1m; a#2 runs at 3m; now 10m; a#2 gone",
        "confirm a#2; a Failed/DeadlineExceeded; a attempts=2",
    );
}

#[test]
fn the_runs_time_stops_what_runs_and_omits_the_rest() {
    let graph = "run: total<=1h; a; b needs a; c";
    check(graph, "a#1 runs at 1m; c#1 runs at 1m; now 2m", "wake 1h");
    check(
        graph,
        "a#1 runs at 1m; c#1 exit=0 at 2m; now 1h",
        "stop a#1; b Omitted/Stopped; c Succeeded; run Terminating/DeadlineExceeded",
    );
    check(
        graph,
        "a#1 runs at 1m; c#1 exit=0 at 2m; now 1h; a#1 gone",
        "confirm a#1; a Cancelled; run Failed/DeadlineExceeded",
    );
}

#[test]
fn an_exit_that_was_reported_before_the_stop_was_stored_counts() {
    let graph = "a run<=10m";
    let late = "a#1 runs at 1m; unwritable; now 11m; a#1 exit=0 at 11m";
    check(graph, late, "a Succeeded");
    check(graph, &format!("{late}; writable"), "a Succeeded; run Succeeded");
}

#[test]
fn deadlines_outlive_a_restart() {
    check("a run<=10m", "a#1 runs at 1m; crash; now 10m", "wake 11m");
    check("a run<=10m", "a#1 runs at 1m; now 2m; crash; now 11m", "stop a#1");
    check("run: total<=1h; a", "a#1 runs at 1m; crash; now 59m", "wake 1h");
}

#[test]
fn a_result_that_is_there_when_we_come_back_late_counts() {
    check(
        "a run<=10m",
        "a#1 runs at 1m; unwritable; a#1 exit=0 at 5m; crash; writable",
        "a Succeeded",
    );
}

#[test]
fn the_backstop_of_a_pod_that_never_started_is_not_retried() {
    check(
        "a start<=5m retry=5",
        "a#1 unschedulable at 1s; a#1 past-deadline at 2m; a#1 pod-gone at 3m",
        "pods a#1; a Failed/DeadlineExceeded",
    );
}

#[test]
fn the_delay_before_an_attempt_is_no_time_to_start() {
    let story = "a#1 exit=1 at 0s; a#2 post=unavailable; now 2h";
    check("a retry=3 backoff=2h", story, "try a#2; a Queued+ApiUnavailable");
}
