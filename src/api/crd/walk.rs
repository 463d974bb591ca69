//! One walk over a generated schema that makes it fit to be installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool, ValidationRule,
};

use crate::rules;

/// Fields whose type is Kubernetes' own: below them descriptions are dropped, since they would
/// make up two thirds of a definition, and are found with `kubectl explain pod.spec` as well.
const FOREIGN: [&str; 13] = [
    "affinity",
    "conditions",
    "dnsConfig",
    "env",
    "envFrom",
    "imagePullSecrets",
    "initContainers",
    "resources",
    "securityContext",
    "sidecars",
    "tolerations",
    "topologySpreadConstraints",
    "volumes",
];
/// Also foreign, but a word that we use for our own as well.
const FOREIGN_LISTS: [&str; 1] = ["volumeMounts"];

/// Longest string where the type sets no bound: four times what any name needs.
const STRING_MAX: i64 = 4_096;
/// Values of variables and arguments of containers: a script fits in.
const TEXT_MAX: i64 = 65_536;
const ITEMS_MAX: i64 = 256;
const PROPERTIES_MAX: i64 = 64;
/// Below so many lists and maps a rule costs more than the API server allows, since it reckons with all of them full:
/// within the steps of blocks the engine checks the same, and says it in the status.
const LISTS_MAX: usize = 2;
/// Fields of requests whose rules read long texts: theirs end one list earlier.
const COSTLY: [&str; 3] = ["headers", "http", "url"];
/// Status maps by printed id hold all steps of a run and what loops and forks leave of theirs.
const STATUS_STEPS_MAX: i64 = 2_048;

/// Bounds every string, list and map, and removes what the API server refuses or nobody reads.
pub(super) fn finish(root: &mut JSONSchemaProps) {
    visit(root, "", false, 0);
    // The API server knows these two better than any schema.
    if let Some(properties) = &mut root.properties {
        properties.retain(|name, _| name == "spec" || name == "status");
    }
}

fn visit(schema: &mut JSONSchemaProps, name: &str, foreign: bool, lists: usize) {
    // A null is dropped by the API server where the field is not nullable: that is what we want.
    schema.nullable = None;
    schema.title = None;
    // Within a list a default makes every `kubectl apply` patch the list: there ours are the engine's.
    // Rules compare `runPolicy`; Kubernetes' own types need theirs for keys of lists.
    if !foreign && name != "runPolicy" {
        schema.default = None;
    }
    integer(schema);
    bound(schema, name);
    let is_item = name == "headers" && schema.items.is_none();
    let is_costly = lists == LISTS_MAX && COSTLY.contains(&name) && !is_item;
    if lists > LISTS_MAX || is_costly {
        schema.x_kubernetes_validations = None;
    }
    if name == "volumeClaimTemplate" {
        only_labels_and_annotations(schema);
    }
    let below = foreign || FOREIGN.contains(&name) || FOREIGN_LISTS.contains(&name);
    for (name, child) in schema.properties.iter_mut().flatten() {
        describe(child, below);
        visit(child, name, below, lists);
    }
    let within = lists.saturating_add(1);
    if let Some(JSONSchemaPropsOrBool::Schema(child)) = &mut schema.additional_properties {
        describe(child, below);
        visit(child, name, below, within);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(child)) = &mut schema.items {
        describe(child, true);
        visit(child, name, below, within);
    }
}

/// Keeps the first paragraph of our own descriptions, on one line.
fn describe(schema: &mut JSONSchemaProps, foreign: bool) {
    let own = schema.description.take().filter(|_| !foreign);
    schema.description = own.map(|text| {
        let first = text.split("\n\n").next().unwrap_or_default();
        first.split_whitespace().collect::<Vec<_>>().join(" ")
    });
}

/// Kubernetes knows no unsigned formats, and lets any number through as int32: what our types
/// could not read back must not be stored.
fn integer(schema: &mut JSONSchemaProps) {
    let (format, minimum, maximum) = match schema.format.as_deref() {
        Some("int32") => ("int32", f64::from(i32::MIN), Some(f64::from(i32::MAX))),
        Some("uint8") => ("int32", 0.0, Some(f64::from(u8::MAX))),
        Some("uint16") => ("int32", 0.0, Some(f64::from(u16::MAX))),
        Some("uint32") => ("int64", 0.0, Some(f64::from(u32::MAX))),
        Some("uint64") => ("int64", 0.0, None),
        _ => return,
    };
    schema.format = Some(format.into());
    schema.minimum.get_or_insert(minimum);
    schema.maximum = schema.maximum.or(maximum);
}

fn bound(schema: &mut JSONSchemaProps, name: &str) {
    if schema.x_kubernetes_int_or_string == Some(true) {
        return int_or_string(schema, name);
    }
    match schema.type_.as_deref() {
        Some("string") if schema.enum_.is_none() && schema.format.is_none() => {
            let longest = match name {
                "args" | "command" | "value" => TEXT_MAX,
                _ => STRING_MAX,
            };
            schema.max_length.get_or_insert(longest);
        }
        Some("array") => {
            schema.max_items.get_or_insert(ITEMS_MAX);
        }
        Some("object") if schema.additional_properties.is_some() => {
            let most = match name {
                "steps" | "records" | "loopCounts" => STATUS_STEPS_MAX,
                _ => PROPERTIES_MAX,
            };
            schema.max_properties.get_or_insert(most);
        }
        _ => {}
    }
}

/// Quantities get their rule; ports only a bound.
fn int_or_string(schema: &mut JSONSchemaProps, name: &str) {
    schema.max_length.get_or_insert(64);
    match name {
        "limits" | "requests" | "sizeLimit" => {
            let rules: Result<Vec<ValidationRule>, _> = serde_json::from_value(rules::quantity());
            schema.x_kubernetes_validations = rules.ok();
        }
        "port" => {
            schema.minimum = Some(0.0);
            schema.maximum = Some(f64::from(u16::MAX));
        }
        _ => {}
    }
}

/// Of the claim that an ephemeral volume makes, Kubernetes allows no other metadata.
fn only_labels_and_annotations(schema: &mut JSONSchemaProps) {
    let properties = schema.properties.as_mut();
    let metadata = properties.and_then(|properties| properties.get_mut("metadata"));
    if let Some(properties) = metadata.and_then(|metadata| metadata.properties.as_mut()) {
        properties.retain(|name, _| name == "labels" || name == "annotations");
    }
}
