//! One simulated run: faults first, then healing, then the laws of what is at rest.

use jiff::Timestamp;
use jobwright_api::{StepPhase, WorkflowPhase, WorkflowStatus};
use jobwright_tests::{
    compare::{Ended, compare},
    graphs::{Case, Outcome, ScheduleToClose, StepCase},
    laws::Fault,
    rng::Rng,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

use crate::{
    faults::{Mood, Plan, Trouble},
    laws,
    operator::{Operator, World, memory_is_clean},
    server::Server,
};

/// How a run is to go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) mood: Mood,
    /// By number of the write.
    pub(crate) troubles: BTreeMap<usize, Trouble>,
    /// Tell of each request and each death of an operator.
    pub(crate) is_told: bool,
    /// The event of the log that no watch tells of.
    pub(crate) loses: Option<usize>,
}

impl Script {
    /// Everything is told at once, and nothing goes wrong.
    fn is_calm(&self) -> bool {
        self.mood.is_calm() && self.troubles.is_empty() && self.loses.is_none()
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) status: WorkflowStatus,
    pub(crate) created: BTreeSet<(String, u32)>,
    /// The writes in their order.
    pub(crate) writes: Vec<String>,
    pub(crate) requests: BTreeMap<String, usize>,
    pub(crate) events: usize,
    /// Requests of steps that have arrived.
    pub(crate) received: Vec<(String, u32)>,
}

/// Plays a case to its end and a little further.
pub(crate) fn play(case: &Case, seed: u64, script: &Script) -> Result<Report, Fault> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut play = Play::new(case, seed, script);
        play.run().await
    })
}

struct Play<'a> {
    case: &'a Case,
    script: &'a Script,
    world: Arc<World>,
    operators: Vec<Operator>,
    rng: Rng,
    heals_at: Instant,
    resume_at: Option<Instant>,
}

impl<'a> Play<'a> {
    fn new(case: &'a Case, seed: u64, script: &'a Script) -> Self {
        let mut rng = Rng::new(seed ^ 0x5EED);
        let start: Timestamp = "2026-11-21T10:00:00.123456Z".parse().unwrap();
        let mut plan = Plan::new(script.mood, rng.fork());
        plan.at.clone_from(&script.troubles);
        plan.is_told = script.is_told;
        let world = Arc::new(World {
            server: Mutex::new(Server::new(case, start)),
            plan: Mutex::new(plan),
            start,
            origin: Instant::now(),
        });
        world.server.lock().unwrap().history.is_double = script.mood.is_double;
        let count = if script.mood.is_double { 2 } else { 1 };
        let heals_at = Instant::now() + Duration::from_secs(rng.between(5, 60));
        let mut new = Self {
            case,
            script,
            world,
            operators: Vec::new(),
            rng,
            heals_at,
            resume_at: None,
        };
        for _ in 0..count {
            new.operators.push(new.operator());
        }
        new
    }

    fn operator(&self) -> Operator {
        let mut operator = Operator::start(&self.world);
        operator.watches.loses = self.script.loses;
        operator
    }

    async fn run(&mut self) -> Result<Report, Fault> {
        // Far deadlines are looked at again every ten minutes, for thirty days.
        let is_limited = self.case.all_steps().any(is_limited_block);
        let looks = if self.case.total || is_limited { 20_000 } else { 0 };
        let turns_max = 4_000 + 2_000 * self.case.weight(None) + looks;
        for _ in 0..turns_max {
            self.world.advance();
            self.meddle();
            self.tell();
            self.look().await;
            self.replace_the_dead().await;
            self.obeys()?;
            if !self.pass_time().await {
                return self.at_rest().await;
            }
        }
        let server = self.world.server.lock().unwrap();
        Err(format!(
            "I8: not at rest after {turns_max} turns: {:?}",
            server.requests
        ))
    }

    fn mood(&self) -> Mood {
        if Instant::now() < self.heals_at {
            self.script.mood
        } else {
            Mood::default()
        }
    }

