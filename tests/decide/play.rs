//! Plays `decide` against the model of the cluster: no client, no clock, one thread, one seed.

use jiff::{SignedDuration, Timestamp};
use jobwright_api::{Task, WorkflowSpec, WorkflowStatus, settings::JobSettings};
use jobwright_engine::{
    decide::decide,
    decision::{Decision, Write},
    graph::Graph,
    observed::{JobView, Notes, Observed, PodView},
};
use jobwright_tests::{
    compare::{Ended, compare},
    graphs::Case,
    laws::{Fault, reads_back},
    rng::Rng,
    world::Cluster,
};
use std::{collections::BTreeMap, sync::Arc};

use crate::checks::{self, Checks};

/// More looks than the largest case takes.
const TURNS_MAX: usize = 60_000;

pub(crate) const UID: &str = "7a1d7a6e-0000-4000-8000-000000000001";

/// How unkind the world is, in percent per occasion.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mood {
    /// A watch event comes late, and what happened between two is never seen.
    pub(crate) late: u64,
    /// The operator dies.
    pub(crate) crash: u64,
    /// A request is answered with an error, done or not.
    pub(crate) error: u64,
    /// A status write waits for others.
    pub(crate) lazy: u64,
    /// Somebody suspends the run for a while.
    pub(crate) suspend: u64,
}

impl Mood {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        if rng.chance(30) {
            return Self::default();
        }
        let mut level = || *rng.pick(&[0, 0, 5, 25]);
        Self {
            late: level() * 2,
            crash: level() / 2,
            error: level(),
            lazy: level() * 3,
            suspend: level() / 5,
        }
    }

    pub(crate) const fn is_calm(&self) -> bool {
        self.late + self.crash + self.error + self.lazy + self.suspend == 0
    }
}

/// What the operator remembers; gone when it dies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// The status as its watch has shown it, with the version.
    pub(crate) seen: WorkflowStatus,
    pub(crate) seen_version: u64,
    pub(crate) pending: WorkflowStatus,
    pub(crate) notes: Notes,
    pub(crate) jobs: BTreeMap<String, Arc<JobView>>,
    pub(crate) pods: BTreeMap<String, Vec<Arc<PodView>>>,
    /// A status write is due then.
    pub(crate) write_by: Option<Timestamp>,
}

pub(crate) struct Play<'a> {
    pub(crate) case: &'a Case,
    pub(crate) rng: Rng,
    pub(crate) mood: Mood,
    pub(crate) cluster: Cluster,
    pub(crate) spec: WorkflowSpec,
    pub(crate) tasks: BTreeMap<String, Arc<Task>>,
    pub(crate) settings: JobSettings,
    pub(crate) records: BTreeMap<String, String>,
    graphs: BTreeMap<String, Arc<Graph>>,
    /// The status as the API server has it, with its version.
    pub(crate) stored: WorkflowStatus,
    pub(crate) version: u64,
    pub(crate) memory: Memory,
    /// What the watches have not shown yet: the Job's name, Job or pod, and when they will at the latest.
    pub(crate) late: BTreeMap<(String, bool), Timestamp>,
    pub(crate) resume_at: Option<Timestamp>,
    pub(crate) checks: Checks,
    /// What happened, if asked for.
    pub(crate) trace: Option<Vec<String>>,
}

impl<'a> Play<'a> {
    pub(crate) fn new(case: &'a Case, seed: u64, mood: Option<Mood>) -> Self {
        let mut rng = Rng::new(seed ^ 0x00C0_FFEE);
        let mood = mood.unwrap_or_else(|| Mood::random(&mut rng));
        let tasks = case.tasks().into_iter().map(|(name, task)| (name, Arc::new(task)));
        Self {
            case,
            rng,
            mood,
            cluster: Cluster::new("2026-11-21T10:00:00.123456Z".parse().unwrap()),
            spec: case.workflow_spec(),
            tasks: tasks.collect(),
            settings: JobSettings::default(),
            records: BTreeMap::new(),
            graphs: BTreeMap::new(),
            stored: WorkflowStatus::default(),
            version: 1,
            memory: Memory {
                seen_version: 1,
                ..Memory::default()
            },
            late: BTreeMap::new(),
            resume_at: None,
            checks: Checks::default(),
            trace: None,
        }
    }

