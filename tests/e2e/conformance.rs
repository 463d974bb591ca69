//! Some samples of `config/samples/conformance` with real containers: one at least for each kind of step.

use crate::{CONFIG, IMAGE};
use anyhow::{Result, ensure};
use jobwright_tests::{conformance, harness::Kubelet};

/// Side by side; each runs one sample after the other.
const WORLDS: usize = 6;

/// What depends on programs, their exits, their messages and their ends, and one sample of each kind.
const REAL: [&str; 44] = [
    "block-alone",
    "block-fails",
    "block-times-out",
    "block-of-loop",
    "child-alone",
    "child-of-child",
    "child-timeout",
    "choice-first",
    "choice-of-for-each",
    "exit-failed",
    "exit-in-loop",
    "exit-stops-what-runs",
    "for-each-as",
    "for-each-cancel",
    "for-each-items",
    "for-each-max-failed-number",
    "for-each-of-block",
    "for-each-of-child",
    "from-template",
    "for-each-one-by-one",
    "for-each-retried",
    "for-each-stop-when",
    "job-inline",
    "join-cancel",
    "join-first-success",
    "join-of-child",
    "join-of-loop",
    "loop-last",
    "loop-of-loop-and-sibling",
    "loop-times-out",
    "loop-until",
    "loop-while",
    "nested-three-deep",
    "on-exit",
    "on-failure-of-block",
    "on-failure-of-step",
    "retry-never",
    "retry-succeeds",
    "run-times-out",
    "set-variables",
    "task-chain",
    "task-output-optional",
    "task-times-out",
    "wait-for",
];

#[test]
fn samples_end_as_expected_with_real_containers() -> Result<()> {
    let mut samples = conformance::all()?;
    samples.retain(|sample| REAL.contains(&sample.name.as_str()));
    ensure!(
        samples.len() == REAL.len(),
        "{} of the {} are there",
        samples.len(),
        REAL.len()
    );
    conformance::run(samples, WORLDS, Kubelet::Real, CONFIG, IMAGE)
}
