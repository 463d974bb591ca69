//! Cases from a seed: mostly small, now and then large; mostly sound, now and then sick; flat or nested.

mod flow;
mod job;
mod reads;
mod rich;

use jobwright_api::policy::Then;

use std::collections::BTreeSet;

use super::{Body, Case, Condition, Each, Items, Kind, MayFail, Outcome, ScheduleToClose, StepCase};
use crate::rng::Rng;
use flow::Room;
use reads::View;

/// Of 100 cases, how many have steps without a Job of their own.
const NESTED_PERCENT: u64 = 40;
/// Of 100 cases, how many have forks, joins, variables, exits and handlers.
const RICH_PERCENT: u64 = 40;
/// One case in so many is a wide fork.
const WIDE_IN: u64 = 2_000;
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
        if rng.below(WIDE_IN) == 0 {
            return Self::wide(&mut rng);
        }
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
        let shape = Shape {
            sick,
            is_nested,
            is_rich: rng.chance(RICH_PERCENT),
        };
        let blocks = if is_nested { rng.between(1, 4) } else { 0 };
        case.blocks = vec![Body::default(); usize::try_from(blocks).unwrap()];
        // From the innermost on: what a block runs is known when it is made.
        for block in (0..case.blocks.len()).rev() {
            let steps = usize::try_from(rng.between(1, 4)).unwrap();
            let sick = sick.min(8);
            fill(rng, &mut case, (Some(block), steps), Shape { sick, ..shape });
        }
        fill(rng, &mut case, (None, steps), shape);
        rich::give_exits(rng, &mut case);
        limit_one(rng, &mut case);
        case.total = rng.chance(10) || case.all_steps().any(needs_total);
        case
    }

    /// One fork with more items than a status shows: they are sealed.
    fn wide(rng: &mut Rng) -> Self {
        let mut case = Self::default();
        let view = View::new(&case, None, Vec::new(), BTreeSet::new());
        let mut step = StepCase {
            name: "s0".to_owned(),
            ..StepCase::default()
        };
        become_job(rng, &mut step, &view, (5, true));
        step.each = Some(Each {
            items: Items::Count(u32::try_from(rng.between(100, 130)).unwrap()),
            name: None,
            at_once: rng.chance(30).then_some(40),
            may_fail: rng.chance(80).then_some(MayFail::Percent(66)),
            lets_finish: rng.chance(50),
            stop_when: None,
            when: rng.chance(30).then(|| Condition::Item("item".to_owned(), 10)),
        });
        case.total = needs_total(&step);
        case.root.steps.push(step);
        let mut reader = StepCase {
            name: "s1".to_owned(),
            needs: vec![0],
            ..StepCase::default()
        };
        let view = View::new(&case, None, vec![0], BTreeSet::from([0]));
        become_job(rng, &mut reader, &view, (5, false));
        case.total |= needs_total(&reader);
        case.root.steps.push(reader);
        let view = View::new(&case, None, vec![0], BTreeSet::from([0]));
        let sum = view.integer(rng);
        case.root.outputs = sum.map(|sum| ("out0".to_owned(), sum)).into_iter().collect();
        case
    }

    /// A step of this block, or of those that it may run, ends the run.
    fn has_exit(&self, block: usize) -> bool {
        let mut steps = self.blocks[block].all();
        steps.any(|step| matches!(step.kind, Kind::Exit(_)) || step.blocks().any(|block| self.has_exit(block)))
    }

    /// The same of a program that nothing but the end of the run may stop.
    fn may_hang(&self, block: usize) -> bool {
        let mut steps = self.blocks[block].all();
        steps.any(|step| needs_total(step) || step.blocks().any(|block| self.may_hang(block)))
    }

    /// Whether the block may run once all else has ended.
    fn follows_end(&self, block: usize) -> bool {
        let ends = self.root.on_failure.iter().chain(&self.on_exit);
        let mut open: Vec<usize> = ends.flat_map(|step| step.blocks()).collect();
        while let Some(found) = open.pop() {
            if found == block {
                return true;
            }
            open.extend(self.blocks[found].all().flat_map(StepCase::blocks));
        }
        false
    }

    /// How many blocks deep its steps go.
    #[must_use]
    pub fn depth(&self, body: Option<usize>) -> usize {
        let blocks = self.body(body).all().flat_map(StepCase::blocks);
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

/// What a case is made of.
#[derive(Clone, Copy)]
struct Shape {
    /// Of 100 attempts, so many go wrong.
    sick: u64,
    /// It has steps without Jobs of their own.
    is_nested: bool,
    /// It has forks, joins, variables, exits and handlers.
    is_rich: bool,
}

fn fill(rng: &mut Rng, case: &mut Case, (body, steps): (Option<usize>, usize), shape: Shape) {
    case.body_mut(body).reversed = rng.chance(10);
    case.body_mut(body).defaults = rng.chance(40).then(|| (rng.chance(50), 3));
    for place in 0..steps {
        let step = random_step(rng, case, (body, place), shape);
        case.body_mut(body).steps.push(step);
    }
    let all: Vec<usize> = (0..steps).collect();
    // A join may do without any of them.
    let has_joins = case.body(body).steps.iter().any(|step| step.join.is_some());
    let ended = all.iter().copied().filter(|_| !has_joins).collect();
    let view = View::new(case, body, all, ended);
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
    if shape.is_rich {
        let room = room(case, body);
        rich::handle_body(rng, case, body, &room);
    }
}

fn random_step(rng: &mut Rng, case: &Case, (body, place): (Option<usize>, usize), shape: Shape) -> StepCase {
    let Shape {
        sick,
        is_nested,
        is_rich,
    } = shape;
    let first = body.map_or(0, |block| block * NAMES_OF_BLOCK);
    let mut step = StepCase {
        name: format!("s{}", first + place),
        needs: random_needs(rng, place),
        then: *rng.pick(&[Then::Fail, Then::Fail, Then::Continue, Then::FailAtEnd]),
        ..StepCase::default()
    };
    let list = case.body(body);
    if is_rich {
        step.join = rich::join(rng, step.needs.len());
    }
    let ended = list.ended(&step.needs, step.is_partial());
    let view = View::new(case, body, list.readable(&step.needs), ended);
    if rng.chance(30) {
        step.when = Some(view.condition(rng, 2));
    }
    let room = room(case, body);
    if is_rich {
        step.each = rich::each(rng, &view);
        if step.each.is_none() {
            rich::become_instant(rng, case, (body, place), &mut step, &view);
        }
    }
    if is_nested && step.kind.has_jobs() && rng.chance(if body.is_some() { 35 } else { 60 }) {
        flow::become_flow(rng, case, &mut step, &view, &room);
    }
    if step.kind.has_jobs() {
        let view = step
            .each
            .as_ref()
            .map_or_else(|| view.clone(), |each| view.of_items(each));
        let varies = body.is_some() || step.each.is_some();
        become_job(rng, &mut step, &view, (sick, varies));
    }
    if is_rich {
        rich::stop_when(rng, case, &mut step);
        rich::handle_step(rng, case, &mut step, &view, &room);
    }
    step
}

fn become_job(rng: &mut Rng, step: &mut StepCase, view: &View, (sick, varies): (u64, bool)) {
    if rng.chance(50) {
        step.kind = Kind::Task;
    }
    step.outputs = job::outputs(rng);
    step.schedule_to_start = rng.chance(20);
    job::set_retry(rng, step);
    // Iterations and items begin at different places of the list.
    step.outcomes = job::outcomes(rng, step, sick, if varies { 3 } else { 1 });
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
    if case.follows_end(block) {
        return;
    }
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
