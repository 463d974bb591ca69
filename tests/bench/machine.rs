//! What it runs on, and what a process has used.

use anyhow::{Context, Result};
use jobwright_tests::harness::{self, operator};
use k8s_openapi::api::batch::v1::Job;
use kube::{Api, Client, runtime::watcher};
use std::{fs, time::Duration};

/// The image of all steps; it is real where there is a node.
pub(crate) const IMAGE: &str = "registry.local/busybox:1";
/// Creates that are on their way at once, of every contender.
pub(crate) const IN_FLIGHT: usize = 32;
/// `USER_HZ`, on every Linux that there is for these machines.
const TICKS_PER_SECOND: u64 = 100;

pub(crate) async fn create_namespace(client: &Client, name: &str) -> Result<()> {
    harness::create_namespace(client, name).await
}

/// Waits until the Job controller has done with what was measured: on stock limits it is behind by
/// most of a minute, and the next contender would pay for it.
pub(crate) async fn settle(client: &Client, namespace: &str) -> Result<()> {
    const SETTLED_MAX: Duration = Duration::from_secs(300);
    let api: Api<Job> = Api::namespaced(client.clone(), namespace);
    let every = watcher::Config::default();
    harness::wait_all(&api, every, SETTLED_MAX, "all Jobs are complete", |jobs| {
        jobs.values().all(is_complete)
    })
    .await?;
    jobwright_tests::harness::wait::let_pass(Duration::from_secs(1), "the machine settles between contenders").await;
    Ok(())
}

pub(crate) fn is_complete(job: &Job) -> bool {
    let conditions = job
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default();
    conditions
        .iter()
        .any(|condition| condition.type_ == "Complete" && condition.status == "True")
}

/// Hardware and versions, without which a number says nothing.
pub(crate) async fn describe(client: &Client) -> Result<String> {
    let field = |file: &str, name: &str| -> Result<String> {
        let text = fs::read_to_string(file)?;
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split(':').nth(1)).unwrap_or("unknown");
        Ok(value.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let cores = std::thread::available_parallelism()?;
    let server = client.apiserver_version().await?;
    let binary = operator::binary()?;
    let build = if binary.components().any(|part| part.as_os_str() == "release") {
        "release"
    } else {
        "debug"
    };
    Ok(format!(
        "{cores} x {}, {}; Kubernetes {}; Jobwright {} ({build} build)",
        field("/proc/cpuinfo", "model name")?,
        field("/proc/meminfo", "MemTotal")?,
        server.git_version,
        env!("CARGO_PKG_VERSION"),
    ))
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) peak_mib: f64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name of the program, in parentheses, may hold spaces.
        let (_, fields) = stat.rsplit_once(')').context("an unknown form of /proc/PID/stat")?;
        let number = |index: usize| -> Result<u64> {
            let field = fields.split_whitespace().nth(index).context("a field is missing")?;
            Ok(field.parse()?)
        };
        let ticks = number(11)? + number(12)?; // utime and stime, proc(5)
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak_kib: f64 = peak
            .and_then(|text| text.split_whitespace().next())
            .context("no VmHWM")?
            .parse()?;
        Ok(Self {
            cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND),
            peak_mib: peak_kib / 1024.0,
        })
    }
}
