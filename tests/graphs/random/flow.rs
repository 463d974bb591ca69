//! A step without a Job of its own: a block, a choice, a loop or a wait.

use serde_json::json;

use super::reads::View;
use crate::{
    graphs::{Case, Kind, Loop, ScheduleToClose, Source, StepCase},
    rng::Rng,
};

/// What blocks a step may run, and how large it may become.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub(super) blocks: Vec<usize>,
    pub(super) steps_max: usize,
}

/// Makes it such a step, if there is room for one.
pub(super) fn become_flow(rng: &mut Rng, case: &Case, step: &mut StepCase, view: &View, room: &Room) {
    let blocks: Vec<usize> = room
        .blocks
        .iter()
        .copied()
        .filter(|block| {
            fits(
                case,
                *block,
                room,
                step.each.as_ref().map_or(1, |each| each.items.max()),
            )
        })
        .collect();
    step.kind = match rng.below(10) {
        0 | 1 if step.each.is_none() => Kind::Wait {
            seconds: *rng.pick(&[0, 1, 3, 10, 40]),
        },
        _ if blocks.is_empty() => return,
        _ if step.each.is_some() => Kind::Block(*rng.pick(&blocks)),
        2..5 => Kind::Block(*rng.pick(&blocks)),
        5..7 => choice(rng, &blocks, view),
        _ => {
            let block = *rng.pick(&blocks);
            Kind::Loop(random_loop(rng, case, block, view, room))
        }
    };
    let kind = step.kind.clone();
    let has_blocks = !kind.blocks().is_empty();
    if has_blocks && rng.chance(6) {
        step.schedule_to_close = ScheduleToClose::Ample;
    }
    let inner = match (&kind, &step.each) {
        (Kind::Loop(looped), _) => view.of_loop(looped, false),
        (_, Some(each)) => view.of_items(each),
        _ => View::clone(view),
    };
    if has_blocks {
        inputs(rng, case, step, &inner);
    }
}

fn fits(case: &Case, block: usize, room: &Room, times: usize) -> bool {
    (case.weight(Some(block)) + 1) * times < room.steps_max
}

fn choice(rng: &mut Rng, blocks: &[usize], view: &View) -> Kind {
    let way = |rng: &mut Rng| (!rng.chance(20)).then(|| *rng.pick(blocks));
    let cases = (0..rng.between(1, 3)).map(|_| {
        let when = view.condition(rng, 1);
        (when, way(rng))
    });
    let cases = cases.collect();
    let default = way(rng);
    Kind::Choice { cases, default }
}

fn random_loop(rng: &mut Rng, case: &Case, block: usize, view: &View, room: &Room) -> Loop {
    let fit = u64::try_from(room.steps_max / case.weight(Some(block))).unwrap();
    let mut looped = Loop {
        block,
        before: None,
        after: None,
        max: u32::try_from(rng.between(1, fit.clamp(1, 9)).max(rng.between(1, fit.clamp(1, 9)))).unwrap(),
        delay_s: rng.chance(25).then(|| rng.between(0, 5)),
    };
    let copy = looped.clone();
    let has_while = rng.chance(50);
    if has_while {
        looped.before = Some(view.of_loop(&copy, false).condition(rng, 1));
    }
    if !has_while || rng.chance(20) {
        looped.after = Some(view.of_loop(&copy, true).condition(rng, 1));
    }
    looped
}

/// A block takes `flag` and `level`; they may be left out where each block that may run has a default.
pub(super) fn inputs(rng: &mut Rng, case: &Case, step: &mut StepCase, view: &View) {
    let blocks = step.kind.blocks();
    let mut defaults = blocks.iter().map(|block| case.blocks[*block].defaults);
    let may_be_left_out = defaults.all(|default| default.is_some());
    if !may_be_left_out || rng.chance(70) {
        let level = view.integer(rng).filter(|_| rng.chance(85));
        let level = level.unwrap_or_else(|| Source::Literal(json!(rng.below(5))));
        step.inputs.push(("level".to_owned(), level));
    }
    if !may_be_left_out || rng.chance(50) {
        let flag = if rng.chance(20) {
            Source::Literal(json!(rng.chance(50)))
        } else {
            Source::Judged(Box::new(view.condition(rng, 1)))
        };
        step.inputs.push(("flag".to_owned(), flag));
    }
}
