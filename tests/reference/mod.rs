//! The slow, obvious twin of the engine: what has to come out of a case, in a few pages.
//!
//! It shares no code with the engine but the types of the API, knows nothing of Jobs, time or
//! status, and simply recurses over the definition: a body is a list of steps, a step may run a
//! body, a loop runs one again and again. What hangs on the order of events, it asks the
//! [`Witness`]: which way a race went is no fault, that the rest follows from it is what we check.

mod flow;
mod fork;
mod job;
mod value;
mod verdict;

use jobwright_api::{Reason, StepPhase, WorkflowPhase, policy::Then};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

use crate::graphs::{Body, Case, Exit, Kind, Place, Spot, StepCase, place};
pub use job::PLATFORM_BUDGET;
use serde_json::Value;
use value::{Failure, Scope, Wrong};
pub use verdict::{Cancelled, ForkEnd, Item, Verdict, Verdicts, Witness};
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
    match run.end {
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
        let case = self.case;
        let body = case.body(block);
        let mut steps: Vec<Verdict> = Vec::new();
        for step in 0..body.steps.len() {
            let place = self.place(block, Spot::Step(step), frame);
            let seen = self.seen(&place, step);
            let scope = Scope {
                case,
                inputs,
                steps: &steps,
                seen: &seen,
                body: block,
                turn: None,
                item: None,
                error: None,
            };
            let verdict = self.step(&place, scope);
            self.keep(&place.id, &verdict);
            steps.push(verdict);
        }
        let cancelled = superfluous(body, &steps);
        self.verdicts.superfluous.extend(
            cancelled
                .iter()
                .map(|step| format!("{frame}{}", body.steps[*step].name)),
        );
        if (0..steps.len()).any(|step| is_failure(body, &steps, step)) {
            self.verdicts.failing.insert(frame.to_owned());
        }
        let mut hangs = (0..steps.len()).any(|step| steps[step].hangs && !cancelled.contains(&step));
        let all = (0..steps.len()).collect();
        let scope = Scope {
            case,
            inputs,
            steps: &steps,
            seen: &all,
            body: block,
            turn: None,
            item: None,
            error: None,
        };
        hangs |= self.handle(frame, scope);
        let end = end_of(body, &steps, &cancelled, scope);
        let end = match block {
            None => self.end_of_run(end, hangs),
            Some(_) => end,
        };
        hangs |= self.follow(block, frame, scope);
        Pass { end, hangs }
    }

    /// What follows the failures of steps. True if a program in it never ends by itself.
    fn handle(&mut self, frame: &str, scope: Scope) -> bool {
        let body = self.case.body(scope.body);
        let mut hangs = false;
        for (at, (step, verdict)) in body.steps.iter().zip(scope.steps).enumerate() {
            if step.on_failure.is_none() || verdict.phase != StepPhase::Failed {
                continue;
            }
            let place = self.place(scope.body, Spot::OnFailure(at), &format!("{frame}{}.", step.name));
            let seen = self.seen_by_handler(&place, at);
            let error = failure_of(verdict);
            let scope = Scope {
                seen: &seen,
                error: Some(&error),
                ..scope
            };
            hangs |= self.handler(&place, scope);
        }
        hangs
    }

    fn place(&self, block: Option<usize>, spot: Spot, frame: &str) -> Place {
        let body = self.case.body(block);
        let name = match spot {
            Spot::Step(step) => body.steps[step].name.as_str(),
            Spot::OnFailure(_) | Spot::AtFailure => place::ON_FAILURE,
            Spot::AtExit => place::ON_EXIT,
        };
        let id = format!("{frame}{name}");
        Place { id, block, spot }
    }

    fn keep(&mut self, id: &str, verdict: &Verdict) {
        self.verdicts.steps.insert(id.to_owned(), verdict.clone());
    }

    /// The witness says that something kept a step from going on: whether that can be is asked at the end.
    fn gives_way(&mut self, id: &str, takes_a_stop: bool) {
        self.verdicts.gave_way.push((id.to_owned(), takes_a_stop));
    }

    /// The steps that the expressions of a step see: all above it, unless a join let it begin before they had ended.
    fn seen(&mut self, place: &Place, step: usize) -> BTreeSet<usize> {
        let body = self.case.body(place.block);
        let own = &body.steps[step];
        let above: BTreeSet<usize> = body.readable(&own.needs).into_iter().collect();
        let ended = body.ended(&own.needs, own.is_partial());
        self.without_unseen(place, above, &ended)
    }

    /// The same of what follows the failure of a step: it sees all that has ended, wherever that stands.
    fn seen_by_handler(&mut self, place: &Place, step: usize) -> BTreeSet<usize> {
        let body = self.case.body(place.block);
        let own = &body.steps[step];
        let mut ended = body.ended(&own.needs, own.is_partial());
        ended.insert(step);
        self.without_unseen(place, (0..body.steps.len()).collect(), &ended)
    }

    fn without_unseen(&mut self, place: &Place, mut all: BTreeSet<usize>, ended: &BTreeSet<usize>) -> BTreeSet<usize> {
        let body = self.case.body(place.block);
        for name in self.witness.unseen.get(&place.id).into_iter().flatten() {
            let Some(step) = body.steps.iter().position(|step| step.name == *name) else {
                continue;
            };
            all.remove(&step);
            if ended.contains(&step) {
                let words = format!(
                    "{} has not seen the end of {name}, and begins only after that",
                    place.id
                );
                self.verdicts.impossible.push(words);
            }
        }
        all
    }

    /// A step whose needs have ended: needs, `when`, inputs, then what it runs.
    fn step(&mut self, place: &Place, scope: Scope) -> Verdict {
        let body = self.case.body(place.block);
        let Spot::Step(at) = place.spot else {
            return failed(Reason::StepFailed);
        };
        let step = &body.steps[at];
        if !is_met(body, scope.steps, at) {
            return ended(StepPhase::Omitted, None);
        }
        if self.witness.cut.contains(&place.id) {
            self.gives_way(&place.id, false);
            return ended(StepPhase::Omitted, None);
        }
        // As many needs must have ended as the join requires: those that were seen.
        let counting = step.needs.iter().filter(|need| counts(body, scope.steps, step, **need));
        if counting.filter(|need| scope.seen.contains(need)).count() < step.required() {
            let words = format!("{} began, and has seen too few of its needs end", place.id);
            self.verdicts.impossible.push(words);
        }
        match step.when.as_ref().map(|when| scope.holds(when)) {
            Some(Err(Wrong)) => return failed(Reason::ExpressionError),
            Some(Ok(false)) => return ended(StepPhase::Skipped, Some(Reason::WhenFalse)),
            Some(Ok(true)) | None => {}
        }
        match &step.each {
            Some(each) => self.forked(place, scope, each),
            None => self.work(place, scope),
        }
    }

    /// What a step does once.
    fn work(&mut self, place: &Place, scope: Scope) -> Verdict {
        let case = self.case;
        let step = case.step(place);
        match &step.kind {
            Kind::Job | Kind::Task => match scope.values(&step.inputs) {
                Ok(inputs) => {
                    let verdict = Verdict {
                        inputs: Some(inputs),
                        ..job::attempts(case, place, self.witness)
                    };
                    if verdict.phase == StepPhase::Cancelled && !verdict.hangs {
                        self.gives_way(&place.id, true);
                    }
                    verdict
                }
                Err(Wrong) => failed(Reason::ExpressionError),
            },
            Kind::Wait { .. } if self.witness.cancelled.contains_key(&place.id) => {
                self.gives_way(&place.id, false);
                cancelled()
            }
            Kind::Wait { .. } => ended(StepPhase::Succeeded, None),
            Kind::Set(given) => given_by(scope, given, None),
            Kind::Exit(exit) => given_by(scope, &exit.outputs, Some(reason_of(exit))),
            Kind::Block(_) | Kind::Choice { .. } | Kind::Loop(_) => self.composite(place, scope),
        }
    }

    /// What follows a failure or the end. True if a program in it never ends by itself.
    fn handler(&mut self, place: &Place, scope: Scope) -> bool {
        let verdict = if self.witness.cut.contains(&place.id) {
            self.gives_way(&place.id, false);
            ended(StepPhase::Omitted, None)
        } else {
            self.work(place, scope)
        };
        self.keep(&place.id, &verdict);
        verdict.hangs
    }

    /// What follows a failure in a body, or the end of the run. True if a program in it never ends by itself.
    fn follow(&mut self, block: Option<usize>, frame: &str, scope: Scope) -> bool {
        let case = self.case;
        let body = case.body(block);
        let failures = (0..body.steps.len()).filter(|step| fails(body, scope.steps, *step));
        let seq = |step: &usize| {
            let id = format!("{frame}{}", body.steps[*step].name);
            self.witness.order.get(&id).copied().unwrap_or_default()
        };
        let first = failures.min_by_key(seq).map(|step| failure_of(&scope.steps[step]));
        let exit = self.exit().map(|(_, exit)| exit);
        let is_failed = match exit {
            _ if block.is_some() => first.is_some(),
            Some(exit) => exit.fails,
            None => first.is_some() || self.verdicts.is_timed_out,
        };
        let error = first.unwrap_or_else(|| Failure {
            reason: match exit {
                Some(exit) => exit.fails.then(|| reason_of(exit).to_string()),
                None => is_failed.then(|| Reason::DeadlineExceeded.to_string()),
            },
            exit_code: None,
        });
        let scope = Scope {
            error: Some(&error),
            ..scope
        };
        let mut hangs = false;
        if is_failed && body.on_failure.is_some() {
            hangs |= self.handler(&self.place(block, Spot::AtFailure, frame), scope);
        }
        if block.is_none() && case.on_exit.is_some() {
            hangs |= self.handler(&self.place(block, Spot::AtExit, frame), scope);
        }
        hangs
    }

    /// The exit that ended the run, if one has.
    fn exit(&self) -> Option<(&Verdict, &Exit)> {
        let id = self.witness.exit.as_ref()?;
        let verdict = self.verdicts.steps.get(id)?;
        match &self.case.step(&self.case.place(id)?).kind {
            Kind::Exit(exit) if verdict.phase == StepPhase::Succeeded => Some((verdict, exit)),
            _ => None,
        }
    }

    /// An exit decides, then the time limit, then the steps.
    fn end_of_run(
        &mut self,
        end: Result<Values, (StepPhase, Reason)>,
        hangs: bool,
    ) -> Result<Values, (StepPhase, Reason)> {
        let exits: Vec<&String> = self.verdicts.steps.keys().filter(|id| self.is_exit(id)).collect();
        if let Some((verdict, exit)) = self.exit() {
            let end = if exit.fails {
                Err((StepPhase::Failed, reason_of(exit)))
            } else {
                Ok(verdict.outputs.clone())
            };
            self.verdicts.reason = Some(reason_of(exit));
            self.verdicts.is_exited = true;
            return end;
        }
        self.verdicts.is_timed_out = hangs;
        if hangs {
            return Err((StepPhase::Failed, Reason::DeadlineExceeded));
        }
        if let Some(id) = exits.first() {
            let words = format!("{id} ends the run, and the run goes on");
            self.verdicts.impossible.push(words);
        }
        end
    }

    /// An exit that has been reached.
    fn is_exit(&self, id: &str) -> bool {
        let is_well = self.verdicts.steps[id].phase == StepPhase::Succeeded;
        let place = self.case.place(id).filter(|_| is_well);
        place.is_some_and(|place| matches!(self.case.step(&place).kind, Kind::Exit(_)))
    }
}

