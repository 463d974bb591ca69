//! A case as the objects that a user would apply.

use jobwright_api::{
    Binding, Block, Duration, Input, Task, TaskSpec, ValueType, Workflow, WorkflowSpec,
    container::{StepJob, TaskJob},
    flow,
    policy::{Backoff, Handler, JobDefaults, Never, OnFailure, Retry, Timeouts, WorkflowTimeouts},
    value::{OutputFormat, WorkflowInput, WorkflowOutput},
    workflow::{Step, TaskReference},
};
use serde_json::Value;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{
    Body, Case, Condition, Each, Exit, Items, Join, Kind, Loop, MayFail, Require, ScheduleToClose, Source, StepCase,
    case,
};

impl ScheduleToClose {
    pub const SHORT_S: u64 = 600;
    pub const SHORT_OF_BLOCK_S: u64 = 2 * 86_400;
    pub const AMPLE_S: u64 = 1_000 * 86_400;
}

impl Case {
    /// Seconds that an attempt may take to start, where the step says so.
    pub const SCHEDULE_TO_START_S: u64 = 60;
    pub const START_TO_CLOSE_S: u64 = 30;

    #[must_use]
    pub fn workflow_spec(&self) -> WorkflowSpec {
        let input = |name: &str, kind, value| WorkflowInput {
            name: name.to_owned(),
            kind: Some(kind),
            value,
        };
        let blocks = self.used_blocks().into_iter();
        let blocks = blocks.map(|block| (block_name(Some(block)), self.block(block)));
        WorkflowSpec {
            inputs: vec![
                input("flag", ValueType::Boolean, self.flag.into()),
                input("level", ValueType::Integer, self.level.into()),
            ],
            steps: self.steps(None),
            blocks: blocks.collect(),
            outputs: self.outputs(None),
            timeouts: self.total.then(|| WorkflowTimeouts {
                total: Some(Duration::from_secs(Self::TOTAL_S)),
            }),
            job_defaults: self.ttl_s.map(|ttl| JobDefaults {
                ttl_seconds_after_finished: Some(ttl),
                ..JobDefaults::default()
            }),
            on_failure: self.handler(None, self.root.on_failure.as_deref()),
            on_exit: self.handler(None, self.on_exit.as_deref()),
            ..WorkflowSpec::default()
        }
    }

    fn handler(&self, body: Option<usize>, step: Option<&StepCase>) -> Option<Handler> {
        let step = step?;
        Some(Handler {
            block: block_name(step.kind.blocks().first().copied()),
            inputs: self.bindings(body, step),
        })
    }

    fn bindings(&self, body: Option<usize>, step: &StepCase) -> Vec<Binding> {
        let inputs = step.inputs.iter();
        let list = self.body(body);
        inputs
            .filter_map(|(name, source)| binding(list, name, source))
            .collect()
    }

    #[must_use]
    pub fn workflow(&self, name: &str) -> Workflow {
        Workflow::new(name, self.workflow_spec())
    }

