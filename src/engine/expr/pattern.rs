//! Regular expressions with a known price: one table look-up for each byte of text, whatever the pattern.
//!
//! The `regex` crate is linear too, but its slowest engine visits every state for every byte: `[ab]*a[ab]{900}[cd]`
//! took 5 microseconds per byte. So a pattern is compiled to a complete automaton at once, and one that has none of
//! bounded size is refused, where it stands in the text before anything runs.

use super::error::bounded;
use regex_automata::dfa::dense::{self, DFA};
use regex_automata::dfa::regex::Regex;
use regex_automata::dfa::{Automaton, StartKind};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Input, Span};

/// Bytes of a pattern: longer ones are programs, not patterns.
pub(super) const PATTERN_BYTES_MAX: usize = 256;
/// Groups in groups.
const NESTING_MAX: u32 = 16;
/// Bytes of an automaton. Names, dates, versions and addresses need 1 to 20 KiB.
const AUTOMATON_BYTES_MAX: usize = 32 << 10;
/// Bytes of the program that the automaton is made of, and of the tables meanwhile. Making it costs the product of
/// the two: 3 ms for the worst pattern that we know, 10 to 300 microseconds for those that people write.
const PROGRAM_BYTES_MAX: usize = 12 << 10;
const TABLES_BYTES_MAX: usize = 64 << 10;

/// What is asked about a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Search {
    Test,
    Find,
}

/// A compiled regular expression, in the syntax of RE2: `\d`, `\s`, `\w` and `\b` are about ASCII.
///
/// Guarantees: it takes at most 64 KiB, a few milliseconds to compile, and some 2 ns per byte of text, whatever the
/// pattern. Caveats: `\pL` and its like, and long repetitions of them or of `.`, are refused as too complex.
#[derive(Debug)]
pub struct Pattern(Engine);

#[derive(Debug)]
enum Engine {
    /// Tells whether there is a match.
    Test(Box<DFA<Vec<u32>>>),
    /// Tells where it is too, with a second automaton that reads backwards.
    Find(Box<Regex>),
}

impl Pattern {
    /// A pattern that the whole of a text must match.
    ///
    /// # Errors
    /// What is wrong with the pattern, or that it is too complex.
    pub fn whole(text: &str) -> Result<Self, String> {
        check_length(text)?;
        // Alone first: `a)|(b` would be well-formed inside of the brackets.
        syntax::parse_with(text, &syntax_limits()).map_err(|error| refusal(&error))?;
        Self::build(&format!("^(?:{text})$"), Search::Test)
    }

    /// Compiles, or says what is wrong with the pattern.
    pub(super) fn compile(text: &str, search: Search) -> Result<Self, String> {
        check_length(text)?;
        Self::build(text, search)
    }

    fn build(text: &str, search: Search) -> Result<Self, String> {
        let text = ascii_classes(text);
        let syntax = syntax_limits();
        let program = thompson::Config::new().nfa_size_limit(Some(PROGRAM_BYTES_MAX));
        // Without look-ahead for rare bytes: it makes hostile text five times as slow.
        let automaton = dense::Config::new()
            .accelerate(false)
            .dfa_size_limit(Some(AUTOMATON_BYTES_MAX))
            .determinize_size_limit(Some(TABLES_BYTES_MAX));
        if search == Search::Find {
            let mut builder = Regex::builder();
            builder.syntax(syntax).thompson(program).dense(automaton);
            return match builder.build(&text) {
                Ok(regex) => Ok(Self(Engine::Find(Box::new(regex)))),
                Err(error) => Err(refusal(&error)),
            };
        }
        let mut builder = dense::Builder::new();
        let automaton = automaton.start_kind(StartKind::Unanchored);
        builder.syntax(syntax).thompson(program).configure(automaton);
        match builder.build(&text) {
            Ok(automaton) => Ok(Self(Engine::Test(Box::new(automaton)))),
            Err(error) => Err(refusal(&error)),
        }
    }

    /// What it takes of memory.
    pub(super) fn bytes(&self) -> usize {
        match &self.0 {
            Engine::Test(automaton) => automaton.memory_usage(),
            Engine::Find(regex) => {
                let forward = regex.forward().memory_usage();
                forward.saturating_add(regex.reverse().memory_usage())
            }
        }
    }

    /// Whether it matches `text`: anywhere in it, or the whole if it was made so.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        match &self.0 {
            Engine::Test(automaton) => {
                let input = Input::new(text).earliest(true);
                automaton.try_search_fwd(&input).is_ok_and(|found| found.is_some())
            }
            Engine::Find(regex) => regex.is_match(text),
        }
    }

    /// The matches from left to right; none if it was not compiled to find.
    pub(super) fn find_iter<'t>(&self, text: &'t str) -> impl Iterator<Item = (Span, &'t str)> {
        let regex = match &self.0 {
            Engine::Find(regex) => Some(regex),
            Engine::Test(_) => None,
        };
        let spans = regex.into_iter().flat_map(move |regex| regex.find_iter(text));
        spans.map(move |found| (found.span(), text.get(found.range()).unwrap_or("")))
    }
}

fn syntax_limits() -> syntax::Config {
    syntax::Config::new().nest_limit(NESTING_MAX)
}

fn check_length(text: &str) -> Result<(), String> {
    if text.len() > PATTERN_BYTES_MAX {
        let length = text.len();
        return Err(format!(
            "the regular expression is {length} bytes long, {PATTERN_BYTES_MAX} are allowed"
        ));
    }
    Ok(())
}

