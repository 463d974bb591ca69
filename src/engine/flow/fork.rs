//! A fork: the same step for each item, side by side.

use jobwright_api::{
    Reason, StepPhase, StepStatus,
    flow::OnItemFailed,
    status::{ItemCounts, PathSegment, Stop},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, rc::Rc};

use super::{ended, loops::judge};
use crate::{
    draft::{Cause, Draft},
    frame::{Frame, Instance},
    graph::CompiledForEach,
    id::StepId,
    run::{Mood, Run},
    scope, summary,
};

/// More items are refused before the first Job.
const ITEMS_MAX: usize = 10_000;
/// With so many steps in the status no further item begins before others have ended: it has to stay small.
const STEPS_OPEN_MAX: usize = 500;
/// So many ended items make a page.
const SEALABLE: u32 = 96;
/// Items that one look opens; then others get their turn.
const OPENED_PER_LOOK: u32 = 100;

/// The items. Equal at every look: what they are read from has ended.
pub(super) fn items(
    run: &Run,
    draft: &Draft,
    instance: Instance<'_>,
    each: &CompiledForEach,
) -> Result<Rc<[Value]>, Cause> {
    if let Some(known) = run.items(instance.key()) {
        return Ok(known);
    }
    let Some(expression) = &each.items else {
        let count = each.definition.count.unwrap_or(0);
        return Ok((0..count).map(Value::from).collect());
    };
    let scope = scope::of(run, draft, instance, expression);
    let items: Rc<[Value]> = match expression.evaluate(&scope) {
        Ok(Value::Array(items)) => items.into(),
        Ok(other) => {
            let found = jobwright_api::ValueType::name_of(&other);
            let words = format!("forEach.items: gives {found} instead of a list");
            return Err(Cause::new(Reason::InvalidInput, &words));
        }
        Err(error) => return Err(Cause::new(Reason::ExpressionError, &format!("forEach.items: {error}"))),
    };
    if items.len() > ITEMS_MAX {
        let words = format!(
            "forEach.items: gives {} items, {ITEMS_MAX} are allowed: give each item more to do, or fork within a fork",
            items.len()
        );
        return Err(Cause::new(Reason::TooLarge, &words));
    }
    run.keep_items(instance.key(), &items);
    Ok(items)
}

/// The frame of one item.
fn frame<'f>(instance: Instance<'f>, each: &'f CompiledForEach, index: u32, item: &Value) -> Frame<'f> {
    let roots = vec![(each.definition.name(), item.clone()), ("index", index.into())];
    let id = instance.id().iteration(Some(index)).into();
    Frame::within(instance.frame(), &each.item, id, roots)
}

/// The frames of the items that have begun and not ended.
pub(super) fn open_items<'f>(
    run: &Run,
    draft: &Draft,
    instance: Instance<'f>,
    each: &'f CompiledForEach,
) -> Vec<Frame<'f>> {
    let Ok(items) = items(run, draft, instance, each) else {
        return Vec::new();
    };
    let open = shown(draft, instance.id()).filter(|(_, step)| !step.phase.is_terminal());
    let frames = open.filter_map(|(index, _)| {
        let item = items.get(usize::try_from(index).ok()?)?;
        Some(frame(instance, each, index, item))
    });
    frames.collect()
}

/// The items that stand in the status, with their indexes, in no order that matters.
fn shown<'d>(draft: &'d Draft, of: &'d StepId) -> impl Iterator<Item = (u32, &'d StepStatus)> {
    let below = draft.below(format!("{of}["));
    below.filter_map(|(_, step)| Some((index_in(&step.path, of)?, step)))
}

/// Which item of a fork a path is of; none if it is of no item, or of a step below one.
fn index_in(path: &[PathSegment], of: &StepId) -> Option<u32> {
    let (own, around) = path.split_last()?;
    let (fork, around_fork) = of.path().split_last()?;
    if own.name == fork.name && around == around_fork {
        own.index
    } else {
        None
    }
}

fn key(of: &str, index: u32) -> String {
    format!("{of}[{index}]")
}

