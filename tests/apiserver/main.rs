//! Tests on a real API server, etcd and Job controller, with a fake kubelet:
//! `make test-apiserver` brings them up and sets KUBECONFIG.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where its assumptions do")]

mod admission;
mod children;
mod cluster;
mod conformance;
mod crashes;
mod definitions;
mod http;
mod large;
mod lifecycle;
mod outputs;
mod requests;
mod server;

use anyhow::Result;
use jobwright_tests::harness::{self, Kubelet, World};

/// A test in a world of its own.
fn run(test: impl AsyncFnOnce(&mut World) -> Result<()>) -> Result<()> {
    harness::run(Kubelet::Fake, "", test)
}

/// A chain `s1 -> s2 -> ...` of one Task, with what else the spec has.
fn chain(name: &str, task: &str, steps: u32, more: &str) -> String {
    use std::fmt::Write;
    let mut text = format!(
        "apiVersion: jobwright.dev/v1alpha1\nkind: Workflow\nmetadata: {{name: {name}}}\nspec:\n{more}\n  steps:\n"
    );
    for number in 1..=steps {
        let needs = if number == 1 {
            String::new()
        } else {
            format!(", needs: [s{}]", number - 1)
        };
        writeln!(text, "  - {{name: s{number}{needs}, task: {{name: {task}}}}}").ok();
    }
    text
}

/// A Task whose pods do as the annotations of the fake kubelet say.
fn task(name: &str, annotations: &str, outputs: &str) -> String {
    format!(
        r"---
apiVersion: jobwright.dev/v1alpha1
kind: Task
metadata: {{name: {name}}}
spec:
  outputs: {outputs}
  job: {{image: none, metadata: {{annotations: {annotations}}}}}
---
"
    )
}
