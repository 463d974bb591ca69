//! `jobwright-bench`: how long workflows take, against a bare client that does the same on the same
//! cluster in the same minutes. Run it by `make bench`.
#![expect(clippy::print_stdout, reason = "its table is what it is for")]

mod bare;
mod growth;
mod machine;
mod ours;

use anyhow::{Context, Result};
use bare::On;
use clap::Parser;
use jobwright_cluster::fake_kubelet::{self, FakeKubelet, annotated};
use jobwright_tests::harness::{self, Operator};
use kube::Client;
use machine::Usage;
use std::{thread, time::Duration};

/// Chains and crowds of Jobs: Jobwright against a bare client.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// On a cluster with a node: real containers, a chain of 10.
    #[arg(long)]
    node: bool,
    /// Steps of a chain.
    #[arg(long)]
    steps: Option<u32>,
    /// Workflows at once; with a node none.
    #[arg(long)]
    crowd: Option<u32>,
    /// Iterations of a loop and items of a fork, to see whether the last are dearer than the first; with a node none.
    #[arg(long)]
    growth: Option<u32>,
    /// The limits of the cluster's Job controller, for the table: `open` or `stock`.
    #[arg(long, default_value = "unknown")]
    limits: String,
    /// Each measurement is repeated so often, in turn with the others; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// What the operator may ask the API server for per second.
    #[arg(long, default_value_t = 1000)]
    qps: u32,
}

/// Waiting for `Complete` takes a second a step: enough to know it by.
const STEPS_ON_COMPLETE: u32 = 10;
/// Pods to measure the fake kubelet with.
const CEILING_PODS: u32 = 300;

fn main() -> Result<()> {
    harness::block_on(bench(Arguments::parse()))
}

async fn bench(arguments: Arguments) -> Result<()> {
    let client = Client::try_default()
        .await
        .context("no cluster: run this by `make bench`")?;
    harness::install(&client).await?;
    println!(
        "{}; limits of the Job controller: {}",
        machine::describe(&client).await?,
        arguments.limits
    );
    if !arguments.node {
        let ceiling = fake_kubelet::ceiling(client.clone(), CEILING_PODS).await?;
        println!("The fake kubelet can end {ceiling:.0} pods a second.");
        thread::spawn(serve);
    }
    let bench = Bench {
        client,
        is_real: arguments.node,
        rounds: arguments.rounds,
    };
    let config = format!(
        "api: {{qps: {qps}, burst: {qps}, inFlight: 64}}\njobs: {{defaults: {{podSecurityContext: {{runAsUser: 65534}}}}}}",
        qps = arguments.qps
    );
    let mut operator = Operator::start("bench", &config)?;
    operator.ready().await?;
    let pid = operator.pid().context("no operator")?;
    let steps = arguments.steps.unwrap_or(if arguments.node { 10 } else { 100 });
    bench.chains(steps, pid).await?;
    let crowd = arguments.crowd.unwrap_or(if arguments.node { 0 } else { 200 });
    if crowd > 0 {
        bench.crowds(crowd, pid).await?;
    }
    let growth = arguments.growth.unwrap_or(if arguments.node { 0 } else { 1000 });
    if growth > 0 {
        bench.growth(growth).await?;
    }
    let usage = Usage::of(pid)?;
    println!(
        "The operator, over all of this: {:.2} s of CPU, peak RSS {:.1} MiB.",
        usage.cpu.as_secs_f64(),
        usage.peak_mib
    );
    operator.stop(Duration::from_secs(20)).await.map(drop)
}

/// A thread of its own: what is measured shares no runtime with it.
fn serve() {
    let served = harness::block_on(async {
        let client = Client::try_default().await?;
        FakeKubelet::new(client, annotated).serve().await
    });
    if let Err(error) = served {
        println!("the fake kubelet ended: {error:#}");
    }
}

struct Bench {
    client: Client,
    is_real: bool,
    rounds: u32,
}