    /// What users and clocks do.
    fn meddle(&mut self) {
        let mood = self.mood();
        let now = Instant::now();
        self.world.plan.lock().unwrap().is_over = now >= self.heals_at;
        if self.resume_at.is_some_and(|at| at <= now) {
            self.resume_at = None;
            self.world.server.lock().unwrap().set_suspend(false);
        } else if self.resume_at.is_none() && self.rng.chance(mood.suspend) {
            self.resume_at = Some(now + Duration::from_secs(self.rng.between(1, 15)));
            self.world.server.lock().unwrap().set_suspend(true);
        }
        if self.rng.chance(mood.jump) && may_jump(self.case) {
            let seconds = i64::try_from(self.rng.below(3_000)).unwrap() - 1_500;
            self.operators.iter().for_each(|operator| operator.jump(seconds));
        } else if now >= self.heals_at {
            self.operators.iter().for_each(|operator| operator.jump(0));
        }
        let mut server = self.world.server.lock().unwrap();
        if mood.deletes && !server.is_deleted && self.rng.chance(2) {
            server.delete_workflow();
        }
    }

    fn tell(&mut self) {
        let mood = self.mood();
        let server = self.world.server.lock().unwrap();
        for operator in &mut self.operators {
            let woken = operator.watches.tell(&server, &operator.ctx, &mood, &mut self.rng);
            operator.woken(woken);
        }
    }

    /// All operators at once: they meet at each request.
    async fn look(&mut self) {
        let now = Instant::now();
        let due = self
            .operators
            .iter_mut()
            .filter(|operator| operator.next_at().is_some_and(|at| at <= now));
        futures::future::join_all(due.map(Operator::look)).await;
    }

    async fn replace_the_dead(&mut self) {
        for place in 0..self.operators.len() {
            if !self.operators[place].is_dead() {
                continue;
            }
            if self.script.is_told {
                println!("{} operator {place} has died", self.world.now());
            }
            // Now and then it is away for longer than any TTL or backoff.
            let is_long = self.mood().crash > 0 && self.rng.chance(5) && may_jump(self.case);
            let away_ms = if is_long {
                self.rng.between(60_000, 3_000_000)
            } else {
                self.rng.below(3_000)
            };
            let until = Instant::now() + Duration::from_millis(away_ms);
            while Instant::now() < until {
                let next = self.cluster_next().map_or(until, |at| at.min(until));
                self.skip_to(next).await;
            }
            self.operators[place] = self.operator();
        }
    }

    fn cluster_next(&self) -> Option<Instant> {
        let at = self.world.server.lock().unwrap().cluster.next_at()?;
        let after = at.duration_since(self.world.start);
        Some(self.world.origin + Duration::try_from(after).unwrap_or_default())
    }

    /// The clock is paused: it goes on where nothing else is left to do.
    async fn skip_to(&self, at: Instant) {
        tokio::time::sleep_until(at).await;
        self.world.advance();
    }

    fn obeys(&self) -> Result<(), Fault> {
        let server = self.world.server.lock().unwrap();
        server.faults.first().map_or(Ok(()), |fault| Err(fault.clone()))
    }

    /// Goes on to the next instant at which anything may happen; false where there is none.
    async fn pass_time(&mut self) -> bool {
        let next = {
            let server = self.world.server.lock().unwrap();
            let operators = self.operators.iter();
            let told = operators
                .clone()
                .filter_map(|operator| operator.watches.next_at(&server));
            told.chain(operators.filter_map(Operator::next_at))
                .chain(self.resume_at)
                .min()
        };
        // A millisecond at least: what is due now has been looked at.
        let soon = Instant::now() + Duration::from_millis(1);
        let next = next.into_iter().chain(self.cluster_next()).min().map(|at| at.max(soon));
        let is_writing = self.operators.iter().any(Operator::is_writing);
        let is_sending = self.operators.iter().any(|operator| operator.ctx.requests.count() > 0);
        if next.is_none() && !is_writing && !is_sending {
            return false;
        }
        let passed = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let contexts: Vec<_> = self
            .operators
            .iter()
            .map(|operator| Arc::clone(&operator.ctx))
            .collect();
        let written = self.operators.iter_mut().map(|operator| Box::pin(operator.written()));
        let written = futures::future::select_all(written);
        let requests: Vec<_> = contexts
            .iter()
            .map(|ctx| Box::pin(ctx.requests.settled.notified()))
            .collect();
        let any = futures::future::select(written, futures::future::select_all(requests));
        futures::future::select(Box::pin(passed), any).await;
        self.world.advance();
        true
    }