fn counts(draft: &Draft, instance: Instance<'_>) -> ItemCounts {
    let step = draft.step(instance.key());
    step.and_then(|step| step.counts.clone()).unwrap_or_default()
}

pub(super) fn advance(run: &Run, draft: &mut Draft, instance: Instance<'_>, each: &CompiledForEach, mood: Mood<'_>) {
    let items = match items(run, draft, instance, each) {
        Ok(items) => items,
        Err(cause) => return draft.move_step(instance.key(), StepPhase::Failed, cause),
    };
    reopen(run, draft, instance, (each, &items), mood);
    go_on(run, draft, instance, each, mood);
    let is_stopped_now =
        weigh(run, draft, instance, (each, &items), mood) || open_more(run, draft, instance, (each, &items), mood);
    if is_stopped_now {
        let stop = draft.step(instance.key()).and_then(|step| step.stop.clone());
        let mood = Mood {
            stop: stop.as_ref(),
            ..mood
        };
        go_on(run, draft, instance, each, mood);
    }
    let counts = counts(draft, instance);
    if counts.running() == 0 && (counts.opened == counts.total || is_closed(draft, instance, each, mood)) {
        finish(draft, instance, each, mood);
    }
}

/// Lets the items that have begun go on, and counts how they stand.
fn go_on(run: &Run, draft: &mut Draft, instance: Instance<'_>, each: &CompiledForEach, mood: Mood<'_>) {
    for open in open_items(run, draft, instance, each) {
        run.go_on(draft, &open, mood);
    }
    let step = draft.step(instance.key());
    let sealed = step.and_then(|step| step.sealed.clone()).unwrap_or_default();
    let mut counts = ItemCounts {
        total: counts(draft, instance).total,
        ..sealed
    };
    for (_, step) in shown(draft, instance.id()) {
        counts.add(step.phase);
    }
    draft.edit(instance.key(), |step| step.counts = Some(counts));
}

fn is_closed(draft: &Draft, instance: Instance<'_>, each: &CompiledForEach, mood: Mood<'_>) -> bool {
    let is_stopped = draft.step(instance.key()).is_some_and(|step| step.stop.is_some());
    is_stopped || mood.stop.is_some() || mood.is_failing || has_failed(each, &counts(draft, instance))
}

fn has_failed(each: &CompiledForEach, counts: &ItemCounts) -> bool {
    counts.failed > each.definition.tolerated(counts.total)
}

