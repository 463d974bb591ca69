//! Rust as a list of tokens, and what can be read from it: paths, attributes, functions, tests.

use std::ops::Range;

use crate::lexer::{Kind, Token};

/// Whether `words` stand at `at`, one token each.
pub(crate) fn stands(tokens: &[Token], at: usize, words: &[&str]) -> bool {
    let rest = tokens.get(at..).unwrap_or_default();
    rest.len() >= words.len() && rest.iter().zip(words).all(|(token, word)| token.is(word))
}

/// A path such as `std::fs::read`, with the branches of a `use` spelt out; `*` is a glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

impl Path {
    pub(crate) fn starts_with(&self, start: &[&str]) -> bool {
        self.segments.len() >= start.len() && self.segments.iter().zip(start).all(|(own, word)| own == word)
    }

    /// Names something in `within`, or brings in a module that holds it.
    pub(crate) fn reaches(&self, within: &[&str]) -> bool {
        let named: Vec<&str> = self.segments.iter().map(String::as_str).filter(|s| *s != "*").collect();
        self.starts_with(within) || (self.segments.len() > 1 && within.starts_with(&named))
    }
}

/// All paths, single words as well.
pub(crate) fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = match tokens[at].kind {
            Kind::Word => branch(tokens, at, &[], &mut found),
            Kind::Sign | Kind::Literal | Kind::Open | Kind::Close => at + 1,
        };
    }
    found
}

/// Reads the path at `at`; gives the place behind it.
fn branch(tokens: &[Token], mut at: usize, before: &[String], found: &mut Vec<Path>) -> usize {
    let mut segments = before.to_vec();
    let line = tokens[at].line;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "{" if !segments.is_empty() => return branches(tokens, at, &segments, found),
            "self" if !before.is_empty() => {}
            "*" => segments.push("*".into()),
            _ if token.kind == Kind::Word => segments.push(token.text.clone()),
            _ => break,
        }
        at += 1;
        if !stands(tokens, at, &[":", ":"]) {
            break;
        }
        at += 2;
    }
    found.push(Path { segments, line });
    at
}

fn branches(tokens: &[Token], open: usize, before: &[String], found: &mut Vec<Path>) -> usize {
    let close = open + tokens[open].reach;
    let mut at = open + 1;
    while at < close {
        let starts = tokens[at].kind == Kind::Word || tokens[at].is("*");
        at = if starts {
            branch(tokens, at, before, found)
        } else {
            at + 1
        };
        // `as Name` is no branch of its own.
        if at < close && tokens[at].is("as") {
            at += 2;
        }
    }
    close + 1
}

/// Where an attribute's brackets are: `#[...]` or `#![...]`.
pub(crate) fn attributes(tokens: &[Token]) -> Vec<Range<usize>> {
    let open_at = |at: usize| {
        let open = at + if stands(tokens, at + 1, &["!"]) { 2 } else { 1 };
        let is_attribute = tokens[at].is("#") && stands(tokens, open, &["["]);
        is_attribute.then(|| open..open + tokens[open].reach + 1)
    };
    (0..tokens.len()).filter_map(open_at).collect()
}

/// A function that has a body.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) last_line: usize,
    /// The words of its attributes.
    marks: Vec<String>,
    pub(crate) body: Range<usize>,
}

impl Function {
    pub(crate) fn has_mark(&self, word: &str) -> bool {
        self.marks.iter().any(|mark| mark == word)
    }

    /// Something runs it as a test.
    pub(crate) fn is_test(&self) -> bool {
        self.has_mark("test")
    }
}

