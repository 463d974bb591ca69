//! Where a cluster keeps what: everything follows from its name, so that a later process
//! finds all that a killed one has left.

use crate::name::Name;
use std::path::{Path, PathBuf};

/// Every cluster's folder and lock are below this one.
const HOME: &str = "/run/jobwright";
const SHARED_MEMORY: &str = "/dev/shm";
/// etcd's log alone takes 64 MB at once; with images and containers a node needs about this.
const SHARED_MEMORY_BYTES_MIN: u64 = 1 << 30;

/// The paths of one cluster.
#[derive(Clone, Debug)]
pub struct Paths {
    name: Name,
    run: PathBuf,
    data: PathBuf,
}

impl Paths {
    /// Guarantees the same paths for the same name on the same machine, in any process.
    #[must_use]
    pub fn of(name: &Name) -> Self {
        let run = Path::new(HOME).join(name.as_str());
        let data = if shared_memory_suffices() {
            Path::new(SHARED_MEMORY).join(name.prefixed())
        } else {
            run.join("data")
        };
        Self {
            name: name.clone(),
            run,
            data,
        }
    }

    /// The names that have a folder, whatever state their clusters are in.
    #[must_use]
    pub fn all_names() -> Vec<Name> {
        let entries = std::fs::read_dir(HOME).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    }

    /// Whose paths these are.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Sockets, certificates, configurations and logs.
    #[must_use]
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// What is written much and synced often, in memory where there is room: etcd, containerd, kubelet.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// One log per program.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.run.join("log")
    }

    /// The programs of the cluster, kubectl among them.
    #[must_use]
    pub fn programs(&self) -> PathBuf {
        self.run.join("bin")
    }

    /// Keys and certificates.
    #[must_use]
    pub fn pki(&self) -> PathBuf {
        self.run.join("pki")
    }

    /// The kubeconfig of one identity of [`crate::pki`].
    #[must_use]
    pub fn kubeconfig(&self, identity: &str) -> PathBuf {
        self.run.join(format!("{identity}.kubeconfig"))
    }

    /// The API server's audit log.
    #[must_use]
    pub fn audit_log(&self) -> PathBuf {
        self.run.join("audit.log")
    }

    /// containerd's socket, for `ctr --address`.
    #[must_use]
    pub fn containerd_socket(&self) -> PathBuf {
        self.run.join("containerd.sock")
    }

    /// The handle of the network namespace.
    #[must_use]
    pub fn network_namespace(&self) -> PathBuf {
        Path::new("/run/netns").join(self.name.prefixed())
    }

    /// Locked by whoever starts, owns or ends the cluster.
    pub(crate) fn lock(&self) -> PathBuf {
        // Not a legal name, so it is never taken for a cluster's folder.
        Path::new(HOME).join(format!("{}.lock", self.name))
    }

    /// Exists while the cluster is up and belongs to no process; holds its shape.
    pub(crate) fn detached(&self) -> PathBuf {
        self.run.join("detached")
    }
}

fn shared_memory_suffices() -> bool {
    // The size, not what is free: the answer must be the same when the cluster goes down.
    nix::sys::statvfs::statvfs(SHARED_MEMORY)
        .is_ok_and(|disk| disk.blocks().saturating_mul(disk.fragment_size()) >= SHARED_MEMORY_BYTES_MIN)
}

#[cfg(test)]
mod tests {
    use super::Paths;

    #[test]
    fn sockets_of_the_longest_name_fit_the_kernels_limit() {
        let name = "a".repeat(crate::Name::LEN_MAX).parse().unwrap();
        assert!(Paths::of(&name).containerd_socket().as_os_str().len() < 100);
    }
}
