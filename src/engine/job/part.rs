//! What one source says of a Job, and the one function that lays a source over others.

use jobwright_api::{container::FieldFrom, meta::MAIN_CONTAINER};
use k8s_openapi::{
    DeepMerge,
    api::core::v1::{Container, EnvVar, PodSpec, PodTemplateSpec, Toleration},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use std::collections::BTreeMap;

use super::program;
use crate::definition::JobTemplate;

/// A partial Job: what is not set here is left to others.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) ttl_seconds_after_finished: Option<i32>,
    /// Of the main container and of all around it.
    pub(super) every: Container,
    pub(super) main: Container,
    pub(super) script: Option<String>,
    pub(super) interpreter: Vec<String>,
    /// Without the main container.
    pub(super) pod: PodSpec,
    pub(super) fields_from: Vec<FieldFrom>,
}

impl Part {
    /// Lays a source over those before it. Maps merge key by key (`env` is one, by name), lists
    /// replace, but tolerations and pull secrets append.
    pub(super) fn lay(&mut self, over: Self) {
        let Self {
            labels,
            annotations,
            ttl_seconds_after_finished,
            every,
            main,
            script,
            interpreter,
            pod,
            fields_from,
        } = over;
        // What a source sets, by value or by expression, ends the expressions of those below it.
        self.fields_from.retain(|below| {
            !sets(&main, &pod, &below.field) && fields_from.iter().all(|above| above.field != below.field)
        });
        self.fields_from.extend(fields_from);
        self.labels.extend(labels);
        self.annotations.extend(annotations);
        self.ttl_seconds_after_finished = ttl_seconds_after_finished.or(self.ttl_seconds_after_finished);
        // A script is a program of its own, and so is a command.
        if script.is_some() {
            self.main.command = None;
            self.main.args = None;
        }
        if main.command.is_some() {
            self.script = None;
            self.interpreter.clear();
        }
        self.script = script.or_else(|| self.script.take());
        if !interpreter.is_empty() {
            self.interpreter = interpreter;
        }
        lay_pod(&mut self.pod, pod, &self.every);
        let around = self.pod.init_containers.iter_mut().flatten();
        for container in around.chain([&mut self.every, &mut self.main]) {
            lay_container(container, every.clone());
        }
        lay_container(&mut self.main, main);
    }

    /// The template, with what holds for every Job of ours.
    pub(super) fn into_template(self) -> JobTemplate {
        let mut main = self.main;
        MAIN_CONTAINER.clone_into(&mut main.name);
        main.termination_message_policy = Some("File".to_owned());
        if let Some(script) = self.script {
            main.command = Some(program::command(&self.interpreter, &script));
        }
        let mut pod = self.pod;
        pod.containers.insert(0, main);
        pod.restart_policy = Some("Never".to_owned());
        pod.enable_service_links = Some(false);
        JobTemplate {
            pod: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: map(&self.labels),
                    annotations: map(&self.annotations),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod),
            },
            ttl_seconds_after_finished: self.ttl_seconds_after_finished,
            fields_from: self.fields_from,
        }
    }
}

impl From<JobTemplate> for Part {
    fn from(template: JobTemplate) -> Self {
        let metadata = template.pod.metadata.unwrap_or_default();
        let mut pod = template.pod.spec.unwrap_or_default();
        let mut containers = std::mem::take(&mut pod.containers).into_iter();
        let main = containers.next().unwrap_or_default();
        pod.containers = containers.collect();
        Self {
            labels: metadata.labels.unwrap_or_default(),
            annotations: metadata.annotations.unwrap_or_default(),
            ttl_seconds_after_finished: template.ttl_seconds_after_finished,
            main,
            pod,
            fields_from: template.fields_from,
            ..Self::default()
        }
    }
}

pub(super) fn map(entries: &BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    (!entries.is_empty()).then(|| entries.clone())
}

pub(super) fn list<T: Clone>(items: &[T]) -> Option<Vec<T>> {
    (!items.is_empty()).then(|| items.to_vec())
}

/// Whether a source sets the one value that `field` would compute. A `nodeSelector` merges.
fn sets(main: &Container, pod: &PodSpec, field: &str) -> bool {
    let resources = main.resources.as_ref();
    if let Some(name) = field.strip_prefix("resources.limits.") {
        return resources
            .and_then(|all| all.limits.as_ref())
            .is_some_and(|all| all.contains_key(name));
    }
    if let Some(name) = field.strip_prefix("resources.requests.") {
        return resources
            .and_then(|all| all.requests.as_ref())
            .is_some_and(|all| all.contains_key(name));
    }
    match field {
        "image" => main.image.is_some(),
        "priorityClassName" => pod.priority_class_name.is_some(),
        _ => false,
    }
}

fn lay_pod(pod: &mut PodSpec, mut over: PodSpec, every: &Container) {
    let tolerations = over.tolerations.take().unwrap_or_default();
    let node_selector = over.node_selector.take().unwrap_or_default();
    let around = over.init_containers.take().map(|all| {
        all.into_iter().map(|container| {
            let mut whole = every.clone();
            lay_container(&mut whole, container);
            whole
        })
    });
    // Each is one choice with its details: halves of two choices make none.
    if let (Some(old), Some(new)) = (&mut pod.security_context, &over.security_context) {
        choose(&mut old.seccomp_profile, new.seccomp_profile.as_ref());
        choose(&mut old.app_armor_profile, new.app_armor_profile.as_ref());
    }
    pod.merge_from(over);
    if let Some(around) = around {
        pod.init_containers = Some(around.collect());
    }
    append(&mut pod.tolerations, tolerations);
    if !node_selector.is_empty() {
        pod.node_selector.get_or_insert_default().extend(node_selector);
    }
}

fn lay_container(container: &mut Container, mut over: Container) {
    let env = over.env.take().unwrap_or_default();
    if over.name.is_empty() {
        over.name.clone_from(&container.name);
    }
    if let (Some(old), Some(new)) = (&mut container.security_context, &over.security_context) {
        choose(&mut old.seccomp_profile, new.seccomp_profile.as_ref());
        choose(&mut old.app_armor_profile, new.app_armor_profile.as_ref());
    }
    container.merge_from(over);
    lay_env(&mut container.env, env);
}

/// The later variable takes its own place: `$(X)` sees only what stands before it, and a source
/// knows the order of its own variables only.
fn lay_env(variables: &mut Option<Vec<EnvVar>>, over: Vec<EnvVar>) {
    if over.is_empty() {
        return;
    }
    let variables = variables.get_or_insert_default();
    variables.retain(|below| over.iter().all(|above| above.name != below.name));
    variables.extend(over);
}

fn append(tolerations: &mut Option<Vec<Toleration>>, over: Vec<Toleration>) {
    for toleration in over {
        let tolerations = tolerations.get_or_insert_default();
        if !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
}

fn choose<T>(old: &mut Option<T>, new: Option<&T>) {
    if new.is_some() {
        *old = None;
    }
}
