//! Every sample of the conformance suite says what it shows, and beside it stands what it comes to.

use jobwright_tests::conformance::Expected;
use serde_json::Value;
use std::{collections::BTreeSet, path::Path};

use crate::{finding::Finding, repository::TextFile};

/// How the files end that say what a sample comes to.
pub(crate) const EXPECTED: &str = ".expected.yaml";
const FOLDER: &str = "config/samples/conformance/";
/// What the samples share.
const TASKS: &str = "tasks";
const TEMPLATES: &str = "templates";

fn check(files: &[&TextFile]) -> Vec<Finding> {
    let name = |file: &TextFile| Path::new(&file.path).file_name()?.to_str().map(str::to_owned);
    let of = |ending: &'static str| {
        let names = files.iter().filter_map(move |file| Some((*file, name(file)?)));
        names.filter_map(move |(file, name)| Some((file, name.strip_suffix(ending)?.to_owned())))
    };
    let expected: BTreeSet<String> = of(EXPECTED).map(|(_, name)| name).collect();
    let samples: BTreeSet<String> = of(".yaml").map(|(_, name)| name).collect();
    let mut found = Vec::new();
    for (file, name) in of(EXPECTED) {
        if !samples.contains(&name) {
            found.push(Finding::of(&file.path, format!("there is no {name}.yaml")));
        }
        if let Err(error) = Expected::parse(&file.text) {
            found.push(Finding::of(&file.path, format!("{error:#}")));
        }
    }
    for (file, name) in
        of(".yaml").filter(|(_, name)| !name.ends_with(".expected") && name != TASKS && name != TEMPLATES)
    {
        if !expected.contains(&name) {
            found.push(Finding::of(&file.path, format!("there is no {name}{EXPECTED}")));
        }
        found.extend(wrong(file, &name).map(|words| Finding::of(&file.path, words)));
    }
    found
}

/// What is wrong with a sample, beside what is wrong with any.
fn wrong(file: &TextFile, name: &str) -> Option<String> {
    let first = file.text.lines().next().unwrap_or_default();
    if !(first.starts_with("# ") && first.ends_with('.')) {
        return Some("the first line says in a sentence what it shows: # A loop ... .".to_owned());
    }
    let workflow: Value = serde_saphyr::from_str(&file.text).unwrap_or_default();
    let named = workflow["metadata"]["name"].as_str().unwrap_or_default();
    (named != name).then(|| format!("the Workflow is named {named:?}, not as the file"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{finding::none, repository::files};

    const SAMPLE: &str = "# Does nothing.\nkind: Workflow\nmetadata: {name: a}\n";
    const END: &str = "phase: Succeeded\njobs: 0\n";

    #[test]
    fn every_sample_has_its_expectation() {
        let samples: Vec<&TextFile> = files().iter().filter(|file| file.path.starts_with(FOLDER)).collect();
        assert!(!samples.is_empty(), "nothing under {FOLDER}");
        none("samples have a sentence and an expectation", &check(&samples));
    }

    #[test]
    fn incomplete_samples_are_refused() {
        for (files, expected) in [
            (vec![("a.yaml", SAMPLE), ("a.expected.yaml", END)], None),
            (vec![("a.yaml", SAMPLE)], Some("no a.expected.yaml")),
            (vec![("a.expected.yaml", END)], Some("no a.yaml")),
            (vec![("b.yaml", SAMPLE), ("b.expected.yaml", END)], Some("named \"a\"")),
            (
                vec![("a.yaml", SAMPLE), ("a.expected.yaml", "phase: Running\njobs: 0")],
                Some("does not end"),
            ),
            (
                vec![("a.yaml", SAMPLE), ("a.expected.yaml", "phase: Failed\njob: 0")],
                Some("job"),
            ),
            (
                vec![("a.yaml", &SAMPLE[2..]), ("a.expected.yaml", END)],
                Some("in a sentence"),
            ),
        ] {
            let files = files.into_iter().map(|(name, text)| TextFile {
                path: format!("{FOLDER}{name}"),
                text: text.to_owned(),
            });
            let files: Vec<TextFile> = files.collect();
            let found = check(&files.iter().collect::<Vec<_>>());
            let said: Vec<String> = found.iter().map(ToString::to_string).collect();
            match expected {
                None => assert_eq!(said, Vec::<String>::new()),
                Some(words) => assert!(said.len() == 1 && said[0].contains(words), "{words}: {said:?}"),
            }
        }
    }
}
