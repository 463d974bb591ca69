//! Who waits for which Task or template: a Workflow that has not begun, a template that refers to them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Key, Woken};

/// What is referred to by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Referred {
    Task(Key),
    Template(Key),
}

/// Who looks again when that changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waiter {
    Workflow(Key),
    Template(Key),
}

/// Both ways, so that either can be dropped without a look at all others.
#[derive(Default)]
pub(super) struct Waiting {
    by: BTreeMap<Referred, BTreeSet<Waiter>>,
    of: BTreeMap<Waiter, BTreeSet<Referred>>,
}

impl Waiting {
    /// From now on this one waits for these, and for nothing else.
    pub(super) fn set(&mut self, waiter: &Waiter, referred: BTreeSet<Referred>) {
        self.forget(waiter);
        for one in &referred {
            self.by.entry(one.clone()).or_default().insert(waiter.clone());
        }
        if !referred.is_empty() {
            self.of.insert(waiter.clone(), referred);
        }
    }

    pub(super) fn forget(&mut self, waiter: &Waiter) {
        for referred in self.of.remove(waiter).unwrap_or_default() {
            if let Some(waiters) = self.by.get_mut(&referred) {
                waiters.remove(waiter);
                if waiters.is_empty() {
                    self.by.remove(&referred);
                }
            }
        }
    }

    /// This has changed: who waits for it looks again, and says anew what it waits for.
    pub(super) fn wake(&mut self, changed: &Referred, woken: &mut Woken) {
        for waiter in self.by.get(changed).cloned().unwrap_or_default() {
            self.forget(&waiter);
            match waiter {
                Waiter::Workflow(key) => woken.workflows.insert(key),
                Waiter::Template(key) => woken.templates.insert(key),
            };
        }
    }
}
