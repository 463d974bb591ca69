//! All samples of `config/samples/conformance`.

use anyhow::Result;
use jobwright_tests::{conformance, harness::Kubelet};

/// Side by side; each runs one sample after the other.
const WORLDS: usize = 12;

#[test]
fn every_sample_ends_as_expected() -> Result<()> {
    let samples = conformance::all()?;
    conformance::run(samples, WORLDS, Kubelet::Fake, "", "none")
}
