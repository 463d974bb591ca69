//! The operator as a process of this demo.

use anyhow::{Context, Error, Result, anyhow};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// Longer than the operator's own patience with its last writes.
const GRACE: Duration = Duration::from_secs(10);
const LOG_LINES_SHOWN: usize = 20;

pub(crate) struct Operator {
    child: Child,
    pid: u32,
    log: PathBuf,
}

impl Operator {
    /// Starts the program beside this one. It is killed if it is dropped.
    pub(crate) fn start(config: &Path) -> Result<Self> {
        let here = std::env::current_exe().context("find this program")?;
        let program = here.with_file_name("jobwright-operator");
        let log = here.with_file_name("jobwright-operator.log");
        let file = File::create(&log).with_context(|| format!("write {}", log.display()))?;
        let child = Command::new(&program)
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}: build it with `make build`", program.display()))?;
        let pid = child.id().context("the operator has no process id")?;
        Ok(Self {
            child,
            pid,
            log: shortened(log),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Waits until it ends by itself, which it should not: the error has its last words.
    pub(crate) async fn failed(&mut self) -> Error {
        let status = match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.iter().skip(lines.len().saturating_sub(LOG_LINES_SHOWN));
        let last = last.copied().collect::<Vec<_>>().join("\n");
        anyhow!("the operator has ended ({status}). The end of its log:\n{last}")
    }

    /// Tells it to stop and waits; kills it if it does not listen.
    pub(crate) async fn stop(mut self) -> Result<()> {
        // The number is ours as long as nobody has waited for the child.
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            kill(Pid::from_raw(pid), Signal::SIGTERM).ok(); // gone meanwhile
        }
        if timeout(GRACE, self.child.wait()).await.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }
}

/// As seen from the current folder, where it is inside.
fn shortened(path: PathBuf) -> PathBuf {
    let inside = std::env::current_dir()
        .ok()
        .and_then(|here| Some(path.strip_prefix(here).ok()?.to_owned()));
    inside.unwrap_or(path)
}
