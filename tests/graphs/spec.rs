//! A case as the objects that a user would apply.

use jobwright_api::{
    Binding, Duration, Input, Task, TaskSpec, ValueType, Workflow, WorkflowSpec,
    container::{StepJob, TaskJob},
    policy::{Backoff, JobDefaults, Never, OnFailure, Retry, Timeouts, WorkflowTimeouts},
    value::{OutputFormat, WorkflowInput, WorkflowOutput},
    workflow::{Step, TaskReference},
};
use std::collections::BTreeMap;

use super::{Case, ScheduleToClose, Source, StepCase, case};

impl ScheduleToClose {
    pub const SHORT_S: u64 = 600;
    pub const AMPLE_S: u64 = 1_000 * 86_400;
}

impl Case {
    /// Seconds that an attempt may take to start, where the step says so.
    pub const SCHEDULE_TO_START_S: u64 = 60;
    pub const START_TO_CLOSE_S: u64 = 30;

    #[must_use]
    pub fn workflow_spec(&self) -> WorkflowSpec {
        let mut steps: Vec<Step> = self.steps.iter().map(|step| self.step(step)).collect();
        if self.reversed {
            steps.reverse();
        }
        let input = |name: &str, kind, value| WorkflowInput {
            name: name.to_owned(),
            kind,
            value,
        };
        WorkflowSpec {
            inputs: vec![
                input("flag", ValueType::Boolean, self.flag.into()),
                input("level", ValueType::Integer, self.level.into()),
            ],
            steps,
            outputs: self
                .output
                .iter()
                .map(|(step, name)| self.run_output(*step, name))
                .collect(),
            timeouts: self.total.then(|| WorkflowTimeouts {
                total: Some(Duration::from_secs(Self::TOTAL_S)),
            }),
            job_defaults: self.ttl_s.map(|ttl| JobDefaults {
                ttl_seconds_after_finished: Some(ttl),
                ..JobDefaults::default()
            }),
            ..WorkflowSpec::default()
        }
    }

    #[must_use]
    pub fn workflow(&self, name: &str) -> Workflow {
        Workflow::new(name, self.workflow_spec())
    }

    /// The Tasks that its steps run, by name.
    #[must_use]
    pub fn tasks(&self) -> BTreeMap<String, Task> {
        let tasks = self.steps.iter().filter(|step| step.is_task);
        tasks.map(|step| (task_name(step), self.task(step))).collect()
    }

    fn task(&self, step: &StepCase) -> Task {
        let spec = TaskSpec {
            owner: Some("the-owner".to_owned()),
            inputs: step
                .inputs
                .iter()
                .map(|(name, source)| self.declared(name, source))
                .collect(),
            outputs: step.outputs.iter().map(output).collect(),
            job: TaskJob {
                step: job(),
                ..TaskJob::default()
            },
            ..TaskSpec::default()
        };
        Task::new(&task_name(step), spec)
    }

    fn declared(&self, name: &str, source: &Source) -> Input {
        Input {
            name: name.to_owned(),
            kind: self.kind(source),
            default: match source {
                Source::Default(value) => Some(value.clone()),
                _ => None,
            },
            optional: matches!(source, Source::Absent),
            ..Input::default()
        }
    }

    fn kind(&self, source: &Source) -> ValueType {
        match source {
            Source::Literal(value) | Source::Default(value) => kind_of(value),
            Source::Absent | Source::Phase(_) => ValueType::String,
            Source::Level | Source::ReadsOr(..) | Source::Divides(..) => ValueType::Integer,
            Source::Reads(step, name) => {
                let outputs = &self.steps[*step].outputs;
                outputs.iter().find(|output| output.name == *name).unwrap().kind
            }
        }
    }

