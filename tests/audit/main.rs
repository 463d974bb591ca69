//! `jobwright-audit`: checks the invariants of all runs in an API server's audit log.
#![expect(clippy::print_stdout, reason = "its answer is what it prints")]

use anyhow::Result;
use clap::Parser;
use jobwright_tests::audit::{self, invariants};
use std::{path::PathBuf, process::ExitCode};

/// Checks what an audit log shows of Workflows and their Jobs.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The log, one JSON object a line.
    #[arg(env = "JOBWRIGHT_AUDIT_LOG")]
    log: PathBuf,
    /// Only this namespace.
    #[arg(long, default_value = "")]
    namespace: String,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let events = audit::read(&arguments.log, &arguments.namespace)?;
    let findings = invariants::check(&events);
    for violation in &findings.violations {
        println!("{violation}");
    }
    println!(
        "{} requests, {} Jobs, {} stored statuses: {} violations",
        events.len(),
        findings.jobs,
        findings.statuses,
        findings.violations.len()
    );
    Ok(if findings.violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
