//! The planted bugs still apply to the source: `make planted` shows that the tests find them.

use std::process::Command;

use crate::repository::{output, root};

#[test]
fn every_planted_bug_applies() {
    let entries = std::fs::read_dir(root().join("tests/planted")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let patches: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "patch"))
        .collect();
    assert!(!patches.is_empty(), "no patch found");
    for patch in patches {
        output(Command::new("git").args(["apply", "--check"]).arg(patch));
    }
}
