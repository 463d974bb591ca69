//! Schemas that several fields share.

use k8s_openapi::api::core::v1::{Container, EnvVar, Volume};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::rules;

/// Longest CEL expression, in bytes (REQUIREMENTS of the language: "Sizes" in the README).
pub const EXPRESSION_BYTES_MAX: usize = 2048;

/// Any JSON value. The API server keeps it as it is; the engine bounds and checks it.
pub(crate) fn any(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}

/// A name that expressions can use: a step, an input, an output.
pub(crate) fn identifier(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "maxLength": 40, "x-kubernetes-validations": rules::identifier()
    })
}

/// The name of a Kubernetes object.
pub(crate) fn object_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "maxLength": 253, "x-kubernetes-validations": rules::object_name()
    })
}

/// A reference to a block: whether there is one, the engine says, with a near name.
pub(crate) fn block_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": 40 })
}

pub(crate) fn expression(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": EXPRESSION_BYTES_MAX })
}

pub(crate) fn optional_expression(generator: &mut SchemaGenerator) -> Schema {
    expression(generator)
}

pub(crate) fn optional_identifier(generator: &mut SchemaGenerator) -> Schema {
    identifier(generator)
}

/// A word of users' own, where ours have reasons.
pub(crate) fn reason_word(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "maxLength": 64, "x-kubernetes-validations": rules::reason_word() })
}

/// A share of some whole.
pub(crate) fn number_or_percentage(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true, "maxLength": 4,
        "x-kubernetes-validations": rules::number_or_percentage()
    })
}

/// How many needs a join waits for.
pub(crate) fn require(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true, "maxLength": 16, "x-kubernetes-validations": rules::require()
    })
}

pub(crate) fn image_pull_policy(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["Always", "IfNotPresent", "Never"] })
}

/// Makes the schema of status words (phases, reasons) a bounded string without a list of them: a
/// newer operator may write words that the installed definition does not know.
macro_rules! words {
    ($($name:ident),+) => {$(
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "maxLength": 64 })
            }
        }
    )+};
}
pub(crate) use words;

/// A map of names to any JSON values.
pub(crate) fn values(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 64, "x-kubernetes-map-type": "atomic",
        "additionalProperties": { "x-kubernetes-preserve-unknown-fields": true }
    })
}

/// Labels that users give to Jobs and pods.
pub(crate) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 32, "x-kubernetes-validations": rules::own_keys(),
        "additionalProperties": {
            "type": "string", "maxLength": 63, "x-kubernetes-validations": rules::label_value()
        }
    })
}

/// Annotations that users give to Jobs and pods.
pub(crate) fn annotations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 32, "x-kubernetes-validations": rules::own_keys(),
        "additionalProperties": { "type": "string", "maxLength": 4096 }
    })
}

pub(crate) fn node_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 32, "x-kubernetes-validations": rules::keys(),
        "additionalProperties": {
            "type": "string", "maxLength": 63, "x-kubernetes-validations": rules::label_value()
        }
    })
}

/// Variables of the main container.
pub(crate) fn env(generator: &mut SchemaGenerator) -> Schema {
    let name = json!({
        "type": "string", "minLength": 1, "maxLength": 128,
        "x-kubernetes-validations": rules::variable_name()
    });
    named::<EnvVar>(generator, 128, json!({ "properties": { "name": name } }))
}

/// Init containers or sidecars.
pub(crate) fn containers(generator: &mut SchemaGenerator) -> Schema {
    let port = json!({ "properties": {
        "hostPort": { "x-kubernetes-validations": rules::host_port() }
    } });
    let more = json!({
        "properties": { "ports": { "items": port }, "name": { "maxLength": 63 } },
        "x-kubernetes-validations": rules::container()
    });
    named::<Container>(generator, 8, more)
}

pub(crate) fn volumes(generator: &mut SchemaGenerator) -> Schema {
    let more = json!({ "x-kubernetes-validations": rules::volume() });
    named::<Volume>(generator, 64, more)
}

/// A list of Kubernetes' own objects with unique names, where `more` is added to their schema.
fn named<T: JsonSchema>(generator: &mut SchemaGenerator, most: u32, more: Value) -> Schema {
    let mut items = generator.subschema_for::<T>().to_value();
    merge(&mut items, more);
    json_schema!({
        "type": "array", "maxItems": most, "items": items,
        "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]
    })
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}
