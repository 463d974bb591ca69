//! Joins that ask for less than all of their needs: what may still run where others read it, and what may never come.

use jobwright_api::{
    flow::{Counted, Others},
    policy::Then,
};
use std::collections::BTreeSet;

use super::{Node, cycle, section::Section};
use crate::definition::StepDefinition;

/// What joins make of a list of steps, by their positions.
pub(super) struct Certainty {
    /// The steps above each that have ended whenever it begins.
    pub(super) ended: Vec<BTreeSet<usize>>,
    /// Steps that may give nothing though all around them ends well: a join cancels them, or does without them.
    pub(super) dropped: BTreeSet<usize>,
}

impl Certainty {
    pub(super) fn new(section: &Section, needs: &[Vec<usize>], order: &[usize]) -> Self {
        let is_partial = |at: usize| section.steps.get(at).is_some_and(is_partial);
        Self {
            ended: cycle::ended(needs, order, is_partial),
            dropped: dropped(section, needs, order),
        }
    }
}

/// It may begin before all of its needs have ended.
fn is_partial(step: &StepDefinition) -> bool {
    let join = step.join.as_ref();
    join.is_some_and(|join| join.required(step.needs.len()) < step.needs.len())
}

fn dropped(section: &Section, needs: &[Vec<usize>], order: &[usize]) -> BTreeSet<usize> {
    let step = |at: usize| section.steps.get(at);
    let needs_of = |at: usize| needs.get(at).map_or(&[][..], Vec::as_slice);
    let below = |at: usize| (0..needs.len()).filter(move |other| needs_of(*other).contains(&at));
    let cancels = |at: usize| {
        let join = step(at)
            .filter(|step| is_partial(step))
            .and_then(|step| step.join.as_ref());
        join.is_some_and(|join| join.others == Others::Cancel)
    };
    // Cancelled by a join, or above it what was.
    let mut cut: BTreeSet<usize> = BTreeSet::new();
    for at in order.iter().copied() {
        let Some(own) = step(at) else { continue };
        let is_lost = |need: &usize| cut.contains(need) || below(*need).any(|other| other != at && cancels(other));
        let may_be_skipped =
            |need: &usize| step(*need).is_some_and(|need| need.when.is_some() || need.then != Then::Fail);
        let counts_less = own.join.as_ref().is_some_and(|join| join.count == Counted::Succeeded);
        let all = needs_of(at);
        let lost = all
            .iter()
            .filter(|need| is_lost(need) || (counts_less && may_be_skipped(need)));
        let required = own.join.as_ref().map_or(all.len(), |join| join.required(all.len()));
        if all.len().saturating_sub(lost.count()) < required {
            cut.insert(at);
        }
    }
    // What comes before the join that cancels it: it is cut too, but need not take that join along.
    let is_dropped = |at: &usize| {
        let mut joins = below(*at).peekable();
        let lets_fail = joins.peek().is_some() && joins.all(|other| step(other).is_some_and(is_partial));
        lets_fail || cut.contains(at) || below(*at).any(cancels)
    };
    (0..needs.len()).filter(is_dropped).collect()
}

/// Names of the steps that a node reads and that may still run when it begins.
pub(super) fn open_reads(section: &Section, node: &Node, ended: &BTreeSet<usize>) -> BTreeSet<String> {
    let steps = section.steps.iter().enumerate();
    let open = steps.filter(|(at, _)| !ended.contains(at));
    let writers = if node.reads_variables() { node.writers() } else { &[] };
    let is_read = |(at, step): &(usize, &StepDefinition)| node.reads().contains(&step.name) || writers.contains(at);
    open.filter(is_read).map(|(_, step)| step.name.clone()).collect()
}