/// Lets an item begin. Its phase after that.
fn open(
    run: &Run,
    draft: &mut Draft,
    (instance, each): (Instance<'_>, &CompiledForEach),
    (index, item): (u32, &Value),
    mood: Mood<'_>,
) -> StepPhase {
    let frame = frame(instance, each, index, item);
    draft.open_frame(&frame);
    // An item sees what the fork has seen.
    let unseen = draft.step(instance.key()).and_then(|step| step.unseen.clone());
    let unseen = unseen.filter(|names| !names.is_empty());
    draft.edit(&key(instance.key(), index), |item| item.unseen = unseen);
    run.observe(draft, &frame);
    run.go_on(draft, &frame, mood);
    draft.phase_of(&key(instance.key(), index))
}

/// After a loss of memory: items whose Jobs exist have begun, and so have those before them, whatever has happened
/// since.
fn reopen(
    run: &Run,
    draft: &mut Draft,
    instance: Instance<'_>,
    (each, items): (&CompiledForEach, &[Value]),
    mood: Mood<'_>,
) {
    let begun = run.items_begun(instance.id());
    let mut counts = counts(draft, instance);
    for (index, item) in (0..begun).zip(items) {
        if index >= counts.opened {
            counts.add(open(run, draft, (instance, each), (index, item), mood));
        }
    }
    draft.edit(instance.key(), |step| step.counts = Some(counts));
}

/// Begins with further items, in their order. True if one of them has ended the step.
fn open_more(
    run: &Run,
    draft: &mut Draft,
    instance: Instance<'_>,
    (each, items): (&CompiledForEach, &[Value]),
    mood: Mood<'_>,
) -> bool {
    let limit = each.definition.max_concurrent.unwrap_or(u32::MAX);
    for _ in 0..OPENED_PER_LOOK {
        let mut counts = counts(draft, instance);
        let index = counts.opened;
        let item = usize::try_from(index).ok().and_then(|at| items.get(at));
        let Some(item) = item.filter(|_| counts.running() < limit && !run.is_suspended()) else {
            return false;
        };
        if draft.status.steps.len() >= STEPS_OPEN_MAX && has_to_wait(draft, instance, &counts) {
            draft.write_now();
            return false;
        }
        if is_closed(draft, instance, each, mood) {
            return false;
        }
        counts.add(open(run, draft, (instance, each), (index, item), mood));
        draft.edit(instance.key(), |step| step.counts = Some(counts));
        if weigh(run, draft, instance, (each, items), mood) {
            return true;
        }
    }
    draft.wake_soon();
    false
}

/// With a full status further items wait for those that run, and for ended ones to be sealed. One runs in any case:
/// what is around it waits for that.
fn has_to_wait(draft: &Draft, instance: Instance<'_>, counts: &ItemCounts) -> bool {
    let sealed = draft.step(instance.key()).and_then(|step| step.sealed.as_ref());
    let ended = counts.opened.saturating_sub(counts.running());
    let shown = ended.saturating_sub(sealed.map_or(0, |sealed| sealed.opened));
    counts.running() > 0 || shown >= SEALABLE
}

/// Whether what has ended makes the rest superfluous. If so, what runs is stopped, once that is stored.
fn weigh(
    run: &Run,
    draft: &mut Draft,
    instance: Instance<'_>,
    (each, items): (&CompiledForEach, &[Value]),
    mood: Mood<'_>,
) -> bool {
    let is_stopped = draft.step(instance.key()).is_none_or(|step| step.stop.is_some());
    if is_stopped || mood.stop.is_some() {
        return false;
    }
    let counts = counts(draft, instance);
    let cause = if has_failed(each, &counts) {
        if each.definition.on_item_failed == OnItemFailed::LetFinish {
            return false;
        }
        failure(draft, instance, each)
    } else if let Some(cause) = meets_stop_when(run, draft, instance, (each, items)) {
        cause
    } else {
        return false;
    };
    let stop = Stop {
        reason: cause.reason.unwrap_or(Reason::Stopped),
        timeout: None,
        message: cause.message,
        at: draft.now(),
    };
    draft.stop_below(instance.key(), &stop);
    true
}

/// Why the step ends by the item that has met `stopWhen`, if one has.
fn meets_stop_when(
    run: &Run,
    draft: &Draft,
    instance: Instance<'_>,
    (each, items): (&CompiledForEach, &[Value]),
) -> Option<Cause> {
    let expression = each.stop_when.as_ref()?;
    let stored = run.observed.stored.steps.get(instance.key());
    let judged = stored
        .and_then(|step| step.counts.as_ref())
        .map_or(0, |counts| counts.succeeded);
    if counts(draft, instance).succeeded == judged {
        return None; // none has succeeded since
    }
    for (index, step) in shown(draft, instance.id()) {
        let item = usize::try_from(index).ok().and_then(|at| items.get(at));
        // One that has succeeded in the stored status was judged before that was stored, but where records were missing.
        let is_judged = || instance.reads().is_empty() && run.is_stored_terminal(&key(instance.key(), index));
        let Some(item) = item.filter(|_| step.phase == StepPhase::Succeeded && !is_judged()) else {
            continue;
        };
        let last: Map<String, Value> = step.outputs.clone().into_iter().collect();
        let scope = scope::of(run, draft, instance, expression)
            .typed(&each.types_after)
            .with_ref(each.definition.name(), item)
            .with("index", index.into())
            .with("last", Value::Object(last));
        match judge("forEach.stopWhen", expression, &scope) {
            Ok(true) => {
                let words = format!("{} has met stopWhen", key(instance.key(), index));
                return Some(Cause::new(Reason::StopWhen, &words));
            }
            Ok(false) => {}
            Err(words) => return Some(Cause::new(Reason::ExpressionError, &words)),
        }
    }
    None
}

/// Too many items have failed: how many, and the first of them.
fn failure(draft: &Draft, instance: Instance<'_>, each: &CompiledForEach) -> Cause {
    let counts = counts(draft, instance);
    let tolerated = each.definition.tolerated(counts.total);
    let failed = shown(draft, instance.id()).filter(|(_, step)| step.phase == StepPhase::Failed);
    let first = failed.min_by_key(|(_, step)| step.seq);
    let first = first.map(|(index, step)| summary::failure_of(&key(instance.key(), index), step));
    let mut words = format!("{} of {} items failed, {tolerated} may", counts.failed, counts.total);
    // Those that have failed may all stand in records.
    if let Some(first) = first {
        words = format!("{words}: {first}");
    }
    Cause::new(Reason::ItemsFailed, &words)
}

/// Nothing runs and nothing more begins.
fn finish(draft: &mut Draft, instance: Instance<'_>, each: &CompiledForEach, mood: Mood<'_>) {
    let counts = counts(draft, instance);
    let stop = draft.step(instance.key()).and_then(|step| step.stop.clone());
    let is_whole = counts.opened == counts.total && counts.cancelled == 0;
    let (phase, cause) = match stop {
        Some(stop) if stop.reason == Reason::StopWhen => (StepPhase::Succeeded, Cause::default()),
        Some(stop) => {
            // Whatever else stops it comes from outside.
            let is_own = matches!(
                stop.reason,
                Reason::ItemsFailed | Reason::ExpressionError | Reason::ResultLost
            );
            let phase = if is_own {
                StepPhase::Failed
            } else {
                StepPhase::Cancelled
            };
            (
                phase,
                Cause::new(stop.reason, stop.message.as_deref().unwrap_or_default()),
            )
        }
        None if has_failed(each, &counts) => (StepPhase::Failed, failure(draft, instance, each)),
        None if is_whole => (StepPhase::Succeeded, Cause::default()),
        None => {
            let cut = ended::cut(mood).map(|cut| cut.cause);
            (StepPhase::Cancelled, cut.unwrap_or_default())
        }
    };
    draft.move_step(instance.key(), phase, cause);
}

/// What an expression reads of a fork that has begun: of each item in its order.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// Null where an item has given nothing.
    pub(crate) outputs: Vec<Value>,
    /// Index and reason of each that has failed.
    pub(crate) failed: Vec<Value>,
}