    /// Its steps and what blocks give, in short lines for whoever looks for a fault.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let lines = |body: Option<usize>| {
            let name = body.map_or_else(|| "run".to_owned(), |_| block_name(body));
            let steps = self.body(body).steps.iter().map(|step| {
                let printed = serde_json::to_string(&self.printed(body, step)).unwrap();
                format!("{printed} {:?}", step.outcomes)
            });
            let outputs = self.outputs(body);
            let outputs = outputs
                .iter()
                .map(|output| format!("gives {} = {}", output.name, output.expression));
            let lines: Vec<String> = steps.chain(outputs).map(|line| format!("{name}: {line}")).collect();
            lines
        };
        self.bodies().flat_map(lines)
    }

    /// The Tasks that its steps run, by name.
    #[must_use]
    pub fn tasks(&self) -> BTreeMap<String, Task> {
        let steps = |body: Option<usize>| self.body(body).steps.iter().map(move |step| (body, step));
        let all = self.bodies().flat_map(steps);
        let tasks = all.filter(|(_, step)| matches!(step.kind, Kind::Task));
        tasks
            .map(|(body, step)| (task_name(body, step), self.task(body, step)))
            .collect()
    }

    fn task(&self, body: Option<usize>, step: &StepCase) -> Task {
        let spec = TaskSpec {
            owner: Some("the-owner".to_owned()),
            inputs: step
                .inputs
                .iter()
                .map(|(name, source)| self.declared(body, name, source))
                .collect(),
            outputs: step.outputs.iter().map(output).collect(),
            job: TaskJob {
                step: job(),
                ..TaskJob::default()
            },
            ..TaskSpec::default()
        };
        Task::new(&task_name(body, step), spec)
    }

    fn declared(&self, body: Option<usize>, name: &str, source: &Source) -> Input {
        Input {
            name: name.to_owned(),
            kind: self.kind_of(source, body),
            default: match source {
                Source::Default(value) => Some(value.clone()),
                _ => None,
            },
            optional: matches!(source, Source::Absent),
            ..Input::default()
        }
    }

    fn block(&self, block: usize) -> Block {
        let (flag, level) = self.blocks[block].defaults.unzip();
        let input = |name: &str, kind, default: Option<Value>| Input {
            name: name.to_owned(),
            kind,
            default,
            ..Input::default()
        };
        Block {
            inputs: vec![
                input("flag", ValueType::Boolean, flag.map(Value::from)),
                input("level", ValueType::Integer, level.map(Value::from)),
            ],
            steps: self.steps(Some(block)),
            outputs: self.outputs(Some(block)),
            on_failure: self.handler(Some(block), self.blocks[block].on_failure.as_deref()),
        }
    }

    fn steps(&self, body: Option<usize>) -> Vec<Step> {
        let list = self.body(body);
        let mut steps: Vec<Step> = list.steps.iter().map(|step| self.printed(body, step)).collect();
        if list.reversed {
            steps.reverse();
        }
        steps
    }

    fn outputs(&self, body: Option<usize>) -> Vec<WorkflowOutput> {
        let outputs = self.body(body).outputs.iter();
        let output = |(name, source): &(String, Source)| WorkflowOutput {
            name: name.clone(),
            kind: self.kind_of(source, body),
            expression: source.to_cel(self.body(body)).unwrap(),
        };
        outputs.map(output).collect()
    }

    fn printed(&self, body: Option<usize>, step: &StepCase) -> Step {
        let list = self.body(body);
        let needs = step.needs.iter().map(|need| list.steps[*need].name.clone());
        let seconds = |wanted: bool, seconds| wanted.then(|| Duration::from_secs(seconds));
        let timeouts = Timeouts {
            schedule_to_start: seconds(step.schedule_to_start, Self::SCHEDULE_TO_START_S),
            start_to_close: seconds(step.start_to_close, Self::START_TO_CLOSE_S),
            schedule_to_close: match step.schedule_to_close {
                ScheduleToClose::None => None,
                ScheduleToClose::Ample => seconds(true, ScheduleToClose::AMPLE_S),
                ScheduleToClose::Short if step.kind.has_jobs() => seconds(true, ScheduleToClose::SHORT_S),
                ScheduleToClose::Short => seconds(true, ScheduleToClose::SHORT_OF_BLOCK_S),
            },
        };
        let handler = self.handler(body, step.on_failure.as_deref());
        let mut printed = Step {
            name: step.name.clone(),
            needs: needs.collect(),
            join: step.join.as_ref().map(print_join),
            for_each: step.each.as_ref().map(|each| print_each(list, each)),
            when: step.when.as_ref().map(|when| when.to_cel(list)),
            inputs: self.bindings(body, step),
            retry: step.retry.as_ref().map(retry),
            timeouts: (timeouts != Timeouts::default()).then_some(timeouts),
            on_failure: Some(OnFailure {
                then: step.then,
                block: handler.as_ref().map(|handler| handler.block.clone()),
                inputs: handler.map(|handler| handler.inputs).unwrap_or_default(),
            }),
            ..Step::default()
        };
        match &step.kind {
            Kind::Task => {
                printed.task = Some(TaskReference {
                    name: task_name(body, step),
                });
            }
            Kind::Job => {
                printed.job = Some(job());
                printed.outputs = step.outputs.iter().map(output).collect();
            }
            Kind::Block(block) => printed.block = Some(block_name(Some(*block))),
            Kind::Choice { cases, default } => {
                let case = |(when, block): &(Condition, Option<usize>)| flow::Case {
                    when: when.to_cel(list),
                    block: block_name(*block),
                };
                printed.choice = Some(flow::Choice {
                    cases: cases.iter().map(case).collect(),
                    default: flow::Chosen {
                        block: block_name(*default),
                    },
                });
            }
            Kind::Loop(looped) => printed.looped = Some(print_loop(list, looped)),
            Kind::Wait { seconds } => {
                printed.wait = Some(flow::Wait {
                    duration: Some(Duration::from_secs(*seconds)),
                    at: None,
                });
            }
            Kind::Set(variables) => {
                let variables = variables.iter();
                printed.set = variables.map(|(name, source)| variable(list, name, source)).collect();
            }
            Kind::Exit(exit) => printed.exit = Some(print_exit(list, exit)),
        }
        printed
    }
}

