//! What each subcommand does.
#![expect(
    clippy::print_stdout,
    reason = "what a command line program is asked for goes to stdout"
)]

use crate::{
    Command, ImageArgs, KubeletArgs,
    signals::{Signals, exit_code_of},
};
use anyhow::{Context, Result};
use jobwright_cluster::{
    Access, Cluster, Config, Image, Name, Shape, Up,
    fake_kubelet::{self, FakeKubelet, annotated},
};
use std::{
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{ExitCode, ExitStatus},
    time::Instant,
};

pub(crate) fn run(command: Command) -> Result<ExitCode> {
    // `exec` becomes the command: no runtime, whose threads would be in the way.
    if let Command::Exec { named, command } = &command {
        return exec(&named.name, command);
    }
    if let Command::Image(args) = &command {
        image(args)?;
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::catch()?;
        if let Command::Run { name, what, command } = command {
            let name = name.unwrap_or_else(Name::of_this_process);
            return run_inside(what.config(name), &command, &mut signals).await;
        }
        // Dropping the work half-way removes what it has made.
        tokio::select! {
            biased; // a helper that the terminal's Ctrl-C ended as well is no failure
            signal = signals.next() => Ok(exit_code_of(signal)),
            result = work(command) => result.map(|()| ExitCode::SUCCESS),
        }
    })
}

async fn work(command: Command) -> Result<()> {
    match command {
        Command::Build => jobwright_cluster::build(Shape::Node).await,
        Command::Up { named, what } => up(what.config(named.name)).await,
        Command::Down(named) => jobwright_cluster::down(&named.name).await,
        Command::Load { named, tar } => Access::of(&named.name)?.load(&tar).await,
        Command::Kubelet(args) => kubelet(args).await,
        Command::Run { .. } | Command::Exec { .. } | Command::Image(_) => Ok(()), // done above
    }
}

async fn up(config: Config) -> Result<()> {
    let (begun, shape) = (Instant::now(), config.shape.word());
    let (access, how) = match jobwright_cluster::up(config).await? {
        Up::Already(access) => (access, "was up already".to_owned()),
        Up::Started(access) => (access, format!("came up in {:.1} s", begun.elapsed().as_secs_f32())),
    };
    let name = access.name();
    let this = std::env::args().next().unwrap_or_default(); // as the user has called it
    println!("Cluster {name} (shape {shape}) {how}. Its clients run inside its own network:");
    println!("  {this} exec --name {name} -- kubectl get pods --all-namespaces");
    println!("A shell inside:");
    println!("  nsenter --net={} bash", access.paths().network_namespace().display());
    println!("  export KUBECONFIG={}", access.kubeconfig().display());
    println!("  export PATH={}:$PATH", access.paths().programs().display());
    println!("Until: {this} down --name {name}");
    Ok(())
}

async fn run_inside(config: Config, command: &[String], signals: &mut Signals) -> Result<ExitCode> {
    let cluster = tokio::select! {
        biased;
        signal = signals.next() => return Ok(exit_code_of(signal)),
        cluster = Cluster::start(config) => cluster?,
    };
    let (program, args) = command.split_first().context("no command")?;
    let child = cluster.command(program).args(args).spawn();
    let mut child = child.with_context(|| format!("start {program}"))?;
    let (status, signal) = signals.supervise(&mut child).await?;
    if status.success() || signal.is_some() {
        cluster.stop()?;
    } else {
        cluster.stop_keeping_logs()?;
    }
    Ok(signal.map_or_else(|| exit_code(status), exit_code_of))
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

fn exec(name: &Name, command: &[String]) -> Result<ExitCode> {
    let access = Access::of(name)?;
    let (program, args) = command.split_first().context("no command")?;
    let inside = access.command(program);
    let mut inside: std::process::Command = inside.into_std();
    Err(inside.args(args).exec()).with_context(|| format!("start {program}"))
}

fn image(args: &ImageArgs) -> Result<()> {
    let mut image = Image::new(&args.name).entrypoint(&args.entrypoint);
    for variable in &args.env {
        image = image.environment(variable);
    }
    for file in &args.files {
        let (host, place) = file
            .split_once('=')
            .with_context(|| format!("{file} is not HOST-PATH=IMAGE-PATH"))?;
        image = image.program(Path::new(host), place)?;
    }
    image.write(&args.out)
}

async fn kubelet(args: KubeletArgs) -> Result<()> {
    let client = fake_kubelet::client(&args.kubeconfig).await?;
    if let Some(pods) = args.measure {
        let ceiling = fake_kubelet::ceiling(client, pods).await?;
        println!("{ceiling:.0} pods a second");
        return Ok(());
    }
    tracing::info!("reporting on the pods of all namespaces");
    FakeKubelet::new(client, annotated).serve().await
}
