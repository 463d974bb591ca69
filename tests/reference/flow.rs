//! Steps that run blocks.

use jobwright_api::{Reason, StepPhase};
use serde_json::json;

use super::{
    Judge, Values, Verdict,
    value::{Scope, Turn, Wrong},
    verdict::{ended, failed},
};
use crate::graphs::{Kind, Loop, Place, ScheduleToClose, place, spec::block_name};

impl Judge<'_> {
    pub(super) fn composite(&mut self, place: &Place, scope: Scope) -> Verdict {
        let case = self.case;
        let verdict = match &case.step(place).kind {
            Kind::Block(block) => self.once(place, scope, *block),
            Kind::Choice { cases, default } => {
                // The first true case; an error in one that is judged is the step's.
                let mut selected = *default;
                for (when, block) in cases {
                    match scope.holds(when) {
                        Err(Wrong) => return failed(Reason::ExpressionError),
                        Ok(false) => {}
                        Ok(true) => {
                            selected = *block;
                            break;
                        }
                    }
                }
                let verdict = match selected {
                    Some(block) => self.once(place, scope, block),
                    None => ended(StepPhase::Succeeded, None),
                };
                Verdict {
                    selected: Some(block_name(selected)),
                    ..verdict
                }
            }
            Kind::Loop(looped) => self.repeated(place, scope, looped),
            _ => failed(Reason::StepFailed),
        };
        self.limited(place, verdict)
    }

    /// A block, run one time.
    fn once(&mut self, place: &Place, scope: Scope, block: usize) -> Verdict {
        let Ok(inputs) = self.inputs_of(place, scope, block) else {
            return failed(Reason::ExpressionError);
        };
        let pass = self.pass(Some(block), &inputs, &format!("{}.", place.id));
        let verdict = match pass.end {
            Ok(outputs) => Verdict {
                outputs,
                ..ended(StepPhase::Succeeded, None)
            },
            Err((phase, reason)) => ended(phase, Some(reason)),
        };
        Verdict {
            inputs: Some(inputs),
            hangs: pass.hangs,
            ..verdict
        }
    }

    /// `while`, the limit, an iteration, `until`: again and again.
    fn repeated(&mut self, place: &Place, scope: Scope, looped: &Loop) -> Verdict {
        let mut last = Values::new();
        let mut hangs = false;
        let mut iterations = 0;
        let (phase, reason) = loop {
            let stopped = self
                .witness
                .cancelled
                .get(&place.id)
                .and_then(|stopped| stopped.iterations);
            if stopped == Some(iterations) {
                self.gives_way(&place.id, false);
                break (StepPhase::Cancelled, Some(Reason::Stopped));
            }
            let turn = Turn {
                iteration: iterations,
                last: &last,
                gave: None,
            };
            let within = Scope {
                turn: Some(turn),
                ..scope
            };
            match looped.before.as_ref().map(|before| within.holds(before)) {
                Some(Err(Wrong)) => break (StepPhase::Failed, Some(Reason::ExpressionError)),
                Some(Ok(false)) => break (StepPhase::Succeeded, None),
                Some(Ok(true)) | None => {}
            }
            if iterations == looped.max {
                break (StepPhase::Failed, Some(Reason::MaxIterations));
            }
            let Ok(inputs) = self.inputs_of(place, within, looped.block) else {
                break (StepPhase::Failed, Some(Reason::ExpressionError));
            };
            let frame = format!("{}[{iterations}].", place.id);
            let pass = self.pass(Some(looped.block), &inputs, &frame);
            hangs = pass.hangs;
            let gave = match pass.end {
                Ok(outputs) => outputs,
                Err((phase, reason)) => break (phase, Some(reason)),
            };
            iterations += 1;
            let counts = &mut self.verdicts.loop_counts;
            *counts.entry(place::definition(&place.id)).or_default() += 1;
            let turn = Turn {
                gave: Some(&gave),
                ..turn
            };
            let within = Scope {
                turn: Some(turn),
                ..scope
            };
            let until = looped.after.as_ref().map(|after| within.holds(after));
            last = gave;
            match until {
                Some(Err(Wrong)) => break (StepPhase::Failed, Some(Reason::ExpressionError)),
                Some(Ok(true)) => break (StepPhase::Succeeded, None),
                Some(Ok(false)) | None => {}
            }
        };
        let is_well = phase == StepPhase::Succeeded;
        Verdict {
            outputs: if is_well { last } else { Values::new() },
            iterations,
            hangs,
            ..ended(phase, reason)
        }
    }

    /// What a block is given: by the step, else its own defaults.
    fn inputs_of(&self, place: &Place, scope: Scope, block: usize) -> Result<Values, Wrong> {
        let given = scope.values(&self.case.step(place).inputs)?;
        let defaults = self.case.blocks[block].defaults;
        let mut inputs = Values::new();
        if let Some((flag, level)) = defaults {
            inputs.insert("flag".to_owned(), json!(flag));
            inputs.insert("level".to_owned(), json!(level));
        }
        inputs.extend(given);
        Ok(inputs)
    }

    /// The step's own time limit stops a program in it that would never end, and a stop from outside decides over what
    /// became of the steps in it.
    fn limited(&mut self, place: &Place, verdict: Verdict) -> Verdict {
        let has_limit = self.case.step(place).schedule_to_close == ScheduleToClose::Short;
        let is_stopped = self.witness.cancelled.contains_key(&place.id);
        if is_stopped && verdict.phase == StepPhase::Failed {
            self.gives_way(&place.id, true);
            return Verdict {
                phase: StepPhase::Cancelled,
                reason: Some(Reason::Stopped),
                ..verdict
            };
        }
        if !has_limit || !verdict.hangs {
            return verdict;
        }
        if is_stopped {
            self.gives_way(&place.id, true);
            return verdict;
        }
        self.verdicts.stopped.insert(place.id.clone());
        Verdict {
            iterations: verdict.iterations,
            selected: verdict.selected,
            ..failed(Reason::DeadlineExceeded)
        }
    }
}
