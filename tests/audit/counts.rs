//! What the operator costs the API server.

use super::Event;
use std::{collections::BTreeMap, fmt};

/// Requests by what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(pub BTreeMap<String, u32>);

impl Counts {
    /// Counts requests, events and Leases apart: those are bounded by other rules.
    #[must_use]
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut counts = BTreeMap::new();
        for event in events.into_iter().filter(|event| is_counted(event)) {
            *counts.entry(event.what()).or_default() += 1;
        }
        Self(counts)
    }

    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.values().sum()
    }

    /// Requests that read.
    #[must_use]
    pub fn reads(&self) -> u32 {
        let reads = self
            .0
            .iter()
            .filter(|(what, _)| what.starts_with("get ") || what.starts_with("list "));
        reads.map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests", self.total())?;
        for (what, count) in &self.0 {
            write!(f, "; {count} {what}")?;
        }
        Ok(())
    }
}

fn is_counted(event: &Event) -> bool {
    event.verb != "watch" && event.resource != "events" && event.resource != "leases"
}
