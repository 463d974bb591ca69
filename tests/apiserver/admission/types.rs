//! Every field of every kind with a value of every wrong type: the refusal names the field.

use jobwright_api::crd;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::{Map, Value, json};

use super::{NAMESPACE, object};
use crate::server;

/// Kubernetes' own types end well above it.
const DEPTH_MAX: usize = 20;

/// Builds a value in which whatever lies `depth` levels down is `wrong`, where that type is wrong
/// there, and lists the paths of these. Fields above are right, and those beside are left out.
fn value(schema: &JSONSchemaProps, depth: usize, path: &str, wrong: &Value, seen: &mut Vec<String>) -> Option<Value> {
    if depth == 0 {
        if is_right(schema, wrong) {
            return None;
        }
        seen.push(path.to_owned());
        return Some(wrong.clone());
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        let item = value(items, depth - 1, &format!("{path}[0]"), wrong, seen)?;
        return Some(json!([item]));
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        let member = value(values, depth - 1, &format!("{path}.key"), wrong, seen)?;
        return Some(json!({ "key": member }));
    }
    let members: Map<String, Value> = schema
        .properties
        .iter()
        .flatten()
        .filter_map(|(name, schema)| {
            let member = value(schema, depth - 1, &format!("{path}.{name}"), wrong, seen)?;
            Some((name.clone(), member))
        })
        .collect();
    (!members.is_empty()).then_some(Value::Object(members))
}

fn is_right(schema: &JSONSchemaProps, value: &Value) -> bool {
    if schema.x_kubernetes_preserve_unknown_fields == Some(true) {
        return true;
    }
    let is_whole = value.is_i64();
    match schema.type_.as_deref() {
        Some("string") => value.is_string(),
        Some("integer") => is_whole,
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => is_whole || value.is_string(),
    }
}

#[tokio::test]
async fn a_wrong_type_is_refused_in_every_field() {
    let client = server::client().await;
    server::namespace(&client, NAMESPACE).await;
    let mut tried = 0;
    for definition in crd::all() {
        let kind = definition.spec.names.kind;
        let version = definition.spec.versions.into_iter().next().unwrap();
        let schema = version.schema.unwrap().open_api_v3_schema.unwrap();
        let spec = &schema.properties.unwrap()["spec"];
        for wrong in [json!("x"), json!(7), json!(1.5), json!(true), json!([]), json!({})] {
            for depth in 0.. {
                let mut paths = Vec::new();
                let Some(spec) = value(spec, depth, "spec", &wrong, &mut paths) else {
                    if depth > DEPTH_MAX {
                        break;
                    }
                    continue;
                };
                tried += paths.len();
                let mut object = object(&kind, "tried", "{}");
                object["spec"] = spec;
                let refused = server::create(&client, &object, true).await.unwrap_err();
                for path in paths {
                    let is_named = refused.causes.iter().any(|(field, message)| {
                        *field == path && (message.contains("must be of type") || message.contains("supported values"))
                    });
                    assert!(is_named, "{kind} {path} = {wrong}: {:#?}", refused.causes);
                }
            }
        }
    }
    assert!(tried > 3_000, "the walk finds fields: {tried}");
}
