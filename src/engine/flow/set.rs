//! Steps that are over at once: those that set variables, and those that end the run.

use jobwright_api::{
    Reason, StepPhase, ValueType, Variable, WorkflowPhase,
    flow::ExitPhase,
    status::{Exited, Stop},
};
use serde_json::Value;
use std::collections::BTreeMap;

use super::ended::{bounded, typed};
use crate::{
    draft::{Cause, Draft},
    frame::Instance,
    graph::{CompiledExit, Given},
    run::Run,
    scope,
};

/// Sets variables: they are the outputs of the step.
pub(super) fn set(run: &Run, draft: &mut Draft, instance: Instance<'_>, variables: &[(Variable, Given)]) {
    let variables = variables
        .iter()
        .map(|(variable, given)| (&variable.name, variable.kind, given));
    match values(run, draft, instance, variables) {
        Ok(outputs) => {
            draft.edit(instance.key(), |step| step.outputs = outputs);
            draft.move_step(instance.key(), StepPhase::Succeeded, Cause::default());
        }
        Err(cause) => draft.move_step(instance.key(), StepPhase::Failed, cause),
    }
}

/// Ends the run. What runs is stopped once that is stored.
pub(super) fn exit(run: &Run, draft: &mut Draft, instance: Instance<'_>, exit: &CompiledExit) {
    let outputs = exit.outputs.iter().map(|(name, kind, given)| (name, *kind, given));
    let outputs = match values(run, draft, instance, outputs) {
        Ok(outputs) => outputs,
        Err(cause) => return draft.move_step(instance.key(), StepPhase::Failed, cause),
    };
    let definition = &exit.definition;
    let cause = Cause {
        reason: Some(definition.reason.clone().map_or(Reason::Exited, Reason::Other)),
        message: definition.message.clone(),
    };
    draft.edit(instance.key(), |step| step.outputs.clone_from(&outputs));
    draft.move_step(instance.key(), StepPhase::Succeeded, cause.clone());
    if draft.status.stop.is_some() {
        return; // another was first
    }
    draft.status.exit = Some(Exited {
        step: instance.key().to_owned(),
        phase: match definition.phase {
            ExitPhase::Succeeded => WorkflowPhase::Succeeded,
            ExitPhase::Failed => WorkflowPhase::Failed,
        },
        reason: cause.reason.clone(),
        message: cause.message.clone(),
        outputs,
    });
    draft.take_back_starts();
    draft.status.stop = Some(Stop {
        reason: Reason::Exited,
        timeout: None,
        message: Some(format!("step {} ends the run", instance.key())),
        at: draft.now(),
    });
    draft.move_run(WorkflowPhase::Terminating, cause);
    draft.write_now();
}

fn values<'g>(
    run: &Run,
    draft: &Draft,
    instance: Instance<'_>,
    given: impl Iterator<Item = (&'g String, ValueType, &'g Given)>,
) -> Result<BTreeMap<String, Value>, Cause> {
    let mut values = BTreeMap::new();
    for (name, kind, given) in given {
        let value = scope::value(run, draft, instance, given)
            .map_err(|error| Cause::new(Reason::ExpressionError, &format!("{name}: {error}")))?;
        values.insert(name.clone(), typed(name, kind, &value)?);
    }
    bounded(values)
}
