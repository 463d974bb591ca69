//! Jobs and pods that the cluster will not have.

use crate::stage::check;

#[test]
fn a_quota_is_waited_for() {
    check(
        "run: suspend; a",
        "a#1 post=quota; resume",
        "try a#1; a Queued+QuotaBlocked; a says `Quota, says the server`; a attempts=0",
    );
    check(
        "run: suspend; a",
        "a#1 post=quota; resume; a#1 post=ok; now 2m",
        "start a#1; a Scheduled",
    );
}

#[test]
fn an_api_server_that_is_away_is_waited_for() {
    check(
        "run: suspend; a",
        "a#1 post=unavailable; resume",
        "try a#1; a Queued+ApiUnavailable",
    );
}

#[test]
fn tries_become_rarer_up_to_a_minute() {
    check(
        "run: suspend; a",
        "a#1 post=quota; resume; now 3s",
        "try a#1; try a#1; a Queued",
    );
}

#[test]
fn a_refusal_for_good_fails_the_step_with_the_servers_words() {
    check(
        "run: suspend; a retry=5",
        "a#1 post=refused; resume",
        "try a#1; a Failed/Refused; a says `Permanent, says the server`; run Failed/StepFailed",
    );
}

#[test]
fn a_job_that_nobody_knows_to_be_there_is_asked_for_before_its_step_ends() {
    // The POST was answered by an error; it may have been executed all the same.
    let story = "a#1 post=unavailable; resume; b#1 exit=1 at 1s";
    check("run: suspend; a; b", story, "confirm a#1; a Omitted; b Failed");
    // Nor does a clear refusal that follows tell what became of the first POST.
    let story = "a#1 post=unavailable; resume; a#1 post=quota; now 1s; b#1 exit=1 at 2s";
    check("run: suspend; a; b", story, "confirm a#1; a Omitted; b Failed");
    let story = "a#1 post=unavailable; resume; a#1 post=refused; now 1s";
    check(
        "run: suspend; a",
        story,
        "confirm a#1; try a#1; a Failed/Refused; run Failed",
    );
}

#[test]
fn quota_that_never_frees_ends_by_schedule_to_start() {
    check(
        "run: suspend; a start<=5m",
        "a#1 post=quota; resume; now 5m; now 5m1s",
        "a Failed/DeadlineExceeded",
    );
}

#[test]
fn a_job_without_pod_is_probed_for_the_servers_words() {
    check("a", "now 1s", "a Scheduled; wake 2s");
    check(
        "a",
        "a#1 probe `exceeded quota: pods`; now 2s",
        "probe a#1; a Scheduled+QuotaBlocked; a says `exceeded quota: pods`",
    );
    check("a", "a#1 pod at 1s; now 10s", "a Scheduled");
}

#[test]
fn why_a_pod_does_not_start_is_said_once_it_has_lasted() {
    check("a", "a#1 unschedulable at 1s", "a Scheduled+; wake 2s");
    check("a", "a#1 unschedulable at 1s; now 2s", "a Scheduled+Unschedulable");
    check(
        "a",
        "a#1 waits CreateContainerConfigError at 1s; now 2s",
        "a Scheduled+ConfigMissing",
    );
    check("a", "a#1 unschedulable at 1s; now 2s; a#1 runs at 9s", "a Running+");
}

#[test]
fn the_words_of_one_cause_are_written_once() {
    check(
        "a",
        "a#1 unschedulable at 1s; now 2s; a#1 unschedulable otherwise at 3s",
        "a Scheduled+Unschedulable; a says `says the cluster`",
    );
}