    /// I9: nothing is wanted any more, not even by a new process; and the end is the reference's.
    async fn at_rest(&mut self) -> Result<Report, Fault> {
        self.world.plan.lock().unwrap().is_over = true;
        let (requests, writes) = self.counts();
        if !self.operators.iter().all(|operator| memory_is_clean(&operator.ctx)) {
            return Err("I8: at rest, and a status is not written".to_owned());
        }
        // With the Workflow its status is gone, and nothing to compare with.
        let keeps_status = !self.script.mood.is_double && !self.script.mood.deletes;
        if self.script.is_calm() && keeps_status {
            let ended = self.world.server.lock().unwrap().history.ended.len();
            all_is_told(&self.operators[0], ended)?;
        }
        self.operators = vec![self.operator()];
        self.look().await;
        let after = self.counts();
        self.obeys()?;
        if after.1 != writes {
            let names = self.world.plan.lock().unwrap().names[writes..].join(", ");
            return Err(format!("I9: at rest a new process writes: {names}"));
        }
        let report = self.report(requests);
        let server = self.world.server.lock().unwrap();
        if server.is_deleted {
            let is_gone = server.cluster.jobs.is_empty();
            return if is_gone {
                Ok(report)
            } else {
                Err("I7, I11: Jobs outlive their Workflow".to_owned())
            };
        }
        if !report.status.phase.is_some_and(WorkflowPhase::is_terminal) {
            return Err(format!(
                "I8: nothing more happens, and the run is {:?}",
                report.status.phase
            ));
        }
        if let Some(name) = server.cluster.jobs.keys().find(|name| laws::is_stray(&server, name)) {
            return Err(format!("I7: {name} belongs to nothing, and nobody stops it"));
        }
        if !self.case.http.is_empty() {
            return Ok(report);
        }
        compare(&Ended {
            case: self.case,
            stored: &report.status,
            history: &server.history,
            is_double: self.script.mood.is_double,
            is_calm: self.script.is_calm(),
        })?;
        Ok(report)
    }

    fn counts(&self) -> (BTreeMap<String, usize>, usize) {
        let server = self.world.server.lock().unwrap();
        (server.requests.clone(), self.world.plan.lock().unwrap().writes)
    }

    fn report(&self, requests: BTreeMap<String, usize>) -> Report {
        let server = self.world.server.lock().unwrap();
        Report {
            status: server.stored(),
            created: server.history.created.keys().cloned().collect(),
            writes: self.world.plan.lock().unwrap().names.clone(),
            requests,
            events: server.log.len(),
            received: server.received.clone(),
        }
    }
}

/// The end of each step was told of once.
fn all_is_told(operator: &Operator, ended: usize) -> Result<(), Fault> {
    let metrics = operator.ctx.metrics.text();
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("jobwright_steps_finished_total"));
    let told: usize = lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok())
        .sum();
    if told == ended {
        Ok(())
    } else {
        Err(format!("{ended} steps have ended, and {told} were told of"))
    }
}

/// A jump of the clock, or a long absence, is no reason for another result: nothing here is timed.
fn may_jump(case: &Case) -> bool {
    !case.all_steps().any(|step| {
        let is_timed = step.schedule_to_start || step.start_to_close || step.schedule_to_close != ScheduleToClose::None;
        let hangs = |outcome: &Outcome| matches!(outcome, Outcome::Forever { .. } | Outcome::NeverStarts(_));
        is_timed || step.outcomes.iter().any(hangs)
    })
}

/// Its time limit may pass, days after it began.
fn is_limited_block(step: &StepCase) -> bool {
    !step.kind.has_jobs() && step.schedule_to_close == ScheduleToClose::Short
}

/// What two runs of a case have to have in common.
pub(crate) fn essence(report: &Report) -> String {
    let steps = report.status.steps.iter().map(|(name, step)| {
        let attempts = step.attempts.count;
        let reason = step.reason.as_ref().filter(|_| step.phase != StepPhase::Omitted);
        format!("{name}: {} {reason:?} {attempts} {:?}", step.phase, step.outputs)
    });
    let steps: Vec<String> = steps.collect();
    let status = &report.status;
    format!(
        "{:?} {:?} {:?} {:?}\n{}",
        status.phase,
        status.reason,
        status.outputs,
        report.created,
        steps.join("\n")
    )
}
