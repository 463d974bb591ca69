//! Typed values: what steps and runs take in, and what they give out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

use crate::{rules, schema};

/// The type of an input or output, in the words of JSON Schema.
///
/// `integer` is a 64-bit signed number without a fraction; `number` takes integers too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ValueType {
    #[default]
    String,
    Integer,
    Number,
    Boolean,
    Array,
    Object,
}

impl ValueType {
    /// Whether `value` is of this type. A null is of no type.
    #[must_use]
    pub fn admits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Integer => value.is_i64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }

    /// The type of a value, for messages: `null` has no `ValueType`.
    #[must_use]
    pub fn name_of(value: &Value) -> &'static str {
        match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
        })
    }
}

/// A declared input of a Task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::input()))]
pub struct Input {
    /// A CEL identifier; reaches the container as the variable `INPUT_<NAME>`.
    #[schemars(schema_with = "schema::identifier")]
    pub name: String,
    #[serde(rename = "type", default)]
    pub kind: ValueType,
    /// Used when the step gives no value. Must be of the declared type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any")]
    pub default: Option<Value>,
    /// A step may leave it out: then the variable is not set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// A regular expression (RE2 syntax) that the whole of a string must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
}

/// An input of a run: declared and given in one place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowInput {
    #[schemars(schema_with = "schema::identifier")]
    pub name: String,
    /// Default `string`; beside `templateRef` the type that the template declares.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ValueType>,
    /// The value of this run, of the declared type. Plain data: never evaluated.
    #[schemars(schema_with = "schema::any")]
    pub value: Value,
}

/// How a declared output is read from the termination message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OutputFormat {
    /// The whole message is the value of this one string output.
    Text,
}

/// A declared output of a Task or an inline job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::output()))]
pub struct Output {
    #[schemars(schema_with = "schema::identifier")]
    pub name: String,
    #[serde(rename = "type", default)]
    pub kind: ValueType,
    /// The program may leave it out: then it is absent (`has()` is false).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Used when the program leaves it out. Must be of the declared type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any")]
    pub default: Option<Value>,
    /// Without it the termination message is a JSON object with a member for each output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<OutputFormat>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
}

/// An output of a run: a CEL expression over its steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowOutput {
    #[schemars(schema_with = "schema::identifier")]
    pub name: String,
    #[serde(rename = "type", default)]
    pub kind: ValueType,
    #[schemars(schema_with = "schema::expression")]
    pub expression: String,
}

/// A named value given to a step: a literal or a CEL expression, exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::binding()))]
pub struct Binding {
    #[schemars(schema_with = "schema::identifier")]
    pub name: String,
    /// Plain data: never evaluated, whatever it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any")]
    pub value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_expression")]
    pub expression: Option<String>,
}
