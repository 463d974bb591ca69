//! `jobwright-cluster`: the local Kubernetes by hand and from the Makefile.

mod commands;
mod signals;

use clap::{Args, Parser, Subcommand};
use jobwright_cluster::{Config, ControllerLimits, Name, Shape};
use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

/// A real Kubernetes on this machine, in a network namespace of its own.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the Kubernetes programs and the base images; says what the machine lacks.
    Build,
    /// Bring a cluster up and leave it running.
    Up {
        #[command(flatten)]
        named: Named,
        #[command(flatten)]
        what: What,
    },
    /// End a cluster, whatever state it is in.
    Down(Named),
    /// Bring a cluster up, run a command inside, end the cluster in every case.
    Run {
        /// The cluster's name; by default one of this process alone.
        #[arg(long)]
        name: Option<Name>,
        #[command(flatten)]
        what: What,
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Run a command inside a cluster that is up.
    Exec {
        #[command(flatten)]
        named: Named,
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Give the node of a cluster an image.
    Load {
        #[command(flatten)]
        named: Named,
        /// A tar made by `image` or `docker save`.
        tar: PathBuf,
    },
    /// Make an image of programs of this machine and the shared libraries that they need.
    Image(ImageArgs),
    /// Report on pods as a kubelet would, without running them, until interrupted.
    Kubelet(KubeletArgs),
}

#[derive(Debug, Args)]
struct Named {
    /// The cluster's name.
    #[arg(long, default_value = "local")]
    name: Name,
}

#[derive(Debug, Args)]
struct What {
    /// With a node for real containers, or the API alone.
    #[arg(long, value_enum)]
    shape: Shape,
    /// What the Job controller may do per second.
    #[arg(long, value_enum, default_value_t)]
    controller_limits: ControllerLimits,
    /// The tar of an image that the node gets; may be repeated.
    #[arg(long = "image", value_name = "TAR")]
    images: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct ImageArgs {
    /// The file to write.
    #[arg(long)]
    out: PathBuf,
    /// What pods call it, for example registry.local/x:1.
    #[arg(long)]
    name: String,
    /// One word of the entrypoint; may be repeated.
    #[arg(long, allow_hyphen_values = true)]
    entrypoint: Vec<String>,
    /// A variable, as NAME=value; may be repeated.
    #[arg(long)]
    env: Vec<String>,
    /// HOST-PATH=IMAGE-PATH of a program or a file.
    #[arg(required = true)]
    files: Vec<String>,
}

#[derive(Debug, Args)]
struct KubeletArgs {
    /// The cluster; by default that of $KUBECONFIG.
    #[arg(long, env = "KUBECONFIG")]
    kubeconfig: PathBuf,
    /// Instead of serving: create so many pods, print how many a second it can end, and leave.
    #[arg(long, value_name = "PODS")]
    measure: Option<u32>,
}

impl What {
    fn config(self, name: Name) -> Config {
        Config {
            name,
            shape: self.shape,
            limits: self.controller_limits,
            images: self.images,
        }
    }
}

fn main() -> ExitCode {
    start_telling();
    match commands::run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Progress and errors, one line each, for people.
fn start_telling() {
    // The client tells of every question that a starting server does not answer yet.
    let ours = tracing_subscriber::EnvFilter::new("jobwright_cluster=info");
    tracing_subscriber::fmt()
        .with_env_filter(ours)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        .init();
}
