//! Parents and children: whose change concerns whom.

use jobwright_api::{Workflow, WorkflowPhase};
use jobwright_engine::{definition::Kind, id::StepId, observed::ChildView};
use std::{collections::BTreeMap, sync::Arc};

use super::{Decoded, runs::Run};

/// What children read of their parent's status.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    run: Option<u32>,
    has_ended: bool,
    /// By printed id of a step that runs Workflows: whether it has ended, and which of them are to be stopped.
    steps: BTreeMap<String, (bool, Vec<String>)>,
}

pub(super) fn wishes(parent: Option<&Decoded<Workflow>>) -> Wishes {
    let status = parent.and_then(|parent| parent.as_ref().ok()?.status.as_ref());
    let Some(status) = status else {
        return Wishes::default();
    };
    let steps = status
        .steps
        .iter()
        .filter(|(_, step)| step.kind == Kind::Workflow.word());
    let steps = steps.map(|(key, step)| {
        let stopped = step.attempts.recent.iter().filter(|attempt| attempt.stop.is_some());
        let stopped = stopped.filter_map(|attempt| attempt.workflow.clone()).collect();
        (key.clone(), (step.phase.is_terminal(), stopped))
    });
    Wishes {
        run: status.run,
        has_ended: status.phase.is_some_and(WorkflowPhase::is_terminal),
        steps: steps.collect(),
    }
}

/// Names of the children that read something else now.
pub(super) fn concerned(children: &Run, before: &Wishes, after: &Wishes) -> Vec<String> {
    let all = (before.run, before.has_ended) != (after.run, after.has_ended);
    let is_concerned = |child: &Arc<ChildView>| {
        let key = StepId::from(child.path.clone()).to_string();
        all || before.steps.get(&key) != after.steps.get(&key)
    };
    let children = children.children.iter().filter(|(_, child)| is_concerned(child));
    children.map(|(name, _)| name.clone()).collect()
}
