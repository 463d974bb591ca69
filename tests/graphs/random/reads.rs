//! What the expressions of a step read.

use jobwright_api::{StepPhase, ValueType};
use std::collections::BTreeSet;

use super::job::random_value;
use crate::{
    graphs::{Case, Condition, Each, Kind, Loop, Offer, Source},
    rng::Rng,
};

/// What is there to be read at one place of a case.
#[derive(Clone)]
pub(super) struct View<'a> {
    case: &'a Case,
    body: Option<usize>,
    /// The steps upstream.
    readable: Vec<usize>,
    /// Of these, the ones that have ended for certain.
    ended: BTreeSet<usize>,
    /// In a fork: the name of the item.
    item: Option<String>,
    /// In a handler.
    follows: bool,
    /// In the expressions of a loop: it.
    looped: Option<&'a Loop>,
    /// In `until`.
    is_after: bool,
}

impl<'a> View<'a> {
    pub(super) const fn new(case: &'a Case, body: Option<usize>, readable: Vec<usize>, ended: BTreeSet<usize>) -> Self {
        Self {
            case,
            body,
            readable,
            ended,
            item: None,
            follows: false,
            looped: None,
            is_after: false,
        }
    }

    /// The same from within a loop: `while` and inputs, or `until`.
    pub(super) fn of_loop(&self, looped: &'a Loop, is_after: bool) -> Self {
        Self {
            looped: Some(looped),
            is_after,
            ..self.clone()
        }
    }

    /// The same of each item.
    pub(super) fn of_items(&self, each: &Each) -> Self {
        Self {
            item: Some(each.root().to_owned()),
            ..self.clone()
        }
    }

    /// The same of what follows a failure or the end: it sees all steps, whatever became of them.
    pub(super) fn of_handler(&self) -> Self {
        Self {
            readable: (0..self.case.body(self.body).steps.len()).collect(),
            ended: BTreeSet::new(),
            follows: true,
            ..self.clone()
        }
    }

    /// Whether it may read this step.
    pub(super) fn reads(&self, step: usize) -> bool {
        self.readable.contains(&step)
    }

