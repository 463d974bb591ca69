//! Text to tokens (CEL specification, "Syntax", the lexical part).

use super::error::{Error, Span, quote};
use super::literal;
use super::names::KEYWORDS;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// Digits, not yet a number: `-` before them belongs to the literal (the smallest integer has no positive twin).
    Integer(String),
    Double(f64),
    String(String),
    /// An identifier, reserved words included: after a dot they are plain member names.
    Name(String),
    /// `true`, `false`, `null` or `in`.
    Keyword(&'static str),
    /// An operator or a bracket.
    Mark(&'static str),
    End,
}

/// Longest first, so that `<=` is not read as `<`.
const MARKS: &[&str] = &[
    "==", "!=", "<=", ">=", "&&", "||", "(", ")", "[", "]", "{", "}", ".", ",", ":", "?", "+", "-", "*", "/", "%", "!",
    "<", ">",
];

pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token and where it stands; [`Token::End`] for ever at the end.
    pub(super) fn next(&mut self) -> Result<(Token, Span), Error> {
        self.skip_blanks();
        let start = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok((Token::End, Span { start, end: start }));
        };
        let token = if let Some(opening) = literal::opening(rest) {
            self.string(opening)?
        } else if first.is_ascii_digit() || (first == '.' && second_is_digit(rest)) {
            self.number()?
        } else if first.is_ascii_alphabetic() || first == '_' {
            self.name()
        } else if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            self.skip(mark.len());
            Token::Mark(mark)
        } else {
            self.skip(first.len_utf8());
            return Err(self.error(start, unknown_character(first)));
        };
        Ok((token, Span { start, end: self.at }))
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|letter| !wanted(letter)).unwrap_or(rest.len());
        self.skip(length);
        rest.get(..length).unwrap_or("")
    }

    fn skip_blanks(&mut self) {
        loop {
            self.take_while(|letter| matches!(letter, ' ' | '\t' | '\n' | '\r' | '\u{c}'));
            if !self.rest().starts_with("//") {
                return;
            }
            self.take_while(|letter| letter != '\n');
        }
    }

    fn name(&mut self) -> Token {
        let name = self.take_while(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        match KEYWORDS.iter().find(|keyword| **keyword == name) {
            Some(keyword) => Token::Keyword(keyword),
            None => Token::Name(name.to_owned()),
        }
    }

    fn string(&mut self, opening: literal::Opening) -> Result<Token, Error> {
        let start = self.at;
        match literal::string(self.rest(), opening) {
            Ok((value, length)) => {
                self.skip(length);
                Ok(Token::String(value))
            }
            Err((message, at)) => {
                // From the opening quote to the fault, so that the excerpt shows which string it is.
                self.skip(at.max(1));
                Err(self.error(start, message))
            }
        }
    }

    fn number(&mut self) -> Result<Token, Error> {
        let start = self.at;
        let digits = if self.rest().starts_with("0x") || self.rest().starts_with("0X") {
            self.take_while(|letter| letter.is_ascii_alphanumeric())
        } else {
            self.decimal()
        };
        if digits.ends_with(['u', 'U']) && !digits.contains('.') {
            return Err(self.error(
                start,
                "unsigned integers are not used here: leave out the `u`".to_owned(),
            ));
        }
        let is_hex = digits.starts_with("0x") || digits.starts_with("0X");
        if !is_hex && digits.contains(['.', 'e', 'E']) {
            return match digits.parse::<f64>() {
                Ok(double) if double.is_finite() => Ok(Token::Double(double)),
                _ => Err(self.error(start, "this is not a number, or too large for one".to_owned())),
            };
        }
        Ok(Token::Integer(digits.to_owned()))
    }

    /// Digits, fraction, exponent, and whatever letters are glued to them, so that the error shows them all.
    fn decimal(&mut self) -> &'t str {
        let rest = self.rest();
        let start = self.at;
        self.take_while(|letter| letter.is_ascii_digit());
        if self.rest().starts_with('.') && second_is_digit(self.rest()) {
            self.skip(1);
            self.take_while(|letter| letter.is_ascii_digit());
        }
        if self.rest().starts_with(['e', 'E']) {
            self.skip(1);
            if self.rest().starts_with(['+', '-']) {
                self.skip(1);
            }
        }
        self.take_while(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        rest.get(..self.at.saturating_sub(start)).unwrap_or("")
    }

    fn error(&self, start: usize, message: String) -> Error {
        Error::Syntax {
            at: Span { start, end: self.at }.place(self.text),
            message,
        }
    }
}

fn second_is_digit(text: &str) -> bool {
    text.chars().nth(1).is_some_and(|letter| letter.is_ascii_digit())
}

fn unknown_character(letter: char) -> String {
    match letter {
        '=' => "write `==` to compare; nothing can be assigned here".to_owned(),
        '&' => "write `&&`".to_owned(),
        '|' => "write `||`".to_owned(),
        '$' => "`$` has no meaning here: write the name alone, as `inputs.day`".to_owned(),
        '`' => "write x['a-b'] for a member whose name is not an identifier".to_owned(),
        other => format!("`{}` has no meaning here", quote(&other.to_string())),
    }
}
