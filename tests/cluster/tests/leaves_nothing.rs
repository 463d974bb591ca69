//! Whatever happens to a launcher, nothing of its cluster stays on the machine.
//! Needs root; says so and passes without.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails is a failed test")]

use jobwright_cluster::{Cluster, Config, ControllerLimits, Name, Paths, Shape};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

#[test]
fn an_api_is_up_once_and_gone_after_down() {
    let Some(cluster) = Tested::named("api") else {
        return;
    };
    cluster.ok(&["up", "--shape", "api"]);
    let begun = Instant::now();
    assert!(cluster.ok(&["up", "--shape", "api"]).contains("was up already"));
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(
        cluster
            .ok(&["exec", "--", "kubectl", "get", "namespaces"])
            .contains("kube-system")
    );
    cluster.ok(&["down"]);
    cluster.assert_nothing_is_left();
    cluster.ok(&["down"]);
}

#[test]
fn a_node_runs_a_pod_and_is_gone_after_down_with_the_pod_running() {
    let Some(cluster) = Tested::named("node") else {
        return;
    };
    cluster.ok(&["up", "--shape", "node"]);
    let pod = "kubectl run a --image=registry.local/busybox:1 --restart=Never -- sleep 1000 &&
        kubectl wait --for=condition=Ready pod/a --timeout=60s";
    cluster.ok(&["exec", "--", "sh", "-c", pod]);
    cluster.ok(&["down"]);
    cluster.assert_nothing_is_left();
}

#[test]
fn an_interrupt_at_any_moment_of_the_start_leaves_nothing() {
    for (number, after_ms) in [50, 400, 1500, 3000].into_iter().enumerate() {
        let Some(cluster) = Tested::named(&format!("int{number}")) else {
            return;
        };
        let mut up = cluster.spawn(&["up", "--shape", "node"]);
        sleep(Duration::from_millis(after_ms));
        send(&up, Signal::SIGINT);
        assert_eq!(up.wait().unwrap().code(), Some(130), "after {after_ms} ms");
        cluster.assert_nothing_is_left();
    }
}

#[test]
fn what_a_killed_launcher_leaves_is_removed_by_down() {
    let Some(cluster) = Tested::named("killed") else {
        return;
    };
    let mut up = cluster.spawn(&["up", "--shape", "node"]);
    sleep(Duration::from_millis(2500));
    send(&up, Signal::SIGKILL);
    up.wait().unwrap();
    cluster.ok(&["down"]);
    cluster.assert_nothing_is_left();
}

#[test]
fn run_passes_the_exit_code_on_and_ends_the_cluster() {
    let Some(cluster) = Tested::named("run") else {
        return;
    };
    let script = "test -S $JOBWRIGHT_CONTAINERD_SOCKET; kubectl get nodes || exit 1; \
        test -s $JOBWRIGHT_AUDIT_LOG && test $JOBWRIGHT_CLUSTER_NAME = $0 && exit 7";
    let name = cluster.name.to_string();
    let status = cluster
        .command(&["run", "--shape", "api", "--", "sh", "-c", script, &name])
        .output()
        .unwrap();
    assert_eq!(status.status.code(), Some(7), "{status:?}");
    let told = String::from_utf8_lossy(&status.stderr).into_owned();
    let logs = told.split_whitespace().last().map(PathBuf::from).unwrap();
    assert!(
        logs.join("etcd.log").exists(),
        "logs are kept and their folder is told: {told}"
    );
    fs::remove_dir_all(logs).unwrap();
    cluster.assert_nothing_is_left();
}

#[test]
fn run_hands_an_interrupt_to_its_command_and_ends_the_cluster() {
    let Some(cluster) = Tested::named("stop") else {
        return;
    };
    let marker = std::env::temp_dir().join(cluster.name.prefixed());
    let script = format!(
        "trap 'exit 0' TERM; touch {}; while :; do sleep 0.1; done",
        marker.display()
    );
    let mut run = cluster.spawn(&["run", "--shape", "api", "--", "sh", "-c", &script]);
    until("the command runs", || marker.exists());
    send(&run, Signal::SIGTERM);
    assert_eq!(run.wait().unwrap().code(), Some(143));
    fs::remove_file(marker).unwrap();
    cluster.assert_nothing_is_left();
}

#[test]
fn a_panicking_owner_leaves_nothing() {
    let Some(cluster) = Tested::named("panic") else {
        return;
    };
    let config = Config {
        name: cluster.name.clone(),
        shape: Shape::Api,
        limits: ControllerLimits::Open,
        images: Vec::new(),
    };
    let owner = std::thread::spawn(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let cluster = Cluster::start(config).await.unwrap();
            assert!(
                cluster
                    .kubectl(["get", "namespaces"])
                    .await
                    .unwrap()
                    .contains("default")
            );
            panic!("on purpose");
        });
    });
    assert!(owner.join().is_err());
    cluster.assert_nothing_is_left();
}

/// A cluster of this test, ended in any case.
struct Tested {
    name: Name,
}

impl Tested {
    fn named(name: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("not tested: a local cluster needs root");
            return None;
        }
        Some(Self {
            name: format!("test-{name}-{}", std::process::id()).parse().unwrap(),
        })
    }

    /// The launcher with `--name` after its subcommand.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobwright-cluster"));
        command
            .arg(args[0])
            .args(["--name", self.name.as_str()])
            .args(&args[1..]);
        command
    }

    fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).spawn().unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let answer = self.command(args).output().unwrap();
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        assert!(
            answer.status.success(),
            "{args:?}: {text}{}",
            String::from_utf8_lossy(&answer.stderr)
        );
        text
    }

    fn assert_nothing_is_left(&self) {
        let (paths, prefixed) = (Paths::of(&self.name), self.name.prefixed());
        let lock = paths.run().with_extension("lock");
        for path in [paths.run(), paths.data(), &paths.network_namespace(), &lock] {
            assert!(!path.exists(), "{} is left", path.display());
        }
        let ours = |text: &str| text.contains(&prefixed) || text.contains(&paths.run().display().to_string());
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        assert!(!ours(&mounts), "mounts are left: {mounts}");
        for place in mounts.lines().filter(|line| line.contains(" cgroup")) {
            let cgroup = Path::new(place.split(' ').nth(1).unwrap()).join(&prefixed);
            assert!(!cgroup.exists(), "{} is left", cgroup.display());
        }
        // A killed process vanishes from the list when its parent or init has seen it.
        until("no process is left", || !commands().iter().any(|command| ours(command)));
    }
}

impl Drop for Tested {
    fn drop(&mut self) {
        self.command(&["down"]).status().ok();
        let kept = format!("{}-log-", self.name.prefixed());
        for entry in fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&kept) {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
    }
}

/// The command lines of all processes but this one; a zombie's is empty.
fn commands() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let others = processes.filter(|process| process.file_name() != *std::process::id().to_string());
    others
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        sleep(Duration::from_millis(20));
    }
}
