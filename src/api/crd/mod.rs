//! The `CustomResourceDefinitions` as they are installed: generated, then bounded and slimmed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Number, Value};

use crate::{meta, record::WorkflowRecord, task::Task, template::WorkflowTemplate, workflow::Workflow};

mod walk;

/// All our kinds, in the order in which they are installed.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    [
        Task::crd(),
        WorkflowTemplate::crd(),
        Workflow::crd(),
        WorkflowRecord::crd(),
    ]
    .into_iter()
    .map(finished)
    .collect()
}

/// A definition as a file holds it: sorted, no status, no nulls, whole numbers without a point.
///
/// # Errors
/// Only if a schema holds what JSON cannot say.
pub fn manifest(crd: &CustomResourceDefinition) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::to_value(crd)?;
    if let Some(object) = value.as_object_mut() {
        object.remove("status");
    }
    tidy(&mut value);
    Ok(value)
}

fn finished(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let labels = crd.metadata.labels.get_or_insert_default();
    labels.insert(meta::label::NAME.into(), meta::APP.into());
    for version in &mut crd.spec.versions {
        let schema = version.schema.as_mut();
        if let Some(schema) = schema.and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            walk::finish(schema);
        }
    }
    crd
}

fn tidy(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.sort_keys();
            members.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Number(number) => {
            // Bounds are f64 in Kubernetes' type; a bound that is whole is written whole.
            let whole = number.as_f64().map(|float| format!("{float}"));
            if let Some(whole) = whole.and_then(|text| text.parse::<i64>().ok()) {
                *number = Number::from(whole);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
