//! Steps that send a request.

use crate::stage::check;

#[test]
fn a_request_goes_once_its_start_is_stored_and_gives_outputs() {
    let graph = "a http=GET gives=`n:integer=response.body.n`; b needs a in n=steps.a.outputs.n";
    check(graph, "now 1s", "a Running; a#1 Running; b Pending");
    let after = "x; a needs x http=GET";
    check(after, "unwritable; x#1 exit=0 at 1s", "x Succeeded; a Running");
    check(after, "unwritable; x#1 exit=0 at 1s; writable", "send a#1; a Running");
    check(
        graph,
        "a#1 answers 200 {\"n\":7} at 1s",
        "a Succeeded; a#1 Succeeded; a out n=7; start b#1; run Running",
    );
}

#[test]
fn a_job_waits_until_the_answer_that_it_rests_on_is_stored() {
    let graph = "a http=GET; b needs a; c retry=2 backoff=1s; block x: h http=GET; block x: j needs h; d block=x";
    check(graph, "unwritable; a#1 answers 200 at 1s", "a Succeeded; b Pending");
    check(
        graph,
        "unwritable; a#1 answers 200 at 1s; writable",
        "start b#1; b Scheduled",
    );
    // What does not rest on it goes on.
    check(
        graph,
        "unwritable; d.h#1 answers 200 at 1s; c#1 exit=1 at 2s; now 3s",
        "start c#2 with c",
    );
    check(
        graph,
        "unwritable; d.h#1 answers 200 at 1s",
        "d.h Succeeded; d.j Pending",
    );
    // Of a fork that goes on, only the items themselves.
    let fork = "f count=2 http=GET; g retry=2 backoff=1s; e needs f";
    check(
        fork,
        "unwritable; f[0]#1 answers 200 at 1s; g#1 exit=1 at 2s; now 3s",
        "start g#2 with g",
    );
    check(
        fork,
        "unwritable; f[0]#1 answers 200 at 1s; f[1]#1 answers 200 at 1s",
        "f Succeeded; e Pending",
    );
}

#[test]
fn a_status_that_is_not_expected_is_final() {
    check(
        "a http=GET retry=3; b needs a",
        "a#1 answers 404 {\"why\":1} at 1s",
        "a Failed/UnexpectedResponse; a says `status 404: {\"why\":1}`; a attempts=1; b Omitted; run Failed",
    );
    let graph = "a http=GET retry=3 expect=`response.status == 404 || response.body.ok`";
    check(graph, "a#1 answers 404 {} at 1s", "a Succeeded");
    check(
        graph,
        "a#1 answers 200 {\"ok\":false} at 1s",
        "a Failed/UnexpectedResponse",
    );
    check(
        graph,
        "a#1 answers 200 {} at 1s",
        "a Failed/ExpressionError; a says `status 200`",
    );
}

#[test]
fn outputs_are_of_their_types() {
    let graph = "a http=GET gives=`n:integer=response.body.n` gives=`m:string?=response.body.m`";
    check(graph, "a#1 answers 200 {\"n\":2.0} at 1s", "a Succeeded; a out n=2");
    check(
        graph,
        "a#1 answers 200 {\"n\":\"x\"} at 1s",
        "a Failed/OutputInvalid; a says `output n: gives string instead of integer`",
    );
    check(graph, "a#1 answers 200 {} at 1s", "a Failed/OutputInvalid");
    check(
        graph,
        "a#1 answers 200 {\"n\":1,\"m\":\"y\"} at 1s",
        "a Succeeded; a out m=\"y\"",
    );
}

#[test]
fn what_may_pass_is_tried_again_where_retry_is_written() {
    check(
        "a http=GET",
        "a#1 answers 503 at 1s",
        "a Failed/Unavailable; a attempts=1",
    );
    let graph = "a http=POST body=1 retry=3 backoff=2s";
    check(
        graph,
        "a#1 answers 503 at 1s",
        "a BackingOff; a#1 Failed/Unavailable; wake 3s",
    );
    check(graph, "a#1 answers 503 after=7s at 1s", "a BackingOff; wake 8s");
    check(graph, "a#1 answers 503 after=1s at 1s", "a BackingOff; wake 3s");
    check(
        graph,
        "a#1 answers 503 after=7s at 1s; now 8s",
        "send a#2; a Running; a attempts=2",
    );
    check(
        graph,
        "a#1 lost at 1s; now 3s; a#2 answers 200 at 4s",
        "a Succeeded; a attempts=2; a#1 Failed/ConnectionFailed; run Succeeded",
    );
    check(
        "a http=POST retry=2 backoff=1s all<=5s",
        "a#1 answers 429 after=10s at 1s",
        "a Failed/Unavailable",
    );
    check(
        "a http=GET retry=3",
        "a#1 refused at 1s",
        "a Failed/AddressRefused; a attempts=1",
    );
}

