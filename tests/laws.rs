//! The invariants that hold of every play, whoever plays it.

use jobwright_api::{Reason, StepPhase, StepStatus, WorkflowStatus};
use k8s_openapi::api::batch::v1::Job;
use std::collections::{BTreeMap, BTreeSet};

use crate::{
    graphs::{Case, Outcome, Place, place::Around},
    world::{Cluster, go_numbers},
};

/// One law was broken: in which words.
pub type Fault = String;

/// What was seen of the attempts of a run.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Jobs that were created, by step and attempt.
    pub created: BTreeMap<(String, u32), String>,
    /// The variables of their main containers.
    pub inputs: BTreeMap<(String, u32), BTreeMap<String, String>>,
    /// How attempts ended, as last recorded.
    pub recorded: BTreeMap<(String, u32), (StepPhase, Option<Reason>)>,
    /// Two operators are at work, and one may not know yet what the other has stored.
    pub is_double: bool,
    /// Attempts that were seen to run.
    pub started: BTreeSet<(String, u32)>,
    /// Each step as it was stored when it had ended: old iterations are not shown for ever.
    pub ended: BTreeMap<String, StepStatus>,
}

impl History {
    /// Before a Job comes to be: I1, and no attempt beside another.
    pub fn may_be_born(
        &self,
        job: &Job,
        (place, number): (&Place, u32),
        play: (&Case, &WorkflowStatus, &Cluster),
    ) -> Result<(), Fault> {
        let (case, stored, cluster) = play;
        let id = &place.id;
        let at = (id.clone(), number);
        let name = job.metadata.name.clone().unwrap_or_default();
        // The one window that is documented: deleted by hand, and the operator dead before it stored anything.
        let is_deleted = matches!(case.outcome(place, number), Outcome::JobDeleted { .. });
        let attempts = stored.steps.get(id).map_or(0, |status| status.attempts.count);
        let is_excused = is_deleted && (attempts < number || self.is_double);
        if let Some(earlier) = self.created.get(&at).filter(|_| !is_excused) {
            return Err(format!("I1: {name} is created again, was {earlier}"));
        }
        let mut others = self.created.iter().filter(|(of, _)| **of != at);
        if others.any(|(_, other)| *other == name) {
            return Err(format!("I1: {name} was the name of another attempt"));
        }
        if job
            .spec
            .as_ref()
            .is_some_and(|spec| spec.ttl_seconds_after_finished.is_some())
        {
            return Err(format!("{name} has a TTL before it has a result"));
        }
        if number > 1 && !self.created.contains_key(&(id.clone(), number - 1)) {
            return Err(format!(
                "attempt {number} of {id} starts, and the one before it never did"
            ));
        }
        let mut jobs = self.jobs_of(id).filter_map(|(_, name)| cluster.jobs.get(name));
        match jobs.find(|job| !job.is_over()) {
            Some(job) => Err(format!(
                "attempt {number} of {id} starts while {} may still run",
                job.name
            )),
            None => Ok(()),
        }
    }

    /// The Jobs that were created for a step, in the order of their attempts.
    pub fn jobs_of(&self, id: &str) -> impl Iterator<Item = (u32, &String)> {
        let all = self.created.range((id.to_owned(), 0)..=(id.to_owned(), u32::MAX));
        all.map(|((_, number), name)| (*number, name))
    }

    /// A Job was created.
    pub fn born(&mut self, job: &Job, (place, number): (&Place, u32)) {
        let at = (place.id.clone(), number);
        let pod = job.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
        let main = pod.and_then(|pod| pod.containers.first());
        let env = main.and_then(|main| main.env.as_ref()).into_iter().flatten();
        let inputs = env.filter(|variable| variable.name.starts_with("INPUT_"));
        let inputs = inputs.map(|variable| (variable.name.clone(), variable.value.clone().unwrap_or_default()));
        self.inputs.insert(at.clone(), inputs.collect());
        self.created.insert(at, job.metadata.name.clone().unwrap_or_default());
    }

    /// Takes note of the results in a status: M05, and I4 of each that is new.
    pub fn record(&mut self, status: &WorkflowStatus, case: &Case, cluster: &Cluster) -> Result<(), Fault> {
        for (key, step) in &status.steps {
            if case.place(key).is_none() {
                return Err(format!("M05: no step {key} in the definition"));
            }
            for attempt in &step.attempts.recent {
                let at = || (key.clone(), attempt.number);
                // What was seen and lost before it was stored was never known.
                if attempt.started_at.is_some() {
                    self.started.insert(at());
                } else {
                    self.started.remove(&at());
                }
                if !attempt.phase.is_terminal() {
                    continue;
                }
                let ended = (attempt.phase, attempt.reason.clone());
                let known = self.recorded.insert(at(), ended.clone());
                // Of a request no Job tells.
                if known.as_ref() != Some(&ended) && !attempt.job.is_empty() {
                    truth(cluster, &attempt.job, attempt.phase)?;
                }
            }
        }
        Ok(())
    }

    /// Takes note of what is stored: whatever has ended in it is final.
    pub fn stored(&mut self, status: &WorkflowStatus) {
        for (key, step) in status.steps.iter().filter(|(_, step)| step.phase.is_terminal()) {
            if !self.ended.contains_key(key) {
                self.ended.insert(key.clone(), step.clone());
            }
        }
    }
}

