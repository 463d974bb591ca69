//! The files of this repository, read once.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{
    lexer::{self, Token},
    tokens,
};

/// A text file, by its path from the root.
pub(crate) struct TextFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl TextFile {
    /// Its lines, counted from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

/// A Rust file with its tokens.
pub(crate) struct Source {
    pub(crate) file: TextFile,
    pub(crate) tokens: Vec<Token>,
    /// Nothing of this file is part of the product.
    pub(crate) is_test: bool,
}

impl Source {
    /// A file, or a sample as if it stood there.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let tokens = lexer::read(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let file = TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        Self {
            is_test: path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/"),
            file,
            tokens,
        }
    }

    pub(crate) fn path(&self) -> &str {
        &self.file.path
    }

    /// The tokens that are part of the product: without what is there for tests only.
    pub(crate) fn product(&self) -> Vec<&[Token]> {
        if self.is_test {
            return Vec::new();
        }
        tokens::without_tests(&self.tokens)
    }

    /// Paths without `.rs` of the modules that it declares for tests only.
    fn test_modules(&self) -> Vec<String> {
        let stem = self.path().trim_end_matches(".rs");
        let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let below = if matches!(name, "lib" | "main" | "mod") {
            folder
        } else {
            stem
        };
        let names = tokens::test_items(&self.tokens).into_iter().filter_map(|item| {
            let item = &self.tokens[item];
            let [.., keyword, name, end] = item else { return None };
            (keyword.is("mod") && end.is(";")).then_some(&name.text)
        });
        names.map(|name| format!("{below}/{name}")).collect()
    }
}

pub(crate) fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        tests.parent().unwrap().to_owned()
    })
}

/// Every file that is or may be committed, sorted. One that is not text is left out.
pub(crate) fn files() -> &'static [TextFile] {
    static FILES: OnceLock<Vec<TextFile>> = OnceLock::new();
    FILES.get_or_init(|| {
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = output(Command::new("git").args(list));
        let mut paths: Vec<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
        paths.sort_unstable();
        paths.dedup();
        paths.into_iter().filter_map(text_file).collect()
    })
}

fn text_file(path: &str) -> Option<TextFile> {
    // A file that is deleted and not committed is still listed.
    let text = fs::read_to_string(root().join(path)).ok()?;
    Some(TextFile {
        path: path.to_owned(),
        text,
    })
}

/// One file, which must be there.
pub(crate) fn file(path: &str) -> &'static TextFile {
    let found = files().iter().find(|file| file.path == path);
    found.unwrap_or_else(|| panic!("{path} is missing"))
}

/// All Rust files under `src` and `tests` that people write.
pub(crate) fn sources() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let rust = files().iter().filter(|file| {
            let is_ours = file.path.starts_with("src/") || file.path.starts_with("tests/");
            is_ours
                && Path::new(&file.path)
                    .extension()
                    .is_some_and(|extension| extension == "rs")
        });
        let written = rust.filter(|file| !is_generated(&file.text));
        let mut sources: Vec<Source> = written.map(|file| Source::new(&file.path, &file.text)).collect();
        mark_test_modules(&mut sources);
        sources
    })
}

/// What `#[cfg(test)] mod name;` brings in is there for tests only.
fn mark_test_modules(sources: &mut [Source]) {
    let modules: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in sources {
        let stem = source.file.path.trim_end_matches(".rs");
        source.is_test |= modules.iter().any(|module| {
            let rest = stem.strip_prefix(module.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    }
}

fn is_generated(text: &str) -> bool {
    text.lines().next().is_some_and(|first| first.contains("@generated"))
}

/// What a program of the machine prints; it is run at the root.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.current_dir(root()).output().expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_for_tests_are_no_product() {
        let mut sources = [
            ("src/a/lib.rs", "#[cfg(test)]\nmod fakes;\n#[cfg(test)] mod c { }"),
            ("src/a/fakes.rs", ""),
            ("src/a/fakes2.rs", ""),
            ("src/a/b.rs", "#[cfg(test)] pub(crate) mod fakes;"),
            ("src/a/b/fakes/mod.rs", ""),
        ]
        .map(|(path, text)| Source::new(path, text));
        mark_test_modules(&mut sources);
        assert_eq!(sources.map(|source| source.is_test), [false, true, false, false, true]);
    }
}
