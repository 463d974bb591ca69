//! Retry, backoff and whose failure it was.

use crate::stage::check;

#[test]
fn a_retry_waits_for_its_backoff() {
    let graph = "a retry=3 backoff=10s; b needs a";
    check(graph, "a#1 exit=1 at 0s; now 4s", "a BackingOff; b Pending; wake 10s");
    check(
        graph,
        "a#1 exit=1 at 0s; now 10s",
        "start a#2; a Scheduled; a#1 Failed/ExitCode; a attempts=2",
    );
}

#[test]
fn delays_grow_by_the_factor_up_to_the_maximum() {
    check(
        "a retry=9 backoff=10s",
        "a#1 exit=1 at 0s; a#2 exit=1 at 20s",
        "a BackingOff; wake 40s",
    );
    check(
        "a retry=9 backoff=10s factor=3",
        "a#1 exit=1 at 0s; a#2 exit=1 at 20s",
        "wake 50s",
    );
    check(
        "a retry=9 backoff=10s max=15s",
        "a#1 exit=1 at 0s; a#2 exit=1 at 20s",
        "wake 35s",
    );
}

#[test]
fn without_retry_there_is_one_attempt_and_an_empty_one_allows_three() {
    check("a", "a#1 exit=1 at 0s", "a Failed/ExitCode; run Failed/StepFailed");
    check(
        "a retry backoff=1s",
        "a#1 exit=1 at 0s; a#2 exit=1 at 5s",
        "a BackingOff",
    );
    check(
        "a retry backoff=1s",
        "a#1 exit=1 at 0s; a#2 exit=1 at 5s; a#3 exit=1 at 10s",
        "a Failed/ExitCode; a attempts=3",
    );
}

#[test]
fn an_exit_code_that_is_never_retried_ends_the_step() {
    check(
        "a retry=5 never=2",
        "a#1 exit=2 at 0s",
        "a Failed/ExitCode; a attempts=1",
    );
    check("a retry=5 never=2", "a#1 exit=3 at 0s", "a BackingOff");
}

#[test]
fn each_failure_of_the_program_spends_an_attempt() {
    check("a", "a#1 oom at 0s", "a Failed/OOMKilled");
    check(
        "a retry=2 backoff=1s",
        "a#1 oom at 0s; a#2 exit=7 at 5s",
        "a Failed/ExitCode; a#1 Failed/OOMKilled",
    );
    check("a out=n:integer", "a#1 exit=0 at 0s", "a Failed/OutputInvalid");
}

#[test]
fn the_platform_has_a_budget_of_its_own() {
    // No retry written: the program has one attempt, the platform may fail three times.
    let thrice = "a#1 evicted at 0s; a#2 evicted at 10s; a#3 evicted at 20s";
    check("a", thrice, "a BackingOff; a#3 Failed/Evicted");
    check(
        "a",
        &format!("{thrice}; a#4 exit=0 at 40s"),
        "a Succeeded; run Succeeded",
    );
    check(
        "a",
        &format!("{thrice}; a#4 evicted at 40s"),
        "a Failed/Evicted; a attempts=4",
    );
    check(
        "a retry=2 backoff=1s",
        "a#1 evicted at 0s; a#2 exit=1 at 10s; a#3 exit=1 at 20s",
        "a Failed/ExitCode; a attempts=3",
    );
}

#[test]
fn the_cause_names_what_the_platform_did() {
    check(
        "a",
        "a#1 runs at 1s; a#1 preempted at 2s; a#1 exit=143 at 3s",
        "a BackingOff; a#1 Failed/Preempted",
    );
    check(
        "a",
        "a#1 runs at 1s; a#1 drained at 2s; a#1 exit=143 at 3s",
        "a BackingOff; a#1 Failed/Evicted",
    );
    check(
        "a",
        "a#1 runs at 1s; a#1 node-lost at 2s; a#1 exit=143 at 3s",
        "a BackingOff; a#1 Failed/NodeLost",
    );
    check(
        "a",
        "a#1 runs at 1s; a#1 pod-deleted at 2s; a#1 exit=143 at 3s; a#1 failed at 3s",
        "a BackingOff; a#1 Failed/Interrupted",
    );
}

#[test]
fn a_delay_that_does_not_fit_fails_now_with_the_last_error() {
    check(
        "a retry=5 backoff=1h all<=10m",
        "a#1 exit=3 at 5s",
        "a Failed/ExitCode; a says `exit code 3`",
    );
}

#[test]
fn a_retry_outlives_a_restart_of_the_operator() {
    check(
        "a retry=3 backoff=10s",
        "a#1 exit=1 at 0s; crash; now 9s",
        "a BackingOff; wake 10s",
    );
    check("a retry=3 backoff=10s", "a#1 exit=1 at 0s; crash; now 10s", "start a#2");
    // The next Job was made, and the operator died before it wrote that down.
    check(
        "a retry=3 backoff=10s",
        "unwritable; a#1 exit=1 at 0s; now 10s; crash; writable",
        "a Scheduled; a attempts=2",
    );
    check(
        "a retry=3 backoff=0s",
        "unwritable; a#1 exit=1 at 0s; crash; writable",
        "a Scheduled; a attempts=2",
    );
}

#[test]
fn the_next_attempt_waits_for_the_end_of_the_pod() {
    let graph = "a out=n:integer retry=3 backoff=0s";
    check(
        graph,
        "a#1 runs at 0s; a#1 reports exit=0 says nonsense at 1s",
        "a Running",
    );
    check(
        graph,
        "a#1 runs at 0s; a#1 reports exit=0 says nonsense at 1s; a#1 exit=0 says nonsense at 2s",
        "start a#2 with a; a#1 Failed/OutputInvalid",
    );
}

#[test]
fn the_end_of_an_attempt_rides_on_the_next_one_until_it_is_stored() {
    let graph = "a retry=2 backoff=1s out=n:integer";
    check(
        graph,
        "a#1 runs at 1s; unwritable; a#1 exit=3 at 1s; now 2s",
        "start a#2 with a; a attempts=2",
    );
    // Neither the status nor the pod tells what became of the first attempt: the second Job does.
    check(
        graph,
        "a#1 runs at 1s; unwritable; a#1 exit=3 at 1s; now 2s; a#1 pod-gone; writable; crash",
        "a Scheduled; a attempts=2; a#1 Failed/ExitCode",
    );
}
