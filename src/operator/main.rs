//! Starts the operator.

use clap::{Parser, Subcommand};
use jobwright_operator::{
    config::{self, LogFormat, Settings},
    operator,
};
use std::{path::PathBuf, process::ExitCode};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

/// Runs workflows as Kubernetes Jobs.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration file.
    #[arg(long, env = "JOBWRIGHT_CONFIG", default_value = config::PATH_DEFAULT)]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Says what is wrong with a configuration file, and nothing else.
    CheckConfig { file: PathBuf },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Before or after the log: for whoever started it.
            eprintln!("jobwright-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    if let Some(Command::CheckConfig { file }) = arguments.command {
        Settings::load(&file)?;
        return Ok(());
    }
    let settings = Settings::load(&arguments.config)?;
    log(&settings);
    // More than one provider may be compiled in: without a choice, TLS fails at the first request.
    rustls::crypto::ring::default_provider().install_default().ok();
    // One thread: looks share one task anyway, and what remains is waiting. With more, every answer
    // costs two switches between threads, on the way of the next Job.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(operator::serve(settings, Some(&arguments.config)))
}

fn log(settings: &Settings) {
    let filter = EnvFilter::builder().parse_lossy(&settings.log.level);
    let registry = tracing_subscriber::registry().with(filter);
    match settings.log.format {
        LogFormat::Json => registry
            .with(tracing_subscriber::fmt::layer().json().flatten_event(true))
            .init(),
        LogFormat::Human => registry.with(tracing_subscriber::fmt::layer()).init(),
    }
}
