//! What expressions read from records: which pages they need, and asking for those that are not read yet.

use std::collections::BTreeSet;

use crate::{
    decision::Action,
    draft::Draft,
    frame::{Frame, Instance},
    id::StepId,
    observed::Page,
    run::Run,
};

impl<'a> Run<'a> {
    /// The pages that hold items of a fork; none while one of them is not read. One that is lost holds nothing: what
    /// needs it has failed by then.
    pub(crate) fn pages_of(&self, draft: &Draft, fork: &StepId) -> Option<Vec<&'a Page>> {
        let known = &self.observed.notes.pages;
        let fork = fork.to_string();
        let pages: Option<Vec<_>> = names(draft, &fork).map(|name| known.get(name)).collect();
        Some(pages?.into_iter().flatten().map(AsRef::as_ref).collect())
    }

    /// Whether all that the expressions of a step read is at hand; else it is asked for.
    pub(crate) fn can_read(&self, draft: &mut Draft, instance: Instance<'_>) -> bool {
        self.has_pages(draft, instance.frame(), instance.node().reads())
    }

    /// The same of what is judged when all steps of a frame have ended.
    pub(crate) fn can_read_at_end(&self, draft: &mut Draft, frame: &Frame<'_>) -> bool {
        self.has_pages(draft, frame, frame.body().reads())
    }

    /// What a step reads and nobody can read any more: the first record that is gone, in words.
    pub(crate) fn lost_page(&self, draft: &Draft, instance: Instance<'_>) -> Option<String> {
        self.lost_of(draft, instance.frame(), instance.node().reads())
    }

    /// The same of what is judged when all steps of a frame have ended.
    pub(crate) fn lost_page_at_end(&self, draft: &Draft, frame: &Frame<'_>) -> Option<String> {
        self.lost_of(draft, frame, frame.body().reads())
    }

    fn lost_of(&self, draft: &Draft, frame: &Frame<'_>, reads: &BTreeSet<String>) -> Option<String> {
        if draft.status.records.is_empty() {
            return None;
        }
        let known = &self.observed.notes.pages;
        let forks = reads.iter().filter_map(|name| frame.find(name));
        forks.into_iter().find_map(|fork| {
            let lost = names(draft, fork.key()).find(|name| matches!(known.get(*name), Some(None)))?;
            Some(format!(
                "WorkflowRecord {lost}, which holds items of {}, is gone or cannot be read",
                fork.key()
            ))
        })
    }

    fn has_pages(&self, draft: &mut Draft, frame: &Frame<'_>, reads: &BTreeSet<String>) -> bool {
        if draft.status.records.is_empty() {
            return true;
        }
        let forks = reads.iter().filter_map(|name| frame.find(name));
        let forks = forks.filter(|fork| draft.step(fork.key()).is_some_and(|step| step.sealed.is_some()));
        let mut missing = BTreeSet::new();
        for fork in forks {
            let unread = names(draft, fork.key()).filter(|name| !self.observed.notes.pages.contains_key(*name));
            missing.extend(unread.cloned());
        }
        for name in &missing {
            draft.act(Action::ReadPage { name: name.clone() });
        }
        missing.is_empty()
    }
}

fn names<'d>(draft: &'d Draft, fork: &'d str) -> impl Iterator<Item = &'d String> {
    let records = draft.status.records.iter();
    records
        .filter(move |(_, record)| record.forks.iter().any(|known| known == fork))
        .map(|(name, _)| name)
}
