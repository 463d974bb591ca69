//! Each invariant names a test that exists.

use std::collections::BTreeSet;

use super::quoted;
use crate::{
    finding::Finding,
    repository::{Source, TextFile},
    tokens::{Function, functions},
};

/// Invariants without a test, at most. Only ever lower this.
const UNGUARDED_MAX: usize = 3;
/// What the cell of an invariant begins with that has no test yet.
const NOT_YET: &str = "not yet:";

struct Invariant<'a> {
    line: usize,
    id: &'a str,
    tests: Vec<&'a str>,
    /// Why there is none.
    excuse: Option<&'a str>,
}

/// Rows of the table: `| I1 | what holds | tests |`.
fn invariants(paper: &TextFile) -> Vec<Invariant<'_>> {
    paper.lines().filter_map(|(line, text)| invariant(line, text)).collect()
}

fn invariant(line: usize, text: &str) -> Option<Invariant<'_>> {
    let cells: Vec<&str> = text
        .strip_prefix('|')?
        .strip_suffix('|')?
        .split('|')
        .map(str::trim)
        .collect();
    let [id, _, guard] = cells.as_slice() else {
        return None;
    };
    let digits = id.strip_prefix('I')?;
    let is_id = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let excuse = guard.strip_prefix(NOT_YET).map(str::trim);
    is_id.then(|| Invariant {
        line,
        id,
        tests: if excuse.is_some() {
            Vec::new()
        } else {
            quoted(guard).collect()
        },
        excuse,
    })
}

fn guards(paper: &TextFile, tests: &BTreeSet<&str>) -> Vec<Finding> {
    let rows = invariants(paper);
    let mut found = Vec::new();
    let mut finding = |line, words: String| found.push(Finding::at(&paper.path, line, words));
    for (number, row) in (1..).zip(&rows) {
        if row.id != format!("I{number}") {
            finding(
                row.line,
                format!(
                    "{} is out of order: invariants are numbered without gaps, and keep their number",
                    row.id
                ),
            );
        }
        match row.excuse {
            Some("") => finding(row.line, format!("{}: say what the test waits for", row.id)),
            None if row.tests.is_empty() => finding(
                row.line,
                format!("{} names no test: `a_test`, or {NOT_YET} why", row.id),
            ),
            Some(_) | None => {}
        }
        for test in row.tests.iter().filter(|test| !tests.contains(*test)) {
            finding(
                row.line,
                format!(
                    "{} is guarded by {test}, which is no test function: correct the name, or write it",
                    row.id
                ),
            );
        }
    }
    let unguarded = rows.iter().filter(|row| row.excuse.is_some()).count();
    if unguarded > UNGUARDED_MAX {
        let words = format!("{unguarded} invariants without a test, at most {UNGUARDED_MAX}: write one");
        found.push(Finding::of(&paper.path, words));
    }
    if rows.is_empty() {
        found.push(Finding::of(
            &paper.path,
            "no table of invariants: `| I1 | what holds | `a_test` |`",
        ));
    }
    found
}

/// A test that a comment or a paper names is a promise too.
fn promises(file: &TextFile, tests: &BTreeSet<&str>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, line) in file.lines() {
        for (at, mark) in line.match_indices("test `") {
            let name = line[at + mark.len()..].split('`').next().unwrap_or_default();
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if is_name && !tests.contains(name) {
                let words = format!("there is no test {name}: correct the name");
                found.push(Finding::at(&file.path, number, words));
            }
        }
    }
    found
}

fn test_names(sources: &[Source]) -> BTreeSet<String> {
    let functions = sources.iter().flat_map(|source| functions(&source.tokens));
    functions
        .filter(Function::is_test)
        .map(|function| function.name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        architecture::{PAPER, tests::paper},
        finding::{none, places},
        repository::{file, files, sources},
    };

    #[test]
    fn every_invariant_has_its_test() {
        let names = test_names(sources());
        let names = names.iter().map(String::as_str).collect();
        none("each invariant names a test that exists", &guards(file(PAPER), &names));
    }

    #[test]
    fn tests_that_are_named_exist() {
        let names = test_names(sources());
        let names = names.iter().map(String::as_str).collect();
        let found: Vec<_> = files().iter().flat_map(|file| promises(file, &names)).collect();
        none("a test that is named exists", &found);
    }

    #[test]
    fn an_empty_promise_is_refused() {
        let tests = BTreeSet::from(["a_test"]);
        let promise = |name: &str| format!("measured by the test {name}\n");
        let text = ["`a_test`", "`target/x`", "`no_test`"].map(promise).concat();
        places(&promises(&paper(&text), &tests), &["ARCHITECTURE.md:3"]);
    }

    #[test]
    fn unguarded_invariants_are_refused() {
        let tests = BTreeSet::from(["a_test"]);
        let line = |guard: &str| guards(&paper(&format!("| I1 | x | {guard} |")), &tests);
        places(&line("`a_test`"), &[]);
        places(&line("not yet: needs a cluster"), &[]);
        for bad in ["`no_test`", "", "a_test", "not yet:", "`a_test`, `no_test`"] {
            places(&line(bad), &["ARCHITECTURE.md:1"]);
        }
        places(
            &guards(&paper("| I1 | x | `a_test` |\n| I3 | x | `a_test` |"), &tests),
            &["ARCHITECTURE.md:2"],
        );
        places(&guards(&paper("no table"), &tests), &["ARCHITECTURE.md"]);
        let many: Vec<String> = (1..=UNGUARDED_MAX + 1)
            .map(|id| format!("| I{id} | x | not yet: y |"))
            .collect();
        places(&guards(&paper(&many.join("\n")), &tests), &["ARCHITECTURE.md"]);
    }

    #[test]
    fn only_functions_that_run_as_tests_guard() {
        let source = Source::new(
            "a",
            "fn a() {}\n#[test]\nfn b() {}\nproptest! { #[test] fn c(x in y) { } }\n#[tokio::test] async fn d() {}",
        );
        assert_eq!(test_names(&[source]), BTreeSet::from(["b", "c", "d"].map(String::from)));
    }
}