    /// The variables that steps upstream set.
    pub(super) fn variables(&self) -> Vec<String> {
        let steps = &self.case.body(self.body).steps;
        let set = self.readable.iter().filter_map(|place| match &steps.get(*place)?.kind {
            Kind::Set(variables) => Some(variables),
            _ => None,
        });
        let mut names: Vec<String> = set.flatten().map(|(name, _)| name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    fn pick(&self, rng: &mut Rng, kind: Option<ValueType>) -> Option<(usize, Offer)> {
        let steps = &self.case.body(self.body).steps;
        let offers = self.readable.iter().flat_map(|place| {
            let offers = self.case.offers(&steps[*place]).into_iter();
            let wanted = offers.filter(|offer| kind.is_none_or(|kind| offer.kind == kind));
            wanted.map(|offer| {
                let is_certain = offer.is_certain && self.ended.contains(place);
                (*place, Offer { is_certain, ..offer })
            })
        });
        let offers: Vec<_> = offers.collect();
        (!offers.is_empty()).then(|| rng.pick(&offers).clone())
    }

    /// An integer that the body of the loop gives.
    fn pick_of_loop(&self, rng: &mut Rng) -> Option<String> {
        let block = self.looped?.block;
        let outputs = self.case.blocks[block].outputs.iter();
        let integers = outputs.filter(|(_, source)| self.case.kind_of(source, Some(block)) == ValueType::Integer);
        let names: Vec<String> = integers.map(|(name, _)| name.clone()).collect();
        (!names.is_empty()).then(|| rng.pick(&names).clone())
    }

    pub(super) fn condition(&self, rng: &mut Rng, depth: u32) -> Condition {
        if depth > 0 && rng.chance(30) {
            let right = Box::new(self.condition(rng, depth - 1));
            let left = Box::new(self.condition(rng, depth - 1));
            return match (rng.below(3), left.can_fail()) {
                (0, _) | (_, true) => Condition::Not(left),
                (1, false) => Condition::And(left, right),
                (_, false) => Condition::Or(left, right),
            };
        }
        if self.looped.is_some() && rng.chance(70) {
            return self.loop_condition(rng);
        }
        if let Some(item) = self.item.as_ref().filter(|_| rng.chance(50)) {
            let bound = rng.below(5);
            return if rng.chance(50) {
                Condition::Item(item.clone(), i64::try_from(bound).unwrap() - 1)
            } else {
                Condition::Index(u32::try_from(bound).unwrap())
            };
        }
        if self.follows && rng.chance(40) {
            let reason = *rng.pick(&["ExitCode", "ExitCode", "StepFailed", "Evicted", "none"]);
            return Condition::Error(reason.to_owned());
        }
        let integer = self.pick(rng, Some(ValueType::Integer));
        let bound = i64::try_from(rng.below(5)).unwrap() - 3;
        match (rng.below(12), integer) {
            (0, _) => Condition::Literal(rng.chance(70)),
            (1..5, _) if !self.readable.is_empty() => {
                let phase = *rng.pick(&[
                    StepPhase::Succeeded,
                    StepPhase::Succeeded,
                    StepPhase::Failed,
                    StepPhase::Skipped,
                ]);
                Condition::Phase(*rng.pick(&self.readable), phase)
            }
            (5..7, _) => match self.pick(rng, None) {
                Some((step, output)) => Condition::Has(step, output.name),
                None => Condition::Flag,
            },
            (7..9, Some((step, output))) => Condition::Guarded(step, output.name, bound),
            (9..11, Some((step, output))) if output.is_certain => Condition::Reads(step, output.name, bound),
            (11, Some((step, output))) if output.is_certain => Condition::Divides(step, output.name, bound),
            _ => Condition::Flag,
        }
    }

    /// What can be told only within a loop.
    fn loop_condition(&self, rng: &mut Rng) -> Condition {
        let bound = i64::try_from(rng.below(5)).unwrap() - 2;
        match (rng.below(4), self.pick_of_loop(rng)) {
            (2.., Some(output)) if self.is_after => Condition::Gave(output, bound),
            (_, _) if self.is_after => {
                let turns = u32::try_from(rng.below(7)).unwrap();
                Condition::Not(Box::new(Condition::Iteration(turns)))
            }
            (1, Some(output)) => Condition::Last(output, bound),
            // False at once unless something else lets the first iteration begin.
            (2, Some(output)) => Condition::Or(
                Box::new(Condition::Iteration(1)),
                Box::new(Condition::Last(output, bound)),
            ),
            _ => Condition::Iteration(u32::try_from(rng.below(7)).unwrap()),
        }
    }

    /// For an input of a step with a Job.
    pub(super) fn source(&self, rng: &mut Rng, is_task: bool) -> Source {
        let kinds = [
            ValueType::Integer,
            ValueType::String,
            ValueType::Boolean,
            ValueType::Array,
            ValueType::Object,
        ];
        let kind = *rng.pick(&kinds);
        match rng.below(12) {
            0 if is_task => return Source::Default(random_value(rng, kind)),
            1 if is_task => return Source::Absent,
            2 => return Source::Literal(random_value(rng, kind)),
            _ => {}
        }
        self.output(rng)
            .unwrap_or_else(|| Source::Literal(random_value(rng, kind)))
    }

    /// For an output of a block, or an input: never a literal.
    pub(super) fn output(&self, rng: &mut Rng) -> Option<Source> {
        let found = self.pick(rng, None).filter(|(_, output)| output.is_certain);
        match (rng.below(10), found) {
            (0..3, Some((step, output))) => Some(Source::Reads(step, output.name)),
            (3, _) if !self.readable.is_empty() => Some(Source::Phase(*rng.pick(&self.readable))),
            (4, _) => self.pick_kind(rng, |kind| matches!(kind, Kind::Choice { .. }), Source::Selected),
            _ => self.integer(rng),
        }
    }

    /// Of type integer, and not a literal.
    pub(super) fn integer(&self, rng: &mut Rng) -> Option<Source> {
        if self.looped.is_some() && rng.chance(60) {
            let last = self.pick_of_loop(rng).filter(|_| rng.chance(60));
            return Some(last.map_or(Source::Iteration, |output| Source::LastOr(output, 2)));
        }
        if let Some(item) = self.item.as_ref().filter(|_| rng.chance(60)) {
            let is_item = rng.chance(60);
            return Some(if is_item {
                Source::Item(item.clone())
            } else {
                Source::Index
            });
        }
        if self.follows && rng.chance(40) {
            return Some(Source::ExitCode(-1));
        }
        let variables = self.variables();
        if !variables.is_empty() && rng.chance(25) {
            return Some(Source::Variable(rng.pick(&variables).clone(), 4));
        }
        if let Some(source) = self.of_fork(rng) {
            return Some(source);
        }
        let found = self.pick(rng, Some(ValueType::Integer));
        match (rng.below(10), found) {
            (0, _) => Some(Source::Level),
            (1, _) => Some(Source::RunLevel),
            (2, _) => self.pick_kind(rng, |kind| matches!(kind, Kind::Loop(_)), Source::Iterations),
            (3, Some((step, output))) if output.is_certain => Some(Source::Divides(step, output.name)),
            (4..6, Some((step, output))) if output.is_certain => Some(Source::Reads(step, output.name)),
            (_, Some((step, output))) => Some(Source::ReadsOr(step, output.name, 7)),
            (_, None) => None,
        }
    }

    /// What a fork upstream has come to; now and then.
    fn of_fork(&self, rng: &mut Rng) -> Option<Source> {
        let steps = &self.case.body(self.body).steps;
        let is_fork = |place: &&usize| steps[**place].each.is_some();
        let forks: Vec<usize> = self.readable.iter().filter(is_fork).copied().collect();
        if forks.is_empty() || rng.chance(40) {
            return None;
        }
        let fork = *rng.pick(&forks);
        let output = self.case.integer_of_item(&steps[fork]);
        Some(match (rng.below(3), output) {
            (0, Some(output)) => Source::Sum(fork, output),
            (1, _) => Source::Items(fork),
            _ => Source::ItemsWell(fork),
        })
    }

    /// Reads a step of some kind, if there is one; now and then any.
    fn pick_kind(&self, rng: &mut Rng, is_kind: fn(&Kind) -> bool, of: fn(usize) -> Source) -> Option<Source> {
        let steps = &self.case.body(self.body).steps;
        let wanted = |place: &&usize| is_kind(&steps[**place].kind);
        let found: Vec<usize> = self.readable.iter().filter(wanted).copied().collect();
        match (found.is_empty(), self.readable.is_empty()) {
            (false, _) => Some(of(*rng.pick(&found))),
            (true, false) if rng.chance(10) => Some(of(*rng.pick(&self.readable))),
            (true, _) => None,
        }
    }
}
