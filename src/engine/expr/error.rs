//! What can be wrong with an expression, in words for the person who wrote it.

use std::fmt;

/// Characters and bytes of an excerpt or a quoted name in a message. A message has at most four of them, or three and
/// a free text: so the whole stays below 1 KiB.
const EXCERPT_CHARS_MAX: usize = 80;
const EXCERPT_BYTES_MAX: usize = 160;
const TEXT_BYTES_MAX: usize = 360;

/// Why an expression was refused, or gave no value.
///
/// Guarantees: a message is at most 1 KiB, on one line, without control characters. [`Error::Absent`] and
/// [`Error::MayBeAbsent`] are the only errors about a value that does not exist (yet); [`Error::is_limit`] tells
/// the exceeded limits from mistakes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("syntax error at {at}: {message}")]
    Syntax { at: Place, message: String },
    #[error("the expression is {bytes} bytes long, {max} are allowed: compute parts of it in a `set` step")]
    TooLong { bytes: usize, max: usize },
    #[error("the expression is too complex at {at}: {limit}; compute parts of it in a `set` step")]
    TooComplex { at: Place, limit: &'static str },
    #[error("{at}: there is no `{name}` here; {hint}")]
    UnknownRoot { at: Place, name: String, hint: String },
    #[error("{at}: there is no function `{name}`{hint}")]
    UnknownFunction { at: Place, name: String, hint: String },
    #[error("{at}: {of} has no member `{member}`; {hint}")]
    UnknownMember {
        at: Place,
        of: String,
        member: String,
        hint: String,
    },
    #[error("{at}: a step must be named where it is read: write `steps.<name>`, for example `steps.list.outputs`")]
    UnnamedStep { at: Place },
    #[error("{at}: `{path}` may be absent: test it with has({path}), or give a default with or({path}, …)")]
    MayBeAbsent { at: Place, path: String },
    #[error("{at}: {message}")]
    Type { at: Place, message: String },
    #[error("{at}: {what}; test it with has(), or give a default with or(…, default)")]
    Absent { at: Place, what: String },
    #[error("{at}: {message}")]
    Evaluation { at: Place, message: String },
    #[error("{at}: the expression was stopped: it takes too many operations; read fewer or smaller values")]
    OutOfFuel { at: Place },
    #[error("{at}: the expression was stopped: it makes too much data; read fewer or smaller values")]
    TooMuchData { at: Place },
}

impl Error {
    /// Whether a limit stopped the expression, not a mistake in it.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::TooLong { .. } | Self::TooComplex { .. } | Self::OutOfFuel { .. } | Self::TooMuchData { .. }
        )
    }
}

/// A place in the text of an expression: `column 7, "steps.a.outputs"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// The text from there, at most 80 characters, control characters escaped.
    pub excerpt: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 1 {
            write!(f, "line {}, ", self.line)?;
        }
        write!(f, "column {}", self.column)?;
        if self.excerpt.is_empty() {
            return write!(f, " (the end)");
        }
        write!(f, " `{}`", self.excerpt)
    }
}

/// A part of the text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    pub(super) fn to(self, end: Self) -> Self {
        Self {
            start: self.start,
            end: end.end,
        }
    }

    /// Where this is in `text`, for a message.
    pub(super) fn place(self, text: &str) -> Place {
        let before = text.get(..self.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            line: count(before.matches('\n').count().saturating_add(1)),
            column: count(before.get(line_start..).unwrap_or("").chars().count().saturating_add(1)),
            excerpt: quote(text.get(self.start..self.end).unwrap_or("")),
        }
    }
}

/// Foreign text made fit for a message: one line, short, control characters escaped.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::new();
    for (count, letter) in text.chars().enumerate() {
        if count >= EXCERPT_CHARS_MAX || quoted.len() >= EXCERPT_BYTES_MAX {
            quoted.push('…');
            break;
        }
        push_visible(&mut quoted, letter);
    }
    quoted
}

/// A message that may hold foreign text in longer form, as the words of the regex compiler.
pub(super) fn bounded(text: &str) -> String {
    let mut bounded = String::new();
    for letter in text.chars() {
        if bounded.len() >= TEXT_BYTES_MAX {
            bounded.push('…');
            break;
        }
        push_visible(&mut bounded, letter);
    }
    bounded
}

fn push_visible(out: &mut String, letter: char) {
    if letter.is_control() || is_invisible(letter) {
        out.extend(letter.escape_default());
    } else {
        out.push(letter);
    }
}

/// Format characters that could reorder or hide the words of a message (Unicode TR 36, "bidirectional text").
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters() {
        let text = "a +\n  \u{1f600}b";
        let place = Span { start: 10, end: 11 }.place(text);
        assert_eq!((place.line, place.column, place.excerpt.as_str()), (2, 4, "b"));
        assert_eq!(place.to_string(), "line 2, column 4 `b`");
        assert_eq!(Span { start: 3, end: 3 }.place("a +").to_string(), "column 4 (the end)");
    }

    #[test]
    fn excerpts_are_short_and_visible() {
        assert_eq!(quote("a\n\u{1b}[31m\u{202e}"), "a\\n\\u{1b}[31m\\u{202e}");
        assert_eq!(quote(&"ä".repeat(200)).chars().count(), 81);
        assert!(quote(&"\u{10ffff}".repeat(80)).len() < 180);
        assert!(bounded(&"\n".repeat(5000)).len() < 380);
    }
}
