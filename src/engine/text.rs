//! Text from outside, made fit for a status: bounded, without control characters.

/// Longest message in a status, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1024;

/// Escapes control characters and cuts to `bytes_max`, at a character, with `…` where it was cut.
#[must_use]
pub fn clip(text: &str, bytes_max: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(bytes_max));
    for character in text.trim().chars() {
        let before = clean.len();
        if character.is_control() || is_direction_override(character) {
            clean.extend(character.escape_default());
        } else {
            clean.push(character);
        }
        if clean.len() > bytes_max.saturating_sub('…'.len_utf8()) {
            clean.truncate(before);
            clean.push('…');
            break;
        }
    }
    clean
}

/// Characters that make a terminal show text in another order than it has (Unicode UAX #9).
const fn is_direction_override(character: char) -> bool {
    matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The known name that a person most likely meant, where one is near: for "did you mean".
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = wrong.chars().count().div_ceil(3);
    known
        .into_iter()
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein distance, for short names.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, from) in left.chars().enumerate() {
        let mut diagonal = line;
        let mut previous = line.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = previous;
        }
        for (to, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal.saturating_add(usize::from(from != *to));
            diagonal = *cell;
            previous = replaced.min(previous.saturating_add(1)).min(cell.saturating_add(1));
            *cell = previous;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_cut_at_a_character() {
        assert_eq!(clip("a\nb\u{1b}[31m", 100), "a\\nb\\u{1b}[31m");
        assert_eq!(clip("ééééé", 8), "éé…");
        assert_eq!(clip("evil\u{202e}txt", 100), "evil\\u{202e}txt");
        assert!(clip(&"x".repeat(5000), MESSAGE_BYTES_MAX).len() <= MESSAGE_BYTES_MAX);
    }
}
