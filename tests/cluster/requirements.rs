//! What the machine must have, told in one line.

use crate::{cluster::Shape, process::search_path};
use anyhow::{Result, bail};

/// A file that must exist and the Debian package that brings it.
type Requirement = (&'static str, &'static str);

const ALWAYS: [Requirement; 2] = [("ip", "iproute2"), ("nsenter", "util-linux")];
const FOR_A_NODE: [Requirement; 6] = [
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("busybox", "busybox-static"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("nft", "nftables"),
    ("gcc", "gcc libc6-dev"),
];

/// Fails with one line that says what to install.
pub(crate) fn programs(shape: Shape) -> Result<()> {
    let node: &[Requirement] = match shape {
        Shape::Node => &FOR_A_NODE,
        Shape::Api => &[],
    };
    let missing: Vec<&str> = ALWAYS
        .iter()
        .chain(node)
        .filter(|(file, _)| !exists(file))
        .map(|&(_, package)| package)
        .collect();
    if !missing.is_empty() {
        bail!("this machine lacks programs: apt-get install -y {}", missing.join(" "));
    }
    Ok(())
}

/// Fails with one line unless we may make namespaces, mounts and cgroups.
pub(crate) fn root() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("a local cluster needs root (network namespaces, mounts, cgroups): run it as root or set KUBECONFIG");
    }
    Ok(())
}

/// A program where programs are looked for, or a file.
fn exists(file: &str) -> bool {
    std::env::split_paths(&search_path()).any(|folder| folder.join(file).exists())
}