impl Bench {
    async fn chains(&self, steps: u32, operator: u32) -> Result<()> {
        let (mut floor, mut ours, mut complete, mut succeeded) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let before = Usage::of(operator)?;
        for round in 0..self.rounds {
            let name = |what: &str| format!("{what}-{round}");
            floor.push(bare::chain(&self.client, &name("on-exit"), steps, On::Exit).await? / steps);
            ours.push(ours::chain(&self.client, &name("chain"), steps).await? / steps);
            if round == 0 {
                let few = STEPS_ON_COMPLETE.min(steps);
                let name = name("on-complete");
                complete.push(bare::chain(&self.client, &name, few, On::Complete).await? / few);
                if self.is_real {
                    succeeded.push(bare::chain(&self.client, "on-phase", few, On::Succeeded).await? / few);
                }
            }
        }
        let cpu = Usage::of(operator)?.cpu.saturating_sub(before.cpu);
        println!("\nA chain of {steps} steps, time per step          all rounds");
        let floor_median = median(&floor);
        row("bare client, next Job on containers' exit", &floor, floor_median);
        row("Jobwright", &ours, floor_median);
        if self.is_real {
            row("bare client, next Job on the pod's Succeeded", &succeeded, floor_median);
        }
        row("bare client, next Job on the Job's Complete", &complete, floor_median);
        let done = f64::from(steps * self.rounds);
        println!(
            "Jobwright / floor: {:.3} (goal 1.05); operator CPU {:.1} ms a step",
            ratio(&ours, &floor),
            cpu.as_secs_f64() * 1e3 / done
        );
        Ok(())
    }

    async fn crowds(&self, count: u32, operator: u32) -> Result<()> {
        let (mut floor, mut ours) = (Vec::new(), Vec::new());
        let before = Usage::of(operator)?;
        for round in 0..self.rounds {
            floor.push(bare::crowd(&self.client, &format!("bare-crowd-{round}"), count).await?);
            ours.push(ours::crowd(&self.client, &format!("crowd-{round}"), count).await?);
        }
        let cpu = Usage::of(operator)?.cpu.saturating_sub(before.cpu);
        println!("\n{count} workflows of one step at once, time until all have ended");
        let floor_median = median(&floor);
        row("bare client, as many Jobs", &floor, floor_median);
        row("Jobwright", &ours, floor_median);
        let done = f64::from(count * self.rounds);
        println!(
            "Jobwright / floor: {:.3}; operator CPU {:.1} ms a workflow",
            ratio(&ours, &floor),
            cpu.as_secs_f64() * 1e3 / done
        );
        Ok(())
    }
}

impl Bench {
    /// Once each: it is its own floor.
    async fn growth(&self, count: u32) -> Result<()> {
        println!("\n{count} steps in one run, a hundred of them at a time");
        let looped = growth::looped(&self.client, "growth-loop", count).await?;
        let forked = growth::forked(&self.client, "growth-fork", count).await?;
        for (what, growth) in [
            ("a loop, one after the other", looped),
            ("a fork, fifty at once", forked),
        ] {
            println!(
                "  {what:30} {:6.1} s in all; first {:6.0} ms, last {:6.0} ms: {:.2} x; status at most {} KiB, {} records",
                growth.took.as_secs_f64(),
                growth.first.as_secs_f64() * 1e3,
                growth.last.as_secs_f64() * 1e3,
                growth.last.as_secs_f64() / growth.first.as_secs_f64(),
                growth.status_bytes_max / 1024,
                growth.records
            );
        }
        Ok(())
    }
}

fn row(what: &str, times: &[Duration], floor: Duration) {
    let all: Vec<String> = times
        .iter()
        .map(|time| format!("{:.1}", time.as_secs_f64() * 1e3))
        .collect();
    let median = median(times);
    println!(
        "  {what:46} {:9.1} ms  {:6.3} x   [{}]",
        median.as_secs_f64() * 1e3,
        median.as_secs_f64() / floor.as_secs_f64(),
        all.join(", ")
    );
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn ratio(ours: &[Duration], floor: &[Duration]) -> f64 {
    median(ours).as_secs_f64() / median(floor).as_secs_f64()
}
