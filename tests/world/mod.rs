//! A model of the cluster below the API: Job controller, scheduler, kubelet, garbage collector.
//!
//! Pure and synchronous: time is an argument, what happens to a Job is its [`crate::graphs::Outcome`].

pub mod cluster;
pub mod fate;
pub mod job;
pub mod json;
pub mod view;

pub use cluster::Cluster;
pub use job::{JobModel, PodModel};
pub use json::go_numbers;
