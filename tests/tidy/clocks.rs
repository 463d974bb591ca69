//! The wall clock is read in one place, and tests wait for facts, not for time.

use crate::{
    finding::Finding,
    repository::Source,
    tokens::{functions, paths, stands, test_items},
};

/// Where `now()` of a wall clock may be called in the product.
const CLOCK: &str = "src/operator/clock.rs";
const WALL_CLOCKS: [&str; 3] = ["Timestamp", "Zoned", "SystemTime"];

/// Where something may sleep: the launcher and the fake kubelet pace real programs, and the harness
/// has the waiters of all suites, for facts and for times in which nothing must happen. Two more wait
/// for what nobody announces: inotify has seen a file, the API server serves a new schema. The
/// simulator's time is its own.
const MAY_SLEEP: [&str; 5] = [
    "tests/cluster/",
    "tests/harness/",
    "tests/sim/",
    "src/operator/config/reload.rs",
    "tests/apiserver/server.rs",
];
const SLEEPS: [&str; 2] = ["sleep", "sleep_until"];

fn wall_clock(source: &Source) -> Vec<Finding> {
    if source.path() == CLOCK {
        return Vec::new();
    }
    let paths = source.product().into_iter().flat_map(paths);
    let reads = paths.filter(|path| match path.segments.as_slice() {
        [.., clock, now] => now == "now" && WALL_CLOCKS.contains(&clock.as_str()),
        _ => false,
    });
    let finding = |line| {
        Finding::at(
            source.path(),
            line,
            "reads the wall clock: ask the Clock of the context",
        )
    };
    reads.map(|path| finding(path.line)).collect()
}

/// Sleeps of tests. In the product a pause is a decision, bounded and named where it stands.
fn sleeps(source: &Source) -> Vec<Finding> {
    if MAY_SLEEP.iter().any(|place| source.path().starts_with(place)) {
        return Vec::new();
    }
    let tokens = &source.tokens;
    let items = test_items(tokens);
    let functions = functions(tokens);
    let is_in_test = |at: usize| source.is_test || items.iter().any(|item| item.contains(&at));
    // `#[tokio::test(start_paused = true)]`: its sleeps take no time.
    let takes_time = |at: usize| {
        let mut around = functions.iter().filter(|function| function.body.contains(&at));
        !around.any(|function| function.has_mark("start_paused"))
    };
    let calls = (0..tokens.len()).filter(|at| {
        let is_sleep = SLEEPS.iter().any(|sleep| tokens[*at].is(sleep));
        is_sleep && stands(tokens, at + 1, &["("])
    });
    let bad = calls.filter(|at| is_in_test(*at) && takes_time(*at));
    let words = "a test sleeps: wait for the fact with a waiter of tests/harness (one that says why, where nothing must happen), or pause tokio's time (start_paused)";
    bad.map(|at| Finding::at(source.path(), tokens[at].line, words))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{sleeps, wall_clock};
    use crate::{
        finding::{none, places},
        repository::{Source, sources},
    };

    #[test]
    fn the_wall_clock_is_read_in_one_place() {
        let found: Vec<_> = sources().iter().flat_map(wall_clock).collect();
        none(
            "only src/operator/clock.rs reads the wall clock, so that a test can set it",
            &found,
        );
    }

    #[test]
    fn tests_do_not_sleep() {
        let found: Vec<_> = sources().iter().flat_map(sleeps).collect();
        none("tests wait for facts", &found);
    }

    #[test]
    fn a_second_clock_is_refused() {
        let text = "fn a() {}\nfn b() { jiff::Timestamp::now() }\nfn c() { clock.now() }";
        let sample = |path| wall_clock(&Source::new(path, text));
        places(&sample("src/operator/gather.rs"), &["src/operator/gather.rs:2"]);
        places(&sample("src/operator/clock.rs"), &[]);
    }

    #[test]
    fn a_sleeping_test_is_refused() {
        let text = "async fn a() { sleep(b).await }\n#[cfg(test)] mod tests {\n#[test] fn c() { thread::sleep(d) }\n#[tokio::test(start_paused = true)] async fn e() { sleep(f).await }\n}";
        let sample = |path| sleeps(&Source::new(path, text));
        places(&sample("src/operator/a.rs"), &["src/operator/a.rs:3"]);
        places(
            &sample("tests/e2e/main.rs"),
            &["tests/e2e/main.rs:1", "tests/e2e/main.rs:3"],
        );
        places(&sample("tests/cluster/probe.rs"), &[]);
    }
}
