//! Makes the Job of an attempt from its template and values.

use jobwright_api::{
    Duration,
    meta::{GROUP, MANAGED_BY, VERSION, annotation, label},
    policy::Timeouts,
    settings::Layer,
};
use k8s_openapi::{
    api::{
        batch::v1::{Job, JobSpec},
        core::v1::{Pod, PodTemplateSpec},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use std::collections::BTreeMap;

use super::{
    Attempt, Unbuildable, attempt_key, check::is_label_value, field, job_name, name::path, part::Part,
    values::variables,
};
use crate::{definition::JobTemplate, id::RunIdentity};

/// How long after its own deadlines an attempt is left to the operator. Kubernetes counts from the
/// Job's start, we from what we first saw of it: longer than a restart of the operator, and than a
/// slow watch, so that in a living cluster the deadline is always ours.
const BACKSTOP_MARGIN_S: u64 = 600;

/// Makes the Job of an attempt.
///
/// # Guarantees
/// Equal arguments give equal Jobs, byte for byte. What `enforced` sets stands above all that
/// users wrote or computed, and our labels, annotations and owner above all else.
///
/// # Errors
/// The values do not fit: over 64 KiB, a NUL, a quantity that is none.
pub fn build(attempt: &Attempt<'_>, enforced: &Layer) -> Result<Job, Unbuildable> {
    let mut whole = Part::from(attempt.step.job.clone());
    field::apply(&mut whole, attempt.fields)?;
    // Ours come first, so that users' variables can refer to them.
    let mut variables = variables(attempt)?;
    variables.extend(whole.main.env.take().unwrap_or_default());
    whole.main.env = Some(variables);
    whole.lay(Part::from(enforced));
    whole.labels.extend(labels(attempt));
    whole.annotations.extend(annotations(attempt));
    let mut annotations = whole.annotations.clone();
    if let Some(carried) = &attempt.carried {
        annotations.insert(annotation::CARRIED.to_owned(), carried.clone());
    }
    if let Some(ttl_s) = ttl_seconds_after_finished(&attempt.step.job, enforced) {
        annotations.insert(annotation::TTL.to_owned(), ttl_s.to_string());
    }
    Ok(Job {
        metadata: ObjectMeta {
            name: Some(job_name(attempt.run, attempt.id, attempt.number)),
            namespace: Some(attempt.run.namespace.clone()),
            labels: Some(whole.labels.clone()),
            annotations: Some(annotations),
            owner_references: Some(vec![owner(attempt.run)]),
            ..ObjectMeta::default()
        },
        spec: Some(spec(whole.into_template().pod, &attempt.step.timeouts)),
        status: None,
    })
}

/// The pod that the Job controller makes of a Job: for a dry run, so without owner and finalizer.
#[must_use]
pub fn pod_of(job: &Job) -> Pod {
    let template = job.spec.as_ref().map(|spec| spec.template.clone()).unwrap_or_default();
    let metadata = template.metadata.unwrap_or_default();
    let name = job.metadata.name.clone().unwrap_or_default();
    let mut labels = metadata.labels.unwrap_or_default();
    for key in ["batch.kubernetes.io/job-name", "job-name"] {
        labels.insert(key.to_owned(), name.clone());
    }
    Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: job.metadata.namespace.clone(),
            labels: Some(labels),
            annotations: metadata.annotations,
            ..ObjectMeta::default()
        },
        spec: template.spec,
        status: None,
    }
}

/// The TTL that a Job gets once its result is stored; none: it goes with the run.
fn ttl_seconds_after_finished(template: &JobTemplate, enforced: &Layer) -> Option<i32> {
    enforced
        .ttl_seconds_after_finished
        .or(template.ttl_seconds_after_finished)
}

/// One pod, once: retries are ours. No TTL: it would take a result that nobody has read.
fn spec(template: PodTemplateSpec, timeouts: &Timeouts) -> JobSpec {
    JobSpec {
        active_deadline_seconds: backstop_s(timeouts),
        backoff_limit: Some(0),
        completions: Some(1),
        parallelism: Some(1),
        // Only a pod that has ended may be replaced; with a backoff of 0 none is.
        pod_replacement_policy: Some("Failed".to_owned()),
        template,
        ..JobSpec::default()
    }
}

/// Ends the pods of a dead operator. Without `startToClose` a step may run for ever.
fn backstop_s(timeouts: &Timeouts) -> Option<i64> {
    let run_s = timeouts.start_to_close?.as_secs_ceil();
    let wait_s = timeouts.schedule_to_start.map_or(0, Duration::as_secs_ceil);
    let sum = run_s.saturating_add(wait_s).saturating_add(BACKSTOP_MARGIN_S);
    i64::try_from(sum).ok()
}

fn labels(attempt: &Attempt<'_>) -> BTreeMap<String, String> {
    let task = attempt.step.task.clone().filter(|name| is_label_value(name));
    [
        (label::MANAGED_BY, Some(MANAGED_BY.to_owned())),
        (label::WORKFLOW_UID, Some(attempt.run.uid.clone())),
        (label::RUN, Some(attempt.run.run.to_string())),
        (label::ATTEMPT, Some(attempt.number.to_string())),
        (label::TASK, task),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value?)))
    .collect()
}

fn annotations(attempt: &Attempt<'_>) -> BTreeMap<String, String> {
    [
        (annotation::WORKFLOW, attempt.run.name.clone()),
        (annotation::STEP, path(attempt.id)),
        (
            annotation::ATTEMPT_KEY,
            attempt_key(attempt.run, attempt.id, attempt.number),
        ),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

fn owner(run: &RunIdentity) -> OwnerReference {
    OwnerReference {
        api_version: format!("{GROUP}/{VERSION}"),
        kind: "Workflow".to_owned(),
        name: run.name.clone(),
        uid: run.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}
