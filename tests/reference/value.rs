//! What conditions and sources give, judged without CEL.

use jobwright_api::StepPhase;
use serde_json::{Value, json};
use std::collections::BTreeSet;

use super::{Values, Verdict, verdict::Item};
use crate::graphs::{Case, Condition, Kind, Source};
use crate::world::go_numbers;

/// What the expressions at one place can see.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) case: &'a Case,
    /// Of the run, or of the block: nothing else of what is around it.
    pub(super) inputs: &'a Values,
    /// The steps of this body that have ended, by their place.
    pub(super) steps: &'a [Verdict],
    /// Of these, the ones that an expression here sees as they ended; the others run, for all that it knows.
    pub(super) seen: &'a BTreeSet<usize>,
    pub(super) body: Option<usize>,
    pub(super) turn: Option<Turn<'a>>,
    pub(super) item: Option<(usize, i64)>,
    pub(super) error: Option<&'a Failure>,
}

/// What handlers see of what they follow.
#[derive(Clone, Debug, Default)]
pub(super) struct Failure {
    pub(super) reason: Option<String>,
    pub(super) exit_code: Option<i32>,
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
    /// A step that has ended and is seen.
    fn step(&self, step: usize) -> Option<&Verdict> {
        self.steps.get(step).filter(|_| self.seen.contains(&step))
    }

    fn output(&self, step: usize, name: &str) -> Option<Value> {
        self.step(step)?.outputs.get(name).cloned()
    }

    fn phase(&self, step: usize) -> StepPhase {
        self.step(step).map_or(StepPhase::Running, |verdict| verdict.phase)
    }

    /// Of the steps seen that set it and have succeeded: the last one.
    fn variable(&self, name: &str) -> Option<Value> {
        let steps = &self.case.body(self.body).steps;
        let set = (0..steps.len())
            .rev()
            .filter(|step| matches!(steps[*step].kind, Kind::Set(_)));
        set.into_iter().find_map(|step| self.output(step, name))
    }

    /// What the items of a fork give; none where it has not begun.
    fn items(&self, step: usize) -> Option<&[Item]> {
        self.step(step)?.items.as_deref()
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
            Condition::Phase(step, phase) => self.phase(*step) == *phase,
            Condition::Has(step, name) => self.output(*step, name).is_some(),
            Condition::Reads(step, name, bound) => self.integer(*step, name).ok_or(Wrong)? > *bound,
            Condition::Guarded(step, name, bound) => is_above(self.output(*step, name).as_ref(), *bound),
            Condition::Divides(step, name, bound) => {
                let divisor = self.integer(*step, name).ok_or(Wrong)?;
                12_i64.checked_div(divisor).ok_or(Wrong)? > *bound
            }
            Condition::Iteration(bound) => self.turn.ok_or(Wrong)?.iteration < *bound,
            Condition::Last(name, bound) => is_above(self.turn.ok_or(Wrong)?.last.get(name), *bound),
            Condition::Item(_, bound) => self.item.ok_or(Wrong)?.1 > *bound,
            Condition::Index(bound) => self.item.ok_or(Wrong)?.0 < usize::try_from(*bound).unwrap(),
            Condition::Error(reason) => self.error.ok_or(Wrong)?.reason.as_deref().unwrap_or("none") == reason,
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
            Source::Phase(step) => json!(self.phase(*step).to_string()),
            Source::Selected(step) => {
                let selected = self.step(*step).and_then(|step| step.selected.as_deref());
                json!(selected.unwrap_or("nothing"))
            }
            Source::Iterations(step) => json!(self.step(*step).map_or(0, |step| step.iterations)),
            Source::Item(_) => json!(self.item.ok_or(Wrong)?.1),
            Source::Index => json!(self.item.ok_or(Wrong)?.0),
            Source::Variable(name, otherwise) => self.variable(name).unwrap_or_else(|| json!(otherwise)),
            Source::ExitCode(otherwise) => {
                let code = self.error.ok_or(Wrong)?.exit_code;
                json!(code.map_or(*otherwise, i64::from))
            }
            Source::ItemsWell(step) => {
                let is_well = |item: &&Item| item.phase == Some(StepPhase::Succeeded);
                let well = self.items(*step).map(|items| items.iter().filter(is_well).count());
                json!(well.map_or(-1, |well| i64::try_from(well).unwrap()))
            }
            Source::Items(step) => {
                let is_well = self.phase(*step) == StepPhase::Succeeded;
                json!(self.items(*step).filter(|_| is_well).map_or(0, <[Item]>::len))
            }
            Source::Sum(step, name) => {
                let items = self.items(*step).unwrap_or_default();
                let given = items
                    .iter()
                    .filter_map(|item| item.outputs.as_ref()?.get(name)?.as_i64());
                json!(given.sum::<i64>())
            }
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
