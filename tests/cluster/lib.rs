//! A real Kubernetes on one machine, for tests, benchmarks and the demo.
//!
//! Each cluster lives in a network namespace of its own: clusters run side by side, ports never clash,
//! and whoever is inside belongs to it. Clients must be inside too, in one of three ways:
//!
//! * run the whole test under `jobwright-cluster run -- cargo test ...` ([`Access::from_environment`]);
//! * start programs with [`Access::command`];
//! * call [`enter`] on a thread before it builds its tokio runtime.

#![expect(
    clippy::missing_errors_doc,
    reason = "each error is a sentence for the user, none is told from another by code"
)]

mod access;
mod archive;
mod base_images;
mod binaries;
mod cgroups;
mod cluster;
mod components;
mod config;
pub mod fake_kubelet;
mod hold;
mod image;
mod name;
mod namespace;
mod paths;
mod pki;
mod probe;
mod process;
mod requirements;
mod start;
mod teardown;

pub use access::Access;
pub use cluster::{Cluster, Config, Shape, Up, build, down, up};
pub use components::ControllerLimits;
pub use image::Image;
pub use name::{Invalid, Name};
pub use namespace::enter;
pub use paths::Paths;
