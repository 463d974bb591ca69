//! A run that has begun: one look at all its steps.

use jobwright_api::{
    Reason, StepPhase, WorkflowPhase,
    status::{PathSegment, Stop},
};
use serde_json::Value;
use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};

use crate::{
    definition::Kind,
    draft::{Cause, Draft},
    flow::{self, handler},
    frame::{Frame, Instance},
    graph::{Graph, ON_FAILURE},
    id::{RunIdentity, StepId},
    inputs,
    jobs::Jobs,
    observed::{JobView, Observed},
    parent, seal,
    step::{
        deadline,
        join::{self, Join},
        observe, outcome, start,
    },
};

/// What all steps of a run share.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) observed: &'a Observed<'a>,
    pub(crate) graph: &'a Graph,
    root: Frame<'a>,
    /// Why it is to end, if its parent does not want it any more.
    closed: Option<Stop>,
    pub(crate) identity: RunIdentity,
    /// Jobs of this run.
    jobs: Jobs<'a>,
    carried: OnceCell<BTreeSet<&'a str>>,
    /// Items of forks, computed once in a look.
    items: RefCell<BTreeMap<String, Rc<[Value]>>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(observed: &'a Observed<'a>, graph: &'a Arc<Graph>) -> Self {
        let identity = RunIdentity {
            namespace: observed.namespace.to_owned(),
            name: observed.name.to_owned(),
            uid: observed.uid.to_owned(),
            run: observed.pending.run.unwrap_or(1),
        };
        let jobs = observed.jobs.values().map(AsRef::as_ref);
        let jobs = jobs.filter(|job| job.owner_uid == identity.uid && job.run == identity.run);
        let children = observed.children.values().map(AsRef::as_ref);
        let children = children.filter(|child| child.run == identity.run);
        let definition = graph.definition();
        // Checked when the run began; what would not pass any more is absent.
        let inputs = definition.values.clone().unwrap_or_else(|| {
            let template = definition.template.as_ref().map(|template| template.name.as_str());
            inputs::given(&definition.inputs, &observed.spec.inputs, template).0
        });
        Self {
            observed,
            graph,
            root: Frame::root(graph, inputs.into_iter().collect()),
            closed: parent::closed(observed),
            jobs: Jobs::new(jobs, children),
            identity,
            carried: OnceCell::new(),
            items: RefCell::default(),
        }
    }

    /// The inputs of the run.
    pub(crate) fn inputs(&self) -> &Value {
        self.root.inputs()
    }

    /// Why everything is to end now, what follows the steps as well.
    pub(crate) fn terminated(&self) -> Option<&Stop> {
        self.closed.as_ref().filter(|_| !parent::is_cancelled(self.observed))
    }

    /// Jobs of this run.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = &'a JobView> + '_ {
        self.jobs.iter()
    }

    /// A Job tells that this step has begun, whatever is stored: with this iteration or a later one, if it has any.
    /// The Job of what follows its failure tells that it has ended.
    pub(crate) fn has_begun(&self, instance: Instance<'_>, iteration: u32) -> bool {
        let own = instance.id().path().last().and_then(|own| own.index);
        let has_handler = instance.on_failure().is_some();
        self.jobs
            .below(instance.id())
            .any(|(found, below)| match (own, found.index) {
                (Some(own), found) => found == Some(own) && !below.is_empty(),
                (None, Some(index)) => index >= iteration,
                (None, None) => {
                    let is_of_handler = |first: &PathSegment| has_handler && first.name == ON_FAILURE;
                    below.first().is_some_and(|first| !is_of_handler(first))
                }
            })
    }

    /// A Job below this step exists: it has gone on, however far.
    pub(crate) fn has_jobs_below(&self, id: &StepId) -> bool {
        self.jobs
            .below(id)
            .any(|(found, below)| found.index.is_some() || !below.is_empty())
    }

    /// How many items of this fork have begun, as far as Jobs tell.
    pub(crate) fn items_begun(&self, id: &StepId) -> u32 {
        let indexes = self.jobs.below(id).filter_map(|(found, _)| found.index);
        indexes.max().map_or(0, |index| index.saturating_add(1))
    }

    /// A Job that exists carries the result of this step: it need not ride again.
    pub(crate) fn is_carried(&self, key: &str) -> bool {
        let carried = self.carried.get_or_init(|| {
            let lasting = self.jobs().filter(|job| !job.deleting);
            let results = lasting.flat_map(|job| &job.carried);
            let results = results.filter(|(_, step)| step.phase.is_terminal());
            results.map(|(key, _)| key.as_str()).collect()
        });
        carried.contains(key)
    }

    /// The items of a fork, if this look has computed them.
    pub(crate) fn items(&self, key: &str) -> Option<Rc<[Value]>> {
        self.items.borrow().get(key).cloned()
    }

    pub(crate) fn keep_items(&self, key: &str, items: &Rc<[Value]>) {
        self.items.borrow_mut().insert(key.to_owned(), Rc::clone(items));
    }

    /// A wait is over, and that is not stored: no Job tells of it, so none may start upon it.
    pub(crate) fn must_store_first(&self, draft: &Draft) -> bool {
        let mut steps = draft.status.steps.iter();
        self.graph.has_waits()
            && steps.any(|(key, step)| {
                step.kind == Kind::Wait.word() && step.phase.is_terminal() && !self.is_stored_terminal(key)
            })
    }

    /// An exit has just ended the run: nothing more starts in this look, and the next one stops what runs.
    pub(crate) fn ends_now(&self, draft: &Draft) -> bool {
        draft.status.exit.is_some() && self.observed.pending.exit.is_none()
    }

    pub(crate) const fn is_suspended(&self) -> bool {
        self.observed.spec.suspend
    }

    /// The stored status is of this run: only then may anything of it start.
    pub(crate) fn is_begun(&self) -> bool {
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
        seal::take_out_sealed(self, draft);
        if draft.status.phase.is_some_and(WorkflowPhase::is_terminal) {
            // All is decided. What expressions read need not be read again.
            self.settle_jobs(draft);
            return seal::seal(self, draft);
        }
        self.observe(draft, &self.root);
        self.close(draft);
        self.arm_total(draft);
        let stop = draft.status.stop.clone();
        let mood = Mood {
            stop: stop.as_ref(),
            is_failing: false,
            has_ended: false,
        };
        let has_ended = self.go_on(draft, &self.root, mood) && handler::of_run(self, draft, &self.root);
        self.settle_jobs(draft);
        seal::seal(self, draft);
        if has_ended {
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

    /// Takes in what the Jobs of a frame say, and of the frames below it.
    pub(crate) fn observe(&self, draft: &mut Draft, frame: &Frame<'_>) {
        for instance in frame.in_order() {
            if draft.step(instance.key()).is_none() {
                continue; // an iteration that is not open yet
            }
            self.adopt_carried(draft, instance);
            let phase = draft.phase_of(instance.key());
            match instance.flow() {
                // Its inputs may read records: without these it cannot be told apart from others.
                Some(_) if phase.is_started() && !self.can_read(draft, instance) => {}
                Some(_) => {
                    for below in flow::below(self, draft, instance) {
                        self.observe(draft, &below);
                    }
                }
                None if phase.is_started() => observe::observe(self, draft, instance),
                None if !phase.is_terminal() => {
                    start::adopt(self, draft, instance);
                }
                None => {}
            }
        }
        handler::observe(self, draft, frame);
    }

    /// Lets the steps of a frame go on as far as they may. True once all have ended.
    pub(crate) fn go_on(&self, draft: &mut Draft, frame: &Frame<'_>, mood: Mood<'_>) -> bool {
        let mut is_failing = mood.is_failing || frame.instances().any(|step| join::is_failure(draft, step));
        let mut followed = None;
        for instance in frame.in_order() {
            let mut mood = Mood { is_failing, ..mood };
            if mood.is_blocked() || self.is_suspended() {
                let followed = followed.get_or_insert_with(|| start::followed(self, draft, frame));
                if followed.contains(instance.key()) && !draft.phase_of(instance.key()).is_terminal() {
                    mood = Mood::DERIVES;
                }
            }
            self.go_on_with(draft, instance, mood);
            is_failing = is_failing || join::is_failure(draft, instance);
        }
        for instance in frame.instances() {
            let Some((stop, others)) = join::superfluous(draft, instance) else {
                continue;
            };
            for other in others {
                draft.stop_below(other.key(), &stop);
                let mood = Mood {
                    stop: Some(&stop),
                    ..mood
                };
                self.go_on_with(draft, other, mood);
            }
        }
        frame.instances().all(|instance| handler::is_over(draft, instance))
    }

    fn go_on_with(&self, draft: &mut Draft, instance: Instance<'_>, mood: Mood<'_>) {
        let may_evaluate = match draft.phase_of(instance.key()) {
            StepPhase::Pending => join::join(draft, instance) == Join::Met,
            phase => !phase.is_terminal(),
        };
        if may_evaluate {
            if !self.can_read(draft, instance) {
                return;
            }
            self.fail_without_pages(draft, instance);
        }
        match mood.stop {
            Some(stop) => self.stop(draft, instance, stop),
            None => start::start(self, draft, instance, mood),
        }
        if let Some(flow) = instance.flow()
            && draft.phase_of(instance.key()).is_started()
        {
            flow::advance(self, draft, instance, flow, mood);
        }
        handler::of_step(self, draft, instance, mood);
    }

    /// A record that it reads is lost: it fails, what runs below it is stopped first.
    fn fail_without_pages(&self, draft: &mut Draft, instance: Instance<'_>) {
        let Some(words) = self.lost_page(draft, instance) else {
            return;
        };
        if draft.phase_of(instance.key()).is_started() && instance.flow().is_some() {
            let stop = Stop {
                reason: Reason::ResultLost,
                timeout: None,
                message: Some(words),
                at: draft.now(),
            };
            draft.stop_below(instance.key(), &stop);
        } else if draft.phase_of(instance.key()) == StepPhase::Pending {
            outcome::fail_step(draft, instance, Reason::ResultLost, &words);
        }
    }

    /// After a loss of memory: a result that was not stored rides on a Job of a step below, and the end of an attempt
    /// on the Job of the next one.
    fn adopt_carried(&self, draft: &mut Draft, instance: Instance<'_>) {
        let key = instance.key();
        let phase = draft.phase_of(key);
        if phase.is_terminal() {
            return;
        }
        let result = if self.is_carried(key) {
            let mut results = self.jobs().filter_map(|job| job.carried.get(key));
            results.find(|step| step.phase.is_terminal())
        } else if phase.is_started() && instance.flow().is_none() {
            start::next_job(self, draft, instance).and_then(|job| job.carried.get(key))
        } else {
            None
        };
        // Another operator may have recorded less of it: what is known already does not fall back.
        let known = draft.step(key).map_or(0, |step| step.attempts.count);
        let Some(result) = result.filter(|result| result.attempts.count >= known) else {
            return;
        };
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
        draft.edit(key, |step| {
            step.finished_at.clone_from(&result.finished_at);
            step.next_attempt_at.clone_from(&result.next_attempt_at);
        });
    }

    /// Its parent has ended, or has stopped the step that it runs for.
    fn close(&self, draft: &mut Draft) {
        let Some(stop) = self.closed.as_ref().filter(|_| draft.status.stop.is_none()) else {
            return;
        };
        let phase = if parent::is_cancelled(self.observed) {
            WorkflowPhase::Cancelling
        } else {
            WorkflowPhase::Terminating
        };
        let cause = Cause::new(stop.reason.clone(), stop.message.as_deref().unwrap_or_default());
        draft.status.stop = Some(stop.clone());
        draft.move_run(phase, cause);
        draft.write_now();
    }

    fn arm_total(&self, draft: &mut Draft) {
        let limit = self.graph.definition().timeouts.total;
        let Some(deadline) = deadline::total(limit, draft.status.started_at.as_ref()) else {
            return;
        };
        let now = draft.now().0;
        let is_over = self.root.instances().all(|instance| handler::is_over(draft, instance));
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
    fn stop(&self, draft: &mut Draft, instance: Instance<'_>, intent: &Stop) {
        let Some(step) = draft.step(instance.key()) else {
            return;
        };
        let last = step.attempts.recent.last();
        let is_asked = last.is_some_and(|attempt| attempt.stop.is_some());
        let phase = step.phase;
        if phase.is_started() {
            // What has no Job of its own ends when all below it has.
            if instance.flow().is_none() && !is_asked {
                self.stop_step(draft, instance, intent);
            }
        } else if !phase.is_terminal() && !start::resume(self, draft, instance) {
            self.abandon(draft, instance, intent);
        }
    }

    fn stop_step(&self, draft: &mut Draft, instance: Instance<'_>, stop: &Stop) {
        draft.stop_attempt(instance.key(), stop.clone());
        observe::observe(self, draft, instance);
    }

    fn abandon(&self, draft: &mut Draft, instance: Instance<'_>, stop: &Stop) {
        if start::must_confirm(self, draft, instance) {
            return;
        }
        // The same look may have wanted its Job: what stops it can come to light after that.
        draft.take_back_start(&start::next_name(self, draft, instance));
        let words = stop.message.as_deref().unwrap_or_default();
        let has_begun = draft.step(instance.key()).is_some_and(|step| step.attempts.count > 0);
        let phase = if has_begun {
            StepPhase::Cancelled
        } else {
            StepPhase::Omitted
        };
        let reason = match stop.reason {
            Reason::JoinMet => Reason::JoinMet,
            _ => Reason::Stopped,
        };
        draft.move_step(instance.key(), phase, Cause::new(reason, words));
    }

    /// All steps have ended: so does the run.
    fn end(&self, draft: &mut Draft) {
        if draft.status.phase.is_some_and(WorkflowPhase::is_terminal) {
            return;
        }
        let (phase, cause) = match self.outcome(draft) {
            Ok((outputs, cause)) => {
                draft.status.outputs = outputs;
                (WorkflowPhase::Succeeded, cause)
            }
            Err(cause) if cause.reason == Some(Reason::ParentClosed) => (parent::ended(self.observed), cause),
            Err(cause) => (WorkflowPhase::Failed, cause),
        };
        let now = draft.now();
        draft.status.finished_at = Some(now);
        draft.move_run(phase, cause);
        draft.write_now();
    }

    /// How the run ends: an exit decides, else a stop, else the steps.
    fn outcome(&self, draft: &Draft) -> Result<(BTreeMap<String, Value>, Cause), Cause> {
        if let Some(exit) = &draft.status.exit {
            let exit = exit.clone();
            let cause = Cause {
                reason: exit.reason,
                message: exit.message,
            };
            return match exit.phase {
                WorkflowPhase::Succeeded => Ok((exit.outputs, cause)),
                _ => Err(cause),
            };
        }
        if let Some(stop) = &draft.status.stop {
            return Err(Cause::new(
                stop.reason.clone(),
                stop.message.as_deref().unwrap_or_default(),
            ));
        }
        if let Some(words) = flow::failure(draft, &self.root) {
            return Err(Cause::new(Reason::StepFailed, &words));
        }
        flow::outputs(self, draft, &self.root).map(|outputs| (outputs, Cause::default()))
    }
}

/// What holds for all steps of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mood<'m> {
    /// They are to be stopped, for this reason.
    pub(crate) stop: Option<&'m Stop>,
    /// A step beside them, or beside what is around them, has failed: nothing new starts.
    pub(crate) is_failing: bool,
    /// What needs it has begun, so it had ended, and that was lost before it was stored: it is derived again,
    /// whatever has happened since.
    pub(crate) has_ended: bool,
}

impl Mood<'_> {
    const DERIVES: Self = Mood {
        stop: None,
        is_failing: false,
        has_ended: true,
    };

    const fn is_blocked(&self) -> bool {
        self.stop.is_some() || self.is_failing
    }
}
