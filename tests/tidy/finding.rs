//! What a rule has to say.

use std::fmt;

/// One place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// `file:line`, or the file.
    place: String,
    /// What is there, and what to do.
    words: String,
}

impl Finding {
    pub(crate) fn at(file: &str, line: usize, words: impl Into<String>) -> Self {
        Self {
            place: format!("{file}:{line}"),
            words: words.into(),
        }
    }

    pub(crate) fn of(file: &str, words: impl Into<String>) -> Self {
        Self {
            place: file.to_owned(),
            words: words.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.words)
    }
}

/// The rule holds here, or the test fails with all that was found.
#[track_caller]
pub(crate) fn none(rule: &str, found: &[Finding]) {
    let lines: Vec<String> = found.iter().map(Finding::to_string).collect();
    assert!(
        found.is_empty(),
        "rule: {rule}\n{}\n({} places)",
        lines.join("\n"),
        lines.len()
    );
}

/// The rule finds exactly these places in a sample.
#[track_caller]
pub(crate) fn places(found: &[Finding], expected: &[&str]) {
    let places: Vec<&str> = found.iter().map(|finding| finding.place.as_str()).collect();
    assert_eq!(places, expected, "{found:#?}");
}
