//! Container images without a registry: a docker-format tar of one layer, for `ctr image import`.

use crate::archive::Archive;
use anyhow::{Context, Result, bail};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Folder { mode: u32 },
    File { mode: u32, content: Vec<u8> },
    Link { target: String },
}

/// An image under construction.
///
/// Guarantees: the same content gives the same bytes, so images are compared and cached by hash.
#[derive(Clone, Debug)]
pub struct Image {
    reference: String,
    entrypoint: Vec<String>,
    environment: Vec<String>,
    entries: BTreeMap<String, Entry>, // sorted: a folder comes before what is in it
}

impl Image {
    /// An empty image, called for example `registry.local/busybox:1`.
    #[must_use]
    pub fn new(reference: &str) -> Self {
        let mut entries = BTreeMap::new();
        entries.insert("tmp".to_owned(), Entry::Folder { mode: 0o1777 });
        Self {
            reference: reference.to_owned(),
            entrypoint: Vec::new(),
            environment: Vec::new(),
            entries,
        }
    }

    /// What runs when a pod names no command.
    #[must_use]
    pub fn entrypoint(mut self, words: &[String]) -> Self {
        self.entrypoint = words.to_vec();
        self
    }

    /// Adds a variable, written `NAME=value`.
    #[must_use]
    pub fn environment(mut self, variable: &str) -> Self {
        self.environment.push(variable.to_owned());
        self
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.insert(
            path,
            Entry::Link {
                target: target.to_owned(),
            },
        );
        self
    }

    /// Adds a file of this machine, readable and executable for all.
    pub fn file(mut self, host: &Path, path: &str) -> Result<Self> {
        let content = fs::read(host).with_context(|| format!("read {}", host.display()))?;
        self.insert(path, Entry::File { mode: 0o755, content });
        Ok(self)
    }

    /// Adds a program of this machine and the shared libraries that it needs, each at its own place.
    pub fn program(self, host: &Path, path: &str) -> Result<Self> {
        let mut image = self.file(host, path)?;
        for library in libraries(host)? {
            let place = library.to_string_lossy().into_owned();
            image = image.file(&library, &place)?;
        }
        Ok(image)
    }

    /// Writes the image. `out` is complete or absent, never half.
    pub fn write(&self, out: &Path) -> Result<()> {
        let partial = out.with_extension("partial");
        fs::write(&partial, self.bytes()?).with_context(|| format!("write {}", partial.display()))?;
        fs::rename(&partial, out).with_context(|| format!("write {}", out.display()))
    }

    fn insert(&mut self, path: &str, entry: Entry) {
        let path = path.trim_start_matches('/');
        for (at, _) in path.match_indices('/') {
            let parent = path.get(..at).unwrap_or_default().to_owned();
            self.entries.entry(parent).or_insert(Entry::Folder { mode: 0o755 });
        }
        self.entries.insert(path.to_owned(), entry);
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        let layer = self.layer()?;
        let config = serde_json::to_vec(&json!({
            "architecture": architecture(),
            "os": "linux",
            "config": { "Entrypoint": self.entrypoint, "Env": self.environment },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", digest(&layer))] },
        }))?;
        let config_name = format!("{}.json", digest(&config));
        let manifest = serde_json::to_vec(&json!([{
            "Config": config_name, "RepoTags": [self.reference], "Layers": ["layer.tar"],
        }]))?;
        let mut image = Archive::default();
        image.file(&config_name, 0o644, &config)?;
        image.file("layer.tar", 0o644, &layer)?;
        image.file("manifest.json", 0o644, &manifest)?;
        Ok(image.finish())
    }

    fn layer(&self) -> Result<Vec<u8>> {
        let mut layer = Archive::default();
        for (path, entry) in &self.entries {
            match entry {
                Entry::Folder { mode } => layer.folder(path, *mode)?,
                Entry::File { mode, content } => layer.file(path, *mode, content)?,
                Entry::Link { target } => layer.link(path, target)?,
            }
        }
        Ok(layer.finish())
    }
}

/// SHA-256 as lower-case hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hex = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
    Sha256::digest(bytes).iter().flat_map(hex).flatten().collect()
}

/// This machine's processor as images name it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The shared libraries and the loader of a program; none for a static one.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let answer = Command::new("ldd").arg(program).output().context("run ldd")?;
    let (text, complaint) = (
        String::from_utf8_lossy(&answer.stdout),
        String::from_utf8_lossy(&answer.stderr),
    );
    if !answer.status.success() {
        // ldd's word for a static program and for a script.
        if format!("{text}{complaint}").contains("not a dynamic executable") {
            return Ok(Vec::new());
        }
        bail!("ldd {}: {}", program.display(), complaint.trim());
    }
    listed_libraries(&text)
}

/// `libc.so.6 => /lib/libc.so.6 (0x…)` and `/lib64/ld-linux.so (0x…)`; the kernel's own page has no path.
fn listed_libraries(text: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for line in text.lines() {
        let place = line.split_once("=>").map_or(line, |(_, place)| place).trim();
        if place.starts_with("not found") {
            bail!("a shared library is missing: {}", line.trim());
        }
        if let Some(path) = place.split_whitespace().next().filter(|path| path.starts_with('/')) {
            found.push(PathBuf::from(path));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{Image, libraries, listed_libraries};
    use std::path::{Path, PathBuf};

    #[test]
    fn libraries_are_read_from_ldd() {
        let text =
            "\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x2)\n\t/lib64/ld-linux-x86-64.so.2 (0x3)\n";
        let expected = ["/lib/x/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
        assert_eq!(listed_libraries(text).unwrap(), expected);
        assert_eq!(
            listed_libraries("\tstatically linked\n").unwrap(),
            Vec::<PathBuf>::new()
        );
        let missing = listed_libraries("\tlibz.so.1 => not found\n").unwrap_err().to_string();
        assert!(missing.contains("libz.so.1"), "{missing}");
    }

    #[test]
    fn this_program_needs_libraries_that_exist() {
        let found = libraries(&std::env::current_exe().unwrap()).unwrap();
        assert!(!found.is_empty() && found.iter().all(|path| path.exists()), "{found:?}");
    }

    #[test]
    fn folders_come_before_what_is_in_them_and_the_bytes_repeat() {
        let image = Image::new("registry.local/x:1")
            .file(Path::new("/bin/true"), "/usr/local/bin/true")
            .unwrap()
            .link("usr/bin", "local/bin");
        let paths: Vec<&String> = image.entries.keys().collect();
        assert_eq!(
            paths,
            [
                "tmp",
                "usr",
                "usr/bin",
                "usr/local",
                "usr/local/bin",
                "usr/local/bin/true"
            ]
        );
        assert_eq!(image.bytes().unwrap(), image.bytes().unwrap());
    }
}
