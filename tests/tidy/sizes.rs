//! Nothing grows beyond what one reads at once. The numbers only ever go down.

use crate::{finding::Finding, repository::Source, tokens::functions};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

fn file(source: &Source) -> Option<Finding> {
    let lines = source.file.text.lines().count();
    let words =
        format!("{lines} lines, at most {FILE_LINES_MAX}: find the wall between two of its parts and split it there");
    (lines > FILE_LINES_MAX).then(|| Finding::of(source.path(), words))
}

fn long_functions(source: &Source) -> Vec<Finding> {
    let finding = |name: &str, line: usize, lines: usize| {
        let words = format!(
            "{name} has {lines} lines, at most {FUNCTION_LINES_MAX}: keep the branches here and move the leaves out"
        );
        Finding::at(source.path(), line, words)
    };
    functions(&source.tokens)
        .iter()
        .map(|function| (function, function.last_line - function.line + 1))
        .filter(|(_, lines)| *lines > FUNCTION_LINES_MAX)
        .map(|(function, lines)| finding(&function.name, function.line, lines))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{FILE_LINES_MAX, FUNCTION_LINES_MAX, file, long_functions};
    use crate::{
        finding::{none, places},
        repository::{Source, sources},
    };

    #[test]
    fn files_are_short() {
        let found: Vec<_> = sources().iter().filter_map(file).collect();
        none("files have at most 500 lines", &found);
    }

    #[test]
    fn functions_are_short() {
        let found: Vec<_> = sources().iter().flat_map(long_functions).collect();
        none("functions have at most 70 lines", &found);
    }

    #[test]
    fn one_line_too_many_is_refused() {
        let text = |lines: usize| "\n".repeat(lines);
        assert_eq!(file(&Source::new("src/a.rs", &text(FILE_LINES_MAX))), None);
        assert!(file(&Source::new("src/a.rs", &text(FILE_LINES_MAX + 1))).is_some());
        let function = |lines: usize| format!("\nfn a() {{{}}}", text(lines - 1));
        places(
            &long_functions(&Source::new("src/a.rs", &function(FUNCTION_LINES_MAX))),
            &[],
        );
        places(
            &long_functions(&Source::new("src/a.rs", &function(FUNCTION_LINES_MAX + 1))),
            &["src/a.rs:2"],
        );
    }
}
