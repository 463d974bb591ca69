//! The invariants, checked at each decision, request, write and event of a play.

use jobwright_api::{StepPhase, WorkflowPhase, WorkflowStatus, policy::Then};
use jobwright_engine::decision::{Action, Decision, Subject};
use jobwright_tests::{
    graphs::{
        Case, Place, Spot, StepCase,
        place::{ON_EXIT, ON_FAILURE, is_handled, split},
    },
    laws::{Fault, History, follows, stands_open},
    world::{Cluster, job},
};
use k8s_openapi::api::batch::v1::Job;
use std::collections::{BTreeMap, BTreeSet};

use crate::play::{Play, UID};

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checks {
    pub(crate) history: History,
    /// What was done at this instant, all of it seen.
    done: Vec<Action>,
    /// Steps that had failed, with `then: Fail`, before the last decision, each after what stands before its name.
    failed: BTreeMap<String, String>,
}

impl Checks {
    /// The operator has lost its memory: it may do again what it has done.
    pub(crate) fn forget(&mut self) {
        self.done.clear();
    }

    pub(crate) fn decided(
        &mut self,
        decision: &Decision,
        before: &WorkflowStatus,
        play: (&Case, &Cluster, bool),
    ) -> Result<(), Fault> {
        let (case, cluster, is_calm) = play;
        follows(before, &decision.status, case)?;
        self.failed.clear();
        for (key, _) in before.steps.iter().filter(|(_, step)| step.phase == StepPhase::Failed) {
            let place = case.place(key).filter(|place| !place.is_item());
            if let Some(place) = place.filter(|place| lets_nothing_start(case, place)) {
                self.failed.insert(place.frame().to_owned(), place.id);
            }
        }
        transitions(decision, before)?;
        self.history.record(&decision.status, case, cluster)?;
        if is_calm && let Some(again) = decision.actions.iter().find(|action| self.done.contains(action)) {
            return Err(format!("fixpoint law: {again:?} took effect, and is wanted again"));
        }
        self.done.extend(decision.actions.iter().cloned());
        Ok(())
    }

    /// Before a Job comes to be.
    pub(crate) fn may_create(&self, job: &Job, at: (&Place, u32), play: &Play) -> Result<(), Fault> {
        let (place, number) = at;
        self.history
            .may_be_born(job, at, (play.case, &play.stored, &play.cluster))?;
        let status = &play.memory.pending;
        stands_open(status, play.case, place)?;
        met(status, play.case, place)?;
        at_once(&self.history, (play.case, &play.cluster), place)?;
        let mut failed = self.failed.iter();
        let is_kept = |frame: &str| place.id.starts_with(frame) && !is_handled(&place.id, frame);
        match failed.find(|(frame, _)| is_kept(frame)) {
            Some((_, failed)) if number == 1 => Err(format!("{} starts though {failed} has failed", place.id)),
            _ => Ok(()),
        }
    }

    pub(crate) fn time_passes(&mut self) {
        self.done.clear();
    }
}

/// No `then` lets its failure pass, nor may a join below.
fn lets_nothing_start(case: &Case, place: &Place) -> bool {
    let Spot::Step(step) = place.spot else {
        return false;
    };
    let mut below = case.body(place.block).below(step);
    case.step(place).then == Then::Fail && below.all(|(_, other)| !other.is_partial())
}

/// I2: as many needs are done as the join requires.
fn met(status: &WorkflowStatus, case: &Case, place: &Place) -> Result<(), Fault> {
    let step = case.step(place);
    let is_strict = step.join.as_ref().is_some_and(|join| join.is_strict);
    let counts = |(id, need): &(String, &StepCase)| match status.steps.get(id).map(|status| status.phase) {
        Some(StepPhase::Succeeded) => true,
        Some(StepPhase::Skipped) => !is_strict,
        Some(StepPhase::Failed) => !is_strict && need.then != Then::Fail,
        _ => false,
    };
    let counting = case.needs(place).filter(counts).count();
    if place.is_item() || !matches!(place.spot, Spot::Step(_)) || counting >= step.required() {
        return Ok(());
    }
    Err(format!("I2: {} starts, and {counting} of its needs count", place.id))
}

/// No fork starts an item while as many run as it may.
fn at_once(history: &History, (case, cluster): (&Case, &Cluster), place: &Place) -> Result<(), Fault> {
    let mut around = Some(place.clone());
    while let Some(at) = around {
        around = case.around(&at).and_then(|above| case.place(above.id()));
        let limit = case.step(&at).each.as_ref().and_then(|each| each.at_once);
        let (Some(limit), true) = (limit, at.is_item()) else {
            continue;
        };
        let fork = format!("{}[", split(&at.id).0);
        let item = |id: &String| Some(id.strip_prefix(&fork)?.split(']').next()?.to_owned());
        let runs = |name: &String| {
            let job = cluster.jobs.get(name);
            job.is_some_and(|job| !job.is_over() && job.exited.is_none())
        };
        let jobs = history.created.iter().filter(|(_, name)| runs(name));
        let items: BTreeSet<String> = jobs.filter_map(|((id, _), _)| item(id)).collect();
        let others = items
            .iter()
            .filter(|other| !at.id.ends_with(&format!("[{other}]")))
            .count();
        if others >= usize::try_from(limit).unwrap() {
            return Err(format!("{} starts while {items:?} run, and {limit} may", place.id));
        }
    }
    Ok(())
}

