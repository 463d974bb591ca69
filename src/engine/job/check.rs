//! What no source may say: reserved names, names that Kubernetes would refuse, powers over the host.

use jobwright_api::{
    Reason,
    container::{Metadata, PodSettings, StepJob, TaskJob},
    meta::{MAIN_CONTAINER, label, variable},
    policy::JobDefaults,
    settings::{JobSettings, Layer},
};
use k8s_openapi::api::core::v1::{Container, EnvVar, SecurityContext};
use std::collections::{BTreeMap, BTreeSet};

use super::field::Field;
use crate::{problem::Problem, text::clip};

/// Longest piece of a user's text in a path or message.
const QUOTE_BYTES_MAX: usize = 80;

/// What is wrong in the operator's own configuration, by its path there. To be asked once, when it
/// is read: [`super::fold()`] trusts it.
#[must_use]
pub fn settings(settings: &JobSettings) -> Vec<Problem> {
    let mut found = Findings::default();
    found.layer("defaults", &settings.defaults);
    found.layer("enforced", &settings.enforced);
    for (name, layer) in &settings.job_classes {
        found.layer(&format!("jobClasses[{}]", quote(name)), layer);
    }
    found.0
}

#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Problem>);

impl Findings {
    pub(super) fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem::new(Reason::InvalidDefinition, path, message));
    }

    fn layer(&mut self, path: &str, layer: &Layer) {
        self.metadata(path, &layer.labels, &layer.annotations);
        self.labels(&format!("{path}.nodeSelector"), &layer.node_selector);
        self.env(&format!("{path}.env"), &layer.env);
    }

    pub(super) fn job_defaults(&mut self, path: &str, defaults: &JobDefaults) {
        self.metadata(path, &defaults.labels, &defaults.annotations);
        self.labels(&format!("{path}.nodeSelector"), &defaults.node_selector);
    }

    pub(super) fn step(&mut self, path: &str, job: &StepJob) {
        self.env(&format!("{path}.env"), &job.env);
        self.labels(&format!("{path}.nodeSelector"), &job.node_selector);
        let mut seen = BTreeSet::new();
        for (index, from) in job.fields_from.iter().enumerate() {
            let path = format!("{path}.fieldsFrom[{index}].field");
            if Field::parse(&from.field).is_none() {
                self.add(
                    path,
                    format!(
                        "{} cannot be computed: write image, priorityClassName, nodeSelector, or one quantity \
                     such as resources.limits.memory",
                        quote(&from.field)
                    ),
                );
            } else if !seen.insert(&from.field) {
                self.add(path, format!("{} is computed twice: keep one", from.field));
            }
        }
    }

    pub(super) fn task(&mut self, path: &str, job: &TaskJob) {
        self.step(path, &job.step);
        for (index, source) in job.env_from.iter().enumerate() {
            let prefix = source.prefix.as_deref().unwrap_or_default();
            if is_reserved(prefix, &variable::RESERVED_PREFIXES) {
                self.add(format!("{path}.envFrom[{index}].prefix"), reserved(prefix));
            }
        }
        self.security(&format!("{path}.securityContext"), job.security_context.as_ref());
        let mut names = BTreeSet::from([MAIN_CONTAINER]);
        let lists = [("sidecars", &job.sidecars), ("initContainers", &job.init_containers)];
        for (field, containers) in lists {
            for (index, container) in containers.iter().enumerate() {
                let path = format!("{path}.{field}[{index}]");
                if !names.insert(&container.name) {
                    self.add(
                        format!("{path}.name"),
                        format!(
                            "two containers are named {}: choose another name ({MAIN_CONTAINER} is the step's own)",
                            quote(&container.name)
                        ),
                    );
                }
                self.container(&path, container);
            }
        }
        if let Some(Metadata { labels, annotations }) = &job.metadata {
            self.metadata(&format!("{path}.metadata"), labels, annotations);
        }
        if let Some(pod) = &job.pod {
            self.pod(&format!("{path}.pod"), pod);
        }
    }

    fn pod(&mut self, path: &str, pod: &PodSettings) {
        self.labels(&format!("{path}.nodeSelector"), &pod.node_selector);
        for (index, volume) in pod.volumes.iter().enumerate() {
            if volume.host_path.is_some() {
                self.add(
                    format!("{path}.volumes[{index}].hostPath"),
                    "a step has no access to the node's files: use a claim, or emptyDir",
                );
            }
        }
        let security = pod.security_context.as_ref();
        let windows = security.and_then(|all| all.windows_options.as_ref());
        if windows.is_some_and(|options| options.host_process == Some(true)) {
            self.add(format!("{path}.securityContext.windowsOptions.hostProcess"), HOST);
        }
        if pod.priority_class_name.as_deref().is_some_and(is_system_class) {
            self.add(format!("{path}.priorityClassName"), SYSTEM_CLASS);
        }
    }

    fn container(&mut self, path: &str, container: &Container) {
        self.env(&format!("{path}.env"), container.env.as_deref().unwrap_or_default());
        self.security(&format!("{path}.securityContext"), container.security_context.as_ref());
        if container.restart_policy.is_some() || container.restart_policy_rules.is_some() {
            let field = if container.restart_policy.is_some() {
                "restartPolicy"
            } else {
                "restartPolicyRules"
            };
            self.add(
                format!("{path}.{field}"),
                "restarts follow from where a container stands: leave this out, list what runs beside \
                 the step under sidecars, and write retry for the step",
            );
        }
        if container.image.as_deref().unwrap_or_default().is_empty() {
            self.add(
                format!("{path}.image"),
                "no image: write the image that this container runs",
            );
        }
        for (index, port) in container.ports.iter().flatten().enumerate() {
            if port.host_port.is_some_and(|port| port != 0) {
                self.add(format!("{path}.ports[{index}].hostPort"), HOST);
            }
        }
    }

    fn security(&mut self, path: &str, security: Option<&SecurityContext>) {
        let Some(security) = security else { return };
        if security.privileged == Some(true) {
            self.add(format!("{path}.privileged"), HOST);
        }
        let windows = security.windows_options.as_ref();
        if windows.is_some_and(|options| options.host_process == Some(true)) {
            self.add(format!("{path}.windowsOptions.hostProcess"), HOST);
        }
    }

    fn metadata(&mut self, path: &str, labels: &BTreeMap<String, String>, annotations: &BTreeMap<String, String>) {
        self.labels(&format!("{path}.labels"), labels);
        self.keys(&format!("{path}.annotations"), annotations);
        for (field, entries) in [("labels", labels), ("annotations", annotations)] {
            for key in entries.keys().filter(|key| is_reserved(key, &label::RESERVED_PREFIXES)) {
                self.add(format!("{path}.{field}[{}]", quote(key)), reserved(key));
            }
        }
    }

    /// Labels, of pods or of nodes.
    fn labels(&mut self, path: &str, labels: &BTreeMap<String, String>) {
        self.keys(path, labels);
        for (key, value) in labels.iter().filter(|(_, value)| !is_label_value(value)) {
            self.add(
                format!("{path}[{}]", quote(key)),
                format!(
                    "{} cannot be the value of a label: at most 63 letters, digits, '-', '_' and '.', a \
                 letter or digit at both ends",
                    quote(value)
                ),
            );
        }
    }

    fn keys(&mut self, path: &str, entries: &BTreeMap<String, String>) {
        for key in entries.keys().filter(|key| !is_qualified_name(key)) {
            self.add(
                format!("{path}[{}]", quote(key)),
                "not a key that Kubernetes takes: at most 63 letters, digits, '-', '_' and '.', with \
                 or without a domain and '/' before it",
            );
        }
    }

    fn env(&mut self, path: &str, variables: &[EnvVar]) {
        for (index, EnvVar { name, value, .. }) in variables.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if is_reserved(name, &variable::RESERVED_PREFIXES) {
                self.add(format!("{path}.name"), reserved(name));
            } else if name.is_empty() || !name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=') {
                self.add(
                    format!("{path}.name"),
                    format!("{} cannot name a variable: write letters, digits and '_'", quote(name)),
                );
            }
            if value.as_deref().is_some_and(|value| value.contains('\0')) {
                self.add(format!("{path}.value"), NUL);
            }
        }
    }
}

