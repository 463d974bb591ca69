//! String literals: quotes, raw and triple forms, escapes (CEL specification, "String and Bytes Values").

use std::iter::Peekable;
use std::str::CharIndices;

/// How a string literal begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    quote: &'static str,
    is_raw: bool,
    is_bytes: bool,
}

const QUOTES: &[&str] = &["'''", "\"\"\"", "'", "\""];

/// Whether `rest` begins with a string literal, and of what form.
pub(super) fn opening(rest: &str) -> Option<Opening> {
    let letters = rest.chars().take_while(char::is_ascii_alphabetic).take(3).count();
    let prefix = rest.get(..letters)?;
    let (is_raw, is_bytes) = match prefix {
        "" => (false, false),
        "r" | "R" => (true, false),
        "b" | "B" => (false, true),
        "br" | "bR" | "Br" | "BR" | "rb" | "rB" | "Rb" | "RB" => (true, true),
        _ => return None,
    };
    let quoted = rest.get(prefix.len()..)?;
    let quote = QUOTES.iter().find(|quote| quoted.starts_with(**quote))?;
    Some(Opening {
        quote,
        is_raw,
        is_bytes,
    })
}

/// The value of the literal at the start of `rest`, and its length in bytes; or what is wrong, and at which byte.
pub(super) fn string(rest: &str, opening: Opening) -> Result<(String, usize), (String, usize)> {
    if opening.is_bytes {
        return Err((
            "bytes are not used here: leave out the `b`".to_owned(),
            rest.len().min(8),
        ));
    }
    let prefix = usize::from(opening.is_raw).saturating_add(opening.quote.len());
    let body = rest.get(prefix..).unwrap_or("");
    let mut value = String::new();
    let mut letters = body.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let here = prefix.saturating_add(at);
        if body.get(at..).is_some_and(|tail| tail.starts_with(opening.quote)) {
            return Ok((value, here.saturating_add(opening.quote.len())));
        }
        match letter {
            '\\' if !opening.is_raw => {
                value.push(escape(&mut letters).map_err(|message| (message, here.saturating_add(2)))?);
            }
            '\n' | '\r' if opening.quote.len() == 1 => break,
            other => value.push(other),
        }
    }
    Err((
        format!("the string is not closed: {} is missing", opening.quote),
        rest.len(),
    ))
}

fn escape(letters: &mut Peekable<CharIndices<'_>>) -> Result<char, String> {
    let (_, letter) = letters.next().ok_or("the string is not closed")?;
    Ok(match letter {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' | '\'' | '"' | '`' | '?' => letter,
        'x' | 'X' => code(letters, 2, 16, 0)?,
        'u' => code(letters, 4, 16, 0)?,
        'U' => code(letters, 8, 16, 0)?,
        '0'..='3' => code(letters, 2, 8, letter.to_digit(8).unwrap_or(0))?,
        _ => {
            return Err("there is no such escape: write \\\\ for a backslash, or r'…' around the string".to_owned());
        }
    })
}

fn code(letters: &mut Peekable<CharIndices<'_>>, count: usize, radix: u32, first: u32) -> Result<char, String> {
    let mut value = first;
    for _ in 0..count {
        let digit = letters.peek().and_then(|(_, letter)| letter.to_digit(radix));
        let digit = digit.ok_or_else(|| format!("the escape wants {count} digits"))?;
        letters.next();
        value = value.wrapping_mul(radix).wrapping_add(digit);
    }
    char::from_u32(value).ok_or_else(|| "the escape is no Unicode character".to_owned())
}