/// A status that is read back from the API server is the one that was written.
pub fn reads_back(status: &WorkflowStatus) -> Result<(), Fault> {
    let mut written = serde_json::to_value(status).map_err(|error| error.to_string())?;
    go_numbers(&mut written);
    let read: WorkflowStatus = serde_json::from_value(written).map_err(|error| error.to_string())?;
    if read == *status {
        Ok(())
    } else {
        Err(format!("the status\n{status:?}\nreads back as\n{read:?}"))
    }
}

/// What one status may become: nothing final changes, nothing goes back.
pub fn follows(before: &WorkflowStatus, after: &WorkflowStatus, case: &Case) -> Result<(), Fault> {
    let (old, new) = (before.phase.unwrap_or_default(), after.phase.unwrap_or_default());
    if new.rank() < old.rank() || (old.is_terminal() && new != old) {
        return Err(format!("I3: the run goes from {old} to {new}"));
    }
    if after.seq < before.seq {
        return Err(format!("I10: seq falls from {} to {}", before.seq, after.seq));
    }
    for (key, old) in &before.steps {
        let Some(new) = after.steps.get(key) else {
            if old.phase.is_terminal() && is_sealed(before, after) {
                continue;
            }
            return Err(format!("step {key} vanishes from the status while it is {}", old.phase));
        };
        let is_final = old.phase.is_terminal();
        let what = |step: &StepStatus| {
            let made = (step.selected.clone(), step.iterations);
            (step.phase, step.reason.clone(), step.outputs.clone(), made)
        };
        if is_final && what(new) != what(old) {
            return Err(format!(
                "I3: {key} goes from {} {:?} to {} {:?}",
                old.phase, old.reason, new.phase, new.reason
            ));
        }
        let falls = new.attempts.count < old.attempts.count || new.iterations < old.iterations;
        if falls || new.seq < old.seq {
            return Err(format!("I10: attempts, iterations or seq of {key} fall"));
        }
        if old.selected.is_some() && new.selected != old.selected {
            return Err(format!("{key} chose {:?}, then {:?}", old.selected, new.selected));
        }
        let falls = old.phase.is_started() && new.phase == StepPhase::Pending;
        if falls {
            return Err(format!("{key} goes from {} to Pending", old.phase));
        }
    }
    if !new.is_terminal() {
        return Ok(());
    }
    let is_open = |step: Option<&StepStatus>| !step.is_some_and(|step| step.phase.is_terminal());
    let of_run = case.root.steps.iter().map(|step| &step.name);
    let mut all = of_run.chain(after.steps.keys());
    match all.find(|key| is_open(after.steps.get(*key))) {
        Some(key) => Err(format!("the run is {new}, and {key} has not ended")),
        None => Ok(()),
    }
}

/// As many steps stand in further records as have left the status.
fn is_sealed(before: &WorkflowStatus, after: &WorkflowStatus) -> bool {
    let sealed = |status: &WorkflowStatus| status.records.values().map(|record| record.total).sum::<u32>();
    let left = before
        .steps
        .keys()
        .filter(|key| !after.steps.contains_key(*key))
        .count();
    usize::try_from(sealed(after) - sealed(before)).unwrap() == left
}

/// Below steps that run, in the iteration that is due: whatever starts a Job. A handler follows a step that has failed.
pub fn stands_open(status: &WorkflowStatus, case: &Case, place: &Place) -> Result<(), Fault> {
    let id = &place.id;
    let mut around = case.around(place);
    while let Some(at) = around {
        let above = at.id();
        let Some(step) = status.steps.get(above) else {
            return Err(format!("{id} starts, and {above} around it is not in the status"));
        };
        let wanted = match &at {
            Around::Failed(_) => StepPhase::Failed,
            _ => StepPhase::Running,
        };
        if step.phase != wanted || (step.stop.is_some() && wanted == StepPhase::Running) {
            return Err(format!("{id} starts while {above} is {}", step.phase));
        }
        if let Around::Iteration(_, index) = &at
            && *index != step.iterations
        {
            return Err(format!("{id} starts in iteration {} of {above}", step.iterations));
        }
        around = case.place(above).and_then(|place| case.around(&place));
    }
    Ok(())
}

/// I4: what is recorded of an attempt is what has become of its program.
fn truth(cluster: &Cluster, name: &str, phase: StepPhase) -> Result<(), Fault> {
    let Some(job) = cluster.history().find(|job| job.name == name) else {
        return Err(format!("I4: {name} has a result and never was"));
    };
    let is_over = job.is_over() || job.exited.is_some() || cluster.gone.iter().any(|gone| gone.name == name);
    if !is_over {
        return Err(format!("I4: {name} is recorded {phase}, and may still run"));
    }
    let is_well = job.exited.is_some_and(|(_, code)| code == 0);
    if phase == StepPhase::Succeeded && !(is_well && may_succeed(&job.fate)) {
        return Err(format!(
            "I4: {name} is recorded {phase}, but exited {:?} by {:?}",
            job.exited, job.fate
        ));
    }
    Ok(())
}

/// Where the pod vanished unread, the Job's `Complete` is all that is left to go by.
const fn may_succeed(fate: &Outcome) -> bool {
    matches!(
        fate,
        Outcome::Exit { .. } | Outcome::Drained { .. } | Outcome::Preempted { .. } | Outcome::PodDeleted { .. }
    )
}
