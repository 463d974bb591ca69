//! kubectl, as a user has it.

use anyhow::{Context, Result};
use std::process::Stdio;
use tokio::{io::AsyncWriteExt, process::Command};

/// What kubectl said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub success: bool,
    pub out: String,
    pub err: String,
}

impl Said {
    /// What it printed; an error with its complaint if it failed.
    pub fn fine(self) -> Result<String> {
        anyhow::ensure!(self.success, "kubectl: {}{}", self.out, self.err);
        Ok(self.out)
    }

    /// Its complaint; an error if it had none.
    pub fn complaint(self) -> Result<String> {
        anyhow::ensure!(!self.success, "kubectl did not complain: {}", self.out);
        Ok(self.err)
    }
}

/// Runs kubectl in a namespace, with `input` as its standard input.
pub async fn kubectl(namespace: &str, args: &[&str], input: Option<&str>) -> Result<Said> {
    let mut command = Command::new("kubectl");
    command.args(["--namespace", namespace]).args(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().context("start kubectl: is it on PATH?")?;
    if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(text.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    Ok(Said {
        success: output.status.success(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
