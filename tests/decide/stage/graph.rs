//! The notation of graphs.

use jobwright_api::{
    Binding, Duration, Input, Output, Task, TaskSpec, ValueType, WorkflowSpec,
    container::{StepJob, TaskJob},
    policy::{JobDefaults, Never, OnFailure, Retry, RunPolicy, Then, Timeouts, WorkflowTimeouts},
    value::{OutputFormat, WorkflowOutput},
    workflow::{Step, TaskReference},
};
use k8s_openapi::api::core::v1::Container;
use serde_json::Value;

use super::{parts, words};

/// A definition, and the Tasks that its steps name.
pub(super) fn read(text: &str) -> (WorkflowSpec, Vec<Task>) {
    let mut spec = WorkflowSpec::default();
    let mut tasks = Vec::new();
    for part in parts(text) {
        if let Some(run) = part.strip_prefix("run:") {
            read_run(&mut spec, run);
        } else {
            let (step, task) = read_step(&part);
            spec.steps.push(step);
            tasks.extend(task);
        }
    }
    (spec, tasks)
}

fn read_run(spec: &mut WorkflowSpec, text: &str) {
    for word in words(text) {
        match word.split_once('=') {
            Some(("total<", limit)) => {
                spec.timeouts = Some(WorkflowTimeouts {
                    total: Some(span(limit)),
                });
            }
            Some(("ttl", seconds)) => {
                let ttl_seconds_after_finished = Some(seconds.parse().unwrap());
                spec.job_defaults = Some(JobDefaults {
                    ttl_seconds_after_finished,
                    ..JobDefaults::default()
                });
            }
            Some((name, expression)) => spec.outputs.push(WorkflowOutput {
                name: name.strip_prefix("out:").unwrap().to_owned(),
                kind: ValueType::Integer,
                expression: expression.to_owned(),
            }),
            None if word == "OnChange" => spec.run_policy = RunPolicy::OnChange,
            None if word == "suspend" => spec.suspend = true,
            None => panic!("run: {word:?}?"),
        }
    }
}

fn read_step(text: &str) -> (Step, Option<Task>) {
    let mut words = words(text).into_iter();
    let name = words.next().unwrap();
    let mut step = Step {
        name: name.clone(),
        ..Step::default()
    };
    let (mut task, mut sidecars) = (None, Vec::new());
    while let Some(word) = words.next() {
        match word.as_str() {
            "needs" => step.needs = words.next().unwrap().split(',').map(str::to_owned).collect(),
            "when" => step.when = words.next(),
            "in" => {
                let (name, expression) = words.next().unwrap().split_once('=').map(owned).unwrap();
                step.inputs.push(Binding {
                    name,
                    value: None,
                    expression: Some(expression),
                });
            }
            "task" => task = Some(format!("t-{name}")),
            "sidecar" => sidecars.push(sidecar()),
            "retry" => step.retry = Some(step.retry.unwrap_or_default()),
            other => setting(&mut step, other),
        }
    }
    let job = StepJob {
        image: Some("tools:1".to_owned()),
        ..StepJob::default()
    };
    let Some(task) = task else {
        step.job = Some(job);
        return (step, None);
    };
    step.task = Some(TaskReference { name: task.clone() });
    let inputs = step.inputs.iter().map(|input| Input {
        name: input.name.clone(),
        ..Input::default()
    });
    let spec = TaskSpec {
        inputs: inputs.collect(),
        outputs: std::mem::take(&mut step.outputs),
        job: TaskJob {
            step: job,
            sidecars,
            ..TaskJob::default()
        },
        ..TaskSpec::default()
    };
    (step, Some(Task::new(&task, spec)))
}

fn setting(step: &mut Step, word: &str) {
    let (key, value) = word.split_once('=').unwrap_or_else(|| panic!("{word:?}?"));
    let timeouts = |step: &mut Step, set: &dyn Fn(&mut Timeouts)| {
        let mut timeouts = step.timeouts.clone().unwrap_or_default();
        set(&mut timeouts);
        step.timeouts = Some(timeouts);
    };
    let mut retry = step.retry.clone().unwrap_or_default();
    match key {
        "retry" => retry.max_attempts = Some(value.parse().unwrap()),
        "backoff" => {
            retry.backoff.initial = Some(span(value));
            retry.backoff.jitter = Some(0.0);
        }
        "factor" => retry.backoff.factor = Some(value.parse().unwrap()),
        "max" => retry.backoff.max = Some(span(value)),
        "never" => {
            retry.never = Some(Never {
                exit_codes: vec![value.parse().unwrap()],
            });
        }
        "start<" => return timeouts(step, &|timeouts| timeouts.schedule_to_start = Some(span(value))),
        "run<" => return timeouts(step, &|timeouts| timeouts.start_to_close = Some(span(value))),
        "all<" => return timeouts(step, &|timeouts| timeouts.schedule_to_close = Some(span(value))),
        "then" => {
            let then = match value {
                "Continue" => Then::Continue,
                "FailAtEnd" => Then::FailAtEnd,
                _ => Then::Fail,
            };
            step.on_failure = Some(OnFailure { then });
            return;
        }
        "out" => return step.outputs.push(output(value)),
        _ => panic!("{word:?}?"),
    }
    step.retry = Some(Retry { ..retry });
}

fn output(text: &str) -> Output {
    let (name, kind) = text.split_once(':').map(owned).unwrap();
    let (kind, default) = match kind.split_once('=') {
        Some((kind, default)) => (kind.to_owned(), Some(serde_json::from_str(default).unwrap())),
        None => (kind, None),
    };
    let optional = kind.ends_with('?');
    let word = kind.trim_end_matches('?');
    let is_text = word == "Text";
    let kind = if is_text {
        ValueType::String
    } else {
        serde_json::from_value(Value::from(word)).unwrap()
    };
    Output {
        name,
        kind,
        optional,
        default,
        format: is_text.then_some(OutputFormat::Text),
        description: None,
    }
}

fn sidecar() -> Container {
    Container {
        name: "helper".to_owned(),
        image: Some("tools:1".to_owned()),
        ..Container::default()
    }
}

fn owned((left, right): (&str, &str)) -> (String, String) {
    (left.to_owned(), right.to_owned())
}

pub(super) fn span(text: &str) -> Duration {
    text.parse().unwrap()
}
