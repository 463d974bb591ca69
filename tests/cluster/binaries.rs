//! The Kubernetes programs, built once from the Go module beside this file and kept outside `target/`.

use crate::{hold::Hold, image::digest};
use anyhow::{Context, Result, bail};
use std::{
    collections::VecDeque,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::{Instant, interval},
};

/// The version that go.mod names; the programs report it.
const VERSION: &str = "v1.35.4";
const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/controlplane");
const SOURCES: [&str; 3] = ["go.mod", "go.sum", "main.go"];
/// One program that is each of these, by the name that it is called with.
const NAMES: [&str; 7] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
];
/// From nothing it takes five minutes on two cores.
const BUILD_PATIENCE: Duration = Duration::from_secs(40 * 60);

/// The folder of the built programs.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    folder: PathBuf,
}

impl Built {
    #[cfg(test)]
    pub(crate) fn at(folder: &str) -> Self {
        Self { folder: folder.into() }
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Where built things are kept: `$JOBWRIGHT_CACHE`, or `jobwright` in the user's cache folder.
pub(crate) fn cache() -> Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("JOBWRIGHT_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("jobwright")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/jobwright")))
        .context("set JOBWRIGHT_CACHE: neither it nor HOME is set")
}

/// Builds the programs unless they are there. A second builder waits for the first; one that is
/// interrupted leaves nothing that counts as built.
pub(crate) async fn ensure() -> Result<Built> {
    let home = cache()?.join(format!("k8s-{}", key()?));
    let built = Built {
        folder: home.join("bin"),
    };
    if built.folder.is_dir() {
        return Ok(built);
    }
    let hold = Hold::take(&home.with_extension("lock"), "the build of Kubernetes", BUILD_PATIENCE).await?;
    if !built.folder.is_dir() {
        let partial = home.with_extension("partial");
        fs::remove_dir_all(&partial).ok(); // of a builder that was interrupted
        fs::create_dir_all(partial.join("bin"))?;
        build(&partial.join("bin")).await?;
        fs::rename(&partial, &home).with_context(|| format!("put {} into place", home.display()))?;
    }
    hold.release();
    Ok(built)
}

fn key() -> Result<String> {
    let mut all = VERSION.as_bytes().to_vec();
    for file in SOURCES {
        let path = Path::new(MODULE).join(file);
        all.extend(fs::read(&path).with_context(|| format!("read {}", path.display()))?);
    }
    Ok(digest(&all).chars().take(12).collect())
}

async fn build(folder: &Path) -> Result<()> {
    let program = folder.join("k8s");
    go_build(&program).await?;
    for name in NAMES {
        symlink("k8s", folder.join(name)).with_context(|| format!("link {name}"))?;
    }
    Ok(())
}

async fn go_build(out: &Path) -> Result<()> {
    let mut go = Command::new("go");
    go.current_dir(MODULE)
        .env("CGO_ENABLED", "0")
        .env("GOTOOLCHAIN", "local")
        .args([
            "build",
            "-v",
            "-trimpath",
            "-buildvcs=false", // a checkout that git distrusts is no reason to fail
            "-ldflags",
            &linker_flags(),
            "-o",
        ])
        .args([out.as_os_str(), ".".as_ref()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = go.spawn().context("run go (Go 1.26 or newer builds Kubernetes)")?;
    let stderr = child.stderr.take().context("go has no output")?;
    let said = follow(BufReader::new(stderr)).await?;
    let status = child.wait().await?;
    if !status.success() {
        let said: Vec<String> = said.into();
        bail!("go build: {status}\n{}", said.join("\n"));
    }
    Ok(())
}

/// Reads what go says to its end, telling now and then how far it is; returns its last lines.
async fn follow(output: impl tokio::io::AsyncBufRead + Unpin) -> Result<VecDeque<String>> {
    const LINES_MAX: usize = 20;
    let (mut lines, begun) = (output.lines(), Instant::now());
    let (mut last, mut packages) = (VecDeque::new(), 0_u32);
    let mut tick = interval(Duration::from_secs(10));
    tracing::info!("building Kubernetes {VERSION}: about 5 minutes the first time, seconds afterwards");
    tick.tick().await; // the first comes at once
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                None => break,
                Some(line) => {
                    packages += u32::from(!line.starts_with("go: "));
                    last.push_back(line);
                    if last.len() > LINES_MAX {
                        last.pop_front();
                    }
                }
            },
            _ = tick.tick() => {
                let seconds = begun.elapsed().as_secs();
                tracing::info!("building Kubernetes: {packages} packages (of about 2800), {seconds} s");
            }
        }
    }
    tracing::info!("built Kubernetes in {} s", begun.elapsed().as_secs());
    Ok(last)
}

/// Without a version the server reports none, and tools such as Helm refuse it.
fn linker_flags() -> String {
    let mut flags = "-s -w".to_owned();
    for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
        for (name, value) in [
            ("gitVersion", VERSION),
            ("gitMajor", "1"),
            ("gitMinor", "35"),
            ("gitTreeState", "clean"),
            ("gitCommit", "0000000000000000000000000000000000000000"),
            ("buildDate", "1970-01-01T00:00:00Z"),
        ] {
            flags.extend([" -X ", package, ".", name, "=", value]);
        }
    }
    flags
}
