//! `api` and `engine` are pure: no clock, no I/O, no threads, no random order.
//!
//! Their crates are kept by Cargo (`crates.rs`); this is about what the standard library offers.

use crate::{
    finding::Finding,
    repository::Source,
    tokens::{Path, paths},
};

const PURE: [&str; 2] = ["src/api/", "src/engine/"];

/// What makes a decision depend on more than its argument, and what to do instead.
const BANNED: [(&[&str], &str); 11] = [
    (
        &["std", "collections", "HashMap"],
        "its order is random and breaks replay: take BTreeMap",
    ),
    (
        &["std", "collections", "HashSet"],
        "its order is random and breaks replay: take BTreeSet",
    ),
    (
        &["std", "collections", "hash_map"],
        "its order is random and breaks replay: take BTreeMap",
    ),
    (&["std", "env"], "make it a field of Observed or a parameter"),
    (&["std", "fs"], "let the operator read it, and make it a parameter"),
    (&["std", "io"], "let the operator do it, as a new Action"),
    (&["std", "net"], "let the operator do it, as a new Action"),
    (&["std", "process"], "let the operator do it, as a new Action"),
    (
        &["std", "thread"],
        "a decision is synchronous: let the operator run things side by side",
    ),
    (&["std", "time", "Instant"], "now is a field of Observed"),
    (&["std", "time", "SystemTime"], "now is a field of Observed"),
];

fn check(source: &Source) -> Vec<Finding> {
    if !PURE.iter().any(|folder| source.path().starts_with(folder)) {
        return Vec::new();
    }
    let paths = source.product().into_iter().flat_map(paths);
    paths.filter_map(|path| judge(source, &path)).collect()
}

fn judge(source: &Source, path: &Path) -> Option<Finding> {
    let banned = BANNED.iter().find(|(banned, _)| path.reaches(banned));
    banned.map(|(_, cure)| {
        let words = format!("{} in a pure crate: {cure}", path.segments.join("::"));
        Finding::at(source.path(), path.line, words)
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::{
        finding::{none, places},
        repository::{Source, sources},
    };

    #[test]
    fn pure_crates_have_no_clock_no_io_and_no_random_order() {
        let found: Vec<_> = sources().iter().flat_map(check).collect();
        none(
            "api and engine depend on their arguments only (ARCHITECTURE.md, invariants)",
            &found,
        );
    }

    #[test]
    fn impure_samples_are_refused() {
        let text = "use std::{fmt, time::{Duration, Instant}};\nuse std::collections::*;\nfn a() { std::env::var(b) }\n#[cfg(test)] mod tests { use std::fs; }\nuse std::collections::BTreeMap;";
        let sample = |path| check(&Source::new(path, text));
        places(
            &sample("src/engine/a.rs"),
            &["src/engine/a.rs:1", "src/engine/a.rs:2", "src/engine/a.rs:3"],
        );
        places(&sample("src/operator/a.rs"), &[]);
        places(&sample("src/engine/a/tests/b.rs"), &[]);
    }
}
