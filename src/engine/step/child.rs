//! A step that runs another Workflow: each attempt is one, under a fixed name. That it exists means started, as with
//! Jobs; it stops by itself once it sees that this attempt is to be stopped.

use jobwright_api::{
    AttemptStatus, Reason, StepPhase, Workflow, WorkflowPhase, WorkflowSpec,
    meta::{GROUP, MANAGED_BY, VERSION, annotation, label},
    template::{OnParentClose, TemplateSource},
    value::WorkflowInput,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::Value;
use std::collections::BTreeMap;

use super::{
    attempt::{Failure, Seen},
    observe, outcome, start,
};
use crate::{
    decision::Action,
    definition::ChildDefinition,
    draft::{Cause, Draft},
    flow,
    frame::Instance,
    id::RunIdentity,
    job::{self, INPUT_BYTES_MAX, Unbuildable},
    observed::ChildView,
    run::Run,
};

/// The Workflow of the attempt after the last one on record, if there is one and it is ours.
pub(crate) fn next<'a>(run: &Run<'a>, draft: &Draft, instance: Instance<'_>) -> Option<&'a ChildView> {
    let number = start::next_number(draft, instance);
    let found = run.observed.children.get(&start::next_name(run, draft, instance))?;
    (found.attempt_key == job::attempt_key(&run.identity, instance.id(), number)).then_some(found)
}

/// A Workflow of this step that is not on record: its existence means started.
pub(crate) fn adopt(run: &Run, draft: &mut Draft, instance: Instance<'_>) -> bool {
    let Some(found) = next(run, draft, instance) else {
        return false;
    };
    let attempt = AttemptStatus {
        number: start::next_number(draft, instance),
        workflow: Some(found.name.clone()),
        uid: Some(found.uid.clone()),
        phase: StepPhase::Scheduled,
        scheduled_at: Some(draft.now()),
        ..AttemptStatus::default()
    };
    draft.open_attempt(instance.id(), attempt);
    observe(run, draft, instance);
    true
}

/// Asks for the Workflow of an attempt. All that it is given is stored by then.
pub(crate) fn create(run: &Run, draft: &mut Draft, instance: Instance<'_>, child: &ChildDefinition, name: String) {
    if start::carried(run, draft, instance).is_some() {
        return draft.write_now();
    }
    match make(run, draft, instance, child, &name) {
        Ok(workflow) => draft.act(Action::StartChild {
            name,
            workflow: Box::new(workflow),
        }),
        Err(wrong) => outcome::fail_step(draft, instance, wrong.reason, &wrong.message),
    }
}

fn make(
    run: &Run,
    draft: &Draft,
    instance: Instance<'_>,
    child: &ChildDefinition,
    name: &str,
) -> Result<Workflow, Unbuildable> {
    let given = start::inputs(run, draft, instance)?;
    let bytes = serde_json::to_string(&given).map_or(usize::MAX, |text| text.len());
    if bytes > INPUT_BYTES_MAX {
        let message = format!(
            "the inputs are {bytes} bytes, and {INPUT_BYTES_MAX} is the most that a step is given: hand over a reference"
        );
        let reason = Reason::TooLarge;
        return Err(Unbuildable { reason, message });
    }
    let inputs = given.into_iter().map(|(name, value)| WorkflowInput {
        name,
        value,
        ..WorkflowInput::default()
    });
    let spec = WorkflowSpec {
        template_ref: Some(TemplateSource {
            name: child.template.clone(),
            snapshot: Some(child.snapshot.clone()),
        }),
        inputs: inputs.collect(),
        ..WorkflowSpec::default()
    };
    let number = start::next_number(draft, instance);
    Ok(Workflow {
        metadata: metadata(run, instance, child, (name, number)),
        ..Workflow::new(name, spec)
    })
}

fn metadata(run: &Run, instance: Instance<'_>, child: &ChildDefinition, (name, number): (&str, u32)) -> ObjectMeta {
    let identity = &run.identity;
    let labels = [
        (label::MANAGED_BY, MANAGED_BY.to_owned()),
        (label::PARENT_UID, identity.uid.clone()),
        (label::RUN, identity.run.to_string()),
        (label::ATTEMPT, number.to_string()),
    ];
    let annotations = [
        (annotation::WORKFLOW, identity.name.clone()),
        (annotation::STEP, job::path(instance.id())),
        (
            annotation::ATTEMPT_KEY,
            job::attempt_key(identity, instance.id(), number),
        ),
        (annotation::ON_PARENT_CLOSE, child.on_parent_close.word().to_owned()),
    ];
    let owned = |pairs: &[(&str, String)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect()
    };
    // Without an owner it stays when the parent is deleted.
    let is_owned = child.on_parent_close != OnParentClose::Abandon;
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(identity.namespace.clone()),
        labels: Some(owned(&labels)),
        annotations: Some(owned(&annotations)),
        owner_references: is_owned.then(|| vec![owner(identity)]),
        ..ObjectMeta::default()
    }
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

/// Looks at the Workflow of the running attempt and moves the step accordingly.
pub(crate) fn observe(run: &Run, draft: &mut Draft, instance: Instance<'_>) {
    let found = draft.step(instance.key());
    let Some(attempt) = found.and_then(|step| step.attempts.recent.last()).cloned() else {
        return;
    };
    let name = attempt.workflow.as_deref().unwrap_or_default();
    let found = run.observed.children.get(name);
    let Some(child) = found.filter(|child| attempt.uid.as_ref() == Some(&child.uid)) else {
        let is_gone = found.is_some() || run.observed.notes.absent.contains(name);
        return missing(run, draft, instance, &attempt, is_gone);
    };
    let waits = instance.definition().child.as_ref().is_none_or(|child| child.waits);
    if !waits {
        return outcome::succeed(draft, instance, BTreeMap::new(), Seen::default());
    }
    let stop_is_stored = observe::is_stop_stored(run.observed, instance.key(), &attempt);
    match (child.phase.filter(|phase| phase.is_terminal()), &attempt.stop) {
        (None, Some(_)) if !stop_is_stored => draft.write_now(),
        // It sees that by itself, and ends.
        (None, Some(_)) => {}
        (None, None) => open(draft, instance, child),
        (Some(_), Some(stop)) if stop_is_stored => outcome::stopped(draft, instance, &run.identity, stop),
        (Some(phase), _) => {
            observe::withdraw_stop(draft, instance.key());
            ended(run, draft, instance, child, phase);
        }
    }
}

/// The stores do not know it. Only a confirmed absence counts.
fn missing(run: &Run, draft: &mut Draft, instance: Instance<'_>, attempt: &AttemptStatus, is_gone: bool) {
    let name = attempt.workflow.clone().unwrap_or_default();
    if !is_gone {
        return draft.act(Action::ConfirmChild { name });
    }
    if let Some(stop) = &attempt.stop {
        return outcome::stopped(draft, instance, &run.identity, stop);
    }
    let words = format!("Workflow {name} was deleted before its result was read; it is not started again");
    let failure = Failure::new(Reason::ResultLost, words);
    outcome::fail(draft, instance, &run.identity, &failure, Seen::default());
}

fn open(draft: &mut Draft, instance: Instance<'_>, child: &ChildView) {
    let now = draft.now();
    let has_begun = child
        .phase
        .is_some_and(|phase| phase.rank() >= WorkflowPhase::Running.rank());
    let is_news = draft.phase_of(instance.key()) == StepPhase::Scheduled;
    if has_begun && is_news {
        draft.edit_attempt(instance.key(), |attempt| {
            attempt.phase = StepPhase::Running;
            attempt.started_at = Some(now.clone());
        });
        draft.edit(instance.key(), |step| {
            step.started_at.get_or_insert(now);
        });
        draft.move_step(instance.key(), StepPhase::Running, Cause::default());
    }
    let waits_for = child.message.as_deref().filter(|_| !has_begun);
    observe::arm_deadline(draft, instance, waits_for);
}

fn ended(run: &Run, draft: &mut Draft, instance: Instance<'_>, child: &ChildView, phase: WorkflowPhase) {
    if phase == WorkflowPhase::Succeeded {
        match outputs(instance, &child.outputs) {
            Ok(outputs) => outcome::succeed(draft, instance, outputs, Seen::default()),
            Err(cause) => {
                let words = cause.message.unwrap_or_default();
                let failure = Failure::new(Reason::OutputInvalid, words);
                outcome::fail(draft, instance, &run.identity, &failure, Seen::default());
            }
        }
        return;
    }
    let reason = child
        .reason
        .as_ref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    let message = child
        .message
        .as_ref()
        .map(|message| format!(": {message}"))
        .unwrap_or_default();
    let words = format!("Workflow {} is {phase}{reason}{message}", child.name);
    let failure = Failure::new(Reason::ChildFailed, words);
    outcome::fail(draft, instance, &run.identity, &failure, Seen::default());
}

/// What the step gives: what the template declared when this run began.
fn outputs(instance: Instance<'_>, given: &BTreeMap<String, Value>) -> Result<BTreeMap<String, Value>, Cause> {
    let mut outputs = BTreeMap::new();
    for output in &instance.definition().outputs {
        if let Some(value) = given.get(&output.name) {
            let value = flow::typed(&format!("output {}", output.name), output.kind, value)?;
            outputs.insert(output.name.clone(), value);
        }
    }
    Ok(outputs)
}
