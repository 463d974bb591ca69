//! The numbers are those of the source.

use std::collections::BTreeSet;

use super::quoted;
use crate::{
    finding::Finding,
    repository::{Source, TextFile},
};

/// Numbers are those of the source: `NAME = value` is a constant that has this value.
fn numbers(paper: &TextFile, constants: &BTreeSet<(String, String)>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (line, text) in paper.lines() {
        for (name, value) in quoted(text).filter_map(|words| words.split_once(" = ")) {
            let is_constant = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
            let wanted = (name.to_owned(), value.replace(' ', ""));
            if is_constant && !constants.contains(&wanted) {
                let words = format!("no constant {name} is {value}: correct the number, or say why it was changed");
                found.push(Finding::at(&paper.path, line, words));
            }
        }
    }
    found
}

/// Names and values of all constants, the values without blanks.
fn constants(sources: &[Source]) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for tokens in sources.iter().map(|source| &source.tokens) {
        for at in (0..tokens.len()).filter(|at| tokens[*at].is("const")) {
            let item = tokens[at..].split(|token| token.is(";")).next().unwrap_or_default();
            let Some(equals) = item.iter().position(|token| token.is("=")) else {
                continue;
            };
            let value: String = item[equals + 1..].iter().map(|token| token.text.as_str()).collect();
            found.insert((item[1].text.clone(), value));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        architecture::{PAPER, tests::paper},
        finding::{none, places},
        repository::{file, sources},
    };

    #[test]
    fn the_numbers_are_those_of_the_source() {
        none(
            "numbers in ARCHITECTURE.md are constants",
            &numbers(file(PAPER), &constants(sources())),
        );
    }

    #[test]
    fn wrong_numbers_are_refused() {
        let source = Source::new(
            "a",
            "const A_MAX: usize = 4 * 1024;\npub(crate) const B: [u8; 2] = [1, 2];\nconst fn c() {}",
        );
        let constants = constants(&[source]);
        let text = paper("`A_MAX = 4 * 1024` `a = b`\n`A_MAX = 5`\n`C = 1`");
        places(&numbers(&text, &constants), &["ARCHITECTURE.md:2", "ARCHITECTURE.md:3"]);
    }
}
