//! Checks of values and expressions against what is declared.

use jobwright_api::{Input, Reason, ValueType, policy::Then};
use std::collections::{BTreeMap, BTreeSet};

use super::{flow, fork, names, section::Section, variable};
use crate::{
    definition::{Definition, Flow, Kind, StepDefinition},
    expr::{self, Expression, Members, Type, TypeEnv},
    inputs, job,
    problem::Problem,
};

/// What an expression at some place has to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Any,
    Boolean,
    String,
    List,
    Typed(ValueType),
}

impl Wanted {
    fn kind(self) -> Type {
        match self {
            Self::Any => Type::Dyn,
            Self::Boolean => Type::Bool,
            Self::String => Type::String,
            Self::List => Type::list(Type::Dyn),
            Self::Typed(kind) => kind.into(),
        }
    }
}

/// All that expressions of a definition may read, with types.
pub(super) struct Declared<'a> {
    section: &'a Section<'a>,
    positions: &'a BTreeMap<String, usize>,
    /// What there is when all steps have ended well.
    types: TypeEnv,
    /// What there is when all steps have ended, whatever became of them.
    at_end: TypeEnv,
    writers: Vec<usize>,
}

impl<'a> Declared<'a> {
    /// `dropped`: steps that may give nothing though all around them ends well.
    pub(super) fn new(
        section: &'a Section<'a>,
        (positions, order): (&'a BTreeMap<String, usize>, &[usize]),
        dropped: &BTreeSet<usize>,
    ) -> Self {
        let all = (0..section.steps.len()).collect();
        let writers = variable::writers(section, order, &all);
        let well = types(section, |at| dropped.contains(&at));
        let at_end = types(section, |_| true);
        Self {
            section,
            positions,
            types: variable::with_variables(&well, section, &writers, |at| !dropped.contains(&at)),
            at_end: variable::with_variables(&at_end, section, &writers, |_| false),
            writers,
        }
    }

    /// What a step may read that begins when these have ended, and others above it may not have.
    pub(super) fn types_behind(&self, upstream: &BTreeSet<usize>, ended: &BTreeSet<usize>) -> TypeEnv {
        types(self.section, |at| upstream.contains(&at) && !ended.contains(&at))
    }

    /// Positions of all steps that set variables, in the order in which they run.
    pub(super) fn writers(&self) -> &[usize] {
        &self.writers
    }

    pub(super) const fn types_at_end(&self) -> &TypeEnv {
        &self.at_end
    }

    pub(super) const fn types(&self) -> &TypeEnv {
        &self.types
    }

    /// The types of all that there may be, and the steps that set variables.
    pub(super) fn into_parts(self) -> (TypeEnv, Vec<usize>) {
        (self.at_end, self.writers)
    }

    /// Parses and checks one expression that may read the steps in `upstream`, under these types.
    pub(super) fn expression(
        &self,
        path: &str,
        text: &str,
        (upstream, types): (&BTreeSet<usize>, &TypeEnv),
        wanted: Wanted,
    ) -> Result<Expression, Problem> {
        let wrong = |error: &expr::Error| Problem::new(Reason::ExpressionError, path, error.to_string());
        let expression = Expression::parse(text).map_err(|error| wrong(&error))?;
        self.steps_are_upstream(path, &expression, upstream)?;
        let kind = expression.check(types).map_err(|error| Problem {
            reason: self.blame(&expression, &error),
            ..wrong(&error)
        })?;
        let wanted = wanted.kind();
        if kind.may_be(&wanted) {
            return Ok(expression);
        }
        let words = format!("gives {kind} where {wanted} is wanted");
        Err(Problem::new(self.mendable(&expression), path, words))
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

    /// Mistakes about outputs may be mended in the Task or template that declares them.
    fn blame(&self, expression: &Expression, error: &expr::Error) -> Reason {
        let is_of_types = matches!(
            error,
            expr::Error::UnknownMember { .. } | expr::Error::Type { .. } | expr::Error::MayBeAbsent { .. }
        );
        if is_of_types {
            self.mendable(expression)
        } else {
            Reason::ExpressionError
        }
    }

    fn mendable(&self, expression: &Expression) -> Reason {
        let positions = expression.references().steps.keys();
        let positions = positions.filter_map(|name| self.positions.get(name));
        let steps = positions.filter_map(|at| self.section.steps.get(*at));
        let mut reasons = steps.filter_map(|step| match step.kind {
            Kind::Task => Some(Reason::TaskMismatch),
            Kind::Workflow => Some(Reason::TemplateMismatch),
            _ => None,
        });
        reasons.next().unwrap_or(Reason::ExpressionError)
    }
}

fn types(section: &Section, may_give_nothing: impl Fn(usize) -> bool) -> TypeEnv {
    let of_run = members(&section.definition.inputs);
    let inputs = members(section.inputs);
    let steps = section.steps.iter().enumerate();
    let steps = steps.fold(Members::new(), |members, (at, step)| {
        members.with(&step.name, step_type(section.definition, step, may_give_nothing(at)))
    });
    let workflow = Members::new()
        .with("name", Type::String)
        .with("namespace", Type::String)
        .with("uid", Type::String)
        .with("run", Type::Int)
        .with("startedAt", Type::String)
        .with("inputs", of_run);
    TypeEnv::new()
        .with("inputs", inputs)
        .with("steps", steps)
        .with("workflow", workflow)
}

/// Inputs by name; one that may have no value is optional.
fn members(inputs: &[Input]) -> Members {
    inputs.iter().fold(Members::new(), |members, input| {
        if input.optional && input.default.is_none() {
            members.with_optional(&input.name, input.kind)
        } else {
            members.with(&input.name, input.kind)
        }
    })
}

/// A step below runs only when this one is done, unless a join lets it: it may have been skipped, or have failed and
/// been let pass.
fn step_type(definition: &Definition, step: &StepDefinition, may_give_nothing: bool) -> Type {
    let outputs = flow::given(definition, step);
    let members = Members::new()
        .with("phase", Type::String)
        .with("attempts", Type::Int)
        .with_optional("reason", Type::String)
        .with_optional("message", Type::String)
        .with_optional("exitCode", Type::Int)
        .with_optional("selected", Type::String)
        .with("iterations", Type::Int);
    let may_run_nothing = matches!(&step.flow, Some(Flow::Loop(looped)) if looped.before.is_some());
    let may_lack_outputs = may_give_nothing || step.when.is_some() || step.then != Then::Fail || may_run_nothing;
    let mut given: Vec<(&str, Type)> = Vec::new();
    if step.for_each.is_some() {
        given.push(("outputs", Type::list(Type::Dyn)));
        given.extend(fork::members(outputs));
    } else {
        given.push(("outputs", outputs.into()));
    }
    let members = given.into_iter().fold(members, |members, (name, kind)| {
        if may_lack_outputs {
            members.with_optional(name, kind)
        } else {
            members.with(name, kind)
        }
    });
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

/// The inputs that a run or block declares: names, defaults and patterns.
pub(super) fn inputs(at: &str, declared: &[Input], problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, input) in declared.iter().enumerate() {
        let path = format!("{at}.inputs[{index}]");
        problems.extend(names::check(&input.name, format!("{path}.name")));
        if !seen.insert(&input.name) {
            problems.push(double(&input.name, format!("{path}.name")));
        }
        if let Some((field, words)) = job::declaration(input) {
            problems.push(Problem::new(
                Reason::InvalidDefinition,
                format!("{path}.{field}"),
                words,
            ));
        }
    }
}

/// Values that are known before the run, names of inputs and outputs, and limits that exclude each other.
pub(super) fn steps(section: &Section, problems: &mut Vec<Problem>) {
    for (at, step) in section.steps.iter().enumerate() {
        let path = format!("{}.steps[{at}]", section.path);
        given(&path, step, problems);
        outputs(&path, step, problems);
        limits(&path, step, problems);
    }
}

fn double(name: &str, path: String) -> Problem {
    let words = format!("{name} is there twice: names are unique");
    Problem::new(Reason::DuplicateName, path, words)
}

pub(super) fn given(at: &str, step: &StepDefinition, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, binding) in step.given.iter().enumerate() {
        let path = format!("{at}.inputs[{index}]");
        problems.extend(names::check(&binding.name, format!("{path}.name")));
        if !seen.insert(binding.name.as_str()) {
            problems.push(double(&binding.name, format!("{path}.name")));
        }
        let Some(declared) = &step.declared else {
            continue;
        };
        let Some(input) = find(declared, &binding.name) else {
            let words = inputs::unknown(&declarer(step), &binding.name, declared);
            problems.push(Problem::new(mismatch(step), format!("{path}.name"), words));
            continue;
        };
        if let Some(value) = &binding.value
            && !input.kind.admits(&crate::step::output::integral(input.kind, value))
        {
            let found = ValueType::name_of(value);
            let words = format!(
                "is {found}, but {} declares {} as {}",
                declarer(step),
                input.name,
                input.kind
            );
            problems.push(Problem::new(mismatch(step), format!("{path}.value"), words));
        }
    }
    for input in step.declared.iter().flatten() {
        let is_needed = input.default.is_none() && !input.optional;
        if is_needed && !seen.contains(input.name.as_str()) {
            let words = format!("{} requires input {}: give it a value", declarer(step), input.name);
            problems.push(Problem::new(mismatch(step), format!("{at}.inputs"), words));
        }
    }
}

/// Who declares the inputs of a step, in words.
fn declarer(step: &StepDefinition) -> String {
    if let Some(child) = &step.child {
        return format!("WorkflowTemplate {}", child.template);
    }
    match (&step.task, &step.flow) {
        (Some(task), _) => format!("Task {task}"),
        (None, Some(flow)) => {
            let names: Vec<&str> = flow.blocks().collect();
            format!("block {}", names.join(" or "))
        }
        (None, None) => "the step".to_owned(),
    }
}

/// What a Task declares can be mended there; a block is part of the definition.
const fn mismatch(step: &StepDefinition) -> Reason {
    match step.kind {
        Kind::Task => Reason::TaskMismatch,
        Kind::Workflow => Reason::TemplateMismatch,
        _ => Reason::InvalidInput,
    }
}

fn outputs(at: &str, step: &StepDefinition, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, output) in step.outputs.iter().enumerate() {
        let field = if step.kind == Kind::Http {
            "http.outputs"
        } else {
            "outputs"
        };
        let path = format!("{at}.{field}[{index}].name");
        problems.extend(names::check(&output.name, path.clone()));
        if !seen.insert(&output.name) {
            problems.push(double(&output.name, path));
        }
    }
}

fn limits(at: &str, step: &StepDefinition, problems: &mut Vec<Problem>) {
    let Some(retry) = &step.retry else {
        return;
    };
    let path = format!("{at}.retry");
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