/// Before a request is sent.
pub(crate) fn acts(action: &Action, play: &Play) -> Result<(), Fault> {
    match action {
        Action::StartJob { name, job } => starts(name, job, play),
        Action::StopJob { name, uid } => stops(name, uid, play),
        Action::ExpireJob { name, .. } => {
            let attempts = play.stored.steps.values().flat_map(|step| &step.attempts.recent);
            let is_stored = attempts
                .into_iter()
                .any(|attempt| attempt.job == *name && attempt.phase.is_terminal());
            is_stored
                .then_some(())
                .ok_or_else(|| format!("TTL of {name} before its result is stored"))
        }
        Action::StartChild { name, .. } | Action::ConfirmChild { name } => {
            Err(format!("no step runs a Workflow: {name}"))
        }
        Action::StoreSnapshot { .. }
        | Action::StorePage { .. }
        | Action::ReadPage { .. }
        | Action::ConfirmJob { .. }
        | Action::ConfirmPods { .. }
        | Action::ProbePod { .. }
        | Action::AdmitRequest { .. }
        | Action::SendRequest { .. } => Ok(()),
    }
}

/// Before a status is stored.
pub(crate) fn stores(stored: &WorkflowStatus, next: &WorkflowStatus, case: &Case) -> Result<(), Fault> {
    follows(stored, next, case)
}

fn starts(name: &str, job: &Job, play: &Play) -> Result<(), Fault> {
    let owners = job.metadata.owner_references.as_deref().unwrap_or_default();
    if !owners
        .iter()
        .any(|owner| owner.uid == UID && owner.controller == Some(true))
    {
        return Err(format!("I7: {name} has no owner"));
    }
    if job.metadata.name.as_deref() != Some(name) || name.len() > 63 {
        return Err(format!("{name}: not the Job's name, or too long"));
    }
    let snapshot = play.stored.snapshot.as_ref();
    if !snapshot.is_some_and(|snapshot| play.records.contains_key(&snapshot.name)) || play.stored.run.is_none() {
        return Err(format!("{name} starts before snapshot and run are stored"));
    }
    let place = job::identity(job).and_then(|(id, _)| play.case.place(&id));
    let follows_end = place.is_some_and(|place| place.id.starts_with(ON_FAILURE) || place.id.starts_with(ON_EXIT));
    let is_stopped = play.memory.pending.stop.is_some() && !follows_end;
    if is_stopped || play.spec.suspend {
        return Err(format!("{name} starts though the run is stopped or suspended"));
    }
    Ok(())
}

fn stops(name: &str, uid: &str, play: &Play) -> Result<(), Fault> {
    if play.cluster.jobs.get(name).is_some_and(|job| job.uid != uid) {
        return Err(format!("{name} is to be stopped by another uid"));
    }
    let mut attempts = play.stored.steps.values().flat_map(|step| &step.attempts.recent);
    let is_meant =
        attempts.any(|attempt| attempt.job == name && (attempt.stop.is_some() || attempt.phase.is_terminal()));
    if is_meant || play.stored.stop.is_some() {
        return Ok(());
    }
    Err(format!("{name} is to be stopped before the reason is stored"))
}

/// Transitions tell exactly what changed, in the order of their numbers.
fn transitions(decision: &Decision, before: &WorkflowStatus) -> Result<(), Fault> {
    let mut seq = before.seq;
    let mut run = before.phase;
    let mut steps: BTreeMap<&str, StepPhase> = before
        .steps
        .iter()
        .map(|(key, step)| (key.as_str(), step.phase))
        .collect();
    for transition in &decision.transitions {
        if transition.seq <= seq {
            return Err(format!("transition {} comes after {seq}", transition.seq));
        }
        seq = transition.seq;
        match &transition.subject {
            Subject::Workflow { from, to } => {
                if *from != run {
                    return Err(format!("the run was {run:?}, not {from:?}"));
                }
                run = Some(*to);
            }
            Subject::Step { id, from, to, .. } => {
                let known = steps.insert(id, *to).unwrap_or_default();
                if known != *from {
                    return Err(format!("{id} was {known}, not {from}"));
                }
            }
        }
    }
    let wrong = decision
        .status
        .steps
        .iter()
        .find(|(key, step)| steps.get(key.as_str()).copied().unwrap_or_default() != step.phase);
    if let Some((key, step)) = wrong {
        return Err(format!("{key} is {} without a transition", step.phase));
    }
    if run != decision.status.phase || seq != decision.status.seq {
        return Err(format!(
            "the run is {:?} at {} without a transition",
            decision.status.phase, decision.status.seq
        ));
    }
    Ok(())
}

/// At rest the run has ended, and nothing more is wanted.
pub(crate) fn at_rest(play: &Play, is_quiet: bool) -> Result<(), Fault> {
    if !is_quiet {
        return Err("I8: nothing more happens, and the operator is not at rest".to_owned());
    }
    if !play.stored.phase.is_some_and(WorkflowPhase::is_terminal) {
        return Err(format!(
            "I8: nothing more happens, and the run is {:?}",
            play.stored.phase
        ));
    }
    Ok(())
}
