//! Names that expressions can use.

use jobwright_api::Reason;

use crate::{expr, problem::Problem};

const NAME_BYTES_MAX: usize = 40;

/// What is wrong with a name of a step, input or output, if anything.
pub(super) fn check(name: &str, path: String) -> Option<Problem> {
    let is_first = |character: char| character.is_ascii_lowercase();
    let is_next = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
    let mut characters = name.chars();
    let has_form = characters.next().is_some_and(is_first) && characters.all(is_next);
    let words = if !has_form {
        "is not a name: lower-case letters, digits and _ (objects have -, steps have _), a letter first"
    } else if name.len() > NAME_BYTES_MAX {
        "is longer than 40 characters"
    } else if expr::is_reserved(name) {
        "is a word of the expression language: take another"
    } else {
        return None;
    };
    let shown = crate::text::clip(name, 80);
    Some(Problem::new(
        Reason::InvalidDefinition,
        path,
        format!("{shown:?} {words}"),
    ))
}
