//! Tests of folding and building, in users' words.

use jobwright_api::{
    container::{StepJob, TaskJob},
    policy::JobDefaults,
    settings::JobSettings,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Layers, fold};
use crate::{definition::JobTemplate, problem::Problem};

mod layers;
mod made;
mod refused;
mod reviewed;
mod taken;

/// What the sources say, as their authors write it. Null: there is no such source.
#[derive(Clone, Debug, Default)]
struct Said {
    settings: Value,
    workflow: Value,
    task: Value,
    step: Value,
}

impl Said {
    fn fold(&self) -> Result<JobTemplate, Vec<Problem>> {
        let settings: JobSettings = read(&self.settings).unwrap_or_default();
        let job_defaults: Option<JobDefaults> = read(&self.workflow);
        let task: Option<TaskJob> = read(&self.task);
        let step: Option<StepJob> = read(&self.step);
        fold(&Layers {
            settings: &settings,
            job_defaults: job_defaults.as_ref(),
            task: task.as_ref(),
            task_path: "task:spec.job",
            step: step.as_ref(),
            step_path: "spec.steps[0].job",
        })
    }

    /// The value at a JSON pointer in the folded template: null where there is none.
    fn folded(&self, pointer: &str) -> Value {
        let template = serde_json::to_value(self.fold().unwrap()).unwrap();
        template.pointer(pointer).cloned().unwrap_or_default()
    }

    fn problems(&self) -> Vec<String> {
        let problems = self.fold().err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect()
    }
}

fn read<T: DeserializeOwned>(said: &Value) -> Option<T> {
    (!said.is_null()).then(|| serde_json::from_value(said.clone()).unwrap())
}

/// An object with a value at a dotted path.
fn at(path: &str, value: &Value) -> Value {
    path.rsplit('.')
        .fold(value.clone(), |inner, name| json!({ name: inner }))
}

fn merged(mut base: Value, over: Value) -> Value {
    k8s_openapi::DeepMerge::merge_from(&mut base, over);
    base
}
