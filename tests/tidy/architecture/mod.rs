//! `ARCHITECTURE.md` is true, and short.

mod invariants;
mod map;
mod numbers;

const PAPER: &str = "ARCHITECTURE.md";
const LINES_MAX: usize = 200;

/// Words between backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::{LINES_MAX, PAPER};
    use crate::repository::{TextFile, file};

    /// A sample of the paper.
    pub(super) fn paper(text: &str) -> TextFile {
        TextFile {
            path: PAPER.into(),
            text: text.into(),
        }
    }

    #[test]
    fn the_architecture_is_read_in_ten_minutes() {
        let text = file(PAPER);
        // The decisions are a log: for whoever wonders about one, not to be read through.
        let (before, log) = text.text.split_once("\n## Decisions\n").unwrap();
        let after = log.split_once("\n## ").unwrap().1;
        let lines = before.lines().count() + after.lines().count();
        assert!(
            lines <= LINES_MAX,
            "{PAPER} has {lines} lines, at most {LINES_MAX}: keep what a newcomer needs"
        );
    }
}
