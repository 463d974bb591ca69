//! `fieldsFrom`: fields of the pod whose values are computed when a step starts.

use jobwright_api::{Input, ValueType, container::FieldFrom};
use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity};
use serde_json::Value;
use std::collections::BTreeMap;

use super::{
    Unbuildable,
    check::{SYSTEM_CLASS, is_label_value, is_qualified_name, is_system_class, quote},
    part::Part,
};
use crate::expr::{self, Expression, Members, Type, TypeEnv};

const IMAGE_BYTES_MAX: usize = 512;

/// The fields that may be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Image,
    PriorityClassName,
    NodeSelector,
    Limit(&'a str),
    Request(&'a str),
}

impl<'a> Field<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let resource = |name: &'a str| is_qualified_name(name).then_some(name);
        match text {
            "image" => Some(Self::Image),
            "priorityClassName" => Some(Self::PriorityClassName),
            "nodeSelector" => Some(Self::NodeSelector),
            _ => match (
                text.strip_prefix("resources.limits."),
                text.strip_prefix("resources.requests."),
            ) {
                (Some(name), _) => resource(name).map(Self::Limit),
                (_, Some(name)) => resource(name).map(Self::Request),
                _ => None,
            },
        }
    }
}

/// What `fieldsFrom` may read: the inputs of the step, by their declared types where there are any.
pub(crate) fn field_types<'a>(declared: Option<&[Input]>, given: impl Iterator<Item = &'a str>) -> TypeEnv {
    let inputs = match declared {
        Some(declared) => declared.iter().fold(Members::new(), |members, input| {
            if input.optional && input.default.is_none() {
                members.with_optional(&input.name, input.kind)
            } else {
                members.with(&input.name, input.kind)
            }
        }),
        None => given.fold(Members::new(), |members, name| members.with(name, Type::Dyn)),
    };
    TypeEnv::new().with("inputs", inputs)
}

/// Parses and checks the expression of a computed field.
pub(crate) fn compile_field(from: &FieldFrom, types: &TypeEnv) -> Result<Expression, expr::Error> {
    let expression = Expression::parse(&from.expression)?;
    let wanted = match Field::parse(&from.field) {
        Some(Field::Image | Field::PriorityClassName) => Type::String,
        Some(Field::NodeSelector) => Type::map(Type::String),
        Some(Field::Limit(_) | Field::Request(_)) | None => Type::Dyn,
    };
    expression.check_as(types, &wanted)?;
    Ok(expression)
}

/// Sets each computed field. Values are data: none is read as a template, a path or another field.
pub(super) fn apply(whole: &mut Part, values: &BTreeMap<String, Value>) -> Result<(), Unbuildable> {
    for name in std::mem::take(&mut whole.fields_from)
        .into_iter()
        .map(|from| from.field)
    {
        let wrong = |hint: String| Unbuildable::invalid(&format!("fieldsFrom {}: {hint}", quote(&name)));
        let value = values.get(&name).ok_or_else(|| wrong("it has no value".to_owned()))?;
        let field = Field::parse(&name).ok_or_else(|| wrong("it cannot be computed".to_owned()))?;
        set(whole, field, value).map_err(wrong)?;
    }
    Ok(())
}

fn set(whole: &mut Part, field: Field<'_>, value: &Value) -> Result<(), String> {
    match field {
        Field::Image => whole.main.image = Some(image(value)?),
        Field::PriorityClassName => whole.pod.priority_class_name = Some(priority_class(value)?),
        Field::NodeSelector => {
            let selector = node_selector(value)?;
            whole.pod.node_selector.get_or_insert_default().extend(selector);
        }
        Field::Limit(name) => {
            let limits = &mut resources(whole).limits;
            limits.get_or_insert_default().insert(name.to_owned(), quantity(value)?);
        }
        Field::Request(name) => {
            let requests = &mut resources(whole).requests;
            requests
                .get_or_insert_default()
                .insert(name.to_owned(), quantity(value)?);
        }
    }
    Ok(())
}

fn resources(whole: &mut Part) -> &mut ResourceRequirements {
    whole.main.resources.get_or_insert_default()
}

fn text<'a>(value: &'a Value, wanted: &str) -> Result<&'a str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("it must be {wanted}, and is of type {}", ValueType::name_of(value)))
}

fn image(value: &Value) -> Result<String, String> {
    let image = text(value, "a string")?;
    if image.is_empty() || image.len() > IMAGE_BYTES_MAX || !image.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{} cannot be the name of an image", quote(image)));
    }
    Ok(image.to_owned())
}

fn priority_class(value: &Value) -> Result<String, String> {
    let name = text(value, "a string")?;
    if is_system_class(name) {
        return Err(SYSTEM_CLASS.to_owned());
    }
    // The rules of object names, which the domain of a key follows too.
    if !is_qualified_name(&format!("{name}/name")) {
        return Err(format!("{} cannot be the name of a priority class", quote(name)));
    }
    Ok(name.to_owned())
}

fn node_selector(value: &Value) -> Result<BTreeMap<String, String>, String> {
    let wanted = "an object whose values are strings";
    let members = value
        .as_object()
        .ok_or_else(|| format!("it must be {wanted}, and is of type {}", ValueType::name_of(value)))?;
    let entry = |(key, value): (&String, &Value)| {
        let value = text(value, wanted)?;
        if is_qualified_name(key) && is_label_value(value) {
            Ok((key.clone(), value.to_owned()))
        } else {
            Err(format!("{}={} cannot be a label of a node", quote(key), quote(value)))
        }
    };
    members.iter().map(entry).collect()
}

fn quantity(value: &Value) -> Result<Quantity, String> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        other => text(other, "a quantity (500m, 64Mi)")?.to_owned(),
    };
    if is_quantity(&text) {
        Ok(Quantity(text))
    } else {
        Err(format!(
            "{} is not a quantity: write a number, with a unit such as m, Mi or Gi or without",
            quote(&text)
        ))
    }
}

/// Kubernetes' own grammar, without a sign: resources are never negative.
fn is_quantity(text: &str) -> bool {
    let is_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = text.len() <= 64
        && (is_digits(whole) || is_digits(fraction))
        && (whole.is_empty() || is_digits(whole))
        && (fraction.is_empty() || is_digits(fraction));
    let is_unit = match unit {
        "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" | "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "Ei" => true,
        power => power.strip_prefix(['e', 'E']).is_some_and(|power| {
            let power = power.strip_prefix(['+', '-']).unwrap_or(power);
            is_digits(power) && power.len() <= 3
        }),
    };
    is_number && is_unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_kubernetes_own() {
        for text in [
            "0", "1", "500m", "0.5", ".5", "1.", "64Mi", "1e3", "12E-2", "3E", "1e21",
        ] {
            assert!(is_quantity(text), "{text}");
        }
        for text in [
            "", ".", "-1", "+1", "1.2.3", "64 Mi", "64mi", "1K", "Mi", "1e", "1ee3", "٣", "1\n", "$(X)",
        ] {
            assert!(!is_quantity(text), "{text}");
        }
    }

    #[test]
    fn only_listed_fields_are_computed() {
        assert_eq!(
            Field::parse("resources.limits.nvidia.com/gpu"),
            Some(Field::Limit("nvidia.com/gpu"))
        );
        for text in [
            "",
            "command",
            "resources.limits.",
            "resources.cpu",
            "serviceAccountName",
            "hostNetwork",
        ] {
            assert_eq!(Field::parse(text), None, "{text}");
        }
    }
}
