//! Sealing: steps that have ended and that nothing reads any more leave the status for records, so that its size, and
//! the work of a look, do not grow with what is over. Small runs keep all their steps.

use jobwright_api::{
    StepPhase, StepStatus,
    status::{ItemCounts, PathSegment, RecordReference},
};
use std::collections::{BTreeMap, BTreeSet};

use crate::{
    decision::Action,
    draft::Draft,
    graph::{ON_EXIT, ON_FAILURE},
    id::StepId,
    job,
    run::Run,
};

/// Steps of a page.
const PAGE_STEPS: usize = 32;
/// Steps that could be sealed and are still shown: the last ones are what people look at.
const SHOWN_STEPS: usize = 64;
/// The same in bytes of outputs: a status has to stay well below what a request may hold.
const SHOWN_BYTES: usize = 48 * 1024;

/// Takes out of the status what stands in stored pages. Before anything is evaluated in a look: what is read from the
/// status, and what from pages, must not change within it.
pub(crate) fn take_out_sealed(run: &Run, draft: &mut Draft) {
    for (name, steps) in &run.observed.notes.sealed {
        take_out(draft, name, steps);
    }
}

/// Asks for the next page where enough has ended.
pub(crate) fn seal(run: &Run, draft: &mut Draft) {
    if draft.status.steps.len() <= SHOWN_STEPS {
        return;
    }
    let page = next_page(run, draft);
    if page.is_empty() {
        return;
    }
    let steps: Vec<String> = page.keys().map(|key| (*key).clone()).collect();
    let Ok(data) = serde_json::to_string(&page) else {
        return;
    };
    let identity = &run.identity;
    let name = job::content_name("page", format!("{}/{}/{data}", identity.uid, identity.run).as_bytes());
    draft.act(Action::StorePage { name, data, steps });
}

/// The oldest of the steps that may be sealed, if there are enough of them.
fn next_page<'d>(run: &Run, draft: &'d Draft) -> BTreeMap<&'d String, &'d StepStatus> {
    let steps = draft.status.steps.iter();
    let mut over: Vec<_> = steps.filter(|(key, step)| is_over(run, draft, key, step)).collect();
    let bytes = |step: &StepStatus| {
        if step.outputs.is_empty() {
            return 0;
        }
        serde_json::to_string(&step.outputs).map_or(0, |text| text.len())
    };
    let is_much = || over.iter().map(|(_, step)| bytes(step)).sum::<usize>() > SHOWN_BYTES;
    if over.len() < SHOWN_STEPS.saturating_add(PAGE_STEPS) && !is_much() {
        return BTreeMap::new();
    }
    over.sort_by_key(|(_, step)| step.seq);
    over.into_iter().take(PAGE_STEPS).collect()
}

/// The steps around it have ended with it, all of that is stored, and its Jobs need nothing more.
fn is_over(run: &Run, draft: &Draft, key: &str, step: &StepStatus) -> bool {
    run.is_released(key, step)
        && run.observed.stored.steps.get(key) == Some(step)
        && frame_has_ended(&draft.status.steps, &step.path)
}

/// Whether nothing can read this step by its name any more.
fn frame_has_ended(steps: &BTreeMap<String, StepStatus>, path: &[PathSegment]) -> bool {
    let Some((own, mut around)) = path.split_last() else {
        return false;
    };
    // An item is over when it has ended: what reads it reads all, from the records too. Its own steps go first.
    if own.index.is_some() {
        let prefix = format!("{}.", StepId::from(path.to_vec()));
        let below = steps.range(prefix.clone()..).next();
        return below.is_none_or(|(key, _)| !key.starts_with(&prefix));
    }
    // What follows a failure belongs to the frame of the step that failed; that of an iteration or item to itself.
    let is_handler = matches!(own.name.as_str(), ON_FAILURE | ON_EXIT);
    if is_handler && around.last().is_some_and(|last| last.index.is_none()) {
        around = around.split_last().map_or(around, |(_, around)| around);
    }
    let Some(last) = around.last() else {
        return false; // a step of the run itself
    };
    let id = StepId::from(around.to_vec());
    if let Some(above) = steps.get(&id.to_string()) {
        return above.phase.is_terminal();
    }
    // An iteration has no entry of its own, and neither has what is sealed already.
    let looped = last.index.and_then(|index| {
        let mut path = around.to_vec();
        path.last_mut()?.index = None;
        Some((index, steps.get(&StepId::from(path).to_string())?))
    });
    looped.is_none_or(|(index, above)| {
        let opened = above.counts.as_ref().map_or(0, |counts| counts.opened);
        index < above.iterations.max(opened) || above.phase.is_terminal()
    })
}

/// The page is stored: its steps leave the status, and are counted in what stays.
fn take_out(draft: &mut Draft, name: &str, steps: &[String]) {
    if !steps.iter().all(|key| draft.status.steps.contains_key(key)) {
        return; // taken out before
    }
    let mut reference = RecordReference {
        first_seq: u64::MAX,
        ..RecordReference::default()
    };
    let mut forks: BTreeSet<String> = BTreeSet::new();
    for key in steps {
        let Some(step) = draft.status.steps.remove(key) else {
            continue;
        };
        reference.first_seq = reference.first_seq.min(step.seq);
        reference.last_seq = reference.last_seq.max(step.seq);
        reference.total = reference.total.saturating_add(1);
        let count = match step.phase {
            StepPhase::Succeeded => Some(&mut reference.succeeded),
            StepPhase::Failed => Some(&mut reference.failed),
            StepPhase::Skipped => Some(&mut reference.skipped),
            _ => None,
        };
        if let Some(count) = count {
            *count = count.saturating_add(1);
        }
        let mut path = step.path.clone();
        let is_item = path.last_mut().is_some_and(|own| own.index.take().is_some());
        if is_item {
            let fork = StepId::from(path).to_string();
            draft.edit(&fork, |fork| {
                fork.sealed.get_or_insert_with(ItemCounts::default).add(step.phase);
            });
            forks.insert(fork);
        }
    }
    reference.forks = forks.into_iter().collect();
    draft.status.records.insert(name.to_owned(), reference);
}
