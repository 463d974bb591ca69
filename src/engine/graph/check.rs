//! Checks of values and expressions against what is declared.

use jobwright_api::{Input, Reason, ValueType, policy::Then};
use std::collections::{BTreeMap, BTreeSet};

use super::names;
use crate::{
    definition::{Definition, Kind, StepDefinition},
    expr::{self, Expression, Members, Type, TypeEnv},
    problem::Problem,
    text::nearest,
};

/// What an expression at some place has to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Any,
    Boolean,
    String,
    Typed(ValueType),
}

impl Wanted {
    fn kind(self) -> Type {
        match self {
            Self::Any => Type::Dyn,
            Self::Boolean => Type::Bool,
            Self::String => Type::String,
            Self::Typed(kind) => kind.into(),
        }
    }
}

/// All that expressions of a definition may read, with types.
pub(super) struct Declared<'a> {
    definition: &'a Definition,
    positions: &'a BTreeMap<String, usize>,
    types: TypeEnv,
}

impl<'a> Declared<'a> {
    pub(super) fn new(definition: &'a Definition, positions: &'a BTreeMap<String, usize>) -> Self {
        Self {
            definition,
            positions,
            types: types(definition),
        }
    }

    pub(super) fn into_types(self) -> TypeEnv {
        self.types
    }

    /// Parses and checks one expression that may read the steps in `upstream`.
    pub(super) fn expression(
        &self,
        path: &str,
        text: &str,
        upstream: &BTreeSet<usize>,
        wanted: Wanted,
    ) -> Result<Expression, Problem> {
        let wrong = |error: &expr::Error| Problem::new(Reason::ExpressionError, path, error.to_string());
        let expression = Expression::parse(text).map_err(|error| wrong(&error))?;
        self.steps_are_upstream(path, &expression, upstream)?;
        let kind = expression.check(&self.types).map_err(|error| Problem {
            reason: self.blame(&expression, &error),
            ..wrong(&error)
        })?;
        let wanted = wanted.kind();
        if kind.may_be(&wanted) {
            return Ok(expression);
        }
        let words = format!("gives {kind} where {wanted} is wanted");
        let reason = if self.reads_a_task(&expression) {
            Reason::TaskMismatch
        } else {
            Reason::ExpressionError
        };
        Err(Problem::new(reason, path, words))
    }

    fn steps_are_upstream(
        &self,
        path: &str,
        expression: &Expression,
        upstream: &BTreeSet<usize>,
    ) -> Result<(), Problem> {
        for step in expression.references().steps.keys() {
            let Some(position) = self.positions.get(step) else {
                continue; // The type check says it, with a near name.
            };
            if !upstream.contains(position) {
                let words = format!("reads step {step}, which need not have ended by then: add {step} to needs");
                return Err(Problem::new(Reason::NotUpstream, path, words));
            }
        }
        Ok(())
    }

    /// Mistakes about a Task's outputs may be mended in the Task.
    fn blame(&self, expression: &Expression, error: &expr::Error) -> Reason {
        let is_of_types = matches!(
            error,
            expr::Error::UnknownMember { .. } | expr::Error::Type { .. } | expr::Error::MayBeAbsent { .. }
        );
        if is_of_types && self.reads_a_task(expression) {
            Reason::TaskMismatch
        } else {
            Reason::ExpressionError
        }
    }

    fn reads_a_task(&self, expression: &Expression) -> bool {
        let mut steps = expression.references().steps.keys();
        steps.any(|name| {
            let position = self.positions.get(name);
            let step = position.and_then(|at| self.definition.steps.get(*at));
            step.is_some_and(|step| step.kind == Kind::Task)
        })
    }
}

fn types(definition: &Definition) -> TypeEnv {
    let inputs = definition
        .inputs
        .iter()
        .fold(Members::new(), |members, input| members.with(&input.name, input.kind));
    let steps = definition.steps.iter().fold(Members::new(), |members, step| {
        members.with(&step.name, step_type(step))
    });
    let workflow = Members::new()
        .with("name", Type::String)
        .with("namespace", Type::String)
        .with("uid", Type::String)
        .with("run", Type::Int)
        .with("startedAt", Type::String)
        .with("inputs", inputs.clone());
    TypeEnv::new()
        .with("inputs", inputs)
        .with("steps", steps)
        .with("workflow", workflow)
}

/// A step below runs only when this one is done: it may have been skipped, or have failed and been let pass.
fn step_type(step: &StepDefinition) -> Type {
    let outputs = step.outputs.iter().fold(Members::new(), |members, output| {
        if output.optional && output.default.is_none() {
            members.with_optional(&output.name, output.kind)
        } else {
            members.with(&output.name, output.kind)
        }
    });
    let members = Members::new()
        .with("phase", Type::String)
        .with("attempts", Type::Int)
        .with_optional("reason", Type::String)
        .with_optional("message", Type::String)
        .with_optional("exitCode", Type::Int);
    let may_lack_outputs = step.when.is_some() || step.then != Then::Fail;
    let members = if may_lack_outputs {
        members.with_optional("outputs", outputs)
    } else {
        members.with("outputs", outputs)
    };
    members.into()
}

