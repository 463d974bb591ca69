//! The slow, obvious twin of the engine: what has to come out of a case, in a few pages.
//!
//! It shares no code with the engine but the types of the API, knows nothing of Jobs, time or
//! status, and simply recurses over the definition: a body is a list of steps, a step may run a
//! body, a loop runs one again and again. What hangs on the order of events, it asks the
//! [`Witness`]: which way a race went is no fault, that the rest follows from it is what we check.

mod job;
mod value;
mod verdict;

use jobwright_api::{Reason, StepPhase, WorkflowPhase, policy::Then};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::graphs::{Body, Case, Kind, Loop, Place, ScheduleToClose, StepCase, place, spec::block_name};
pub use job::PLATFORM_BUDGET;
use value::{Scope, Turn, Wrong};
pub use verdict::{Verdict, Verdicts, Witness};
use verdict::{cancelled, ended, failed};

pub type Values = BTreeMap<String, Value>;

/// How a pass through a body ends.
struct Pass {
    /// The outputs, or the phase and reason with which the step above ends.
    end: Result<Values, (StepPhase, Reason)>,
    hangs: bool,
}

#[must_use]
pub fn judge(case: &Case, witness: &Witness) -> Verdicts {
    let mut judge = Judge {
        case,
        witness,
        verdicts: Verdicts::default(),
    };
    let inputs = [
        ("flag".to_owned(), json!(case.flag)),
        ("level".to_owned(), json!(case.level)),
    ];
    let run = judge.pass(None, &Values::from(inputs), "");
    let mut verdicts = judge.verdicts;
    verdicts.is_timed_out = run.hangs;
    let end = if run.hangs {
        Err((StepPhase::Failed, Reason::DeadlineExceeded))
    } else {
        run.end
    };
    match end {
        Ok(outputs) => {
            verdicts.phase = WorkflowPhase::Succeeded;
            verdicts.outputs = outputs;
        }
        Err((_, reason)) => {
            verdicts.phase = WorkflowPhase::Failed;
            verdicts.reason = Some(reason);
        }
    }
    verdicts
}

struct Judge<'a> {
    case: &'a Case,
    witness: &'a Witness,
    verdicts: Verdicts,
}

impl Judge<'_> {
    /// One pass through the steps of the run or of a block; `frame` stands before their names.
    fn pass(&mut self, block: Option<usize>, inputs: &Values, frame: &str) -> Pass {
        let body = self.case.body(block);
        let mut steps: Vec<Verdict> = Vec::new();
        for step in 0..body.steps.len() {
            let place = Place {
                id: format!("{frame}{}", body.steps[step].name),
                block,
                step,
            };
            let scope = Scope {
                case: self.case,
                inputs,
                steps: &steps,
                turn: None,
            };
            let verdict = self.step(&place, scope);
            if verdict.phase == StepPhase::Failed && body.steps[step].then == Then::Fail {
                self.verdicts.failing.insert(frame.to_owned());
            }
            self.verdicts.steps.insert(place.id, verdict.clone());
            steps.push(verdict);
        }
        let scope = Scope {
            case: self.case,
            inputs,
            steps: &steps,
            turn: None,
        };
        Pass {
            end: end_of(body, scope),
            hangs: steps.iter().any(|step| step.hangs),
        }
    }

    /// A step whose needs have ended: needs, `when`, inputs, then what it runs.
    fn step(&mut self, place: &Place, scope: Scope) -> Verdict {
        let body = self.case.body(place.block);
        let step = &body.steps[place.step];
        let is_met = step
            .needs
            .iter()
            .all(|need| is_done(&body.steps[*need], &scope.steps[*need]));
        if is_met {
            self.verdicts.met.insert(place.id.clone());
        }
        if !is_met || self.witness.cut.contains(&place.id) {
            return ended(StepPhase::Omitted, None);
        }
        match step.when.as_ref().map(|when| scope.holds(when)) {
            Some(Err(Wrong)) => return failed(Reason::ExpressionError),
            Some(Ok(false)) => return ended(StepPhase::Skipped, Some(Reason::WhenFalse)),
            Some(Ok(true)) | None => {}
        }
        match &step.kind {
            Kind::Job | Kind::Task => match scope.values(&step.inputs) {
                Ok(inputs) => Verdict {
                    inputs: Some(inputs),
                    ..job::attempts(self.case, place, self.witness)
                },
                Err(Wrong) => failed(Reason::ExpressionError),
            },
            Kind::Wait { .. } if self.witness.broken_off.contains_key(&place.id) => cancelled(),
            Kind::Wait { .. } => ended(StepPhase::Succeeded, None),
            Kind::Block(block) => {
                let verdict = self.once(place, scope, *block);
                self.limited(place, verdict)
            }
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
                    ..self.limited(place, verdict)
                }
            }
            Kind::Loop(looped) => {
                let verdict = self.repeated(place, scope, looped);
                self.limited(place, verdict)
            }
        }
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
            if self.witness.broken_off.get(&place.id) == Some(&iterations) {
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

    /// The step's own time limit stops a program in it that would never end.
    fn limited(&mut self, place: &Place, verdict: Verdict) -> Verdict {
        let has_limit = self.case.step(place).schedule_to_close == ScheduleToClose::Short;
        if !has_limit || !verdict.hangs {
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

/// Whether what needs a step may start.
fn is_done(step: &StepCase, verdict: &Verdict) -> bool {
    match verdict.phase {
        StepPhase::Succeeded | StepPhase::Skipped => true,
        StepPhase::Failed => step.then != Then::Fail,
        _ => false,
    }
}

/// All steps of a body have ended: a failure that is not let pass is the step's above; what was cut short
/// gives nothing; else the outputs are computed.
fn end_of(body: &Body, scope: Scope) -> Result<Values, (StepPhase, Reason)> {
    let mut steps = body.steps.iter().zip(scope.steps);
    if steps.any(|(step, verdict)| verdict.phase == StepPhase::Failed && step.then != Then::Continue) {
        return Err((StepPhase::Failed, Reason::StepFailed));
    }
    let is_cut = |verdict: &Verdict| matches!(verdict.phase, StepPhase::Cancelled | StepPhase::Omitted);
    if scope.steps.iter().any(is_cut) {
        return Err((StepPhase::Cancelled, Reason::Stopped));
    }
    scope
        .values(&body.outputs)
        .map_err(|Wrong| (StepPhase::Failed, Reason::ExpressionError))
}
