//! What has ended leaves the status for records, and can still be read.

use crate::stage::check;
use std::fmt::Write;

/// Each of these Jobs ends well, one after the other.
fn all_end(jobs: impl Iterator<Item = String>) -> String {
    let mut story = String::new();
    for job in jobs {
        write!(story, "{job} exit=0 says {{\"n\":1}} at 1s; {job} complete; ").unwrap();
    }
    story
}

#[test]
fn a_wide_fork_is_sealed_and_its_outputs_are_read() {
    let graph =
        "s count=200 out=n:integer; z needs s in sum=`sum(steps.s.results.map(r, r.n))` in all=`size(steps.s.outputs)`";
    let story = all_end((0..200).map(|index| format!("s[{index}]#1")));
    check(
        graph,
        &story,
        "s Succeeded; s counts succeeded:200; run shows 140; run done 201/202; z in sum=200; z in all=200; z Scheduled",
    );
    // Neither a restart nor what is sealed already counts twice.
    check(
        graph,
        &format!("{story}; crash; z#1 exit=0 at 2s"),
        "s counts succeeded:200; run done 202/202; run Succeeded",
    );
}

#[test]
fn outputs_of_the_run_read_what_is_sealed_as_the_last_step_ends() {
    let graph = "s count=200 out=n:integer; run: out:sum=`sum(steps.s.results.map(r, r.n))`";
    let story = all_end((0..200).map(|index| format!("s[{index}]#1")));
    check(graph, &story, "run Succeeded; run out sum=200");
    let most = all_end((0..199).map(|index| format!("s[{index}]#1")));
    let last = all_end(std::iter::once("s[199]#1".to_owned()));
    check(
        graph,
        &format!("{most}; crash; {last}"),
        "run Succeeded; run out sum=200",
    );
}

#[test]
fn a_long_loop_shows_its_last_iterations() {
    let graph = "block b gives=n:integer=steps.x.outputs.n; block b: x out=n:integer; block b: y needs x out=n:integer; \
                 l loop=b while=`iteration < 80` times=80; z needs l in n=`or(steps.l.outputs.n, 0)`";
    let jobs = (0..80).flat_map(|index| ["x", "y"].map(|step| format!("l[{index}].{step}#1")));
    check(
        graph,
        &all_end(jobs),
        "l Succeeded; l iterations=80; run counts l=80; l[79].y Succeeded; l[0].x gone; run shows 140; run done 161/162; z in n=1; page",
    );
}

#[test]
fn small_runs_keep_all_their_steps() {
    let graph = "block b: x; l loop=b while=`iteration < 20` times=20";
    let jobs = (0..20).map(|index| format!("l[{index}].x#1"));
    check(graph, &all_end(jobs), "run Succeeded; l[0].x Succeeded; run records 0");
}

#[test]
fn a_handler_that_has_run_is_not_run_again_once_sealed() {
    let graph = "block undo: u; block b: x then=Continue catch=undo; block b: y needs x; l loop=b while=`iteration < 50` times=50";
    let mut story = String::new();
    for index in 0..50 {
        let step =
            |name: &str, code: u32| format!("l[{index}].{name}#1 exit={code} at 1s; l[{index}].{name}#1 complete; ");
        story += &(step("x", 3) + &step("x.onFailure.u", 0) + &step("y", 0));
    }
    check(
        graph,
        &story,
        "run Succeeded; l iterations=50; run done 201/201; l[0].x gone; run shows 140",
    );
}

#[test]
fn what_follows_the_failure_of_an_item_is_sealed_with_it() {
    let graph = "block undo: u; block b onfailure=undo; block b: x; s count=150 mayfail=100% block=b; z needs s";
    let mut story = String::new();
    for index in 0..150 {
        let step =
            |name: &str, code: u32| format!("s[{index}].{name}#1 exit={code} at 1s; s[{index}].{name}#1 complete; ");
        story += &(step("x", 3) + &step("onFailure.u", 0));
    }
    check(
        graph,
        &story,
        "s Succeeded; s counts failed:150; run shows 140; z Scheduled",
    );
}

#[test]
fn steps_whose_jobs_end_late_are_sealed_all_the_same() {
    let graph = "block b: x; s count=150 block=b; z needs s";
    let mut story = String::new();
    for word in ["exit=0 at 1s", "complete"] {
        for index in 0..150 {
            write!(story, "s[{index}].x#1 {word}; ").unwrap();
        }
    }
    check(graph, &story, "s Succeeded; run shows 180; z Scheduled");
}

#[test]
fn items_without_jobs_do_not_fill_the_status() {
    check(
        "s each=`range(2000)` eachwhen=`false` in n=item; z needs s",
        "now 2s",
        "s Succeeded; s counts skipped:2000; run shows 600; z Scheduled",
    );
    check(
        "block b: x set=`num:integer=1`; l loop=b while=`iteration < 2000` times=2000; z needs l",
        "now 2s",
        "l Succeeded; l iterations=2000; run shows 400; z Scheduled",
    );
}

#[test]
fn an_exit_keeps_its_outputs_though_its_step_is_sealed() {
    let graph = "block b in=num:integer: ; block b: x; block b: e needs x when `inputs.num == 0` exit=Succeeded/Done exitout=`n=7`; \
                 s count=150 block=b in num=item; run: out:n=1"
        .replace("in=num:integer: ;", "in=num:integer;");
    let mut story = String::from("s[0].x#1 exit=0 at 1s; s[0].x#1 complete; ");
    for index in 1..150 {
        write!(story, "s[{index}].x#1 gone; ").unwrap();
    }
    check(&graph, &story, "run Succeeded/Done; run out n=7; confirm s[149].x#1");
}

#[test]
fn who_reads_a_record_that_is_gone_fails() {
    let most = all_end((0..199).map(|index| format!("s[{index}]#1")));
    let last = all_end(std::iter::once("s[199]#1".to_owned()));
    let story = format!("{most}; pages-gone; crash; {last}");
    check(
        "s count=200 out=n:integer; z needs s in sum=`sum(steps.s.results.map(r, r.n))`",
        &story,
        "s Succeeded; z Failed/ResultLost; z says `which holds items of s, is gone or cannot be read`; run Failed",
    );
    check(
        "s count=200 out=n:integer; run: out:sum=`sum(steps.s.results.map(r, r.n))`",
        &story,
        "s Succeeded; run Failed/ResultLost; run says `WorkflowRecord page-`",
    );
}