fn reason_of(exit: &Exit) -> Reason {
    exit.reason.clone().map_or(Reason::Exited, Reason::Other)
}

fn given_by(scope: Scope, given: &[(String, crate::graphs::Source)], reason: Option<Reason>) -> Verdict {
    match scope.values(given) {
        Ok(outputs) => Verdict {
            outputs,
            ..ended(StepPhase::Succeeded, reason)
        },
        Err(Wrong) => failed(Reason::ExpressionError),
    }
}

fn failure_of(verdict: &Verdict) -> Failure {
    Failure {
        reason: verdict.reason.as_ref().map(ToString::to_string),
        exit_code: verdict.exit_code,
    }
}

/// Whether so many needs count as the join requires.
fn is_met(body: &Body, steps: &[Verdict], step: usize) -> bool {
    let step = &body.steps[step];
    let counting = step.needs.iter().filter(|need| counts(body, steps, step, **need));
    counting.count() >= step.required()
}

fn counts(body: &Body, steps: &[Verdict], step: &StepCase, need: usize) -> bool {
    let is_strict = step.join.as_ref().is_some_and(|join| join.is_strict);
    match steps[need].phase {
        StepPhase::Succeeded => true,
        StepPhase::Skipped => !is_strict,
        StepPhase::Failed => !is_strict && body.steps[need].then != Then::Fail,
        _ => false,
    }
}