    /// To the end of the run and a little further.
    pub(crate) fn run(&mut self) -> Result<(), Fault> {
        let turns_max = TURNS_MAX.min(3_000 + 1_500 * self.case.weight(None));
        for _ in 0..turns_max {
            self.meddle();
            self.deliver();
            let decision = self.decide()?;
            let is_quiet =
                decision.actions.is_empty() && decision.write == Write::Nothing && self.memory.write_by.is_none();
            let wake_at = decision.wake_at;
            self.carry_out(decision)?;
            if !is_quiet {
                // What was done calls for another look at once, or nearly so.
                let ms = if self.rng.chance(10) { self.rng.below(50) } else { 0 };
                self.let_pass(self.cluster.now + SignedDuration::from_millis(i64::try_from(ms).unwrap()));
                continue;
            }
            if !self.pass_time(wake_at)? {
                return checks::at_rest(self, is_quiet);
            }
        }
        Err(format!("I8: not at rest after {turns_max} turns"))
    }

    /// Whether it ended as the reference says.
    pub(crate) fn compare(&self) -> Result<(), Fault> {
        compare(&Ended {
            case: self.case,
            stored: &self.stored,
            history: &self.checks.history,
            is_calm: self.mood.is_calm(),
            is_double: false,
        })
    }

    pub(crate) fn note(&mut self, words: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let at = self.cluster.now;
            trace.push(format!("{at} {}", words()));
        }
    }

    /// What users do, and what befalls the operator.
    fn meddle(&mut self) {
        let is_over = self.stored.phase.is_some_and(jobwright_api::WorkflowPhase::is_terminal);
        if self.resume_at.is_some_and(|at| at <= self.cluster.now) {
            self.resume_at = None;
            self.set_suspend(false);
        } else if self.resume_at.is_none() && !is_over && self.rng.chance(self.mood.suspend) {
            let seconds = i64::try_from(self.rng.between(1, 15)).unwrap();
            self.resume_at = Some(self.cluster.now + SignedDuration::from_secs(seconds));
            self.set_suspend(true);
        }
        if self.rng.chance(self.mood.crash) {
            self.restart();
            let waits = self.memory.notes.refusals.is_empty()
                && self
                    .stored
                    .steps
                    .values()
                    .all(|step| step.phase != jobwright_api::StepPhase::Queued);
            if waits && self.rng.chance(10) {
                let away_s = i64::try_from(self.rng.between(30, 7_200)).unwrap();
                self.note(|| format!("the operator is away for {away_s}s"));
                self.let_pass(self.cluster.now + SignedDuration::from_secs(away_s));
                self.restart();
            }
        }
    }

    fn set_suspend(&mut self, suspend: bool) {
        self.note(|| format!("suspend: {suspend}"));
        self.spec.suspend = suspend;
        self.version += 1;
        self.show_workflow();
    }

    /// The watch shows the Workflow as it is: what was pending for an older version is dropped.
    pub(crate) fn show_workflow(&mut self) {
        self.memory.seen = self.stored.clone();
        self.memory.seen_version = self.version;
        self.memory.pending = self.stored.clone();
        self.memory.write_by = None;
    }

    /// The operator dies and comes back: it knows what a list shows, nothing else.
    pub(crate) fn restart(&mut self) {
        self.note(|| "the operator restarts".to_owned());
        self.memory = Memory::default();
        self.show_workflow();
        self.late.clear();
        for name in self.cluster.jobs.keys().cloned().collect::<Vec<_>>() {
            self.show_job(&name);
            self.show_pod(&name);
        }
        self.checks.forget();
    }

    /// Watch events arrive: in calm weather all, else each when it likes.
    fn deliver(&mut self) {
        let now = self.cluster.now;
        for name in std::mem::take(&mut self.cluster.changed) {
            for is_pod in [false, true] {
                let wait_ms = if self.rng.chance(self.mood.late) {
                    self.rng.between(1, 3_000)
                } else {
                    0
                };
                let by = now + SignedDuration::from_millis(i64::try_from(wait_ms).unwrap());
                self.late.entry((name.clone(), is_pod)).or_insert(by);
            }
        }
        let due: Vec<_> = self
            .late
            .iter()
            .filter(|(_, by)| **by <= now)
            .map(|(key, _)| key.clone())
            .collect();
        for (name, is_pod) in due {
            self.late.remove(&(name.clone(), is_pod));
            if is_pod {
                self.show_pod(&name);
            } else {
                self.show_job(&name);
            }
        }
    }

    fn graph(&mut self) -> Result<Option<Arc<Graph>>, Fault> {
        let Some(snapshot) = &self.memory.pending.snapshot else {
            return Ok(None);
        };
        let Some(data) = self.records.get(&snapshot.name) else {
            return Ok(None);
        };
        if let Some(graph) = self.graphs.get(&snapshot.name) {
            return Ok(Some(Arc::clone(graph)));
        }
        let definition = serde_json::from_str(data).map_err(|error| format!("snapshot: {error}"))?;
        let graph = Graph::compile(definition).map_err(|problems| format!("compile: {problems:?}"))?;
        let graph = Arc::new(graph);
        self.graphs.insert(snapshot.name.clone(), Arc::clone(&graph));
        Ok(Some(graph))
    }

    /// Decides twice, and checks all that has to hold of it.
    fn decide(&mut self) -> Result<Decision, Fault> {
        let graph = self.graph()?;
        let observed = Observed {
            now: self.cluster.now,
            namespace: "default",
            name: "play",
            uid: UID,
            generation: 1,
            deleting: false,
            spec: &self.spec,
            stored: &self.memory.seen,
            pending: &self.memory.pending,
            graph,
            tasks: self.tasks.clone(),
            templates: BTreeMap::new(),
            settings: &self.settings,
            jobs: &self.memory.jobs,
            pods: &self.memory.pods,
            children: &BTreeMap::new(),
            parent: None,
            notes: &self.memory.notes,
        };
        let decision = decide(&observed);
        if self.rng.chance(8) {
            if decide(&observed) != decision {
                return Err("replay law: the same input gave another decision".to_owned());
            }
            reads_back(&decision.status)?;
        }
        self.note_decision(&decision);
        if decision.status != self.memory.seen && decision.write == Write::Nothing {
            return Err("the status is not the stored one, and no write is asked for".to_owned());
        }
        let play = (self.case, &self.cluster, self.mood.is_calm());
        self.checks.decided(&decision, &self.memory.pending, play)?;
        Ok(decision)
    }

    fn note_decision(&mut self, decision: &Decision) {
        if self.trace.is_none() {
            return;
        }
        for transition in &decision.transitions {
            self.note(|| {
                format!(
                    "  {}: {:?} {:?} {:?}",
                    transition.seq, transition.subject, transition.reason, transition.message
                )
            });
        }
    }

    /// Goes to the next instant at which anything may happen; false where there is none.
    fn pass_time(&mut self, wake_at: Option<Timestamp>) -> Result<bool, Fault> {
        let now = self.cluster.now;
        let others = [self.cluster.next_at(), wake_at, self.memory.write_by, self.resume_at];
        let next = others.into_iter().flatten().chain(self.late.values().copied()).min();
        let Some(next) = next else { return Ok(false) };
        if wake_at.is_some_and(|at| at <= now) {
            return Err("wake_at is not in the future".to_owned());
        }
        // What is due at this very instant, such as a TTL of nothing.
        self.cluster.advance(now);
        let over = if self.rng.chance(self.mood.late) {
            self.rng.below(500)
        } else {
            0
        };
        self.let_pass(next.max(now) + SignedDuration::from_millis(i64::try_from(over).unwrap()));
        Ok(true)
    }

    fn let_pass(&mut self, to: Timestamp) {
        if to <= self.cluster.now {
            return;
        }
        self.cluster.advance(to);
        self.checks.time_passes();
    }
}
