//! The sources of settings as partial Jobs. Each takes its source apart whole: a new field does not
//! compile until it has a place.

use jobwright_api::{
    container::{Metadata, PodSettings, StepJob, TaskJob},
    policy::JobDefaults,
    settings::Layer,
};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext,
};

use super::part::{Part, list, map};

/// Below all others: what Pod Security's `restricted` asks for, and no token.
///
/// `runAsUser` is not among it: an image whose user is root, or a name, does not start
/// (`CreateContainerConfigError`) until the operator's `defaults.podSecurityContext.runAsUser`, or
/// the Task, names a number.
pub(super) fn restricted() -> Layer {
    Layer {
        automount_service_account_token: Some(false),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                ..Capabilities::default()
            }),
            ..SecurityContext::default()
        }),
        pod_security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        ..Layer::default()
    }
}

/// `resources` and `env` of a layer are the main container's; `securityContext` and
/// `imagePullPolicy` hold for every container.
impl From<&Layer> for Part {
    fn from(layer: &Layer) -> Self {
        let Layer {
            ttl_seconds_after_finished,
            labels,
            annotations,
            node_selector,
            tolerations,
            image_pull_secrets,
            image_pull_policy,
            resources,
            env,
            affinity,
            priority_class_name,
            runtime_class_name,
            scheduler_name,
            service_account_name,
            automount_service_account_token,
            termination_grace_period_seconds,
            security_context,
            pod_security_context,
        } = layer;
        Self {
            labels: labels.clone(),
            annotations: annotations.clone(),
            ttl_seconds_after_finished: *ttl_seconds_after_finished,
            every: Container {
                image_pull_policy: image_pull_policy.clone(),
                security_context: security_context.clone(),
                ..Container::default()
            },
            main: Container {
                resources: resources.clone(),
                env: list(env),
                ..Container::default()
            },
            pod: PodSpec {
                node_selector: map(node_selector),
                tolerations: list(tolerations),
                image_pull_secrets: list(image_pull_secrets),
                affinity: affinity.clone(),
                priority_class_name: priority_class_name.clone(),
                runtime_class_name: runtime_class_name.clone(),
                scheduler_name: scheduler_name.clone(),
                service_account_name: service_account_name.clone(),
                automount_service_account_token: *automount_service_account_token,
                termination_grace_period_seconds: *termination_grace_period_seconds,
                security_context: pod_security_context.clone(),
                ..PodSpec::default()
            },
            ..Self::default()
        }
    }
}

impl From<&JobDefaults> for Part {
    fn from(defaults: &JobDefaults) -> Self {
        let JobDefaults {
            class: _, // a layer of its own
            ttl_seconds_after_finished,
            node_selector,
            tolerations,
            image_pull_secrets,
            resources,
            labels,
            annotations,
        } = defaults.clone();
        Self::from(&Layer {
            ttl_seconds_after_finished,
            labels,
            annotations,
            node_selector,
            tolerations,
            image_pull_secrets,
            resources,
            ..Layer::default()
        })
    }
}

impl From<&StepJob> for Part {
    fn from(job: &StepJob) -> Self {
        let StepJob {
            image,
            image_pull_policy,
            command,
            args,
            script,
            interpreter,
            env,
            working_dir,
            resources,
            class: _, // a layer of its own
            node_selector,
            tolerations,
            fields_from,
        } = job;
        Self {
            main: Container {
                image: image.clone(),
                image_pull_policy: image_pull_policy.clone(),
                command: list(command),
                args: list(args),
                env: list(env),
                working_dir: working_dir.clone(),
                resources: resources.clone(),
                ..Container::default()
            },
            script: script.clone(),
            interpreter: interpreter.clone(),
            pod: PodSpec {
                node_selector: map(node_selector),
                tolerations: list(tolerations),
                ..PodSpec::default()
            },
            fields_from: fields_from.clone(),
            ..Self::default()
        }
    }
}

/// Sidecars stand before the init containers, so that these can use them already: Kubernetes starts
/// them in this order, and a sidecar lets the next one begin once it has started.
impl From<&TaskJob> for Part {
    fn from(job: &TaskJob) -> Self {
        let TaskJob {
            step,
            env_from,
            volume_mounts,
            security_context,
            sidecars,
            init_containers,
            metadata,
            pod,
        } = job;
        let Metadata { labels, annotations } = metadata.clone().unwrap_or_default();
        let sidecars = sidecars.iter().map(|sidecar| Container {
            restart_policy: Some("Always".to_owned()),
            ..sidecar.clone()
        });
        let around: Vec<_> = sidecars.chain(init_containers.iter().cloned()).collect();
        let mut whole = Self {
            labels,
            annotations,
            main: Container {
                env_from: list(env_from),
                volume_mounts: list(volume_mounts),
                security_context: security_context.clone(),
                ..Container::default()
            },
            pod: PodSpec {
                init_containers: list(&around),
                ..pod.as_ref().map(spec).unwrap_or_default()
            },
            ..Self::default()
        };
        whole.lay(Self::from(step));
        whole
    }
}

fn spec(pod: &PodSettings) -> PodSpec {
    let PodSettings {
        affinity,
        automount_service_account_token,
        dns_config,
        dns_policy,
        image_pull_secrets,
        node_selector,
        priority_class_name,
        runtime_class_name,
        scheduler_name,
        security_context,
        service_account_name,
        termination_grace_period_seconds,
        tolerations,
        topology_spread_constraints,
        volumes,
    } = pod;
    PodSpec {
        affinity: affinity.clone(),
        automount_service_account_token: *automount_service_account_token,
        dns_config: dns_config.clone(),
        dns_policy: dns_policy.clone(),
        image_pull_secrets: list(image_pull_secrets),
        node_selector: map(node_selector),
        priority_class_name: priority_class_name.clone(),
        runtime_class_name: runtime_class_name.clone(),
        scheduler_name: scheduler_name.clone(),
        security_context: security_context.clone(),
        service_account_name: service_account_name.clone(),
        termination_grace_period_seconds: *termination_grace_period_seconds,
        tolerations: list(tolerations),
        topology_spread_constraints: list(topology_spread_constraints),
        volumes: list(volumes),
        ..PodSpec::default()
    }
}