/// The classes and boundaries of RE2, which know ASCII only; those of the crate know all of Unicode, which would make
/// automata a hundred times as large. Brackets in brackets are a union there.
fn ascii_classes(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len().saturating_mul(2));
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            ascii.push(letter);
            continue;
        }
        match letters.next() {
            Some('d') => ascii.push_str("[0-9]"),
            Some('D') => ascii.push_str("[^0-9]"),
            Some('s') => ascii.push_str("[\\t\\n\\f\\r ]"),
            Some('S') => ascii.push_str("[^\\t\\n\\f\\r ]"),
            Some('w') => ascii.push_str("[0-9A-Za-z_]"),
            Some('W') => ascii.push_str("[^0-9A-Za-z_]"),
            Some('b') => ascii.push_str("(?-u:\\b)"),
            Some('B') => ascii.push_str("(?-u:\\B)"),
            other => {
                ascii.push('\\');
                ascii.extend(other);
            }
        }
    }
    ascii
}

/// What is wrong with a pattern, from the innermost cause.
fn refusal(error: &(dyn std::error::Error + 'static)) -> String {
    let mut is_too_large = false;
    let mut cause = error;
    loop {
        let automaton = cause.downcast_ref::<dense::BuildError>();
        let program = cause.downcast_ref::<thompson::BuildError>();
        is_too_large |= automaton.is_some_and(dense::BuildError::is_size_limit_exceeded)
            || program.is_some_and(|error| error.size_limit().is_some());
        match cause.source() {
            Some(source) => cause = source,
            None => break,
        }
    }
    if is_too_large {
        return "the regular expression is too complex: use fewer repetitions, or anchor it with ^".to_owned();
    }
    format!("bad regular expression: {}", bounded(last_line(&cause.to_string())))
}

/// The crate draws a picture with an arrow over several lines; its last line says what is wrong.
fn last_line(message: &str) -> &str {
    let line = message.lines().last().unwrap_or(message);
    line.strip_prefix("error: ").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn matches(pattern: &str, text: &str, expected: bool) {
        for search in [Search::Test, Search::Find] {
            let pattern = Pattern::compile(pattern, search).expect(pattern);
            assert_eq!(pattern.is_match(text), expected, "{pattern:?} in {text:?}");
        }
    }

    #[test]
    fn usual_patterns_work_on_any_text() {
        matches(r"^\d{4}-\d{2}-\d{2}$", "2026-11-21", true);
        matches(r"^[\w.+-]+@[\w-]+\.[\w.-]+$", "a.b+c@d-e.org", true);
        matches(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", "my-name", true);
        matches(
            r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-[\w.-]+)?(?:\+[\w.-]+)?$",
            "1.2.3-rc.1+b",
            true,
        );
        matches(
            "^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$",
            "123e4567-e89b-12d3-a456-426614174000",
            true,
        );
        matches("^https?://[^/]+(/.*)?$", "https://ä.example/x\u{1f600}", true);
        matches(r"\bfoo\b", "a foo b", true);
        matches(r"\bfoo\b", "afoob", false);
        matches(r"\w", "ä", false);
        matches(r"^\W\D\S$", "ä\u{1f600}ö", true);
        matches(r"[\d\s]x", "1x", true);
        matches(r"a\\d", "a\\d", true);
        matches("(?i)^ERROR", "error: x", true);
        matches("(?s)a.b", "a\nb", true);
        matches("a.b", "a\nb", false);
        matches(r"\p{Greek}", "\u{3b1}", true);
        matches("", "", true);
        matches("^$", "a\n", false);
        matches("(a+)+$", &"a".repeat(3000), true);
        matches("^.{1,9}$", "\u{1f600}\u{1f600}", true);
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let refused = |pattern: &str| Pattern::compile(pattern, Search::Test).expect_err(pattern);
        assert_eq!(refused("a("), "bad regular expression: unclosed group");
        assert!(refused(r"(a)\1").contains("backreferences are not supported"));
        assert!(refused("(?=a)").contains("look-around"));
        assert!(refused("[ab]*a[ab]{60}c").contains("too complex"));
        assert!(refused("((a{100}){100}){100}").contains("too complex"));
        assert!(refused(&"a".repeat(257)).contains("257 bytes"));
        assert!(refused(&format!("{}a{}", "(".repeat(50), ")".repeat(50))).contains("nest"));
    }

    #[test]
    fn matches_are_found_from_left_to_right() {
        let found = |pattern: &str, text: &str| -> Vec<String> {
            let pattern = Pattern::compile(pattern, Search::Find).expect(pattern);
            pattern.find_iter(text).map(|(_, found)| found.to_owned()).collect()
        };
        assert_eq!(found(r"\d+", "a12b3"), ["12", "3"]);
        assert_eq!(found("ab|a", "abaab"), ["ab", "a", "ab"]);
        assert_eq!(found("a|ab", "abaab"), ["a", "a", "a"]);
        assert_eq!(found("", "\u{e4}b"), ["", "", ""]);
        assert_eq!(found("x*?$", "axx"), ["xx"]);
    }

    #[test]
    fn the_whole_must_match_if_asked() {
        let whole = |pattern: &str, text: &str| Pattern::whole(pattern).expect(pattern).is_match(text);
        assert!(whole("[a-z0-9./-]+", "a/b.txt"));
        assert!(!whole("[a-z0-9./-]+", "a b"));
        assert!(whole("a|ab", "ab") && !whole("a|b", "ab"));
        assert!(!whole("a", "a\n") && !whole("^a$", "b\na"));
        assert!(Pattern::whole("a)|(b").is_err());
        assert!(Pattern::whole(&"a".repeat(257)).is_err());
    }
}