/// A failure that lets nothing new start: no `then` lets it pass, and a join below it needs it.
fn is_failure(body: &Body, steps: &[Verdict], step: usize) -> bool {
    let mut below = body.below(step).peekable();
    let is_absorbed = below.peek().is_some() && below.all(|(other, _)| is_met(body, steps, other));
    steps[step].phase == StepPhase::Failed && body.steps[step].then == Then::Fail && !is_absorbed
}

/// A failure that fails what is around it, at once or in the end.
fn fails(body: &Body, steps: &[Verdict], step: usize) -> bool {
    let fails_at_end = steps[step].phase == StepPhase::Failed && body.steps[step].then == Then::FailAtEnd;
    fails_at_end || is_failure(body, steps, step)
}

/// The steps that a join below them does without, once it has let its own step begin.
fn superfluous(body: &Body, steps: &[Verdict]) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    loop {
        let cancels = |(at, step): &(usize, &StepCase)| {
            // One that was let begin, and had to wait until another join cut it, has cut its own needs by then.
            let was_queued = found.contains(at) && is_met(body, steps, *at);
            let has_begun = steps[*at].phase != StepPhase::Omitted || was_queued;
            has_begun && step.join.as_ref().is_some_and(|join| join.cancels)
        };
        let joins = body.steps.iter().enumerate().filter(cancels);
        let next: BTreeSet<usize> = joins.flat_map(|(_, step)| step.needs.iter().copied()).collect();
        if next.len() == found.len() {
            return next;
        }
        found = next;
    }
}

/// All steps of a body have ended: a failure that is not let pass is the step's above; what something around it cut
/// short gives nothing; else the outputs are computed.
fn end_of(
    body: &Body,
    steps: &[Verdict],
    superfluous: &BTreeSet<usize>,
    scope: Scope,
) -> Result<Values, (StepPhase, Reason)> {
    if (0..steps.len()).any(|step| fails(body, steps, step)) {
        return Err((StepPhase::Failed, Reason::StepFailed));
    }
    let is_cut = |step: &usize| match steps[*step].phase {
        StepPhase::Cancelled => true,
        StepPhase::Omitted => is_met(body, steps, *step),
        _ => false,
    };
    let mut cut = (0..steps.len()).filter(is_cut);
    if cut.any(|step| !superfluous.contains(&step)) {
        return Err((StepPhase::Cancelled, Reason::Stopped));
    }
    scope
        .values(&body.outputs)
        .map_err(|Wrong| (StepPhase::Failed, Reason::ExpressionError))
}
