//! Tests on a real node, as a user would: real containers, kubectl, and an operator that is killed.

mod conformance;
mod container;
mod crashes;
mod interrupted;
mod refused;
mod user;

use anyhow::Result;
use jobwright_tests::harness::{self, Kubelet, World};

/// The one image that every node of ours has. It has no entrypoint, and its user is root.
const IMAGE: &str = "registry.local/busybox:1";

/// The operator gives containers a user that is not root.
const CONFIG: &str = "jobs: {defaults: {podSecurityContext: {runAsUser: 65534}}}";

/// A test in a world of its own.
fn run(test: impl AsyncFnOnce(&mut World) -> Result<()>) -> Result<()> {
    harness::run(Kubelet::Real, CONFIG, test)
}

/// A Workflow of one step: an inline job with a script, with what else the step has.
fn one(name: &str, script: &str, more: &str) -> String {
    format!(
        "
apiVersion: jobwright.dev/v1alpha1
kind: Workflow
metadata: {{name: {name}}}
spec:
  steps:
  - name: a
    job:
      image: {IMAGE}
      script: |
        {}
{more}
",
        harness::indented(script, 8)
    )
}