pub(crate) fn functions(tokens: &[Token]) -> Vec<Function> {
    let mut found = Vec::new();
    let attributes = attributes(tokens);
    for at in 0..tokens.len() {
        let Some(name) = tokens.get(at + 1).filter(|name| name.kind == Kind::Word) else {
            continue;
        };
        if !tokens[at].is("fn") {
            continue;
        }
        let Some(open) = end_of_item(tokens, at + 2).filter(|end| tokens[*end].is("{")) else {
            continue;
        };
        let close = open + tokens[open].reach;
        let is_its = |range: &&Range<usize>| range.end <= at && only_qualifiers(&tokens[range.end..at]);
        let marks = attributes
            .iter()
            .filter(is_its)
            .flat_map(|range| &tokens[range.clone()]);
        found.push(Function {
            name: name.text.clone(),
            line: tokens[at].line,
            last_line: tokens[close].line,
            marks: marks.map(|token| token.text.clone()).collect(),
            body: open..close + 1,
        });
    }
    found
}

/// Between an attribute and its `fn` stand other attributes and words like `pub` and `async`.
fn only_qualifiers(tokens: &[Token]) -> bool {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let is_fine = matches!(
            token.text.as_str(),
            "#" | "pub" | "async" | "const" | "unsafe" | "extern" | "[" | "("
        );
        if !is_fine {
            return false;
        }
        at += token.reach + 1;
    }
    true
}

/// The `;` or the opening brace that ends the head of an item.
fn end_of_item(tokens: &[Token], mut at: usize) -> Option<usize> {
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            ";" | "{" if token.kind != Kind::Literal => return Some(at),
            _ => at += token.reach + 1,
        }
    }
    None
}

/// Items that are there for tests only, with their attribute.
pub(crate) fn test_items(tokens: &[Token]) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for attribute in attributes(tokens) {
        let inside = &tokens[attribute.clone()];
        let is_test = stands(inside, 1, &["cfg", "("])
            && inside.iter().any(|token| token.is("test"))
            && !inside.iter().any(|token| token.is("not"));
        let is_inside = items.last().is_some_and(|item| item.contains(&attribute.start));
        if is_test && !is_inside {
            let end = end_of_item(tokens, attribute.end).unwrap_or(tokens.len() - 1);
            items.push(attribute.start - 1..end + tokens[end].reach + 1);
        }
    }
    items
}

/// The pieces between the items that are there for tests only.
pub(crate) fn without_tests(tokens: &[Token]) -> Vec<&[Token]> {
    let mut start = 0;
    let mut pieces = Vec::new();
    for item in test_items(tokens) {
        pieces.push(&tokens[start..item.start]);
        start = item.end;
    }
    pieces.push(&tokens[start..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::read;

    fn paths_of(text: &str) -> Vec<String> {
        let paths = paths(&read(text).unwrap());
        paths.into_iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn the_branches_of_a_use_are_spelt_out() {
        let text = "use std::{fs, collections::{self, BTreeMap as Map}, io::*};";
        let expected = [
            "use",
            "std::fs",
            "std::collections",
            "std::collections::BTreeMap",
            "std::io::*",
        ];
        assert_eq!(paths_of(text), expected);
    }

    #[test]
    fn functions_have_lines_and_marks() {
        let text =
            "fn a() -> [u8; 2] {\n}\n#[test]\n#[x(y)]\npub(crate) async fn b<T: Fn()>() {\n\n}\ntrait C { fn c(); }";
        let found = functions(&read(text).unwrap());
        let short: Vec<_> = found
            .iter()
            .map(|f| (f.name.as_str(), f.line, f.last_line, f.is_test()))
            .collect();
        assert_eq!(short, [("a", 1, 2, false), ("b", 5, 7, true)]);
    }

    #[test]
    fn what_is_there_for_tests_is_left_out() {
        let text = "a(); #[cfg(test)] #[x] mod tests { b(); } c(); #[cfg(test)] mod d; #[cfg(not(test))] e();";
        let tokens = read(text).unwrap();
        let words: Vec<&str> = without_tests(&tokens)
            .into_iter()
            .flatten()
            .filter(|token| token.kind == Kind::Word)
            .map(|token| token.text.as_str())
            .collect();
        assert_eq!(words, ["a", "c", "cfg", "not", "test", "e"]);
    }
}
