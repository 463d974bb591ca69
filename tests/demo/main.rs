//! `jobwright-demo`: the sample of words, from nothing to a table, with the run shown live.
//!
//! It works on the cluster of `KUBECONFIG`. `make demo` starts it inside a local one where that is not set.
#![expect(
    clippy::print_stdout,
    reason = "what a command line program has to show goes to stdout"
)]

mod install;
mod operator;
mod outcome;
mod picture;
mod screen;
mod texts;
mod tree;

use anyhow::{Context, Result, bail};
use clap::Parser;
use console::style;
use futures::{StreamExt, TryStreamExt};
use jobwright_api::{Workflow, WorkflowPhase};
use kube::{
    Api, Client, Config,
    runtime::{WatchStreamExt, watcher},
};
use operator::Operator;
use screen::Screen;
use std::{path::PathBuf, pin::pin, process::ExitCode, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval, timeout},
};

/// How often times and spinners move.
const FRAME: Duration = Duration::from_millis(100);
/// An API server that is there answers the first question at once.
const ANSWER: Duration = Duration::from_secs(10);

/// Counts the words of real texts by a Workflow, and shows how it goes.
#[derive(Debug, Parser)]
struct Args {
    /// A folder of texts.
    #[arg(long, default_value = "/usr/share/common-licenses")]
    texts: PathBuf,
    /// The image of the steps, instead of the sample's own.
    #[arg(long)]
    image: Option<String>,
    /// The operator's settings.
    #[arg(long, default_value = "config/environments/dev.yaml")]
    config: PathBuf,
    /// End when the run has ended, and do not wait for Enter.
    #[arg(long)]
    once: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    demonstrate(&Args::parse()).await.unwrap_or_else(|error| {
        eprintln!("{} {error:#}", style("error:").red());
        ExitCode::FAILURE
    })
}

async fn demonstrate(args: &Args) -> Result<ExitCode> {
    let mut operator = None;
    // Whatever ends the work, the operator is told to stop and waited for.
    let ended = tokio::select! {
        biased;
        signal = stopped() => signal.map(|()| ExitCode::from(130)),
        ended = run(args, &mut operator) => ended,
    };
    if let Some(operator) = operator {
        operator.stop().await?;
    }
    ended
}

async fn stopped() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    println!(); // the terminal has shown ^C
    Ok(())
}

async fn run(args: &Args, operator: &mut Option<Operator>) -> Result<ExitCode> {
    let texts = texts::read(&args.texts)?;
    let config = Config::infer().await.context("read KUBECONFIG")?;
    let server = config.cluster_url.to_string();
    let client = Client::try_from(config)?;
    let version = timeout(ANSWER, client.apiserver_version()).await;
    let version = version
        .with_context(|| format!("{server} does not answer"))??
        .git_version;
    println!(
        "Kubernetes  {version} at {server}, namespace {}",
        client.default_namespace()
    );
    let kinds = install::kinds(&client).await?;
    println!("Kinds       {}", kinds.join(", "));
    let operator = operator.insert(Operator::start(&args.config)?);
    println!(
        "Operator    process {}, log in {}",
        operator.pid(),
        operator.log().display()
    );
    install::sample(&client, &texts, args.image.as_deref()).await?;
    let size_kb = texts.bytes() / 1000;
    println!(
        "Texts       {} files of {}, {size_kb} kB\n",
        texts.len(),
        args.texts.display()
    );
    let workflow = tokio::select! {
        workflow = follow(&client) => workflow?,
        error = operator.failed() => return Err(error),
    };
    let succeeded = outcome::show(&workflow, &texts);
    outcome::show_commands(&workflow, &client);
    if !args.once && console::user_attended() {
        outcome::wait_for_enter().await;
    }
    Ok(if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Shows the run until it has ended.
async fn follow(client: &Client) -> Result<Workflow> {
    let api: Api<Workflow> = Api::default_namespaced(client.clone());
    let mine = watcher::Config::default().fields(&format!("metadata.name={}", install::WORKFLOW));
    // The stream repairs itself: an error is one lost connection.
    let mut changes = pin!(watcher(api, mine).default_backoff().applied_objects().into_stream());
    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut screen = Screen::new();
    let mut latest: Option<Workflow> = None;
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(Ok(workflow)) => latest = Some(workflow),
                Some(Err(_)) => {}
                None => bail!("the watch has ended"),
            },
            _ = frames.tick() => {}
        }
        if let Some(workflow) = &latest {
            screen.show(workflow)?;
            let phase = workflow.status.as_ref().and_then(|status| status.phase);
            if phase.is_some_and(WorkflowPhase::is_terminal) {
                return Ok(workflow.clone());
            }
        }
    }
}
