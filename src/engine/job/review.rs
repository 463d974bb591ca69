//! What is wrong in a Task, before anybody runs it.

use jobwright_api::{
    Input, Output, Reason, Task, ValueType, policy::Timeouts, settings::JobSettings, value::OutputFormat,
};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

use super::{
    Attempt,
    check::{Findings, quote},
    field::{compile_field, field_types},
    fold::{Layers, fold},
    inputs::{coerce, declaration},
};
use crate::{
    definition::{JobTemplate, Kind, StepDefinition},
    id::{RunIdentity, StepId},
    problem::Problem,
};

const IDENTIFIER_BYTES_MAX: usize = 40;
/// Stands for an image that is computed when a step starts. `.invalid` is no registry (RFC 2606).
const IMAGE_COMPUTED: &str = "computed.invalid/image";
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// All that can be said of a Task without a cluster, else the pod of a step of it, with defaults
/// and empty values for inputs and without computed fields, to be asked of the API server.
///
/// `is_reserved` knows the words that expressions cannot use as names.
///
/// # Errors
/// Everything that is wrong, by field path from `spec`.
pub fn review(task: &Task, settings: &JobSettings, is_reserved: fn(&str) -> bool) -> Result<Pod, Vec<Problem>> {
    let mut found = Findings::default();
    let spec = &task.spec;
    found.names("spec.inputs", spec.inputs.iter().map(|input| &input.name), is_reserved);
    for (index, input) in spec.inputs.iter().enumerate() {
        found.input(&format!("spec.inputs[{index}]"), input);
    }
    found.names(
        "spec.outputs",
        spec.outputs.iter().map(|output| &output.name),
        is_reserved,
    );
    for (index, output) in spec.outputs.iter().enumerate() {
        found.output(&format!("spec.outputs[{index}]"), output, spec.outputs.len());
    }
    let layers = Layers {
        settings,
        job_defaults: None,
        task: Some(&spec.job),
        task_path: "spec.job",
        step: None,
        step_path: "",
    };
    let types = field_types(Some(&spec.inputs), std::iter::empty());
    for (index, from) in spec.job.step.fields_from.iter().enumerate() {
        if let Err(error) = compile_field(from, &types) {
            found.add(format!("spec.job.fieldsFrom[{index}].expression"), error.to_string());
        }
    }
    match fold(&layers) {
        Ok(template) if found.0.is_empty() => pod(task, settings, template).map_err(|problem| vec![problem]),
        Ok(_) => Err(found.0),
        Err(problems) => Err(found.0.into_iter().chain(problems).collect()),
    }
}

impl Findings {
    fn names<'a>(&mut self, path: &str, names: impl Iterator<Item = &'a String>, is_reserved: fn(&str) -> bool) {
        let mut seen = BTreeSet::new();
        for (index, name) in names.enumerate() {
            let path = format!("{path}[{index}].name");
            if !is_identifier(name) {
                self.add(
                    path,
                    format!(
                        "{} is not a name that expressions can use: write a small letter, then small letters, \
                     digits and '_' (not '-'), at most {IDENTIFIER_BYTES_MAX}",
                        quote(name)
                    ),
                );
            } else if is_reserved(name) {
                self.add(
                    path,
                    format!("{name} is a word of the expression language: choose another name"),
                );
            } else if !seen.insert(name) {
                self.0.push(Problem::new(
                    Reason::DuplicateName,
                    path,
                    format!("{name} is declared twice: keep one"),
                ));
            }
        }
    }

    fn input(&mut self, path: &str, input: &Input) {
        if let Some((field, words)) = declaration(input) {
            self.add(format!("{path}.{field}"), words);
        }
    }

    fn output(&mut self, path: &str, output: &Output, count: usize) {
        if let Some(default) = output
            .default
            .as_ref()
            .filter(|default| coerce(output.kind, default).is_none())
        {
            self.add(
                format!("{path}.default"),
                format!(
                    "must be of type {}, and is of type {}",
                    output.kind,
                    ValueType::name_of(default)
                ),
            );
        }
        if output.format == Some(OutputFormat::Text) {
            if output.kind != ValueType::String {
                self.add(
                    format!("{path}.format"),
                    format!(
                        "Text gives a string, and the type is {}: write type: string, or leave format out",
                        output.kind
                    ),
                );
            }
            if count > 1 {
                self.add(
                    format!("{path}.format"),
                    "Text takes the whole termination message: declare this output only, or leave format \
                     out and write a JSON object with a member for each",
                );
            }
        }
    }
}

fn is_identifier(name: &str) -> bool {
    name.len() <= IDENTIFIER_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn pod(task: &Task, settings: &JobSettings, template: JobTemplate) -> Result<Pod, Problem> {
    let name = task.metadata.name.clone().unwrap_or_default();
    let step = StepDefinition {
        name: name.clone(),
        kind: Kind::Task,
        task: Some(name.clone()),
        timeouts: Timeouts::default(),
        job: without_computed(template),
        ..StepDefinition::default()
    };
    let run = RunIdentity {
        namespace: task.metadata.namespace.clone().unwrap_or_default(),
        name,
        uid: NO_UID.to_owned(),
        run: 1,
    };
    let attempt = Attempt {
        run: &run,
        id: &StepId::root("review"),
        number: 1,
        step: &step,
        inputs: &task.spec.inputs.iter().map(sample).collect(),
        fields: &BTreeMap::new(),
        idempotency_key: "",
        carried: None,
    };
    super::build(&attempt, &settings.enforced)
        .map(|job| super::pod_of(&job))
        .map_err(|wrong| Problem::new(wrong.reason, "spec.inputs", wrong.message))
}

fn without_computed(mut template: JobTemplate) -> JobTemplate {
    template.fields_from.clear();
    let containers = template.pod.spec.iter_mut().flat_map(|spec| &mut spec.containers);
    for container in containers.filter(|container| container.image.is_none()) {
        container.image = Some(IMAGE_COMPUTED.to_owned());
    }
    template
}

fn sample(input: &Input) -> (String, Value) {
    let empty = match input.kind {
        ValueType::String => Value::String(String::new()),
        ValueType::Integer | ValueType::Number => Value::from(0),
        ValueType::Boolean => Value::Bool(false),
        ValueType::Array => Value::Array(Vec::new()),
        ValueType::Object => Value::Object(Map::new()),
    };
    (input.name.clone(), input.default.clone().unwrap_or(empty))
}