/// The declared type of an input of a step; an inline job takes anything.
pub(super) fn declared_type(step: &StepDefinition, input: &str) -> Wanted {
    let declared = step.declared.as_deref().and_then(|inputs| find(inputs, input));
    declared.map_or(Wanted::Any, |input| Wanted::Typed(input.kind))
}

fn find<'a>(inputs: &'a [Input], name: &str) -> Option<&'a Input> {
    inputs.iter().find(|input| input.name == name)
}

/// Values that are known before the run, names of inputs and outputs, and limits that exclude each other.
pub(super) fn values(definition: &Definition, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, input) in definition.inputs.iter().enumerate() {
        let path = format!("spec.inputs[{index}]");
        problems.extend(names::check(&input.name, format!("{path}.name")));
        if !seen.insert(&input.name) {
            problems.push(double(&input.name, format!("{path}.name")));
        }
        let value = crate::step::output::integral(input.kind, &input.value);
        if !input.kind.admits(&value) {
            let found = ValueType::name_of(&input.value);
            let words = format!("is {found} instead of {}", input.kind);
            problems.push(Problem::new(Reason::InvalidInput, format!("{path}.value"), words));
        }
    }
    for (at, step) in definition.steps.iter().enumerate() {
        given(at, step, problems);
        outputs(at, step, problems);
        limits(at, step, problems);
    }
}

fn double(name: &str, path: String) -> Problem {
    let words = format!("{name} is there twice: names are unique");
    Problem::new(Reason::DuplicateName, path, words)
}

fn given(at: usize, step: &StepDefinition, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, binding) in step.given.iter().enumerate() {
        let path = format!("spec.steps[{at}].inputs[{index}]");
        problems.extend(names::check(&binding.name, format!("{path}.name")));
        if !seen.insert(binding.name.as_str()) {
            problems.push(double(&binding.name, format!("{path}.name")));
        }
        let Some(declared) = &step.declared else {
            continue;
        };
        let Some(input) = find(declared, &binding.name) else {
            let words = unknown_input(step, &binding.name, declared);
            problems.push(Problem::new(Reason::TaskMismatch, format!("{path}.name"), words));
            continue;
        };
        if let Some(value) = &binding.value
            && !input.kind.admits(&crate::step::output::integral(input.kind, value))
        {
            let found = ValueType::name_of(value);
            let words = format!("is {found}, but the Task declares {} as {}", input.name, input.kind);
            problems.push(Problem::new(Reason::TaskMismatch, format!("{path}.value"), words));
        }
    }
    for input in step.declared.iter().flatten() {
        let is_needed = input.default.is_none() && !input.optional;
        if is_needed && !seen.contains(input.name.as_str()) {
            let task = step.task.as_deref().unwrap_or_default();
            let words = format!("Task {task} requires input {}: give it a value", input.name);
            problems.push(Problem::new(
                Reason::TaskMismatch,
                format!("spec.steps[{at}].inputs"),
                words,
            ));
        }
    }
}

fn unknown_input(step: &StepDefinition, name: &str, declared: &[Input]) -> String {
    let task = step.task.as_deref().unwrap_or_default();
    let known: Vec<&str> = declared.iter().map(|input| input.name.as_str()).collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("Task {task} has no input {name}; did you mean {near}?"),
        None if known.is_empty() => format!("Task {task} has no inputs"),
        None => format!("Task {task} has no input {name}; it has {}", known.join(", ")),
    }
}

fn outputs(at: usize, step: &StepDefinition, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, output) in step.outputs.iter().enumerate() {
        let path = format!("spec.steps[{at}].outputs[{index}].name");
        problems.extend(names::check(&output.name, path.clone()));
        if !seen.insert(&output.name) {
            problems.push(double(&output.name, path));
        }
    }
}

fn limits(at: usize, step: &StepDefinition, problems: &mut Vec<Problem>) {
    let Some(retry) = &step.retry else {
        return;
    };
    let path = format!("spec.steps[{at}].retry");
    if retry.max_attempts == Some(0) && step.timeouts.schedule_to_close.is_none() {
        let words = "0 is unlimited and needs timeouts.scheduleToClose to end some day";
        problems.push(Problem::new(
            Reason::InvalidDefinition,
            format!("{path}.maxAttempts"),
            words,
        ));
    }
    let backoff = &retry.backoff;
    if let (Some(initial), Some(max)) = (backoff.initial, backoff.max)
        && max < initial
    {
        let words = format!("{max} is less than initial {initial}: make it larger or leave it out");
        problems.push(Problem::new(
            Reason::InvalidDefinition,
            format!("{path}.backoff.max"),
            words,
        ));
    }
}
