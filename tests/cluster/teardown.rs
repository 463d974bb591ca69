//! The end of a cluster, whatever state it is in. It needs nothing but the name: what to end is
//! told by the kernel (who is in our network namespace, who is in our cgroups), not by records
//! that a killed launcher may not have written.

use crate::{cgroups, namespace, paths::Paths};
use anyhow::{Context, Result, bail};
use nix::{
    mount::{MntFlags, umount2},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

/// A killed process is gone in milliseconds; one that writes to a hung disk may not be.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends every process and removes every trace. Repeating it is harmless.
///
/// Guarantees on success: no process in the cluster's namespace or cgroups, no mount, no cgroup,
/// no namespace, no folder. Every step is tried even if one before it failed; the first error is told.
/// Caveat: a shell that a user has opened inside is ended too.
pub(crate) fn all(paths: &Paths) -> Result<()> {
    // The state is thrown away, so nobody is asked to end well: the API server would wait a minute
    // for its watchers. First whoever starts others (kubelet, containerd, shims), then the containers.
    let steps = [
        end_all("in its network namespace", || namespace::members(paths)),
        end_all("in its containers", || cgroups::members(paths)),
        unmount(paths),
        cgroups::remove(paths),
        namespace::remove(paths),
        remove_folder(paths.data()),
        remove_folder(paths.run()),
    ];
    steps
        .into_iter()
        .collect::<Result<()>>()
        .with_context(|| format!("cluster {} is not all gone", paths.name()))
}

/// Keeps the logs for whoever looks for a failure; returns where.
pub(crate) fn keep_logs(paths: &Paths) -> Option<PathBuf> {
    let begun = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    let kept = std::env::temp_dir().join(format!("{}-log-{begun}", paths.name().prefixed()));
    fs::create_dir_all(&kept).ok()?;
    let logs = fs::read_dir(paths.logs()).ok()?.flatten().map(|entry| entry.path());
    for file in logs.chain([paths.audit_log()]) {
        if let Some(name) = file.file_name() {
            fs::copy(&file, kept.join(name)).ok(); // as much as there is
        }
    }
    Some(kept)
}

fn end_all(place: &str, members: impl Fn() -> Vec<Pid>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Asked again each time: who was being started a moment ago is seen now.
        let pids = members();
        if pids.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!("processes {place} do not end: {pids:?}");
        }
        for pid in pids {
            kill(pid, Signal::SIGKILL).ok(); // gone meanwhile
        }
        sleep(Duration::from_millis(10));
    }
}

/// A node's mounts are in a namespace of its own and gone with its processes; this is for the rest.
fn unmount(paths: &Paths) -> Result<()> {
    let mounts = fs::read_to_string("/proc/mounts").context("read /proc/mounts")?;
    for place in mounts_below(&mounts, &[paths.run(), paths.data()]) {
        umount2(&place, MntFlags::MNT_DETACH).with_context(|| format!("unmount {}", place.display()))?;
    }
    Ok(())
}

/// The mounts below the folders, the last made first.
fn mounts_below(mounts: &str, folders: &[&Path]) -> Vec<PathBuf> {
    let places = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(PathBuf::from);
    let mut found: Vec<PathBuf> = places
        .filter(|place| folders.iter().any(|folder| place.starts_with(folder)))
        .collect();
    found.reverse();
    found
}

fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::mounts_below;
    use std::path::{Path, PathBuf};

    #[test]
    fn only_mounts_below_the_clusters_own_folders_are_found() {
        let mounts = "a /run/jobwright/x/m tmpfs rw 0 0\nb /run/jobwright/xy/m tmpfs rw 0 0\n\
            c /run/jobwright/x/m/n tmpfs rw 0 0\nd /run tmpfs rw 0 0\n";
        let expected = ["/run/jobwright/x/m/n", "/run/jobwright/x/m"].map(PathBuf::from);
        assert_eq!(mounts_below(mounts, &[Path::new("/run/jobwright/x")]), expected);
    }
}
