//! The configuration files of the programs.

use crate::{
    paths::Paths,
    pki::{ADDRESS, ADMIN, NODE},
};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;

/// Writes all of them below `paths.run()`. JSON is YAML too.
pub(crate) fn write(paths: &Paths) -> Result<()> {
    let run = paths.run();
    let json = |value: &Value| serde_json::to_string_pretty(value);
    fs::create_dir_all(run.join("cni")).context("create the CNI folder")?;
    for (file, text) in [
        ("audit-policy.json", json(&audit_policy())?),
        ("cni/10-bridge.conflist", json(&cni(paths))?),
        ("containerd.toml", containerd(paths)),
        ("kubelet.json", json(&kubelet(paths))?),
        ("kube-proxy.json", json(&proxy(paths))?),
    ] {
        fs::write(run.join(file), text).with_context(|| format!("write {file}"))?;
    }
    Ok(())
}

/// Who did what, always; the bodies of what our checks read; never the content of a Secret.
fn audit_policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "omitManagedFields": true,
        "rules": [
            { "level": "Metadata", "resources": [{ "group": "", "resources": ["secrets", "configmaps"] }] },
            { "level": "RequestResponse", "verbs": ["create", "update", "patch", "delete"], "resources": [
                { "group": "jobwright.dev" },
                { "group": "batch", "resources": ["jobs", "jobs/status"] },
                { "group": "coordination.k8s.io", "resources": ["leases"] },
                { "group": "", "resources": ["pods/status"] },
            ]},
            { "level": "Metadata" },
        ],
    })
}

fn cni(paths: &Paths) -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": "jw0",
            "isGateway": true,
            "ipMasq": false,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "dataDir": paths.data().join("cni"),
                "ranges": [[{ "subnet": "10.244.0.0/24", "rangeStart": "10.244.0.10" }]],
                "routes": [{ "dst": "0.0.0.0/0" }],
            },
        }],
    })
}

/// Every folder is the cluster's own, so that no other containerd is disturbed.
fn containerd(paths: &Paths) -> String {
    let (run, data) = (paths.run().display(), paths.data().display());
    let socket = paths.containerd_socket();
    format!(
        r#"version = 2
root = "{data}/containerd"
state = "{run}/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.local/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  disable_tcp_service = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{run}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "{run}/runc"
"#,
        socket = socket.display(),
    )
}

fn kubelet(paths: &Paths) -> Value {
    let pki = paths.pki();
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": false,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", paths.name().prefixed()),
        "oomScoreAdj": 0,
        "containerRuntimeEndpoint": format!("unix://{}", paths.containerd_socket().display()),
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": pki.join("ca.crt") },
        },
        "tlsCertFile": pki.join(format!("{NODE}.crt")),
        "tlsPrivateKeyFile": pki.join(format!("{NODE}.key")),
        "failSwapOn": false,
        "resolvConf": "",
        "makeIPTablesUtilChains": false,
        "localStorageCapacityIsolation": false,
        "enforceNodeAllocatable": [],
        "evictionHard": {},
        "podLogsDir": paths.run().join("podlogs"),
        "maxPods": 240, // what the subnet of the pods has addresses for
    })
}

fn proxy(paths: &Paths) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": { "kubeconfig": paths.kubeconfig(ADMIN) },
        "clusterCIDR": "10.244.0.0/24",
        "conntrack": { "maxPerCore": 0, "min": 0 },
        "healthzBindAddress": format!("{ADDRESS}:10256"),
    })
}

#[cfg(test)]
mod tests {
    use super::{audit_policy, containerd};
    use crate::paths::Paths;

    #[test]
    fn containerd_keeps_everything_in_the_clusters_folders() {
        let paths = Paths::of(&"x".parse().unwrap());
        for line in containerd(&paths).lines().filter(|line| line.contains("= \"/")) {
            let place = line.split('"').nth(1).unwrap();
            let own = place.starts_with("/run/jobwright/x/") || place.starts_with("/dev/shm/jobwright-x/");
            assert!(own || place == "/usr/lib/cni", "{line}");
        }
    }

    #[test]
    fn the_audit_log_never_holds_a_secrets_content() {
        let policy = audit_policy();
        let first = &policy["rules"][0];
        assert_eq!(first["level"], "Metadata");
        assert_eq!(first["resources"][0]["resources"][0], "secrets");
    }
}
