//! Rust cut into tokens: comments and the inside of strings are no part of it.
//!
//! Small on purpose: it knows enough of the grammar to never take text for code, or code for text.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    Sign,
    /// Strings, characters, numbers, lifetimes.
    Literal,
    Open,
    Close,
}

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    /// From 1.
    pub(crate) line: usize,
    /// Of an opening bracket: how many tokens further it is closed.
    pub(crate) reach: usize,
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text && self.kind != Kind::Literal
    }
}

/// Reads a file.
///
/// # Errors
/// A string, a comment or a bracket is not closed: no compiler would take it either.
pub(crate) fn read(text: &str) -> Result<Vec<Token>, String> {
    let mut rest = text;
    let mut line = 1;
    let mut tokens: Vec<Token> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (kind, len) = token(rest, first).ok_or_else(|| format!("line {line}: not closed"))?;
        let (own, after) = rest.split_at(len);
        if let Some(kind) = kind {
            match kind {
                Kind::Open => open.push(tokens.len()),
                Kind::Close => {
                    let at = open.pop().ok_or_else(|| format!("line {line}: {own} closes nothing"))?;
                    tokens[at].reach = tokens.len() - at;
                }
                Kind::Word | Kind::Sign | Kind::Literal => {}
            }
            tokens.push(Token {
                kind,
                text: own.to_owned(),
                line,
                reach: 0,
            });
        }
        line += own.matches('\n').count();
        rest = after;
    }
    match open.first() {
        Some(at) => Err(format!("line {}: {} is not closed", tokens[*at].line, tokens[*at].text)),
        None => Ok(tokens),
    }
}

/// What stands at the beginning of `rest`, and how long it is; blanks and comments are of no kind.
fn token(rest: &str, first: char) -> Option<(Option<Kind>, usize)> {
    let some = |kind, len| Some((Some(kind), len));
    if rest.starts_with("//") {
        return Some((None, rest.find('\n').unwrap_or(rest.len())));
    }
    if rest.starts_with("/*") {
        return Some((None, block_comment(rest)?));
    }
    if let Some(prefix) = string_prefix(rest) {
        return some(Kind::Literal, string(rest, prefix)?);
    }
    match first {
        '(' | '[' | '{' => some(Kind::Open, 1),
        ')' | ']' | '}' => some(Kind::Close, 1),
        '\'' => some(Kind::Literal, quoted_or_lifetime(rest)),
        '0'..='9' => some(Kind::Literal, run(rest, is_word)),
        _ if first.is_whitespace() => Some((None, run(rest, char::is_whitespace))),
        _ if is_word(first) => some(Kind::Word, run(rest, is_word)),
        _ => some(Kind::Sign, first.len_utf8()),
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn run(text: &str, of: impl Fn(char) -> bool) -> usize {
    text.find(|character| !of(character)).unwrap_or(text.len())
}

/// Comments nest.
fn block_comment(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        let step = rest.find(['/', '*'])?;
        let rest = &rest[step..];
        let mark = if rest.starts_with("/*") || rest.starts_with("*/") {
            2
        } else {
            1
        };
        at += step + mark;
        if mark == 2 {
            depth = if rest.starts_with('/') { depth + 1 } else { depth - 1 };
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// What stands before the quote of a string, where one begins here.
fn string_prefix(text: &str) -> Option<&'static str> {
    ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| {
        let rest = text.strip_prefix(prefix);
        let is_raw = prefix.ends_with('r');
        rest.is_some_and(|rest| rest.starts_with('"') || is_raw && rest.trim_start_matches('#').starts_with('"'))
    })
}

/// The length of the string that begins here.
fn string(text: &str, prefix: &str) -> Option<usize> {
    let rest = &text[prefix.len()..];
    if !prefix.ends_with('r') {
        return Some(prefix.len() + escaped(rest)?);
    }
    let hashes = run(rest, |character| character == '#');
    let end = format!("\"{}", &rest[..hashes]);
    let inside = hashes + 1;
    let at = rest[inside..].find(&end)?;
    Some(prefix.len() + inside + at + end.len())
}

/// The length of a string in quotes, with both of them.
fn escaped(text: &str) -> Option<usize> {
    let mut is_escape = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escape => is_escape = false,
            '\\' => is_escape = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// `'a'` is a character, `'\''` too; `'a` is a lifetime.
fn quoted_or_lifetime(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => {
            // The escaped character itself is skipped: it may be the quote.
            let end = characters.skip(1).find(|(_, character)| *character == '\'');
            end.map_or(text.len(), |(at, _)| at + 1)
        }
        Some((at, character)) => {
            let after = at + character.len_utf8();
            if text[after..].starts_with('\'') {
                after + 1
            } else {
                1 + run(&text[1..], is_word)
            }
        }
        None => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let tokens = read(text).unwrap();
        let words = tokens.into_iter().filter(|token| token.kind == Kind::Word);
        words.map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_strings_hold_no_words() {
        for nothing in [
            "// a\n/// b",
            "/* a /* b */ c */",
            r#""a" "b \" c" "\\""#,
            "r\"a\\\" br#\"b \" c\"# r##\"d \"# e\"## b\"f\" c\"g\"",
            r"'a' '\'' '\\' '\u{1f600}' '\n' 'ä'",
            "'static 1_000u64 0xff 1e9",
        ] {
            assert_eq!(words(nothing), Vec::<String>::new(), "{nothing}");
        }
    }

    #[test]
    fn words_behind_comments_and_strings_are_read() {
        assert_eq!(words("/* a */ b // c\nd"), ["b", "d"]);
        assert_eq!(words(r#"f("{x}\\", g) "h""#), ["f", "g"]);
        assert_eq!(words("fn a<'b>(c: &'b str) { '{' }"), ["fn", "a", "c", "str"]);
        assert_eq!(words("match x { 'a'..='z' => y, '\"' => z }"), ["match", "x", "y", "z"]);
        assert_eq!(words("rb + br - r - b"), ["rb", "br", "r", "b"]);
    }

    #[test]
    fn lines_and_brackets_are_counted() {
        let tokens = read("a {\n\"\n\" (b)\n}").unwrap();
        let lines: Vec<_> = tokens.iter().map(|token| (token.text.as_str(), token.line)).collect();
        assert_eq!(
            lines,
            [
                ("a", 1),
                ("{", 1),
                ("\"\n\"", 2),
                ("(", 3),
                ("b", 3),
                (")", 3),
                ("}", 4)
            ]
        );
        assert_eq!((tokens[1].reach, tokens[3].reach), (5, 2));
    }

    #[test]
    fn what_is_not_closed_is_an_error() {
        for bad in ["\"", "/* /* */", "r#\"\"", "(", "a )"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
