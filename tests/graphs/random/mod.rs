//! Cases from a seed: mostly small, now and then large; mostly sound, now and then sick; flat or nested.

mod flow;
mod job;
mod reads;

use jobwright_api::policy::Then;

use super::{Body, Case, Kind, Outcome, ScheduleToClose, StepCase};
use crate::rng::Rng;
use flow::Room;
use reads::View;

/// Of 100 cases, how many have steps without a Job of their own.
const NESTED_PERCENT: u64 = 40;
/// Steps that a run may bring into its status: a bound of what a case costs.
const STEPS_MAX: usize = 50;
/// The same of one pass through a block.
const STEPS_OF_BLOCK_MAX: usize = 16;
/// Names of steps are unique among blocks, so that a printed id tells the step; the run has the same again.
const NAMES_OF_BLOCK: usize = 8;

impl Case {
    /// The case of this seed, for ever the same within one version of the generator.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let steps = match rng.below(1_000) {
            0..10 => rng.between(13, 60),
            10..250 => rng.between(6, 12),
            _ => rng.between(1, 5),
        };
        Self::of_size(&mut rng, usize::try_from(steps).unwrap())
    }

    /// Of so many steps, not counting those of blocks.
    #[must_use]
    pub fn of_size(rng: &mut Rng, steps: usize) -> Self {
        let mut case = Self {
            flag: rng.chance(50),
            level: i64::try_from(rng.below(7)).unwrap() - 3,
            ttl_s: rng.chance(20).then(|| i32::try_from(rng.below(30)).unwrap()),
            ..Self::default()
        };
        let sick = *rng.pick(&[5, 20, 60]);
        let is_nested = rng.chance(NESTED_PERCENT);
        let blocks = if is_nested { rng.between(1, 4) } else { 0 };
        case.blocks = vec![Body::default(); usize::try_from(blocks).unwrap()];
        // From the innermost on: what a block runs is known when it is made.
        for block in (0..case.blocks.len()).rev() {
            let steps = usize::try_from(rng.between(1, 4)).unwrap();
            fill(rng, &mut case, (Some(block), steps), sick.min(8), is_nested);
        }
        fill(rng, &mut case, (None, steps), sick, is_nested);
        limit_one(rng, &mut case);
        case.total = rng.chance(10) || case.all_steps().any(needs_total);
        case
    }

    /// How many blocks deep its steps go.
    #[must_use]
    pub fn depth(&self, body: Option<usize>) -> usize {
        let blocks = self.body(body).steps.iter().flat_map(|step| step.kind.blocks());
        blocks.map(|block| 1 + self.depth(Some(block))).max().unwrap_or(0)
    }
}

/// A step that nothing but the end of the run may stop.
fn needs_total(step: &StepCase) -> bool {
    let forever = step
        .outcomes
        .iter()
        .any(|outcome| matches!(outcome, Outcome::Forever { .. }));
    forever && !step.start_to_close && step.schedule_to_close != ScheduleToClose::Short
}

fn fill(rng: &mut Rng, case: &mut Case, (body, steps): (Option<usize>, usize), sick: u64, is_nested: bool) {
    case.body_mut(body).reversed = rng.chance(10);
    case.body_mut(body).defaults = rng.chance(40).then(|| (rng.chance(50), 3));
    for place in 0..steps {
        let step = random_step(rng, case, (body, place), sick, is_nested);
        case.body_mut(body).steps.push(step);
    }
    let all: Vec<usize> = (0..steps).collect();
    let view = View::new(case, body, all);
    let mut outputs = Vec::new();
    let count = match body {
        None => u64::from(rng.chance(40)),
        Some(_) => rng.below(4),
    };
    for number in 0..count {
        let source = match rng.below(3) {
            0 => view.output(rng),
            _ => view.integer(rng),
        };
        outputs.extend(source.map(|source| (format!("out{number}"), source)));
    }
    case.body_mut(body).outputs = outputs;
}

fn random_step(
    rng: &mut Rng,
    case: &Case,
    (body, place): (Option<usize>, usize),
    sick: u64,
    is_nested: bool,
) -> StepCase {
    let first = body.map_or(0, |block| block * NAMES_OF_BLOCK);
    let mut step = StepCase {
        name: format!("s{}", first + place),
        needs: random_needs(rng, place),
        then: *rng.pick(&[Then::Fail, Then::Fail, Then::Continue, Then::FailAtEnd]),
        ..StepCase::default()
    };
    let view = View::new(case, body, case.body(body).readable(&step.needs));
    if rng.chance(30) {
        step.when = Some(view.condition(rng, 2));
    }
    if is_nested && rng.chance(if body.is_some() { 35 } else { 60 }) {
        flow::become_flow(rng, case, &mut step, &view, &room(case, body));
    }
    if step.kind.has_jobs() {
        become_job(rng, &mut step, &view, (sick, body.is_some()));
    }
    step
}

fn become_job(rng: &mut Rng, step: &mut StepCase, view: &View, (sick, is_in_block): (u64, bool)) {
    if rng.chance(50) {
        step.kind = Kind::Task;
    }
    step.outputs = job::outputs(rng);
    step.schedule_to_start = rng.chance(20);
    job::set_retry(rng, step);
    // Iterations begin at different places of the list.
    step.outcomes = job::outcomes(rng, step, sick, if is_in_block { 3 } else { 1 });
    for number in 0..rng.below(3) {
        let source = view.source(rng, matches!(step.kind, Kind::Task));
        step.inputs.push((format!("in{number}"), source));
    }
}

/// What a step of this body may run without the run becoming too large or too deep.
fn room(case: &Case, body: Option<usize>) -> Room {
    let first = body.map_or(0, |block| block + 1);
    let depth_max = if body.is_some() { 1 } else { 2 };
    let blocks = (first..case.blocks.len()).filter(|block| case.depth(Some(*block)) <= depth_max);
    let steps_max = if body.is_some() { STEPS_OF_BLOCK_MAX } else { STEPS_MAX };
    Room {
        blocks: blocks.collect(),
        steps_max: steps_max.saturating_sub(case.weight(body)),
    }
}

/// At most one step without a Job has a limit that may pass: two would race. Mostly a program below hangs.
fn limit_one(rng: &mut Rng, case: &mut Case) {
    let mut limited: Vec<&mut StepCase> = Vec::new();
    let bodies = std::iter::once(&mut case.root).chain(&mut case.blocks);
    for step in bodies.flat_map(|body| &mut body.steps) {
        if !step.kind.blocks().is_empty() {
            limited.push(step);
        }
    }
    if limited.is_empty() || !rng.chance(30) {
        return;
    }
    let at = rng.index(limited.len());
    limited[at].schedule_to_close = ScheduleToClose::Short;
    let block = *rng.pick(&limited[at].kind.blocks());
    let steps = &mut case.blocks[block].steps;
    let at = rng.index(steps.len());
    let step = &mut steps[at];
    if step.kind.has_jobs() && rng.chance(80) {
        let start_ms = rng.between(1, 2_000);
        step.outcomes.insert(0, Outcome::Forever { start_ms, exit: 143 });
        step.start_to_close = false;
    }
}

fn random_needs(rng: &mut Rng, place: usize) -> Vec<usize> {
    if place == 0 || rng.chance(20) {
        return Vec::new();
    }
    let mut needs: Vec<usize> = (0..rng.between(1, 3)).map(|_| rng.index(place)).collect();
    // Near neighbours make long chains.
    if rng.chance(40) {
        needs = vec![place - 1];
    }
    needs.sort_unstable();
    needs.dedup();
    if rng.chance(50) {
        needs.reverse();
    }
    needs
}
