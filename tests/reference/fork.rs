//! A step for each item.

use jobwright_api::{Reason, StepPhase};

use super::{
    Judge, Verdict,
    value::{Scope, Turn, Wrong},
    verdict::{Item, ended, failed},
};
use crate::graphs::{Each, Items, Place};

impl Judge<'_> {
    pub(super) fn forked(&mut self, place: &Place, scope: Scope, each: &Each) -> Verdict {
        let items = match &each.items {
            Items::Count(count) => (0..i64::from(*count)).collect(),
            Items::Literal(items) => items.clone(),
            Items::Range(source) => match scope.value(source) {
                Ok(many) => {
                    let many = many.and_then(|many| many.as_i64()).unwrap_or_default();
                    (0..many.clamp(0, Items::RANGE_MAX)).collect()
                }
                Err(Wrong) => return failed(Reason::ExpressionError),
            },
        };
        let total = items.len();
        let observed = self.witness.forks.get(&place.id);
        let opened = observed.map_or(total, |fork| usize::try_from(fork.opened).unwrap().min(total));
        let mut found = Vec::new();
        let mut seen = Seen::default();
        for (index, item) in items.into_iter().enumerate() {
            if index >= opened {
                found.push(Item::default());
                continue;
            }
            let scope = Scope {
                item: Some((index, item)),
                ..scope
            };
            let verdict = self.item(place, index, (scope, each));
            seen.add(scope, each, &verdict);
            found.push(Item {
                phase: Some(verdict.phase),
                outputs: (verdict.phase == StepPhase::Succeeded).then_some(verdict.outputs),
            });
        }
        let (phase, reason) = self.end_of_fork(place, each, &found, &seen);
        let is_stopped = self.verdicts.stopped.contains(&place.id);
        Verdict {
            items: Some(found),
            hangs: seen.hangs && !is_stopped,
            ..ended(phase, reason)
        }
    }

    /// How a fork ends with these items. Where that is a race, it is as was observed.
    fn end_of_fork(&mut self, place: &Place, each: &Each, items: &[Item], seen: &Seen) -> (StepPhase, Option<Reason>) {
        let count = |phase: Option<StepPhase>| items.iter().filter(|item| item.phase == phase).count();
        let failed = count(Some(StepPhase::Failed));
        let has_failed = failed > each.may_fail.map_or(0, |may_fail| may_fail.of(items.len()));
        let stopped = count(Some(StepPhase::Cancelled)) + count(Some(StepPhase::Omitted));
        let is_cut = count(None) + stopped > 0;
        let observed = self.witness.forks.get(&place.id);
        let is_stopped = if has_failed && each.lets_finish {
            // What is met after the failure stops nothing any more.
            let by_error = observed.is_some_and(|fork| fork.reason == Some(Reason::ExpressionError));
            let by_success = observed.is_some_and(|fork| fork.phase == StepPhase::Succeeded);
            (seen.errs && by_error) || (seen.meets && by_success)
        } else {
            seen.meets || seen.errs || has_failed
        };
        if is_stopped {
            self.verdicts.stopped.insert(place.id.clone());
        }
        let mut allowed = Vec::new();
        allowed.extend(has_failed.then_some((StepPhase::Failed, Some(Reason::ItemsFailed))));
        allowed.extend(seen.errs.then_some((StepPhase::Failed, Some(Reason::ExpressionError))));
        allowed.extend(seen.meets.then_some((StepPhase::Succeeded, None)));
        if allowed.is_empty() && !is_cut {
            allowed.push((StepPhase::Succeeded, None));
        }
        if self.witness.cancelled.contains_key(&place.id) {
            if !seen.hangs {
                self.gives_way(&place.id, !is_cut);
            }
            return (StepPhase::Cancelled, Some(Reason::Stopped));
        }
        let is_it = |(phase, reason): &&(StepPhase, Option<Reason>)| {
            observed.is_some_and(|fork| fork.phase == *phase && (reason.is_none() || fork.reason == *reason))
        };
        let first = allowed.first().cloned();
        let end = allowed.iter().find(is_it).cloned().or(first);
        end.unwrap_or((StepPhase::Cancelled, Some(Reason::Stopped)))
    }

    /// One item that has begun.
    fn item(&mut self, fork: &Place, index: usize, (scope, each): (Scope, &Each)) -> Verdict {
        let place = Place {
            id: format!("{}[{index}]", fork.id),
            ..fork.clone()
        };
        let verdict = if self.witness.cut.contains(&place.id) {
            self.gives_way(&place.id, false);
            ended(StepPhase::Omitted, None)
        } else {
            match each.when.as_ref().map(|when| scope.holds(when)) {
                Some(Err(Wrong)) => failed(Reason::ExpressionError),
                Some(Ok(false)) => ended(StepPhase::Skipped, Some(Reason::WhenFalse)),
                Some(Ok(true)) | None => self.work(&place, scope),
            }
        };
        self.keep(&place.id, &verdict);
        verdict
    }
}

/// What the items of a fork have shown.
#[derive(Default)]
struct Seen {
    /// A program in one runs until something around it stops it.
    hangs: bool,
    /// One that has succeeded meets `stopWhen`, or has it fail.
    meets: bool,
    errs: bool,
}

impl Seen {
    fn add(&mut self, scope: Scope, each: &Each, item: &Verdict) {
        self.hangs |= item.hangs;
        let stop_when = each.stop_when.as_ref().filter(|_| item.phase == StepPhase::Succeeded);
        let turn = Turn {
            iteration: 0,
            last: &item.outputs,
            gave: None,
        };
        let scope = Scope {
            turn: Some(turn),
            ..scope
        };
        match stop_when.map(|stop_when| scope.holds(stop_when)) {
            Some(Ok(holds)) => self.meets |= holds,
            Some(Err(Wrong)) => self.errs = true,
            None => {}
        }
    }
}
