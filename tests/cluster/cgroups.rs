//! The cluster's own cgroup root. A kubelet ends every process below its root that it does not know,
//! so two nodes on one machine must not share one; and who is below ours is ours to end.

use crate::paths::Paths;
use anyhow::{Context, Result};
use nix::unistd::Pid;
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// Makes the root in every hierarchy of the machine.
pub(crate) fn create(paths: &Paths) -> Result<()> {
    for hierarchy in hierarchies()? {
        let root = hierarchy.join(paths.name().prefixed());
        fs::create_dir_all(&root).with_context(|| format!("create {}", root.display()))?;
        for file in ["cpuset.cpus", "cpuset.mems"] {
            // In version 1 a new cpuset is empty and takes no process until it is filled.
            if let Ok(value) = fs::read_to_string(hierarchy.join(file)) {
                fs::write(root.join(file), value).with_context(|| format!("fill {file} of {}", root.display()))?;
            }
        }
    }
    Ok(())
}

/// The processes of the cluster's containers.
pub(crate) fn members(paths: &Paths) -> Vec<Pid> {
    let folders = roots(paths).into_iter().flat_map(|root| descendants(&root));
    let mut pids: Vec<i32> = folders
        .filter_map(|folder| fs::read_to_string(folder.join("cgroup.procs")).ok())
        .flat_map(|text| text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<i32>>())
        .collect();
    pids.sort_unstable();
    pids.dedup();
    pids.into_iter().map(Pid::from_raw).collect()
}

/// Removes the root with all below it. Assumes that no process is left there.
pub(crate) fn remove(paths: &Paths) -> Result<()> {
    for root in roots(paths) {
        for folder in descendants(&root) {
            match fs::remove_dir(&folder) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("remove cgroup {}", folder.display()));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The roots that exist.
fn roots(paths: &Paths) -> Vec<PathBuf> {
    let hierarchies = hierarchies().unwrap_or_default().into_iter();
    hierarchies
        .map(|hierarchy| hierarchy.join(paths.name().prefixed()))
        .filter(|root| root.is_dir())
        .collect()
}

/// A folder and all below it, the deepest first.
fn descendants(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut found: Vec<PathBuf> = folders.flat_map(|entry| descendants(&entry.path())).collect();
    found.push(folder.to_owned());
    found
}

fn hierarchies() -> Result<Vec<PathBuf>> {
    Ok(mounted_hierarchies(
        &fs::read_to_string("/proc/mounts").context("read /proc/mounts")?,
    ))
}

fn mounted_hierarchies(mounts: &str) -> Vec<PathBuf> {
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    fields
        .filter_map(|fields| match fields.as_slice() {
            [_, place, "cgroup" | "cgroup2", ..] => Some(PathBuf::from(place)),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{descendants, mounted_hierarchies};
    use std::{fs, path::PathBuf};

    #[test]
    fn hierarchies_of_both_versions_are_found() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
            cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n\
            proc /proc proc rw 0 0\n";
        let expected = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified"].map(PathBuf::from);
        assert_eq!(mounted_hierarchies(mounts), expected);
    }

    #[test]
    fn the_deepest_come_first() {
        let root = std::env::temp_dir().join(format!("jobwright-cgroups-{}", std::process::id()));
        fs::create_dir_all(root.join("a/b")).unwrap();
        let names: Vec<PathBuf> = descendants(&root)
            .iter()
            .map(|path| path.strip_prefix(&root).unwrap().to_owned())
            .collect();
        assert_eq!(names, ["a/b", "a", ""].map(PathBuf::from));
        fs::remove_dir_all(root).unwrap();
    }
}
