//! What one leaves behind on the way: unfinished code, switched-off tests, silenced lints.

use crate::{
    finding::Finding,
    repository::{Source, TextFile},
    tokens::{attributes, stands},
};

const MACROS: [&str; 3] = ["dbg", "todo", "unimplemented"];

/// Written in two parts, so that this file does not hold them.
const WORDS: [(&str, &str); 5] = [
    ("FIX", "ME"),
    ("TO", "DO"),
    ("XX", "X"),
    ("HA", "CK"),
    ("not impl", "emented"),
];

fn code(source: &Source) -> Vec<Finding> {
    let tokens = &source.tokens;
    let finding = |line, words: String| Finding::at(source.path(), line, words);
    let is_macro = |at: &usize| MACROS.iter().any(|name| stands(tokens, *at, &[*name, "!"]));
    let macros = (0..tokens.len()).filter(is_macro);
    let mut found: Vec<Finding> = macros
        .map(|at| {
            finding(
                tokens[at].line,
                format!("{}!: finish it, or leave it out", tokens[at].text),
            )
        })
        .collect();
    for attribute in attributes(tokens) {
        let line = tokens[attribute.start].line;
        for at in attribute {
            if tokens[at].is("ignore") {
                found.push(finding(
                    line,
                    "a test that never runs: make it run, or delete it".into(),
                ));
            }
            if stands(tokens, at, &["allow", "("]) {
                let words = "an allow() stays when its reason has gone: write expect(lint, reason = \"...\")";
                found.push(finding(line, words.into()));
            }
        }
    }
    found
}

/// In any file: the words that mean "later".
fn words(file: &TextFile) -> Vec<Finding> {
    let is_whole = |line: &str, at: usize, word: &str| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let is_letter = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
        !is_letter(before) && !is_letter(after)
    };
    let mut found = Vec::new();
    for (number, line) in file.lines() {
        for (start, end) in WORDS {
            let word = format!("{start}{end}");
            if line.match_indices(&word).any(|(at, _)| is_whole(line, at, &word)) {
                let words = format!("{word}: do it now, or open an issue and leave no mark here");
                found.push(Finding::at(&file.path, number, words));
            }
        }
    }
    found
}

fn dead_code(file: &TextFile) -> Vec<Finding> {
    let dead = file.lines().filter(|(_, line)| {
        let text = line.trim_start().strip_prefix("//");
        text.is_some_and(|text| !text.starts_with(['/', '!']) && looks_like_code(text.trim()))
    });
    dead.map(|(number, _)| Finding::at(&file.path, number, "code in a comment: delete it, git remembers it"))
        .collect()
}

/// Prose has no line that ends like a statement or begins like an item.
fn looks_like_code(text: &str) -> bool {
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let begins = |starts: &[&str]| starts.iter().any(|start| text.starts_with(start));
    let is_statement = text.ends_with(';') && (has(&["(", " = ", "::", "!["]) || begins(&["return", "use ", "let "]));
    let is_block = text.ends_with(" {") || text.ends_with("=> {") || matches!(text, "}" | "};" | "})" | "});" | "},");
    let is_item = begins(&["#[", "fn ", "pub fn ", "pub(crate) ", "impl ", "mod "]) && has(&["(", ";", "]", " for "]);
    let is_call = text.starts_with('.') && text.contains('(');
    is_statement || is_block || is_item || is_call
}

/// The first thing in a file says what belongs in it.
fn module_doc(source: &Source) -> Option<Finding> {
    let first = source.file.text.lines().find(|line| !line.trim().is_empty());
    let has_doc = first.is_some_and(|line| line.starts_with("//! "));
    let words = "no module doc: begin with `//! What belongs here.`";
    (!has_doc).then(|| Finding::at(source.path(), 1, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::{none, places},
        repository::{files, sources},
    };

    fn file(text: &str) -> TextFile {
        TextFile {
            path: "a".into(),
            text: text.into(),
        }
    }

    #[test]
    fn nothing_is_left_unfinished() {
        let mut found: Vec<_> = sources().iter().flat_map(code).collect();
        found.extend(files().iter().flat_map(words));
        none("no leftovers", &found);
    }

    #[test]
    fn no_code_stands_in_comments() {
        let found: Vec<_> = sources().iter().flat_map(|source| dead_code(&source.file)).collect();
        none("comments say why; they hold no code", &found);
    }

    #[test]
    fn every_file_says_what_belongs_in_it() {
        let found: Vec<_> = sources().iter().filter_map(module_doc).collect();
        none("every Rust file begins with a module doc", &found);
    }

    #[test]
    fn unfinished_samples_are_refused() {
        let text = "fn a() { todo!() }\n#[test]\n#[ignore = \"slow\"]\nfn b() { dbg!(c); }\n#![cfg_attr(d, allow(e))]\n// todo!()\nfn ignore() { \"allow(\" }";
        places(&code(&Source::new("a", text)), &["a:1", "a:4", "a:3", "a:5"]);
        let later = format!("fine\n// {}{}: later\nXXXL", "FIX", "ME");
        places(&words(&file(&later)), &["a:2"]);
    }

    #[test]
    fn code_in_comments_is_told_from_prose() {
        for code in [
            "let a = b;",
            "self.run(c).await;",
            "}",
            "if a < b {",
            ".filter(|a| b)",
            "#[test]",
            "fn a() {",
        ] {
            places(&dead_code(&file(&format!("    // {code}"))), &["a:1"]);
        }
        let prose = "// A name (see below) is cut; the hash is not.\n// Waits: see {@link};\n/// let a = b;\n//! a();\n// what is stored;\nlet a = \"// b\";";
        places(&dead_code(&file(prose)), &[]);
    }

    #[test]
    fn a_file_without_a_doc_is_refused() {
        for bad in ["fn main() {}", "#![deny(a)]\n//! Too late.", "// No doc.", ""] {
            assert!(module_doc(&Source::new("a", bad)).is_some(), "{bad}");
        }
        assert_eq!(module_doc(&Source::new("a", "\n//! What belongs here.\n")), None);
    }
}
