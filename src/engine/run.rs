//! A run that has begun: one look at all its steps.

use jobwright_api::{Reason, StepPhase, WorkflowPhase, status::Stop};
use std::{cell::OnceCell, collections::BTreeSet, sync::Arc};

use crate::{
    decision::Action,
    draft::{Cause, Draft},
    graph::{Graph, Node},
    id::RunIdentity,
    job,
    number::as_stored,
    observed::{JobView, Observed},
    scope,
    step::{deadline, observe, start},
    summary,
};

/// What all steps of a run share.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) observed: &'a Observed<'a>,
    pub(crate) graph: &'a Graph,
    pub(crate) identity: RunIdentity,
    carried: OnceCell<BTreeSet<&'a str>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(observed: &'a Observed<'a>, graph: &'a Arc<Graph>) -> Self {
        Self {
            observed,
            graph,
            identity: RunIdentity {
                namespace: observed.namespace.to_owned(),
                name: observed.name.to_owned(),
                uid: observed.uid.to_owned(),
                run: observed.pending.run.unwrap_or(1),
            },
            carried: OnceCell::new(),
        }
    }

    /// Jobs of this run.
    fn jobs(&self) -> impl Iterator<Item = &'a JobView> {
        let jobs = self.observed.jobs.values().map(AsRef::as_ref);
        jobs.filter(|job| job.owner_uid == self.identity.uid && job.run == self.identity.run)
    }

    /// A Job that exists carries the result of this step: it need not ride again.
    pub(crate) fn is_carried(&self, key: &str) -> bool {
        let carried = self.carried.get_or_init(|| {
            let lasting = self.jobs().filter(|job| !job.deleting);
            lasting.flat_map(|job| job.carried.keys().map(String::as_str)).collect()
        });
        carried.contains(key)
    }

    pub(crate) const fn is_suspended(&self) -> bool {
        self.observed.spec.suspend
    }

    /// The stored status is of this run: only then may anything of it start.
    fn is_begun(&self) -> bool {
        let (stored, pending) = (self.observed.stored, self.observed.pending);
        stored.run == pending.run && stored.snapshot == pending.snapshot
    }

    pub(crate) fn is_stored_terminal(&self, key: &str) -> bool {
        self.is_begun()
            && self
                .observed
                .stored
                .steps
                .get(key)
                .is_some_and(|step| step.phase.is_terminal())
    }

    /// One look: what runs first, then what may start, then the end.
    pub(crate) fn advance(&self, draft: &mut Draft) {
        if !self.is_begun() {
            draft.write_now();
            return;
        }
        self.adopt_carried(draft);
        for node in self.graph.in_order() {
            let phase = draft.phase_of(node.key());
            if phase.is_started() {
                observe::observe(self, draft, node);
            } else if !phase.is_terminal() {
                start::adopt(self, draft, node);
            }
        }
        self.arm_total(draft);
        if draft.status.stop.is_some() {
            self.stop_all(draft);
        } else {
            self.start_all(draft);
        }
        self.release_jobs(draft);
        self.stop_strays(draft);
        if self
            .graph
            .nodes()
            .iter()
            .all(|node| draft.phase_of(node.key()).is_terminal())
        {
            self.end(draft);
        } else if draft.status.stop.is_none() {
            let phase = if self.is_suspended() {
                WorkflowPhase::Suspended
            } else {
                WorkflowPhase::Running
            };
            draft.move_run(phase, Cause::default());
        }
    }

    /// After a loss of memory: results that were not stored ride on the Jobs of the steps below.
    fn adopt_carried(&self, draft: &mut Draft) {
        for (key, result) in self.jobs().flat_map(|job| &job.carried) {
            if draft.phase_of(key).is_terminal() || draft.step(key).is_none() {
                continue;
            }
            let seq = draft.status.seq;
            draft.edit(key, |step| {
                let phase = step.phase;
                step.clone_from(result);
                // The move below makes the transition, with a number of this history.
                step.phase = phase;
                step.seq = seq;
            });
            let cause = Cause {
                reason: result.reason.clone(),
                message: result.message.clone(),
            };
            draft.move_step(key, result.phase, cause);
            draft.edit(key, |step| step.finished_at.clone_from(&result.finished_at));
        }
    }

    fn arm_total(&self, draft: &mut Draft) {
        let limit = self.graph.definition().timeouts.total;
        let Some(deadline) = deadline::total(limit, draft.status.started_at.as_ref()) else {
            return;
        };
        let now = draft.now().0;
        let is_over = self
            .graph
            .nodes()
            .iter()
            .all(|node| draft.phase_of(node.key()).is_terminal());
        if is_over || draft.status.stop.is_some() {
            return;
        }
        if now < deadline.at {
            draft.wake(deadline.at);
            return;
        }
        let stop = deadline.stop(now, None);
        let cause = Cause::new(stop.reason.clone(), stop.message.as_deref().unwrap_or_default());
        draft.status.stop = Some(stop);
        draft.move_run(WorkflowPhase::Terminating, cause);
        draft.write_now();
    }

    /// What runs is stopped; what has not begun never will.
    fn stop_all(&self, draft: &mut Draft) {
        let Some(intent) = draft.status.stop.clone() else {
            return;
        };
        for node in self.graph.in_order() {
            let Some(step) = draft.step(node.key()) else {
                continue;
            };
            let is_asked = step
                .attempts
                .recent
                .last()
                .is_some_and(|attempt| attempt.stop.is_some());
            if step.phase.is_started() && !is_asked {
                self.stop_step(draft, node, &intent);
            } else if !step.phase.is_terminal() && !step.phase.is_started() {
                self.abandon(draft, node, &intent);
            }
        }
    }

    fn stop_step(&self, draft: &mut Draft, node: &Node, stop: &Stop) {
        draft.stop_attempt(node.key(), stop.clone());
        observe::observe(self, draft, node);
    }

    fn abandon(&self, draft: &mut Draft, node: &Node, stop: &Stop) {
        if start::must_confirm(self, draft, node) {
            return;
        }
        let words = stop.message.as_deref().unwrap_or_default();
        let has_begun = draft.step(node.key()).is_some_and(|step| step.attempts.count > 0);
        let phase = if has_begun {
            StepPhase::Cancelled
        } else {
            StepPhase::Omitted
        };
        draft.move_step(node.key(), phase, Cause::new(Reason::Stopped, words));
    }

    fn start_all(&self, draft: &mut Draft) {
        let fails = |draft: &Draft, node: &Node| {
            draft.phase_of(node.key()) == StepPhase::Failed && !node.failure_counts_as_done()
        };
        let mut is_failing = self.graph.nodes().iter().any(|node| fails(draft, node));
        for node in self.graph.in_order() {
            start::start(self, draft, node, is_failing);
            is_failing = is_failing || fails(draft, node);
        }
    }

    /// Why nothing new starts, in words.
    pub(crate) fn failure(&self, draft: &Draft) -> String {
        let mut nodes = self.graph.nodes().iter();
        let failed =
            nodes.find(|node| draft.phase_of(node.key()) == StepPhase::Failed && !node.failure_counts_as_done());
        failed.map_or_else(
            || "another step failed".to_owned(),
            |node| format!("{} failed", node.key()),
        )
    }

    /// Jobs whose result is stored: they get their TTL, and those that would never end are deleted.
    pub(crate) fn release_jobs(&self, draft: &mut Draft) {
        let enforced = &self.graph.definition().enforced;
        for node in self.graph.nodes() {
            let Some(stored) = self.observed.stored.steps.get(node.key()) else {
                continue;
            };
            let ended = stored
                .attempts
                .recent
                .iter()
                .filter(|attempt| attempt.phase.is_terminal());
            for found in ended.filter_map(|attempt| self.observed.jobs.get(&attempt.job)) {
                if found.deleting || found.owner_uid != self.identity.uid {
                    continue;
                }
                if found.suspended && !found.complete && found.failed.is_none() {
                    draft.act(Action::StopJob {
                        name: found.name.clone(),
                        uid: found.uid.clone(),
                    });
                } else if let Some(ttl_s) = job::ttl_seconds_after_finished(&node.definition().job, enforced)
                    && found.ttl_seconds_after_finished.is_none()
                {
                    draft.act(Action::ExpireJob {
                        name: found.name.clone(),
                        uid: found.uid.clone(),
                        ttl_s,
                    });
                }
            }
        }
    }

    /// A Job of a step that is stored as ended without it: an operator made it that knew less than
    /// the one that stored the end. Nobody will read its result.
    fn stop_strays(&self, draft: &mut Draft) {
        for node in self.graph.nodes() {
            if !self.is_stored_terminal(node.key()) {
                continue;
            }
            if let Some(stray) = start::next_job(self, draft, node).filter(|stray| !stray.deleting) {
                draft.act(Action::StopJob {
                    name: stray.name.clone(),
                    uid: stray.uid.clone(),
                });
            }
        }
    }

    /// All steps have ended: so does the run.
    fn end(&self, draft: &mut Draft) {
        if draft.status.phase.is_some_and(WorkflowPhase::is_terminal) {
            return;
        }
        let failed = self.graph.nodes().iter().find_map(|node| {
            let step = draft.step(node.key())?;
            let counts = step.phase == StepPhase::Failed && node.failure_fails_run();
            counts.then(|| summary::failure_of(node.key(), step))
        });
        let cause = match (draft.status.stop.clone(), failed) {
            (Some(stop), _) => Some(Cause::new(stop.reason, stop.message.as_deref().unwrap_or_default())),
            (None, Some(words)) => Some(Cause::new(Reason::StepFailed, &words)),
            (None, None) => self.give_outputs(draft).err(),
        };
        let now = draft.now();
        draft.status.finished_at = Some(now);
        match cause {
            Some(cause) => draft.move_run(WorkflowPhase::Failed, cause),
            None => draft.move_run(WorkflowPhase::Succeeded, Cause::default()),
        }
        draft.write_now();
    }

    fn give_outputs(&self, draft: &mut Draft) -> Result<(), Cause> {
        for (output, expression) in self.graph.outputs() {
            let value = expression
                .evaluate(&scope::of(self, draft, expression))
                .map_err(|error| Cause::new(Reason::ExpressionError, &format!("output {}: {error}", output.name)))?;
            if !output.kind.admits(&value) {
                let found = jobwright_api::ValueType::name_of(&value);
                let words = format!("output {}: gives {found} instead of {}", output.name, output.kind);
                return Err(Cause::new(Reason::ExpressionError, &words));
            }
            draft.status.outputs.insert(output.name.clone(), as_stored(value));
        }
        Ok(())
    }
}
