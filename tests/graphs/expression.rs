//! Conditions and sources of values: printed as CEL, and judged without it by the reference.

use jobwright_api::StepPhase;
use serde_json::Value;

use super::Body;

/// A condition. Only [`Condition::Divides`] can go wrong at run time: what may be absent is refused before.
#[derive(Clone, Debug)]
pub enum Condition {
    Literal(bool),
    /// The input `flag` of the run, or of the block.
    Flag,
    /// A step ended in this phase.
    Phase(usize, StepPhase),
    Has(usize, String),
    /// An integer output, always there, is above a bound.
    Reads(usize, String, i64),
    /// The same, false where it is absent.
    Guarded(usize, String, i64),
    /// 12 divided by an integer output, always there, is above a bound; an error where it is 0.
    Divides(usize, String, i64),
    /// In a loop: `iteration` is below a bound.
    Iteration(u32),
    /// In a loop: an integer output of the iteration before is there and above a bound. In `stopWhen`: of the item.
    Last(String, i64),
    /// In a fork: the item, under this name, is above a bound.
    Item(String, i64),
    /// In a fork: the place of the item is below a bound.
    Index(u32),
    /// In a handler: what it follows failed for this reason.
    Error(String),
    /// In `until`: an integer output of the iteration that has ended is above a bound.
    Gave(String, i64),
    Not(Box<Self>),
    /// The left side is never an error: which side of an error wins is not what we test here.
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum Source {
    Literal(Value),
    /// Left out: the default of the Task or block is used.
    Default(Value),
    /// Left out, and the Task lets it.
    Absent,
    /// The input `level` of the run, or of the block.
    Level,
    /// The input `level` of the run, wherever it is read.
    RunLevel,
    /// An output of a step that is there for certain.
    Reads(usize, String),
    /// 12 divided by such an output.
    Divides(usize, String),
    /// An output of a step, or a number where it is absent.
    ReadsOr(usize, String, i64),
    /// The phase of a step as a string.
    Phase(usize),
    Selected(usize),
    Iterations(usize),
    Judged(Box<Condition>),
    /// In a fork: the item, under this name.
    Item(String),
    /// In a fork: the place of the item.
    Index,
    /// A variable, or a number where it is not set.
    Variable(String, i64),
    /// In a handler: the exit code of what it follows, or a number.
    ExitCode(i64),
    /// Of a fork: how many items have succeeded, or -1.
    ItemsWell(usize),
    /// Of a fork: how many outputs there are, or 0.
    Items(usize),
    /// Of a fork: this output of all results, added up.
    Sum(usize, String),
    /// In a loop: the number of this iteration.
    Iteration,
    /// In a loop: an integer output of the iteration before, or a number.
    LastOr(String, i64),
}

impl Condition {
    #[must_use]
    pub fn to_cel(&self, body: &Body) -> String {
        let name = |step: &usize| body.steps[*step].name.as_str();
        match self {
            Self::Literal(value) => value.to_string(),
            Self::Flag => "inputs.flag".to_owned(),
            Self::Phase(step, phase) => format!("steps.{}.phase == '{phase}'", name(step)),
            Self::Has(step, output) => format!("has(steps.{}.outputs.{output})", name(step)),
            Self::Reads(step, output, bound) => {
                format!("steps.{}.outputs.{output} > {bound}", name(step))
            }
            Self::Guarded(step, output, bound) => {
                let read = format!("steps.{}.outputs.{output}", name(step));
                format!("has({read}) && {read} > {bound}")
            }
            Self::Divides(step, output, bound) => format!("12 / steps.{}.outputs.{output} > {bound}", name(step)),
            Self::Iteration(bound) => format!("iteration < {bound}"),
            Self::Last(output, bound) => format!("has(last.{output}) && last.{output} > {bound}"),
            Self::Item(name, bound) => format!("{name} > {bound}"),
            Self::Index(bound) => format!("index < {bound}"),
            Self::Error(reason) => format!("or(error.reason, 'none') == '{reason}'"),
            Self::Gave(output, bound) => format!("block.outputs.{output} > {bound}"),
            Self::Not(inner) => format!("!({})", inner.to_cel(body)),
            Self::And(left, right) => {
                format!("({}) && ({})", left.to_cel(body), right.to_cel(body))
            }
            Self::Or(left, right) => format!("({}) || ({})", left.to_cel(body), right.to_cel(body)),
        }
    }

