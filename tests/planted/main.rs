//! Who tests the tests: each patch beside this file plants one bug in a scratch copy of the repository, and the
//! suites without a cluster have to find it. A patch that does not apply, or that nothing finds, is an error.
//!
//! `cargo run -p jobwright-tests --bin jobwright-planted [part of a name]`; about two minutes for each patch.
#![expect(clippy::print_stdout, reason = "its table is for its reader")]

use anyhow::{Context, Result, bail};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The suites, from the quickest: target, filter, and how much of it.
const SUITES: [(&str, &str, &str, &str); 4] = [
    ("decide", "tables", "JOBWRIGHT_GRAPHS", "1"),
    ("decide", "random", "JOBWRIGHT_GRAPHS", "3000"),
    ("sim", "systematic", "JOBWRIGHT_SIMS", "1"),
    ("sim", "random", "JOBWRIGHT_SIMS", "500"),
];

fn main() -> Result<()> {
    let wanted = env::args().nth(1).unwrap_or_default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("tests has no parent")?;
    let scratch = root.join("target/planted");
    copy(root, &scratch)?;
    let mut patches: Vec<PathBuf> = fs::read_dir(root.join("tests/planted"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    patches.retain(|path| {
        let is_patch = path.extension().is_some_and(|extension| extension == "patch");
        is_patch && path.to_string_lossy().contains(&wanted)
    });
    patches.sort();
    if let Some(suite) = found_by(&scratch)? {
        bail!("{suite} fails without any planted bug");
    }
    let mut survivors = Vec::new();
    for patch in &patches {
        let name = patch.file_stem().unwrap_or_default().to_string_lossy();
        apply(&scratch, patch, &[]).with_context(|| format!("{name} does not apply any more"))?;
        let found_by = found_by(&scratch);
        apply(&scratch, patch, &["--reverse"])?;
        if let Some(suite) = found_by? {
            println!("{name:50} found by {suite}");
        } else {
            println!("{name:50} SURVIVES");
            survivors.push(name.into_owned());
        }
    }
    if !survivors.is_empty() {
        bail!("nothing finds {}", survivors.join(", "));
    }
    Ok(())
}

/// Copies what belongs to the repository, as it is in the working tree. What has not changed stays as it is.
fn copy(root: &Path, scratch: &Path) -> Result<()> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()?;
    for file in String::from_utf8(listed.stdout)?
        .split('\0')
        .filter(|file| !file.is_empty())
    {
        let (from, to) = (root.join(file), scratch.join(file));
        let Ok(content) = fs::read(&from) else { continue };
        if fs::read(&to).is_ok_and(|known| known == content) {
            continue;
        }
        fs::create_dir_all(to.parent().context("a file has a folder")?)?;
        fs::write(&to, content)?;
    }
    Ok(())
}

fn apply(scratch: &Path, patch: &Path, how: &[&str]) -> Result<()> {
    // The scratch copy lies within the repository: what is applied there is relative to it.
    let status = Command::new("git")
        .args(["apply", "--directory=target/planted"])
        .args(how)
        .arg(patch)
        .current_dir(scratch.join("../.."))
        .status()?;
    if status.success() {
        Ok(())
    } else {
        bail!("git apply: {status}")
    }
}

/// The first suite that fails. A bug that does not compile was found by the compiler.
fn found_by(scratch: &Path) -> Result<Option<String>> {
    for (target, filter, variable, amount) in SUITES {
        let status = Command::new("cargo")
            .args([
                "test",
                "--quiet",
                "-p",
                "jobwright-tests",
                "--test",
                target,
                "--",
                filter,
            ])
            .env(variable, amount)
            .env("CARGO_TARGET_DIR", scratch.join("target"))
            .env_remove("JOBWRIGHT_SEED")
            .current_dir(scratch)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            return Ok(Some(format!("{target} {filter}")));
        }
    }
    Ok(None)
}
