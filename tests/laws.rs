//! The invariants that hold of every play, whoever plays it.

use jobwright_api::{Reason, StepPhase, WorkflowStatus};
use k8s_openapi::api::batch::v1::Job;
use std::collections::{BTreeMap, BTreeSet};

use crate::{
    graphs::{Case, Outcome},
    world::{Cluster, go_numbers},
};

/// One law was broken: in which words.
pub type Fault = String;

/// What was seen of the attempts of a run.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Jobs that were created, by step and attempt.
    pub created: BTreeMap<(usize, u32), String>,
    /// The variables of their main containers.
    pub inputs: BTreeMap<(usize, u32), BTreeMap<String, String>>,
    /// How attempts ended, as last recorded.
    pub recorded: BTreeMap<(usize, u32), (StepPhase, Option<Reason>)>,
    /// Two operators are at work, and one may not know yet what the other has stored.
    pub is_double: bool,
    /// Attempts that were seen to run.
    pub started: BTreeSet<(usize, u32)>,
}

impl History {
    /// Before a Job comes to be: I1, and no attempt beside another.
    pub fn may_be_born(
        &self,
        job: &Job,
        at: (usize, u32),
        play: (&Case, &WorkflowStatus, &Cluster),
    ) -> Result<(), Fault> {
        let (case, stored, cluster) = play;
        let (place, number) = at;
        let step = &case.steps[place];
        let name = job.metadata.name.clone().unwrap_or_default();
        // The one window that is documented: deleted by hand, and the operator dead before it stored anything.
        let is_deleted = matches!(case.outcome(place, number), Outcome::JobDeleted { .. });
        let attempts = stored.steps.get(&step.name).map_or(0, |status| status.attempts.count);
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
        if number > 1 && !self.created.contains_key(&(place, number - 1)) {
            return Err(format!(
                "attempt {number} of {} starts, and the one before it never did",
                step.name
            ));
        }
        let of_step = self.created.iter().filter(|((of, _), _)| *of == place);
        let mut jobs = of_step.filter_map(|(_, name)| cluster.jobs.get(name));
        match jobs.find(|job| !job.is_over()) {
            Some(job) => Err(format!(
                "attempt {number} of {} starts while {} may still run",
                step.name, job.name
            )),
            None => Ok(()),
        }
    }

    /// A Job was created.
    pub fn born(&mut self, job: &Job, at: (usize, u32)) {
        let pod = job.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
        let main = pod.and_then(|pod| pod.containers.first());
        let env = main.and_then(|main| main.env.as_ref()).into_iter().flatten();
        let inputs = env.filter(|variable| variable.name.starts_with("INPUT_"));
        let inputs = inputs.map(|variable| (variable.name.clone(), variable.value.clone().unwrap_or_default()));
        self.inputs.insert(at, inputs.collect());
        self.created.insert(at, job.metadata.name.clone().unwrap_or_default());
    }

    /// Takes note of the results in a status: M05, and I4 of each that is new.
    pub fn record(&mut self, status: &WorkflowStatus, case: &Case, cluster: &Cluster) -> Result<(), Fault> {
        for (key, step) in &status.steps {
            let place = case
                .position(key)
                .ok_or_else(|| format!("M05: no step {key} in the definition"))?;
            let started = step
                .attempts
                .recent
                .iter()
                .filter(|attempt| attempt.started_at.is_some());
            self.started.extend(started.map(|attempt| (place, attempt.number)));
            for attempt in step
                .attempts
                .recent
                .iter()
                .filter(|attempt| attempt.phase.is_terminal())
            {
                let ended = (attempt.phase, attempt.reason.clone());
                let known = self.recorded.insert((place, attempt.number), ended.clone());
                if known.as_ref() != Some(&ended) {
                    truth(cluster, &attempt.job, attempt.phase)?;
                }
            }
        }
        Ok(())
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
            return Err(format!("step {key} vanishes from the status"));
        };
        let is_final = old.phase.is_terminal();
        if is_final && (new.phase, &new.reason, &new.outputs) != (old.phase, &old.reason, &old.outputs) {
            return Err(format!(
                "I3: {key} goes from {} {:?} to {} {:?}",
                old.phase, old.reason, new.phase, new.reason
            ));
        }
        if new.attempts.count < old.attempts.count || new.seq < old.seq {
            return Err(format!("I10: attempts or seq of {key} fall"));
        }
        let falls = old.phase.is_started() && new.phase == StepPhase::Pending;
        if falls {
            return Err(format!("{key} goes from {} to Pending", old.phase));
        }
    }
    let is_ended = new.is_terminal();
    let open = case.steps.iter().find(|step| {
        !after
            .steps
            .get(&step.name)
            .is_some_and(|status| status.phase.is_terminal())
    });
    match open {
        Some(step) if is_ended => Err(format!("the run is {new}, and {} has not ended", step.name)),
        _ => Ok(()),
    }
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
