//! What conditions and sources give, judged without CEL.

use serde_json::{Value, json};

use super::{Values, Verdict};
use crate::graphs::{Case, Condition, Source};
use crate::world::go_numbers;

/// What the expressions at one place can see.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) case: &'a Case,
    /// Of the run, or of the block: nothing else of what is around it.
    pub(super) inputs: &'a Values,
    /// The steps of this body that have ended, by their place.
    pub(super) steps: &'a [Verdict],
    pub(super) turn: Option<Turn<'a>>,
}

/// What a loop's own expressions see beside that.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    pub(super) iteration: u32,
    /// Outputs of the iteration before; empty before the first has ended.
    pub(super) last: &'a Values,
    /// Of the iteration that has just ended: in `until`.
    pub(super) gave: Option<&'a Values>,
}

/// An expression that gives an error.
#[derive(Debug)]
pub(super) struct Wrong;

impl Scope<'_> {
    fn output(&self, step: usize, name: &str) -> Option<Value> {
        self.steps[step].outputs.get(name).cloned()
    }

    fn integer(&self, step: usize, name: &str) -> Option<i64> {
        self.output(step, name)?.as_i64()
    }

    /// Whether a condition holds.
    pub(super) fn holds(&self, condition: &Condition) -> Result<bool, Wrong> {
        let is_above = |value: Option<&Value>, bound: i64| value.and_then(Value::as_i64).is_some_and(|it| it > bound);
        Ok(match condition {
            Condition::Literal(value) => *value,
            Condition::Flag => self.inputs["flag"] == true,
            Condition::Phase(step, phase) => self.steps[*step].phase == *phase,
            Condition::Has(step, name) => self.output(*step, name).is_some(),
            Condition::Reads(step, name, bound) => self.integer(*step, name).ok_or(Wrong)? > *bound,
            Condition::Guarded(step, name, bound) => is_above(self.output(*step, name).as_ref(), *bound),
            Condition::Divides(step, name, bound) => {
                let divisor = self.integer(*step, name).ok_or(Wrong)?;
                12_i64.checked_div(divisor).ok_or(Wrong)? > *bound
            }
            Condition::Iteration(bound) => self.turn.ok_or(Wrong)?.iteration < *bound,
            Condition::Last(name, bound) => is_above(self.turn.ok_or(Wrong)?.last.get(name), *bound),
            Condition::Gave(name, bound) => {
                let gave = self.turn.and_then(|turn| turn.gave).ok_or(Wrong)?;
                is_above(gave.get(name), *bound)
            }
            Condition::Not(inner) => !self.holds(inner)?,
            Condition::And(left, right) => self.holds(left)? && self.holds(right)?,
            Condition::Or(left, right) => self.holds(left)? || self.holds(right)?,
        })
    }

    /// What a source gives; none where nothing is given.
    pub(super) fn value(&self, source: &Source) -> Result<Option<Value>, Wrong> {
        let given = match source {
            Source::Literal(value) | Source::Default(value) => stored(value),
            Source::Absent => return Ok(None),
            Source::Level => self.inputs["level"].clone(),
            Source::RunLevel => json!(self.case.level),
            Source::Reads(step, name) => self.output(*step, name).ok_or(Wrong)?,
            Source::Divides(step, name) => {
                let divisor = self.integer(*step, name).ok_or(Wrong)?;
                json!(12_i64.checked_div(divisor).ok_or(Wrong)?)
            }
            Source::ReadsOr(step, name, otherwise) => self.output(*step, name).unwrap_or_else(|| json!(otherwise)),
            Source::Phase(step) => json!(self.steps[*step].phase.to_string()),
            Source::Selected(step) => json!(self.steps[*step].selected.as_deref().unwrap_or("nothing")),
            Source::Iterations(step) => json!(self.steps[*step].iterations),
            Source::Judged(condition) => json!(self.holds(condition)?),
            Source::Iteration => json!(self.turn.ok_or(Wrong)?.iteration),
            Source::LastOr(name, otherwise) => {
                let last = self.turn.ok_or(Wrong)?.last;
                last.get(name).cloned().unwrap_or_else(|| json!(otherwise))
            }
        };
        Ok(Some(given))
    }

    /// The values of named sources; those that give nothing are left out.
    pub(super) fn values(&self, sources: &[(String, Source)]) -> Result<Values, Wrong> {
        let mut values = Values::new();
        for (name, source) in sources {
            values.extend(self.value(source)?.map(|value| (name.clone(), value)));
        }
        Ok(values)
    }
}

pub(super) fn stored(value: &Value) -> Value {
    let mut value = value.clone();
    go_numbers(&mut value);
    value
}
