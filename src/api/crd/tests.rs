//! The definitions are small, bounded and structural.

use super::*;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// etcd, caches and every `kubectl` carry a definition whole.
const BYTES_MAX: usize = 204_800;

/// Where any JSON stands: literal values and defaults, and results in a status.
const ANY: [&str; 26] = [
    "spec.inputs[].default",
    "spec.outputs[].default",
    "spec.inputs[].value",
    "spec.steps[].inputs[].value",
    "spec.steps[].outputs[].default",
    "spec.steps[].set[].value",
    "spec.steps[].http.body.value",
    "spec.steps[].http.outputs[].default",
    "spec.steps[].exit.outputs[].value",
    "spec.steps[].onFailure.inputs[].value",
    "spec.blocks{}.inputs[].default",
    "spec.blocks{}.onFailure.inputs[].value",
    "spec.blocks{}.steps[].inputs[].value",
    "spec.blocks{}.steps[].outputs[].default",
    "spec.blocks{}.steps[].set[].value",
    "spec.blocks{}.steps[].http.body.value",
    "spec.blocks{}.steps[].http.outputs[].default",
    "spec.blocks{}.steps[].exit.outputs[].value",
    "spec.blocks{}.steps[].onFailure.inputs[].value",
    "spec.onFailure.inputs[].value",
    "spec.onExit.inputs[].value",
    "status.outputs{}",
    "status.exit.outputs{}",
    "status.steps{}.inputs{}",
    "status.steps{}.outputs{}",
    "status.steps{}.last{}",
];

fn schemas() -> Vec<(String, JSONSchemaProps)> {
    all()
        .into_iter()
        .map(|crd| {
            let version = crd.spec.versions.into_iter().next().unwrap();
            let schema = version.schema.unwrap().open_api_v3_schema.unwrap();
            (crd.spec.names.kind, schema)
        })
        .collect()
}

/// Calls `look` with the path and the schema of every value.
fn walk(schema: &JSONSchemaProps, path: &str, look: &mut dyn FnMut(&str, &JSONSchemaProps)) {
    look(path, schema);
    for (name, child) in schema.properties.iter().flatten() {
        let dot = if path.is_empty() { "" } else { "." };
        walk(child, &format!("{path}{dot}{name}"), look);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(child)) = &schema.additional_properties {
        walk(child, &format!("{path}{{}}"), look);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(child)) = &schema.items {
        walk(child, &format!("{path}[]"), look);
    }
}

fn is_bounded(schema: &JSONSchemaProps) -> bool {
    if schema.x_kubernetes_int_or_string == Some(true) {
        return schema.max_length.is_some() && schema.type_.is_none();
    }
    if schema.format.as_deref() == Some("int32") && schema.maximum.is_none() {
        return false; // The format alone lets any integer through.
    }
    match schema.type_.as_deref() {
        Some("string") => {
            let format = schema.format.as_deref();
            schema.max_length.is_some() || schema.enum_.is_some() || format == Some("date-time")
        }
        Some("array") => schema.max_items.is_some() && matches!(&schema.items, Some(JSONSchemaPropsOrArray::Schema(_))),
        Some("object") => match &schema.additional_properties {
            Some(JSONSchemaPropsOrBool::Schema(_)) => schema.max_properties.is_some(),
            Some(JSONSchemaPropsOrBool::Bool(_)) => false,
            None => schema.properties.is_some(),
        },
        Some("integer" | "number" | "boolean") => true,
        _ => false,
    }
}

#[test]
fn each_definition_is_small() {
    for crd in all() {
        let size = manifest(&crd).unwrap().to_string().len();
        eprintln!("{}: {size} bytes", crd.spec.names.plural);
        assert!(size < BYTES_MAX, "{}: {size} bytes", crd.spec.names.plural);
    }
}

#[test]
fn every_string_list_and_map_is_bounded() {
    for (kind, schema) in schemas() {
        walk(&schema, "", &mut |path, schema| {
            let any = schema.x_kubernetes_preserve_unknown_fields == Some(true);
            assert_eq!(any, ANY.contains(&path), "{kind} {path}: any JSON?");
            assert!(any || is_bounded(schema), "{kind} {path}: {schema:?}");
        });
    }
}

#[test]
fn nothing_stands_in_a_schema_that_the_api_server_refuses() {
    for (kind, schema) in schemas() {
        walk(&schema, "", &mut |path, schema| {
            let place = format!("{kind} {path}");
            assert!(schema.any_of.is_none() && schema.all_of.is_none(), "{place}");
            assert!(schema.ref_path.is_none() && schema.nullable.is_none(), "{place}");
            let format = schema.format.as_deref().unwrap_or("int32");
            assert!(
                ["int32", "int64", "double", "date-time"].contains(&format),
                "{place}: {format}"
            );
        });
    }
}

#[test]
fn a_manifest_has_no_status_no_nulls_and_no_floats_that_are_whole() {
    for crd in all() {
        let text = manifest(&crd).unwrap().to_string();
        assert!(!text.contains("null,") && !text.contains(".0,"), "{text}");
        assert!(!text.contains("\"acceptedNames\""));
    }
}
