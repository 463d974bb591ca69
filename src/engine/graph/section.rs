//! One list of steps as it stands in a definition: of the run, or of a block.

use jobwright_api::{Input, policy::Handler, value::WorkflowOutput};

use crate::definition::{BlockDefinition, Definition, StepDefinition};

/// A list of steps, and what stands beside it.
pub(super) struct Section<'a> {
    pub(super) definition: &'a Definition,
    /// Its field path, `spec` or `spec.blocks.check`.
    pub(super) path: String,
    /// What the run or block takes in.
    pub(super) inputs: &'a [Input],
    pub(super) steps: &'a [StepDefinition],
    pub(super) outputs: &'a [WorkflowOutput],
    pub(super) on_failure: Option<&'a Handler>,
    pub(super) on_exit: Option<&'a Handler>,
}

impl<'a> Section<'a> {
    pub(super) fn root(definition: &'a Definition) -> Self {
        Self {
            definition,
            path: "spec".to_owned(),
            inputs: &definition.inputs,
            steps: &definition.steps,
            outputs: &definition.outputs,
            on_failure: definition.on_failure.as_ref(),
            on_exit: definition.on_exit.as_ref(),
        }
    }

    pub(super) fn block(definition: &'a Definition, name: &str, block: &'a BlockDefinition) -> Self {
        Self {
            definition,
            path: format!("spec.blocks.{name}"),
            inputs: &block.inputs,
            steps: &block.steps,
            outputs: &block.outputs,
            on_failure: block.on_failure.as_ref(),
            on_exit: None,
        }
    }

    /// The field path of a part of a step.
    pub(super) fn step(&self, at: usize, field: &str) -> String {
        format!("{}.steps[{at}].{field}", self.path)
    }
}