#[test]
fn a_restart_in_the_middle_repeats_what_may_be_repeated() {
    check("a http=GET", "crash", "a BackingOff; a#1 Failed/Interrupted");
    check("a http=GET", "crash; now 2s", "send a#2; a Running");
    check(
        "a http=PUT",
        "crash; now 2s; a#2 answers 200 at 3s",
        "a Succeeded; run Succeeded",
    );
    check(
        "a http=POST",
        "crash",
        "a Failed/Interrupted; a says `POST is not repeated by itself`; a attempts=1; run Failed",
    );
    check("a http=POST retry=2", "crash", "a BackingOff; a#1 Failed/Interrupted");
    // It had leave, and its start was not stored: it was never sent.
    check(
        "x; a needs x http=POST",
        "unwritable; x#1 exit=0 at 1s; crash; writable",
        "send a#1; a Running; a attempts=1",
    );
    // The answer was there, and what it led to was not stored: nobody knows it any more.
    check(
        "a http=GET",
        "unwritable; a#1 answers 200 at 1s; crash; writable",
        "a BackingOff; a#1 Failed/Interrupted",
    );
    check(
        "a http=GET",
        "a#1 answers 200 at 1s; crash",
        "a Succeeded; run Succeeded",
    );
}

#[test]
fn a_stop_drops_the_request_once_it_is_stored() {
    check(
        "a http=GET; run: total<=10s",
        "now 10s",
        "a Cancelled/DeadlineExceeded; a#1 Cancelled/DeadlineExceeded; run Failed/DeadlineExceeded",
    );
    check(
        "a http=GET; run: total<=10s",
        "unwritable; now 10s",
        "a Running; a#1 asked-to-stop",
    );
    // An answer that comes before that counts.
    check(
        "a http=GET; run: total<=10s",
        "unwritable; now 10s; a#1 answers 200; writable",
        "a Succeeded; run Failed/DeadlineExceeded",
    );
    check(
        "a http=GET retry=2 backoff=1s run<=5s",
        "now 5s",
        "a BackingOff; a#1 Failed/DeadlineExceeded; wake 6s",
    );
    check(
        "a http=GET retry=9 all<=5s",
        "now 5s",
        "a Failed/DeadlineExceeded; a attempts=1",
    );
    check(
        "a http=GET; b http=GET; c needs a,b join=Any others=Cancel",
        "a#1 answers 200 at 1s",
        "b Cancelled/JoinMet; start c#1; c Scheduled",
    );
}

#[test]
fn an_open_breaker_holds_a_request_back_and_spends_no_attempt() {
    check(
        "a http=GET",
        "a#1 held 30s; anew",
        "snapshot; a Scheduled+BreakerOpen; a says `too many`; wake 30s",
    );
    check(
        "a http=GET",
        "a#1 held 30s; anew; now 30s",
        "send a#1; a Running; a attempts=1",
    );
    check(
        "a http=GET retry=3 start<=10s",
        "a#1 held 30s; anew; now 10s",
        "a Failed/DeadlineExceeded; a says `it waited for: too many failures`; a attempts=1",
    );
    // It was not sent, so a restart asks again.
    check(
        "a http=POST",
        "a#1 held 30s; anew; crash",
        "a Scheduled+BreakerOpen; wake 30s",
    );
    check(
        "a http=GET; run: total<=10s",
        "a#1 held 30s; anew; now 10s",
        "a Cancelled/DeadlineExceeded; run Failed",
    );
}

#[test]
fn requests_stand_in_blocks_loops_forks_and_handlers() {
    let graph = "block b gives=n:integer=steps.h.outputs.n; block b: h http=GET gives=`n:integer=response.body.n`; \
                 l loop=b until=`block.outputs.n > 1` times=3";
    check(
        graph,
        "l[0].h#1 answers 200 {\"n\":1} at 1s; l[1].h#1 answers 200 {\"n\":2} at 2s",
        "l Succeeded; l out n=2; run Succeeded",
    );
    check(
        "f count=3 atonce=2 http=GET gives=`n:integer=response.body.n`; run: out:sum=`sum(steps.f.results.map(r, r.n))`",
        "f[0]#1 answers 200 {\"n\":1} at 1s; f[1]#1 answers 200 {\"n\":2} at 2s; f[2]#1 answers 200 {\"n\":3} at 3s",
        "f Succeeded; run Succeeded; run out sum=6",
    );
    check(
        "block c: h http=POST body=1; a catch=c",
        "a#1 exit=1 at 1s",
        "a Failed/ExitCode; a.onFailure Running; a.onFailure.h Running; send a.onFailure.h#1",
    );
}

#[test]
fn a_request_that_cannot_be_made_fails_before_an_attempt() {
    check(
        "a out=n:integer; b needs a http=POST body=`1 / steps.a.outputs.n`",
        "a#1 exit=0 says {\"n\":0} at 1s",
        "b Failed/ExpressionError; b says `http.body`; b attempts=0",
    );
}
