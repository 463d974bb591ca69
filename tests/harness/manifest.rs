//! Objects from YAML.

use anyhow::{Context, Result};
use kube::{
    api::{ApiResource, DynamicObject},
    core::GroupVersionKind,
};
use serde_json::Value;

/// The objects of a YAML text with `---` between them.
pub fn documents(yaml: &str) -> Result<Vec<DynamicObject>> {
    // As in YAML 1.2: `n` is a name, not `false`.
    let options = serde_saphyr::options! { strict_booleans: true };
    let values: Vec<Value> =
        serde_saphyr::from_multiple_with_options(yaml, options).with_context(|| format!("not YAML:\n{yaml}"))?;
    let objects = values.into_iter().filter(|value| !value.is_null());
    objects
        .map(|value| serde_json::from_value(value).context("not an object of Kubernetes"))
        .collect()
}

/// How the API server calls the kind of an object.
pub(crate) fn resource(object: &DynamicObject) -> Result<ApiResource> {
    let types = object.types.as_ref().context("an object without kind")?;
    let kind = GroupVersionKind::try_from(types).context("an object without apiVersion")?;
    Ok(ApiResource::from_gvk(&kind))
}

/// A block of text for the inside of another, each line but the first moved to the right.
#[must_use]
pub fn indented(text: &str, spaces: usize) -> String {
    let gap = format!("\n{}", " ".repeat(spaces));
    text.trim_end().replace('\n', &gap)
}
