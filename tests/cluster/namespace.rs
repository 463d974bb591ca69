//! The network namespace that holds a whole cluster: ports never clash, no traffic leaves it,
//! and who is inside belongs to the cluster, which no reused process id can fake.

use crate::{name::Name, paths::Paths, pki, process::search_path};
use anyhow::{Context, Result, anyhow};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    unistd::Pid,
};
use std::{
    fs::{self, File},
    future::Future,
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::Path,
    process::Command,
    thread::JoinHandle,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
};

/// Folders outside our own that containerd, its plugins and the kubelet write to, whatever they are told.
const PRIVATE_FOLDERS: [&str; 4] = [
    "/run/containerd",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers",
];

/// Moves the calling thread, and every thread and process that it starts from now on, into the
/// network of the cluster. Call it before a tokio runtime is built, then all its threads are inside.
pub fn enter(name: &Name) -> Result<()> {
    let path = Paths::of(name).network_namespace();
    let handle = File::open(&path).with_context(|| format!("no cluster {name} is up"))?;
    setns(handle, CloneFlags::CLONE_NEWNET).with_context(|| format!("enter {}", path.display()))
}

/// Makes the namespace with its loopback and the bridge of the pods.
pub(crate) fn create(paths: &Paths) -> Result<()> {
    let namespace = paths.name().prefixed();
    ip(&["netns", "add", &namespace])?;
    ip(&["-n", &namespace, "link", "set", "lo", "up"])?;
    ip(&["-n", &namespace, "link", "add", "jw0", "type", "bridge"])?;
    ip(&[
        "-n",
        &namespace,
        "addr",
        "add",
        &format!("{}/24", pki::ADDRESS),
        "dev",
        "jw0",
    ])?;
    ip(&["-n", &namespace, "link", "set", "jw0", "up"])
}

fn ip(args: &[&str]) -> Result<()> {
    let answer = Command::new("ip")
        .args(args)
        .env("PATH", search_path())
        .output()
        .context("run ip")?;
    if answer.status.success() {
        return Ok(());
    }
    Err(anyhow!(
        "ip {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&answer.stderr).trim()
    ))
}

/// Removes the namespace's handle; the namespace itself goes with its last process.
pub(crate) fn remove(paths: &Paths) -> Result<()> {
    let handle = paths.network_namespace();
    // Not mounted if its maker was killed between the two steps of making it.
    umount2(&handle, MntFlags::MNT_DETACH).ok();
    match fs::remove_file(&handle) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", handle.display()))
        }
        _ => Ok(()),
    }
}

/// The processes inside, without the caller and its ancestors.
pub(crate) fn members(paths: &Paths) -> Vec<Pid> {
    let Ok(handle) = fs::metadata(paths.network_namespace()) else {
        return Vec::new();
    };
    let inside = format!("net:[{}]", handle.ino());
    let spared = lineage();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        // A zombie's link cannot be read: who is dead is not inside.
        .filter(|pid| {
            fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|link| link.as_os_str() == inside.as_str())
        })
        .filter(|pid| !spared.contains(pid))
        .map(Pid::from_raw)
        .collect()
}

/// The caller and the processes that it comes from: ending a cluster from inside must not end oneself.
fn lineage() -> Vec<i32> {
    let parent = |pid: i32| -> Option<i32> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("PPid:"))?
            .trim()
            .parse()
            .ok()
    };
    let this = i32::try_from(std::process::id()).ok();
    std::iter::successors(this, |&pid| parent(pid).filter(|&parent| parent > 0)).collect()
}

/// Runs a future on a thread of its own inside the namespace. When the answer is dropped, the work
/// has stopped: whoever then cleans up has no rival.
///
/// `mounts` also gives the thread, and so the processes that it starts, mounts of their own: whatever
/// they mount is gone with the last of them.
pub(crate) async fn run_inside<F, T>(name: &Name, mounts: bool, work: impl FnOnce() -> F + Send + 'static) -> Result<T>
where
    F: Future<Output = Result<T>>,
    T: Send + 'static,
{
    let inside = name.clone();
    let (mut answer, result) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name(format!("inside {name}"))
        .spawn(move || {
            let result = match runtime(&inside, mounts) {
                Err(error) => Some(Err(error)),
                Ok(runtime) => runtime.block_on(async {
                    tokio::select! {
                        result = work() => Some(result),
                        () = answer.closed() => None,
                    }
                }),
            };
            if let Some(result) = result {
                answer.send(result).ok(); // nobody waits any more: nothing to tell
            }
        })?;
    let mut worker = Worker {
        result: Some(result),
        thread: Some(thread),
    };
    let result = worker.result.as_mut().context("taken only by drop")?;
    result.await.context("the thread inside the namespace panicked")?
}

/// A thread and the end of the channel that it watches to know whether it is still wanted.
struct Worker<T> {
    result: Option<oneshot::Receiver<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        drop(self.result.take());
        // Short: it stops at its next wait, and none of its steps in between is long.
        self.thread.take().map(JoinHandle::join);
    }
}

fn runtime(name: &Name, mounts: bool) -> Result<Runtime> {
    enter(name)?;
    if mounts {
        private_mounts()?;
    }
    Ok(Builder::new_current_thread().enable_all().build()?)
}

fn private_mounts() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context("make a mount namespace")?;
    let none: Option<&Path> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).context("make mounts private")?;
    for folder in PRIVATE_FOLDERS {
        fs::create_dir_all(folder).with_context(|| format!("create {folder}"))?;
        mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), none)
            .with_context(|| format!("cover {folder}"))?;
    }
    // The namespace's own switch: /proc/sys/net shows that of the thread which opens it.
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("switch on forwarding")
}
