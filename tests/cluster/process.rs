//! Started programs: each with its own log, outside the terminal's reach.

use crate::components::Component;
use anyhow::{Context, Result, bail};
use std::{
    ffi::OsString,
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A proxy that the user has set up leads out of the machine, but no traffic leaves a cluster.
pub(crate) const PROXY_VARIABLES: [&str; 6] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];

/// Where programs are looked for: a user's path may lack the system's own folders.
pub(crate) fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/usr/bin:/sbin:/bin");
    path
}

/// The programs of one cluster, started by the calling thread and so in its namespaces.
#[derive(Debug)]
pub(crate) struct Programs {
    logs: PathBuf,
    children: Vec<(&'static str, Child)>,
}

impl Programs {
    pub(crate) fn new(logs: PathBuf) -> Self {
        Self {
            logs,
            children: Vec::new(),
        }
    }

    pub(crate) fn start(&mut self, component: &Component) -> Result<()> {
        let path = self.logs.join(format!("{}.log", component.name));
        let log = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        let mut command = Command::new(&component.program);
        for variable in PROXY_VARIABLES {
            command.env_remove(variable);
        }
        let child = command
            .args(&component.args)
            .env("PATH", search_path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for the launcher, which ends its programs in the right order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", component.program.display()))?;
        self.children.push((component.name, child));
        Ok(())
    }

    /// An error with the end of its log if any program has ended: none does while the cluster is up.
    pub(crate) fn all_alive(&mut self) -> Result<()> {
        for (name, child) in &mut self.children {
            if let Some(status) = child.try_wait()? {
                let path = self.logs.join(format!("{name}.log"));
                bail!("{name} ended early ({status}); its last lines:\n{}", tail(&path));
            }
        }
        Ok(())
    }

    /// What to look at when something does not come up.
    pub(crate) fn log_of(&self, name: &str) -> String {
        tail(&self.logs.join(format!("{name}.log")))
    }

    /// Reaps those that have ended, so that no zombie stays while the caller lives on.
    pub(crate) fn reap(&mut self) {
        for (_, child) in &mut self.children {
            child.try_wait().ok();
        }
    }
}

/// The last lines of a log.
fn tail(path: &Path) -> String {
    const LINES_MAX: usize = 12;
    let text = fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().skip(lines.len().saturating_sub(LINES_MAX));
    last.flat_map(|line| ["  ", line, "\n"]).collect()
}
