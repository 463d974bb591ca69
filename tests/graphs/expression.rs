//! Conditions that can be printed as CEL and judged without it.

use jobwright_api::StepPhase;

use super::Case;

/// A `when`. Only [`Condition::Divides`] can go wrong at run time: what may be absent is refused before.
#[derive(Clone, Debug)]
pub enum Condition {
    Literal(bool),
    /// The run's input `flag`.
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
    Not(Box<Self>),
    /// The left side is never an error: which side of an error wins is not what we test here.
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

impl Condition {
    #[must_use]
    pub fn to_cel(&self, case: &Case) -> String {
        let name = |step: &usize| case.steps[*step].name.as_str();
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
            Self::Not(inner) => format!("!({})", inner.to_cel(case)),
            Self::And(left, right) => {
                format!("({}) && ({})", left.to_cel(case), right.to_cel(case))
            }
            Self::Or(left, right) => format!("({}) || ({})", left.to_cel(case), right.to_cel(case)),
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

    /// The steps that it reads.
    #[must_use]
    pub fn reads(&self) -> Vec<usize> {
        match self {
            Self::Literal(_) | Self::Flag => Vec::new(),
            Self::Phase(step, _)
            | Self::Has(step, _)
            | Self::Reads(step, ..)
            | Self::Guarded(step, ..)
            | Self::Divides(step, ..) => vec![*step],
            Self::Not(inner) => inner.reads(),
            Self::And(left, right) | Self::Or(left, right) => [left.reads(), right.reads()].concat(),
        }
    }
}
