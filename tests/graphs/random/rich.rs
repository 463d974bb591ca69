//! Forks, joins, variables, exits and handlers.

use super::{
    flow::{self, Room},
    reads::View,
};
use crate::{
    graphs::{Case, Condition, Each, Exit, Items, Join, Kind, MayFail, Require, Source, StepCase, place},
    rng::Rng,
};
use serde_json::json;

/// How many of 100 steps, where a case has these at all.
const JOINS: u64 = 40;
const FORKS: u64 = 20;
const SETS: u64 = 10;
const EXITS: u64 = 4;
const HANDLERS: u64 = 12;
const HANDLERS_OF_BODY: u64 = 15;
/// Items of an ordinary fork.
const ITEMS_MAX: u64 = 5;

pub(super) fn join(rng: &mut Rng, needs: usize) -> Option<Join> {
    if needs == 0 || !rng.chance(JOINS) {
        return None;
    }
    Some(Join {
        require: match rng.below(5) {
            0 => Require::All,
            1 | 2 => Require::Any,
            _ => Require::So(rng.index(needs) + 1),
        },
        is_strict: rng.chance(25),
        cancels: rng.chance(40),
    })
}

/// A fork, but for `stopWhen`: what its items give is not known yet.
pub(super) fn each(rng: &mut Rng, view: &View) -> Option<Each> {
    if !rng.chance(FORKS) {
        return None;
    }
    let count = rng.below(ITEMS_MAX + 1);
    let items = match rng.below(3) {
        0 => Items::Count(u32::try_from(count).unwrap()),
        1 => Items::Literal((0..count).map(|_| i64::try_from(rng.below(6)).unwrap() - 1).collect()),
        _ => Items::Range(view.integer(rng).unwrap_or(Source::Level)),
    };
    let mut each = Each {
        items,
        name: rng.chance(40).then(|| "it".to_owned()),
        at_once: rng.chance(40).then(|| u32::try_from(rng.between(1, 3)).unwrap()),
        may_fail: rng.chance(50).then(|| may_fail(rng)),
        lets_finish: rng.chance(50),
        stop_when: None,
        when: None,
    };
    if rng.chance(30) {
        each.when = Some(view.of_items(&each).condition(rng, 1));
    }
    Some(each)
}

fn may_fail(rng: &mut Rng) -> MayFail {
    let many = u32::try_from(rng.below(4)).unwrap();
    if rng.chance(50) {
        MayFail::So(many)
    } else {
        MayFail::Percent(many * 33)
    }
}

/// When the items have given enough.
pub(super) fn stop_when(rng: &mut Rng, case: &Case, step: &mut StepCase) {
    let output = case.integer_of_item(step);
    let Some(each) = step.each.as_mut().filter(|_| rng.chance(25)) else {
        return;
    };
    let bound = i64::try_from(rng.below(4)).unwrap() - 1;
    each.stop_when = Some(match output {
        Some(output) if rng.chance(70) => Condition::Last(output, bound),
        _ => Condition::Not(Box::new(Condition::Index(u32::try_from(rng.below(4)).unwrap()))),
    });
}

/// Makes it a step that is over at once, now and then.
pub(super) fn become_instant(
    rng: &mut Rng,
    case: &Case,
    (body, place): (Option<usize>, usize),
    step: &mut StepCase,
    view: &View,
) {
    if rng.chance(EXITS) {
        // Else all that needs it would be refused.
        step.when.get_or_insert_with(|| view.condition(rng, 1));
        step.kind = Kind::Exit(Exit {
            fails: rng.chance(40),
            reason: rng.chance(60).then(|| (*rng.pick(&["Enough", "TooOld"])).to_owned()),
            outputs: Vec::new(),
        });
    } else if rng.chance(SETS) {
        let source = view
            .integer(rng)
            .unwrap_or_else(|| Source::Literal(json!(rng.below(5))));
        let list = case.body(body);
        // No two steps side by side set the same.
        let is_ordered = |name: &String| {
            let mut others = list.steps.iter().enumerate();
            others.all(|(at, other)| {
                let sets = matches!(&other.kind, Kind::Set(variables) if variables.iter().any(|(set, _)| set == name));
                !sets || view.reads(at)
            })
        };
        let known: Vec<String> = view.variables().into_iter().filter(is_ordered).collect();
        let name = if known.is_empty() || rng.chance(30) {
            format!("v{place}")
        } else {
            rng.pick(&known).clone()
        };
        step.kind = Kind::Set(vec![(name, source)]);
    }
}

/// What follows the failure of a step, now and then.
pub(super) fn handle_step(rng: &mut Rng, case: &Case, step: &mut StepCase, view: &View, room: &Room) {
    let runs_once = step.each.is_none() && matches!(step.kind, Kind::Block(_) | Kind::Choice { .. });
    let mut blocks = step.kind.blocks().into_iter();
    let has_own = runs_once && blocks.any(|block| case.blocks[block].on_failure.is_some());
    if !has_own && rng.chance(HANDLERS) {
        step.on_failure = handler(rng, case, place::ON_FAILURE, view, &room.blocks);
    }
}

/// What follows a failure in a body, and the end of the run.
pub(super) fn handle_body(rng: &mut Rng, case: &mut Case, body: Option<usize>, room: &Room) {
    let blocks: Vec<usize> = match body {
        Some(_) => room.blocks.clone(),
        // Nothing stops what follows the end of the run.
        None => room
            .blocks
            .iter()
            .copied()
            .filter(|block| !case.may_hang(*block))
            .collect(),
    };
    let all: Vec<usize> = (0..case.body(body).steps.len()).collect();
    let view = View::new(case, body, all, std::collections::BTreeSet::new());
    let on_failure = rng
        .chance(HANDLERS_OF_BODY)
        .then(|| handler(rng, case, place::ON_FAILURE, &view, &blocks));
    let is_last = body.is_none() && rng.chance(HANDLERS_OF_BODY);
    let on_exit = is_last.then(|| handler(rng, case, place::ON_EXIT, &view, &blocks));
    case.body_mut(body).on_failure = on_failure.flatten();
    if let Some(on_exit) = on_exit {
        case.on_exit = on_exit;
    }
}

fn handler(rng: &mut Rng, case: &Case, name: &str, view: &View, blocks: &[usize]) -> Option<Box<StepCase>> {
    let blocks: Vec<usize> = blocks.iter().copied().filter(|block| !case.has_exit(*block)).collect();
    if blocks.is_empty() {
        return None;
    }
    let mut step = StepCase {
        name: name.to_owned(),
        kind: Kind::Block(*rng.pick(&blocks)),
        ..StepCase::default()
    };
    flow::inputs(rng, case, &mut step, &view.of_handler());
    Some(Box::new(step))
}

/// The outputs of exits are outputs of the run: known once that is made.
pub(super) fn give_exits(rng: &mut Rng, case: &mut Case) {
    let outputs: Vec<String> = {
        let integers = case.root.outputs.iter();
        let integers = integers.filter(|(_, source)| case.kind_of(source, None) == jobwright_api::ValueType::Integer);
        integers.map(|(name, _)| name.clone()).collect()
    };
    let bodies = std::iter::once(&mut case.root).chain(&mut case.blocks);
    for step in bodies.flat_map(|body| &mut body.steps) {
        if let Kind::Exit(exit) = &mut step.kind {
            for name in &outputs {
                let source = rng
                    .pick(&[Source::Level, Source::RunLevel, Source::Literal(json!(8))])
                    .clone();
                if rng.chance(60) {
                    exit.outputs.push((name.clone(), source));
                }
            }
        }
    }
}
