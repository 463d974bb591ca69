//! Strict reading: what a schema does not know is refused, as `kubectl apply --validate=strict` does.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

/// The schema of the one version of a kind.
pub(crate) fn of(crd: &CustomResourceDefinition) -> Option<&JSONSchemaProps> {
    let version = crd.spec.versions.first()?;
    version.schema.as_ref()?.open_api_v3_schema.as_ref()
}

/// Field paths in `value` that the schema does not have.
pub(crate) fn unknown_fields(schema: &JSONSchemaProps, value: &Value, path: &str, found: &mut Vec<String>) {
    if schema.x_kubernetes_preserve_unknown_fields == Some(true) {
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = format!("{path}.{name}");
                match child(schema, name) {
                    Some(schema) => unknown_fields(schema, member, &path, found),
                    None => found.push(path),
                }
            }
        }
        Value::Array(elements) => {
            let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items else {
                return;
            };
            for (index, element) in elements.iter().enumerate() {
                unknown_fields(schema, element, &format!("{path}[{index}]"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn child<'a>(schema: &'a JSONSchemaProps, name: &str) -> Option<&'a JSONSchemaProps> {
    let own = schema.properties.as_ref().and_then(|properties| properties.get(name));
    own.or(match &schema.additional_properties {
        Some(JSONSchemaPropsOrBool::Schema(schema)) => Some(schema),
        Some(JSONSchemaPropsOrBool::Bool(_)) | None => None,
    })
}

/// Field paths that are lost when `value` is read and written again.
pub(crate) fn lost_fields(value: &Value, again: &Value, path: &str, found: &mut Vec<String>) {
    match (value, again) {
        (Value::Object(members), Value::Object(others)) => {
            for (name, member) in members {
                let path = format!("{path}.{name}");
                match others.get(name) {
                    Some(other) => lost_fields(member, other, &path, found),
                    None => found.push(path),
                }
            }
        }
        (Value::Array(elements), Value::Array(others)) => {
            for (index, (element, other)) in elements.iter().zip(others).enumerate() {
                lost_fields(element, other, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}
