//! The texts, and the words in them as this program counts: what the run must find as well.

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fs, path::Path};

/// A `ConfigMap` takes 1 MiB; names and JSON escapes need their share.
const BYTES_MAX: usize = 900_000;

/// Texts by file name.
pub(crate) struct Texts(BTreeMap<String, String>);

/// Words and how often each occurs.
pub(crate) struct Counts {
    pub(crate) words: usize,
    /// The most frequent first, equal ones by the alphabet.
    pub(crate) ranking: Vec<(String, usize)>,
}

/// Reads the texts of a folder, as `kubectl create configmap --from-file` does: regular files alone.
pub(crate) fn read(folder: &Path) -> Result<Texts> {
    let entries = fs::read_dir(folder);
    let entries = entries.with_context(|| format!("read {}: name another folder with --texts", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().collect();
    files.sort_by_key(fs::DirEntry::file_name);
    let mut texts = Texts(BTreeMap::new());
    for file in files {
        let name = file.file_name().to_string_lossy().into_owned();
        if !file.file_type()?.is_file() || !is_key(&name) {
            continue;
        }
        if let Ok(text) = fs::read_to_string(file.path())
            && texts.bytes() + text.len() <= BYTES_MAX
        {
            texts.0.insert(name, text);
        }
    }
    ensure!(texts.len() > 0, "{} has no texts", folder.display());
    Ok(texts)
}

/// What Kubernetes takes as a key of a `ConfigMap`.
fn is_key(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && !name.starts_with('.')
}

impl Texts {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.values().map(String::len).sum()
    }

    pub(crate) fn config_map(&self, name: &str) -> Value {
        let data: Map<String, Value> = self.0.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
    }

    /// A word is a run of ASCII letters, as in the sample's script.
    pub(crate) fn count(&self) -> Counts {
        let mut counts = BTreeMap::<String, usize>::new();
        for text in self.0.values() {
            let words = text.split(|letter: char| !letter.is_ascii_alphabetic());
            for word in words.filter(|word| !word.is_empty()) {
                *counts.entry(word.to_ascii_lowercase()).or_default() += 1;
            }
        }
        let words = counts.values().sum();
        let mut ranking: Vec<_> = counts.into_iter().collect();
        ranking.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
        Counts { words, ranking }
    }
}
