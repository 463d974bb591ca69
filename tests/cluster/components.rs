//! The programs of a cluster and their flags.

use crate::{
    binaries::Built,
    cluster::Shape,
    paths::Paths,
    pki::{self, ADDRESS, ADMIN, CONTROLLER_MANAGER, NODE, SCHEDULER},
};
use std::path::{Path, PathBuf};

/// What the Job controller may do per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ControllerLimits {
    /// As shipped: 20 requests a second and 5 Job workers.
    #[default]
    Stock,
    /// So much that the machine is the limit.
    Open,
}

/// One program to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Component {
    /// What its log is called.
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
}

impl Component {
    pub(crate) fn new(name: &'static str, program: impl Into<PathBuf>) -> Self {
        Self {
            name,
            program: program.into(),
            args: Vec::new(),
        }
    }

    pub(crate) fn flag(mut self, flag: &str, value: impl AsRef<Path>) -> Self {
        self.args.push(format!("--{flag}={}", value.as_ref().display()));
        self
    }
}

pub(crate) fn etcd(built: &Built, paths: &Paths) -> Component {
    Component::new("etcd", built.program("etcd"))
        .flag("data-dir", paths.data().join("etcd"))
        // A cluster that dies with its machine needs no fsync, which costs milliseconds per write.
        .flag("unsafe-no-fsync", "true")
}

pub(crate) fn apiserver(built: &Built, paths: &Paths) -> Component {
    let pki = paths.pki();
    Component::new("kube-apiserver", built.program("kube-apiserver"))
        .flag("etcd-servers", "http://127.0.0.1:2379")
        .flag("secure-port", "6443")
        .flag("bind-address", "0.0.0.0")
        // A loopback address is refused for the service `kubernetes`, which pods use.
        .flag("advertise-address", ADDRESS)
        .flag("cert-dir", paths.run())
        .flag("tls-cert-file", pki.join("apiserver.crt"))
        .flag("tls-private-key-file", pki.join("apiserver.key"))
        .flag("client-ca-file", pki.join("ca.crt"))
        .flag("service-account-key-file", pki.join("service-accounts.pub"))
        .flag("service-account-signing-key-file", pki.join("service-accounts.key"))
        .flag("service-account-issuer", "https://kubernetes.default.svc")
        .flag("service-cluster-ip-range", "10.96.0.0/16")
        .flag("authorization-mode", "Node,RBAC")
        .flag("allow-privileged", "true")
        .flag("kubelet-preferred-address-types", "InternalIP")
        .flag("kubelet-client-certificate", pki.join(format!("{ADMIN}.crt")))
        .flag("kubelet-client-key", pki.join(format!("{ADMIN}.key")))
        .flag("audit-policy-file", paths.run().join("audit-policy.json"))
        .flag("audit-log-path", paths.audit_log())
        // Megabytes; the checker wants one file, and the log goes with the cluster.
        .flag("audit-log-maxsize", "100000")
}

/// What Jobs, their namespaces and their permissions need.
const CONTROLLERS: [&str; 11] = [
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "pod-garbage-collector-controller",
    "resourcequota-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "ttl-after-finished-controller",
    "validatingadmissionpolicy-status-controller",
];
/// What a node, its volumes and what is installed on it need besides.
const CONTROLLERS_OF_A_NODE: [&str; 13] = [
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "ephemeral-volume-controller",
    "node-lifecycle-controller",
    "persistentvolume-binder-controller",
    "persistentvolumeclaim-protection-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "statefulset-controller",
    "taint-eviction-controller",
];

pub(crate) fn controller_manager(built: &Built, paths: &Paths, shape: Shape, limits: ControllerLimits) -> Component {
    let more: &[&str] = match shape {
        Shape::Api => &[],
        Shape::Node => &CONTROLLERS_OF_A_NODE,
    };
    let controllers: Vec<&str> = CONTROLLERS.iter().chain(more).copied().collect();
    let component = Component::new("kube-controller-manager", built.program("kube-controller-manager"))
        .flag("kubeconfig", paths.kubeconfig(CONTROLLER_MANAGER))
        .flag("cert-dir", paths.run())
        .flag(
            "service-account-private-key-file",
            paths.pki().join("service-accounts.key"),
        )
        .flag("root-ca-file", paths.pki().join("ca.crt"))
        .flag("use-service-account-credentials", "true")
        .flag("leader-elect", "false")
        // Each costs three of the 20 requests a second before the first of them starts.
        .flag("controllers", controllers.join(","));
    match limits {
        ControllerLimits::Stock => component,
        ControllerLimits::Open => component
            .flag("kube-api-qps", "100000")
            .flag("kube-api-burst", "100000")
            .flag("concurrent-job-syncs", "100"),
    }
}

pub(crate) fn scheduler(built: &Built, paths: &Paths) -> Component {
    Component::new("kube-scheduler", built.program("kube-scheduler"))
        .flag("kubeconfig", paths.kubeconfig(SCHEDULER))
        .flag("cert-dir", paths.run())
        .flag("leader-elect", "false")
}

pub(crate) fn containerd(paths: &Paths) -> Component {
    Component::new("containerd", "containerd").flag("config", paths.run().join("containerd.toml"))
}

pub(crate) fn kubelet(built: &Built, paths: &Paths) -> Component {
    Component::new("kubelet", built.program("kubelet"))
        .flag("kubeconfig", paths.kubeconfig(NODE))
        .flag("config", paths.run().join("kubelet.json"))
        .flag("root-dir", paths.data().join("kubelet"))
        .flag("hostname-override", NODE)
        .flag("node-ip", pki::ADDRESS)
}

pub(crate) fn proxy(built: &Built, paths: &Paths) -> Component {
    Component::new("kube-proxy", built.program("kube-proxy"))
        .flag("config", paths.run().join("kube-proxy.json"))
        .flag("hostname-override", NODE)
}

#[cfg(test)]
mod tests {
    use super::{ControllerLimits, apiserver, controller_manager, kubelet};
    use crate::{binaries::Built, cluster::Shape, paths::Paths};

    fn parts() -> (Built, Paths) {
        (Built::at("/bin"), Paths::of(&"x".parse().unwrap()))
    }

    #[test]
    fn only_open_limits_change_the_controllers() {
        let (built, paths) = parts();
        let stock = controller_manager(&built, &paths, Shape::Api, ControllerLimits::Stock).args;
        assert!(
            !stock.iter().any(|arg| arg.contains("qps") || arg.contains("job-syncs")),
            "{stock:?}"
        );
        let open = controller_manager(&built, &paths, Shape::Api, ControllerLimits::Open).args;
        assert_eq!(open.get(..stock.len()).unwrap(), stock);
        assert_eq!(open.len(), stock.len() + 3);
    }

    #[test]
    fn the_node_and_the_server_are_reached_on_the_bridge() {
        let (built, paths) = parts();
        assert!(
            apiserver(&built, &paths)
                .args
                .contains(&"--advertise-address=10.244.0.1".to_owned())
        );
        assert!(
            kubelet(&built, &paths)
                .args
                .contains(&"--node-ip=10.244.0.1".to_owned())
        );
    }
}