    #[must_use]
    pub const fn can_fail(&self) -> bool {
        match self {
            Self::Divides(..) => true,
            Self::Not(inner) => inner.can_fail(),
            Self::And(left, right) | Self::Or(left, right) => left.can_fail() || right.can_fail(),
            _ => false,
        }
    }

    /// The steps that it reads, to be changed.
    pub fn steps_mut(&mut self) -> Vec<&mut usize> {
        match self {
            Self::Literal(_)
            | Self::Flag
            | Self::Iteration(_)
            | Self::Last(..)
            | Self::Item(..)
            | Self::Index(_)
            | Self::Error(_)
            | Self::Gave(..) => Vec::new(),
            Self::Phase(step, _)
            | Self::Has(step, _)
            | Self::Reads(step, ..)
            | Self::Guarded(step, ..)
            | Self::Divides(step, ..) => vec![step],
            Self::Not(inner) => inner.steps_mut(),
            Self::And(left, right) | Self::Or(left, right) => {
                left.steps_mut().into_iter().chain(right.steps_mut()).collect()
            }
        }
    }
}

impl Source {
    /// As an expression; none where it is a literal or left out.
    #[must_use]
    pub fn to_cel(&self, body: &Body) -> Option<String> {
        let of = |step: &usize, member: &str| format!("steps.{}.{member}", body.steps[*step].name);
        let output = |step: &usize, output: &str| of(step, &format!("outputs.{output}"));
        Some(match self {
            Self::Literal(_) | Self::Default(_) | Self::Absent => return None,
            Self::Level => "inputs.level".to_owned(),
            Self::RunLevel => "workflow.inputs.level".to_owned(),
            Self::Reads(step, name) => output(step, name),
            Self::Divides(step, name) => format!("12 / {}", output(step, name)),
            Self::ReadsOr(step, name, otherwise) => {
                let read = output(step, name);
                // Two ways to say the same.
                if step.is_multiple_of(2) {
                    format!("has({read}) ? {read} : {otherwise}")
                } else {
                    format!("or({read}, {otherwise})")
                }
            }
            Self::Phase(step) => of(step, "phase"),
            Self::Selected(step) => format!("or({}, 'nothing')", of(step, "selected")),
            Self::Iterations(step) => of(step, "iterations"),
            Self::Judged(condition) => condition.to_cel(body),
            Self::Item(name) => name.clone(),
            Self::Index => "index".to_owned(),
            Self::Variable(name, otherwise) => format!("or(vars.{name}, {otherwise})"),
            Self::ExitCode(otherwise) => format!("or(error.exitCode, {otherwise})"),
            Self::ItemsWell(step) => format!("or({}, -1)", of(step, "counts.succeeded")),
            Self::Items(step) => format!("size(or({}, []))", of(step, "outputs")),
            Self::Sum(step, output) => {
                format!("sum(or({}, []).map(r, or(r.{output}, 0)))", of(step, "results"))
            }
            Self::Iteration => "iteration".to_owned(),
            Self::LastOr(name, otherwise) => format!("or(last.{name}, {otherwise})"),
        })
    }

    /// The steps that it reads.
    #[must_use]
    pub fn reads(&self) -> Vec<usize> {
        let mut copy = self.clone();
        copy.steps_mut().into_iter().map(|step| *step).collect()
    }

    /// The same, to be changed.
    pub fn steps_mut(&mut self) -> Vec<&mut usize> {
        match self {
            Self::Reads(step, _)
            | Self::Divides(step, _)
            | Self::ReadsOr(step, ..)
            | Self::Phase(step)
            | Self::Selected(step)
            | Self::ItemsWell(step)
            | Self::Items(step)
            | Self::Sum(step, _)
            | Self::Iterations(step) => vec![step],
            Self::Judged(condition) => condition.steps_mut(),
            _ => Vec::new(),
        }
    }
}