pub(super) const NUL: &str = "has a NUL character, which no program can be given";
pub(super) const SYSTEM_CLASS: &str = "priority classes system-* are the cluster's own: choose another";
const HOST: &str = "a step has no power over the node: leave this out";

pub(super) fn is_system_class(name: &str) -> bool {
    name.starts_with("system-")
}

pub(super) fn quote(text: &str) -> String {
    clip(text, QUOTE_BYTES_MAX)
}

fn reserved(name: &str) -> String {
    format!("{} is reserved for the operator: choose another name", quote(name))
}

/// A reserved word that ends in `/` or `_` is a prefix, any other a whole name.
fn is_reserved(name: &str, reserved: &[&str]) -> bool {
    reserved
        .iter()
        .any(|word| name == *word || (word.ends_with(['/', '_']) && name.starts_with(word)))
}

pub(super) fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_name_part(value)
}

pub(super) fn is_qualified_name(key: &str) -> bool {
    let is_domain = |domain: &str| {
        let is_label = |label: &str| {
            let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
        };
        domain.len() <= 253 && domain.split('.').all(is_label)
    };
    match key.split_once('/') {
        Some((domain, name)) => is_domain(domain) && is_name_part(name),
        None => is_name_part(key),
    }
}

fn is_name_part(text: &str) -> bool {
    let is_end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 63
        && is_end(text.bytes().next())
        && is_end(text.bytes().last())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}
