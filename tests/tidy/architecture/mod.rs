//! `ARCHITECTURE.md` is true, and short.

mod invariants;
mod map;
mod numbers;

const PAPER: &str = "ARCHITECTURE.md";
const LINES_MAX: usize = 250;

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
        let lines = file(PAPER).lines().count();
        assert!(
            lines <= LINES_MAX,
            "{PAPER} has {lines} lines, at most {LINES_MAX}: keep what a newcomer needs"
        );
    }
}