    fn step(&self, step: &StepCase) -> Step {
        let needs = step.needs.iter().map(|need| self.steps[*need].name.clone());
        let seconds = |wanted: bool, seconds| wanted.then(|| Duration::from_secs(seconds));
        let timeouts = Timeouts {
            schedule_to_start: seconds(step.schedule_to_start, Self::SCHEDULE_TO_START_S),
            start_to_close: seconds(step.start_to_close, Self::START_TO_CLOSE_S),
            schedule_to_close: match step.schedule_to_close {
                ScheduleToClose::None => None,
                ScheduleToClose::Ample => seconds(true, ScheduleToClose::AMPLE_S),
                ScheduleToClose::Short => seconds(true, ScheduleToClose::SHORT_S),
            },
        };
        Step {
            name: step.name.clone(),
            needs: needs.collect(),
            when: step.when.as_ref().map(|when| when.to_cel(self)),
            task: step.is_task.then(|| TaskReference { name: task_name(step) }),
            job: (!step.is_task).then(job),
            inputs: step
                .inputs
                .iter()
                .filter_map(|(name, source)| self.binding(name, source))
                .collect(),
            outputs: if step.is_task {
                Vec::new()
            } else {
                step.outputs.iter().map(output).collect()
            },
            retry: step.retry.as_ref().map(retry),
            timeouts: (timeouts != Timeouts::default()).then_some(timeouts),
            on_failure: Some(OnFailure { then: step.then }),
            ..Step::default()
        }
    }

    fn binding(&self, name: &str, source: &Source) -> Option<Binding> {
        let (value, expression) = match source {
            Source::Literal(value) => (Some(value.clone()), None),
            Source::Default(_) | Source::Absent => return None,
            Source::Level => (None, Some("inputs.level".to_owned())),
            Source::Reads(step, output) => (None, Some(format!("steps.{}.outputs.{output}", self.steps[*step].name))),
            Source::Divides(step, output) => (
                None,
                Some(format!("12 / steps.{}.outputs.{output}", self.steps[*step].name)),
            ),
            Source::ReadsOr(step, output, otherwise) => (None, Some(self.read_or(*step, output, *otherwise))),
            Source::Phase(step) => (None, Some(format!("steps.{}.phase", self.steps[*step].name))),
        };
        Some(Binding {
            name: name.to_owned(),
            value,
            expression,
        })
    }

    fn read_or(&self, step: usize, output: &str, otherwise: i64) -> String {
        let read = format!("steps.{}.outputs.{output}", self.steps[step].name);
        // Two ways to say the same.
        if step.is_multiple_of(2) {
            format!("has({read}) ? {read} : {otherwise}")
        } else {
            format!("or({read}, {otherwise})")
        }
    }

    fn run_output(&self, step: usize, name: &str) -> WorkflowOutput {
        WorkflowOutput {
            name: "total".to_owned(),
            kind: ValueType::Integer,
            expression: self.read_or(step, name, -1),
        }
    }
}

fn task_name(step: &StepCase) -> String {
    format!("task-{}", step.name)
}

fn job() -> StepJob {
    StepJob {
        image: Some("registry.local/tools:1".to_owned()),
        command: vec!["/bin/work".to_owned()],
        ..StepJob::default()
    }
}

fn output(output: &case::Output) -> jobwright_api::Output {
    jobwright_api::Output {
        name: output.name.clone(),
        kind: output.kind,
        optional: output.optional,
        default: output.default.clone(),
        format: output.is_text.then_some(OutputFormat::Text),
        description: None,
    }
}

fn retry(retry: &case::Retry) -> Retry {
    Retry {
        max_attempts: retry.max,
        backoff: Backoff {
            initial: retry.initial_s.map(Duration::from_secs),
            factor: retry.factor,
            ..Backoff::default()
        },
        never: (!retry.never.is_empty()).then(|| Never {
            exit_codes: retry.never.clone(),
        }),
    }
}

fn kind_of(value: &serde_json::Value) -> ValueType {
    use serde_json::Value;
    match value {
        Value::Null | Value::String(_) => ValueType::String,
        Value::Bool(_) => ValueType::Boolean,
        Value::Number(number) if number.is_i64() => ValueType::Integer,
        Value::Number(_) => ValueType::Number,
        Value::Array(_) => ValueType::Array,
        Value::Object(_) => ValueType::Object,
    }
}
