//! What has to be stored before something is done.

use crate::stage::check;

#[test]
fn nothing_starts_before_the_run_and_its_snapshot_are_stored() {
    check("a", "unwritable; anew", "snapshot");
    check(
        "a",
        "unwritable; anew; writable",
        "start a#1; a Scheduled; run Running; run run=1",
    );
}

#[test]
fn a_stop_is_stored_before_the_job_is_deleted() {
    check("a run<=10m", "a#1 runs at 1m; unwritable; now 20m", "a#1 asked-to-stop");
    check(
        "a run<=10m",
        "a#1 runs at 1m; unwritable; now 20m; writable",
        "stop a#1",
    );
    check("run: total<=1h; a", "a#1 runs at 1m; unwritable; now 1h", "a Running");
    check(
        "run: total<=1h; a",
        "a#1 runs at 1m; unwritable; now 1h; writable",
        "stop a#1",
    );
}

#[test]
fn a_job_gets_its_ttl_only_after_its_result_is_stored() {
    check("run: ttl=60; a", "a#1 runs at 1s; now 2s", "a Running");
    check("run: ttl=60; a", "unwritable; a#1 exit=0 at 1s", "a Succeeded");
    check(
        "run: ttl=60; a",
        "unwritable; a#1 exit=0 at 1s; writable",
        "expire a#1=60; run Succeeded",
    );
    // Without a TTL a Job goes with its run.
    check("a", "a#1 exit=0 at 1s; now 1h", "a Succeeded");
}

#[test]
fn the_next_step_does_not_wait_for_the_status() {
    check(
        "a; b needs a",
        "unwritable; a#1 reports exit=0 at 1s",
        "start b#1 with a; b Scheduled",
    );
}

#[test]
fn a_loss_of_memory_changes_nothing() {
    let graph = "a; b needs a; c needs b";
    for story in [
        "crash",
        "a#1 runs at 1s; crash",
        "a#1 exit=0 at 1s; crash",
        "a#1 exit=0 at 1s; b#1 runs at 2s; crash",
        "a#1 exit=0 at 1s; b#1 exit=0 at 2s; c#1 exit=0 at 3s; crash",
    ] {
        check(graph, story, "");
    }
}
