//! The crates of the workspace and what they depend on, as Cargo reads their manifests.

use serde_json::Value;
use std::process::Command;

use crate::repository;

pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) features: Vec<String>,
    /// Of tests alone.
    pub(crate) is_dev: bool,
}

pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
}

pub(crate) fn members() -> Vec<Member> {
    let mut cargo = Command::new(env!("CARGO"));
    let metadata = cargo.args(["metadata", "--format-version=1", "--no-deps", "--offline", "--locked"]);
    let metadata: Value = serde_json::from_str(&repository::output(metadata)).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let dependency = |value: &Value| {
        let defaults = (value["uses_default_features"] == true).then(|| "default".to_owned());
        Dependency {
            name: text(&value["name"]),
            features: list(&value["features"]).iter().map(text).chain(defaults).collect(),
            is_dev: value["kind"] == "dev",
        }
    };
    let member = |value: &Value| Member {
        name: text(&value["name"]),
        dependencies: list(&value["dependencies"]).iter().map(dependency).collect(),
    };
    list(&metadata["packages"]).iter().map(member).collect()
}
