//! The notation of graphs.

use jobwright_api::{
    Binding, Duration, Http, Input, Output, Task, TaskSpec, ValueType, WorkflowSpec, WorkflowTemplate,
    WorkflowTemplateSpec,
    container::{StepJob, TaskJob},
    flow::{Case, Counted, Exit, ExitPhase, ForEach, Join, OnItemFailed, Others, Variable, Wait},
    http::HttpOutput,
    policy::{Backoff, Handler, JobDefaults, Never, Retry, RunPolicy, Then, Timeouts, WorkflowTimeouts},
    template::{OnParentClose, TemplateReference, TemplateSource},
    value::{OutputFormat, WorkflowInput, WorkflowOutput},
    workflow::{Step, TaskReference},
};
use k8s_openapi::{api::core::v1::Container, apimachinery::pkg::util::intstr::IntOrString};
use serde_json::Value;
use std::collections::BTreeMap;

use super::{parts, words};

/// A definition, and the Tasks and templates that its steps name.
pub(super) fn read(text: &str) -> (WorkflowSpec, Vec<Task>, Vec<WorkflowTemplate>) {
    let mut spec = WorkflowSpec::default();
    let mut tasks = Vec::new();
    let mut templates: BTreeMap<String, WorkflowTemplateSpec> = BTreeMap::new();
    for part in parts(text) {
        if let Some(run) = part.strip_prefix("run:") {
            read_run(&mut spec, run);
        } else if let Some((template, rest)) = part.strip_prefix("template ").and_then(|rest| rest.split_once(": ")) {
            let (step, task) = read_step(rest);
            templates.entry(template.to_owned()).or_default().steps.push(step);
            tasks.extend(task);
        } else if let Some(rest) = part.strip_prefix("template ") {
            let (name, inputs, outputs, _) = read_signature(rest);
            let template = templates.entry(name).or_default();
            (template.inputs, template.outputs) = (inputs, outputs);
        } else if let Some((block, rest)) = part.strip_prefix("block ").and_then(|rest| rest.split_once(": ")) {
            let (step, task) = read_step(rest);
            spec.blocks.entry(block.to_owned()).or_default().steps.push(step);
            tasks.extend(task);
        } else if let Some(rest) = part.strip_prefix("block ") {
            read_block(&mut spec, rest);
        } else {
            let (step, task) = read_step(&part);
            spec.steps.push(step);
            tasks.extend(task);
        }
    }
    let templates = templates
        .into_iter()
        .map(|(name, spec)| WorkflowTemplate::new(&name, spec));
    (spec, tasks, templates.collect())
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
            Some(("onfailure", handler)) => spec.on_failure = Some(read_handler(handler)),
            Some(("onexit", handler)) => spec.on_exit = Some(read_handler(handler)),
            Some(("template", name)) => {
                spec.template_ref = Some(TemplateSource {
                    name: name.to_owned(),
                    snapshot: None,
                });
            }
            Some(("input", value)) => {
                let (name, value) = value.split_once('=').unwrap();
                spec.inputs.push(WorkflowInput {
                    name: name.to_owned(),
                    kind: None,
                    value: serde_json::from_str(value).unwrap(),
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

/// What a block takes in and gives: `block b in=n:integer gives=n:integer=steps.x.outputs.n`.
fn read_block(spec: &mut WorkflowSpec, text: &str) {
    let (name, inputs, outputs, on_failure) = read_signature(text);
    let block = spec.blocks.entry(name).or_default();
    (block.inputs, block.outputs, block.on_failure) = (inputs, outputs, on_failure);
}

fn read_signature(text: &str) -> (String, Vec<Input>, Vec<WorkflowOutput>, Option<Handler>) {
    let mut words = words(text).into_iter();
    let own = words.next().unwrap();
    let (mut inputs, mut outputs, mut on_failure) = (Vec::new(), Vec::new(), None);
    for word in words {
        let (what, value) = word.split_once('=').map(owned).unwrap();
        if what == "onfailure" {
            on_failure = Some(read_handler(&value));
            continue;
        }
        let (name, rest) = value.split_once(':').map(owned).unwrap();
        match what.as_str() {
            "in" => inputs.push(Input {
                name,
                kind: serde_json::from_value(Value::from(rest)).unwrap(),
                ..Input::default()
            }),
            "gives" => {
                let (kind, expression) = rest.split_once('=').map(owned).unwrap();
                outputs.push(WorkflowOutput {
                    name,
                    kind: serde_json::from_value(Value::from(kind)).unwrap(),
                    expression,
                });
            }
            _ => panic!("{word:?}?"),
        }
    }
    (own, inputs, outputs, on_failure)
}

/// `alarm`, or with one input `alarm(why=error.reason)`.
fn read_handler(text: &str) -> Handler {
    let (block, input) = text.split_once('(').unwrap_or((text, ""));
    let input = input
        .strip_suffix(')')
        .and_then(|input| input.split_once('='))
        .map(owned);
    let inputs = input.map(|(name, expression)| binding(name, expression));
    Handler {
        block: block.to_owned(),
        inputs: inputs.into_iter().collect(),
    }
}

fn binding(name: String, expression: String) -> Binding {
    Binding {
        name,
        value: None,
        expression: Some(expression),
    }
}

/// A step without a Job of its own.
fn is_flow(step: &Step) -> bool {
    let is_instant = !step.set.is_empty() || step.exit.is_some();
    let is_instant = is_instant || step.http.is_some();
    is_instant || step.block.is_some() || step.choice.is_some() || step.looped.is_some() || step.wait.is_some()
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
                step.inputs.push(binding(name, expression));
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
    if is_flow(&step) || step.workflow.is_some() {
        return (step, None);
    }
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
            step.on_failure.get_or_insert_default().then = then;
            return;
        }
        "out" => return step.outputs.push(output(value)),
        "block" | "loop" | "while" | "until" | "times" | "delay" | "case" | "else" | "wait" => {
            return flow(step, key, value);
        }
        "each" | "count" | "as" | "atonce" | "mayfail" | "onfail" | "stopwhen" | "eachwhen" => {
            return fork(step.for_each.get_or_insert_default(), key, value);
        }
        "catch" => {
            let handler = read_handler(value);
            let on_failure = step.on_failure.get_or_insert_default();
            (on_failure.block, on_failure.inputs) = (Some(handler.block), handler.inputs);
            return;
        }
        "child" => {
            let child = step.workflow.get_or_insert_default();
            child.wait = !value.ends_with('!');
            child.template_ref = TemplateReference {
                name: value.trim_end_matches('!').to_owned(),
            };
            return;
        }
        "close" => {
            step.workflow.get_or_insert_default().on_parent_close = OnParentClose::of_word(value).unwrap();
            return;
        }
        "http" | "expect" | "gives" | "body" => return http(step.http.get_or_insert_default(), key, value),
        "set" => return step.set.push(variable(value)),
        "exit" | "exitout" => return exit(step.exit.get_or_insert_default(), key, value),
        "join" | "counts" | "others" => return join(step.join.get_or_insert_default(), key, value),
        _ => panic!("{word:?}?"),
    }
    step.retry = Some(Retry { ..retry });
}

fn flow(step: &mut Step, key: &str, value: &str) {
    match key {
        "block" => step.block = Some(value.to_owned()),
        "wait" => {
            step.wait = Some(Wait {
                duration: Some(span(value)),
                at: None,
            });
        }
        "case" => {
            let (when, block) = value.rsplit_once("->").map(owned).unwrap();
            let choice = step.choice.get_or_insert_default();
            choice.cases.push(Case { when, block });
        }
        "else" => value.clone_into(&mut step.choice.get_or_insert_default().default.block),
        _ => {
            let looped = step.looped.get_or_insert_default();
            match key {
                "loop" => value.clone_into(&mut looped.block),
                "while" => looped.before = Some(value.to_owned()),
                "until" => looped.after = Some(value.to_owned()),
                "times" => looped.max_iterations = value.parse().unwrap(),
                _ => {
                    looped.delay = Some(Backoff {
                        initial: Some(span(value)),
                        jitter: Some(0.0),
                        ..Backoff::default()
                    });
                }
            }
        }
    }
}

fn fork(each: &mut ForEach, key: &str, value: &str) {
    let text = || Some(value.to_owned());
    match key {
        "each" => each.items = text(),
        "count" => each.count = value.parse().ok(),
        "as" => each.name = text(),
        "atonce" => each.max_concurrent = value.parse().ok(),
        "mayfail" => each.max_failed = Some(number_or_word(value)),
        "onfail" => each.on_item_failed = OnItemFailed::LetFinish,
        "stopwhen" => each.stop_when = text(),
        _ => each.when = text(),
    }
}

/// `n:integer=1 + 2`.
fn variable(text: &str) -> Variable {
    let (name, rest) = text.split_once(':').map(owned).unwrap();
    let (kind, expression) = rest.split_once('=').map(owned).unwrap();
    Variable {
        name,
        kind: serde_json::from_value(Value::from(kind)).unwrap(),
        value: None,
        expression: Some(expression),
    }
}

/// `http=POST`, `gives=n:integer?=response.body.n`.
fn http(http: &mut Http, key: &str, value: &str) {
    let expression = || Some(value.to_owned());
    match key {
        "http" => {
            http.method = serde_json::from_value(Value::from(value)).unwrap();
            http.url.value = Some("http://receiver.example/x".to_owned());
        }
        "expect" => http.expect = expression(),
        "body" => http.body.get_or_insert_default().expression = expression(),
        _ => {
            let variable = variable(&value.replace("?=", "="));
            http.outputs.push(HttpOutput {
                name: variable.name,
                kind: variable.kind,
                optional: value.contains("?="),
                default: None,
                expression: variable.expression.unwrap(),
            });
        }
    }
}

/// `exit=Failed/Reason`, `exitout=total=1 + 2`.
fn exit(exit: &mut Exit, key: &str, value: &str) {
    if key == "exitout" {
        let (name, expression) = value.split_once('=').map(owned).unwrap();
        exit.outputs.push(binding(name, expression));
        return;
    }
    let (phase, reason) = value.split_once('/').unwrap_or((value, ""));
    exit.phase = if phase == "Failed" {
        ExitPhase::Failed
    } else {
        ExitPhase::Succeeded
    };
    exit.reason = (!reason.is_empty()).then(|| reason.to_owned());
}

fn join(join: &mut Join, key: &str, value: &str) {
    match key {
        "join" => join.require = Some(number_or_word(value)),
        "counts" => join.count = Counted::Succeeded,
        _ => join.others = Others::Cancel,
    }
}

fn number_or_word(text: &str) -> IntOrString {
    let word = || IntOrString::String(text.to_owned());
    text.parse().map_or_else(|_| word(), IntOrString::Int)
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
