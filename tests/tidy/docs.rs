//! The pages of `docs/`: what they show is run by the tests, and the words that they explain are those there are.

use std::collections::BTreeSet;

use crate::{finding::Finding, repository::TextFile};

const FOLDER: &str = "docs/";
const REASONS: &str = "docs/reasons.md";
/// How an example begins: the sample that it is taken from.
const MARK: &str = "# config/samples/";

/// The blocks of YAML of a page, each with the line at which it begins.
fn examples(page: &TextFile) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in page.lines() {
        match &mut open {
            None if line == "```yaml" => open = Some((number, String::new())),
            None => {}
            Some(_) if line == "```" => found.extend(open.take()),
            Some((_, text)) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    found
}

/// Each example names a sample and stands there, as a whole or as some of its lines.
fn untrue(page: &TextFile, files: &[TextFile]) -> Vec<Finding> {
    let check = |(line, text): (usize, String)| {
        let words = match text.split_once('\n') {
            Some((first, rest)) if first.starts_with(MARK) => {
                let path = first.trim_start_matches("# ");
                let sample = files.iter().find(|file| file.path == path);
                match sample {
                    None => Some(format!("there is no {path}")),
                    Some(sample) if !has_lines(&sample.text, rest) => Some(format!("{path} does not have these lines")),
                    Some(_) => None,
                }
            }
            _ => Some(format!("an example is one that the tests run: begin with {MARK}...")),
        };
        words.map(|words| Finding::at(&page.path, line, words))
    };
    examples(page).into_iter().filter_map(check).collect()
}

fn has_lines(text: &str, lines: &str) -> bool {
    !lines.is_empty() && (text.starts_with(lines) || text.contains(&format!("\n{lines}")))
}

/// The variants of an enumeration, without the one that holds any word.
fn variants(source: &str, name: &str) -> BTreeSet<String> {
    let head = format!("pub enum {name} {{");
    let lines = source.lines().skip_while(|line| *line != head).skip(1);
    let lines = lines.take_while(|line| *line != "}").map(str::trim);
    let words = lines.filter_map(|line| line.strip_suffix(','));
    let words = words.filter(|word| word.chars().all(|character| character.is_ascii_alphanumeric()));
    words.map(str::to_owned).collect()
}

/// What the rows of a section's table are about.
fn rows(page: &str, section: &str) -> BTreeSet<String> {
    let head = format!("## {section}");
    let lines = page.lines().skip_while(|line| *line != head).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("## "));
    let cells = lines.filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    cells.map(|(word, _)| word.to_owned()).collect()
}

/// The functions of the library, as its table has them.
fn functions(table: &str) -> BTreeSet<String> {
    let calls = ["function(", "pattern("]
        .into_iter()
        .flat_map(|call| table.split(call).skip(1));
    let names = calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"'));
    names.map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::none,
        repository::{file, files},
    };

    fn page(text: &str) -> TextFile {
        TextFile {
            path: "docs/a.md".to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn every_example_of_the_docs_is_a_sample() {
        let pages = files().iter().filter(|file| file.path.starts_with(FOLDER));
        let found: Vec<Finding> = pages.flat_map(|page| untrue(page, files())).collect();
        none("examples of the docs stand in samples", &found);
    }

    #[test]
    fn invented_examples_are_refused() {
        let samples = [TextFile {
            path: "config/samples/a.yaml".to_owned(),
            text: "a: 1\nb: 2\nc: 3\n".to_owned(),
        }];
        for (text, expected) in [
            ("```yaml\n# config/samples/a.yaml\na: 1\nb: 2\nc: 3\n```", 0),
            ("```yaml\n# config/samples/a.yaml\nb: 2\n```", 0),
            ("```\nno yaml\n```", 0),
            ("```yaml\n# config/samples/a.yaml\nb: 3\n```", 1),
            ("```yaml\n# config/samples/a.yaml\n: 2\n```", 1),
            ("```yaml\n# config/samples/a.yaml\n```", 1),
            ("```yaml\n# config/samples/b.yaml\na: 1\n```", 1),
            ("```yaml\na: 1\n```", 1),
        ] {
            assert_eq!(untrue(&page(text), &samples).len(), expected, "{text}");
        }
    }

    #[test]
    fn every_reason_is_explained() {
        let (page, source) = (&file(REASONS).text, &file("src/api/reason.rs").text);
        for (section, name) in [("Reasons", "Reason"), ("Sub-statuses", "SubStatus")] {
            let (words, explained) = (variants(source, name), rows(page, section));
            assert!(!words.is_empty(), "{name} has no words");
            assert_eq!(words, explained, "{section} of {REASONS}");
        }
    }

    #[test]
    fn every_page_shows_an_example() {
        let pages = files()
            .iter()
            .filter(|file| file.path.starts_with(FOLDER) && file.path != REASONS);
        let without: Vec<&str> = pages
            .filter(|page| examples(page).is_empty())
            .map(|page| page.path.as_str())
            .collect();
        assert_eq!(without, Vec::<&str>::new());
    }

    #[test]
    fn every_function_is_named() {
        let (page, table) = (file("docs/expressions.md"), file("src/engine/expr/library/table.rs"));
        let (_, section) = page.text.split_once("## Functions").unwrap();
        let (section, _) = section.split_once("## Limits").unwrap();
        let names = functions(&table.text);
        assert!(names.len() > 20, "{names:?}");
        let missing: Vec<&String> = names
            .iter()
            .filter(|name| !section.contains(&format!("`{name}`")))
            .collect();
        assert_eq!(missing, Vec::<&String>::new(), "docs/expressions.md");
    }

    #[test]
    fn words_are_found() {
        let table = "function(\"size\", x), pattern(\n \"matches\", y), const fn function(name: &str)";
        assert_eq!(functions(table), ["matches", "size"].map(str::to_owned).into());
        let source = "pub enum A {\n    // c\n    One,\n    /// d\n    Two,\n    #[e]\n    Other(String),\n}\nThree,";
        let page =
            "## B\n| `Zero` | |\n## A\n| word | x |\n|---|---|\n| `One` | `Two` |\n| `Two` | |\n## C\n| `Four` | |";
        assert_eq!(variants(source, "A"), rows(page, "A"));
        assert_eq!(rows(page, "A").len(), 2);
    }
}
