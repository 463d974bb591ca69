//! The code map: its paths exist, and no folder is missing.

use std::collections::BTreeSet;

use super::quoted;
use crate::{finding::Finding, repository::TextFile};

/// Paths in backticks exist: as a file, or as a folder with something in it.
fn paths(paper: &TextFile, known: &[&str]) -> Vec<Finding> {
    let is_known = |path: &str| {
        let folder = format!("{}/", path.trim_end_matches('/'));
        known.iter().any(|file| *file == path || file.starts_with(&folder))
    };
    let mut found = Vec::new();
    for (number, line) in paper.lines() {
        let is_path = |word: &&str| {
            let starts = ["src/", "tests/", "config/", "charts/", "crds/"]
                .iter()
                .any(|start| word.starts_with(start));
            starts && !word.contains(['*', '<', ' '])
        };
        let missing = quoted(line).filter(is_path).filter(|path| !is_known(path));
        found.extend(
            missing.map(|path| Finding::at(&paper.path, number, format!("{path} does not exist: correct the map"))),
        );
    }
    found
}

/// Folders that the map must show: one level below the crates, two below the root.
fn folders(paper: &TextFile, known: &[&str]) -> Vec<Finding> {
    let shown: BTreeSet<String> = paper
        .text
        .lines()
        .flat_map(quoted)
        .map(|path| path.trim_end_matches('/').to_owned())
        .collect();
    let mut missing = BTreeSet::new();
    // Tests beside the code need no word of their own.
    let is_told = |file: &&&str| !file.contains("/tests/") && !file.ends_with("/tests.rs");
    for file in known.iter().filter(is_told) {
        let parts: Vec<&str> = file.split('/').collect();
        let depth = match parts.as_slice() {
            ["src", _, _, _, ..] => 3,
            ["src" | "tests" | "config", _, _, ..] => 2,
            [folder, _, ..] if !folder.starts_with('.') => 1,
            _ => continue,
        };
        missing.extend((1..=depth).map(|depth| parts[..depth].join("/")));
    }
    let missing = missing.into_iter().filter(|folder| !is_shown(folder, &shown));
    missing
        .map(|folder| {
            Finding::of(
                &paper.path,
                format!("the code map does not show {folder}: say what belongs there"),
            )
        })
        .collect()
}

/// What is shown below it will do.
fn is_shown(folder: &str, shown: &BTreeSet<String>) -> bool {
    let below = format!("{folder}/");
    shown.contains(folder) || shown.iter().any(|path| path.starts_with(&below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        architecture::{PAPER, tests::paper},
        finding::{none, places},
        repository::{file, files},
    };

    #[test]
    fn the_code_map_is_true() {
        let known: Vec<&str> = files().iter().map(|file| file.path.as_str()).collect();
        let mut found = paths(file(PAPER), &known);
        found.extend(folders(file(PAPER), &known));
        none("the code map shows what is there, and nothing else", &found);
    }

    #[test]
    fn a_wrong_map_is_refused() {
        let known = [
            "src/api/lib.rs",
            "src/engine/lib.rs",
            "src/engine/expr/mod.rs",
            "src/engine/job/build.rs",
            "src/engine/graph/tests/a.rs",
            "src/operator/reconcile/tests.rs",
            "tests/sim/main.rs",
            ".ci/run",
            "README.md",
        ];
        let text = paper("`src/api` `src/api/lib.rs` `src/engine/expr/`\n`src/server` `src/*.rs` `tests/sim`");
        places(&paths(&text, &known), &["ARCHITECTURE.md:2"]);
        let words: Vec<_> = folders(&text, &known).iter().map(ToString::to_string).collect();
        assert_eq!(
            words,
            ["ARCHITECTURE.md: the code map does not show src/engine/job: say what belongs there"]
        );
    }
}
