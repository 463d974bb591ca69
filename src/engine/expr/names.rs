//! The words that have a meaning in expressions, and "did you mean" over any set of them.

/// The names that the engine gives to every expression or to some.
///
/// Which of them exist at a place is the [`TypeEnv`](super::TypeEnv)'s to say; a `forEach.as` adds one of the user's.
pub const ROOTS: &[&str] = &[
    "block",
    "error",
    "index",
    "inputs",
    "item",
    "iteration",
    "last",
    "response",
    "steps",
    "vars",
    "workflow",
];

/// Words that CEL keeps for itself: never an identifier (CEL specification, "Syntax", `RESERVED` and keywords).
///
/// After a dot most of them are plain member names (`workflow.namespace`); only [`KEYWORDS`] are not.
pub const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// The reserved words that are not even member names: `x.in` must be `x['in']`.
pub const KEYWORDS: &[&str] = &["false", "in", "null", "true"];

/// Whether a step, block, input, output, variable or `as` may not have this name: a word of CEL or one of our roots.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || ROOTS.contains(&name)
}

/// The longest name that is compared by distance: keeps [`nearest`] cheap on hostile names.
const COMPARED_BYTES_MAX: usize = 40;

/// The candidate that a person most likely meant, if one is near enough to be worth saying.
pub(super) fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if name.len() > COMPARED_BYTES_MAX {
        return None;
    }
    // A third of the letters may differ: `inptus` finds `inputs`, but `a` does not find `b`.
    let allowed = name.chars().count().div_ceil(3);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= COMPARED_BYTES_MAX)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance without regard to ASCII case.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (deleted, a) in left.chars().enumerate() {
        let mut diagonal = deleted;
        let mut before = deleted.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(right.chars()) {
            let swapped = diagonal.saturating_add(usize::from(!a.eq_ignore_ascii_case(&b)));
            diagonal = *cell;
            before = swapped.min(before.saturating_add(1)).min(diagonal.saturating_add(1));
            *cell = before;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_or_none() {
        let names = ["inputs", "steps", "workflow", "lowerAscii"];
        let near = |name| nearest(name, names);
        assert_eq!(near("inptus"), Some("inputs"));
        assert_eq!(near("input"), Some("inputs"));
        assert_eq!(near("step"), Some("steps"));
        assert_eq!(near("lowerascii"), Some("lowerAscii"));
        assert_eq!(near("q"), None);
        assert_eq!(near("banana"), None);
        assert_eq!(near(&"i".repeat(2000)), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn words_of_cel_and_roots_are_reserved() {
        assert!(is_reserved("loop") && is_reserved("in") && is_reserved("steps"));
        assert!(!is_reserved("list"));
    }
}