fn print_loop(body: &Body, looped: &Loop) -> flow::Loop {
    let print = |condition: &Option<Condition>| condition.as_ref().map(|condition| condition.to_cel(body));
    flow::Loop {
        block: block_name(Some(looped.block)),
        before: print(&looped.before),
        after: print(&looped.after),
        max_iterations: looped.max,
        delay: looped.delay_s.map(|initial| Backoff {
            initial: Some(Duration::from_secs(initial)),
            ..Backoff::default()
        }),
    }
}

fn print_join(join: &Join) -> flow::Join {
    flow::Join {
        require: match join.require {
            Require::All => None,
            Require::Any => Some(IntOrString::String("Any".to_owned())),
            Require::So(many) => Some(IntOrString::Int(i32::try_from(many).unwrap())),
        },
        count: if join.is_strict {
            flow::Counted::Succeeded
        } else {
            flow::Counted::Done
        },
        others: if join.cancels {
            flow::Others::Cancel
        } else {
            flow::Others::Run
        },
    }
}

fn print_each(body: &Body, each: &Each) -> flow::ForEach {
    let print = |condition: &Option<Condition>| condition.as_ref().map(|condition| condition.to_cel(body));
    flow::ForEach {
        items: each.items.to_cel(body),
        count: match each.items {
            Items::Count(count) => Some(count),
            _ => None,
        },
        name: each.name.clone(),
        max_concurrent: each.at_once,
        max_failed: each.may_fail.map(|may_fail| match may_fail {
            MayFail::So(many) => IntOrString::Int(i32::try_from(many).unwrap()),
            MayFail::Percent(share) => IntOrString::String(format!("{share}%")),
        }),
        on_item_failed: if each.lets_finish {
            flow::OnItemFailed::LetFinish
        } else {
            flow::OnItemFailed::Cancel
        },
        stop_when: print(&each.stop_when),
        when: print(&each.when),
    }
}

fn print_exit(body: &Body, exit: &Exit) -> flow::Exit {
    let outputs = exit.outputs.iter();
    flow::Exit {
        phase: if exit.fails {
            flow::ExitPhase::Failed
        } else {
            flow::ExitPhase::Succeeded
        },
        reason: exit.reason.clone(),
        message: None,
        outputs: outputs
            .filter_map(|(name, source)| binding(body, name, source))
            .collect(),
    }
}

fn variable(body: &Body, name: &str, source: &Source) -> flow::Variable {
    let Binding {
        name,
        value,
        expression,
    } = binding(body, name, source).unwrap();
    flow::Variable {
        name,
        kind: ValueType::Integer,
        value,
        expression,
    }
}

fn binding(body: &Body, name: &str, source: &Source) -> Option<Binding> {
    let (value, expression) = match source {
        Source::Literal(value) => (Some(value.clone()), None),
        Source::Default(_) | Source::Absent => return None,
        computed => (None, computed.to_cel(body)),
    };
    Some(Binding {
        name: name.to_owned(),
        value,
        expression,
    })
}

/// The name of a block, or `none`.
#[must_use]
pub fn block_name(block: Option<usize>) -> String {
    block.map_or_else(|| flow::NONE.to_owned(), |block| format!("b{block}"))
}

fn task_name(body: Option<usize>, step: &StepCase) -> String {
    match body {
        None => format!("task-{}", step.name),
        Some(block) => format!("task-b{block}-{}", step.name),
    }
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