/// How an item stands, wherever that is written.
struct Ended<'d> {
    phase: StepPhase,
    reason: Option<&'d Reason>,
    outputs: &'d BTreeMap<String, Value>,
}

impl<'d> Ended<'d> {
    const fn new(phase: StepPhase, reason: Option<&'d Reason>, outputs: &'d BTreeMap<String, Value>) -> Self {
        Self { phase, reason, outputs }
    }
}

/// None while records that hold items are not read.
pub(crate) fn given(run: &Run, draft: &Draft, of: &StepStatus) -> Option<Given> {
    let id = StepId::from(of.path.clone());
    let mut found: BTreeMap<u32, Ended> = BTreeMap::new();
    for (index, step) in shown(draft, &id) {
        found.insert(index, Ended::new(step.phase, step.reason.as_ref(), &step.outputs));
    }
    if of.sealed.is_some() {
        for step in run.pages_of(draft, &id)?.into_iter().flat_map(BTreeMap::values) {
            if let Some(index) = index_in(&step.path, &id) {
                found.insert(index, Ended::new(step.phase, step.reason.as_ref(), &step.outputs));
            }
        }
    }
    let mut given = Given::default();
    for index in 0..of.counts.as_ref().map_or(0, |counts| counts.total) {
        let output = match found.get(&index) {
            Some(item) if item.phase == StepPhase::Succeeded => {
                Value::Object(item.outputs.clone().into_iter().collect())
            }
            Some(item) if item.phase == StepPhase::Failed => {
                let reason = item.reason.map(ToString::to_string).unwrap_or_default();
                given.failed.push(json!({ "index": index, "reason": reason }));
                Value::Null
            }
            _ => Value::Null,
        };
        given.outputs.push(output);
    }
    Some(given)
}
