//! The mirror of one kind, as one watch reports it.
//!
//! Guarantees: a relist replaces everything at once, when it is complete, and no deletion is
//! believed before; what is older than seen is dropped; the reply to an own write counts as seen.
//! Assumption: resourceVersions of one kind grow and compare as numbers (KEP-5504).
//! Caveat: a reply is believed for [`REPLY_TRUST`] without the watch; after that it is left out
//! until the watch or a live GET confirms it, so a lost event cannot make a ghost.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::watcher::Event;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How long the reply to a write stands for the watch event that confirms it. A watch is behind by
/// milliseconds; ten seconds without it mean that it is broken or has dropped the event.
pub const REPLY_TRUST: Duration = Duration::from_secs(10);

/// Namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub namespace: String,
    pub name: String,
}

impl Key {
    #[must_use]
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    #[must_use]
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self::new(
            metadata.namespace.clone().unwrap_or_default(),
            metadata.name.clone().unwrap_or_default(),
        )
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// An object as it is kept: what identifies it, and a value.
#[derive(Debug)]
pub struct Held<V> {
    pub key: Key,
    pub uid: String,
    /// 0 where the server's resourceVersion is not a number: then order of arrival counts.
    pub version: u64,
    /// The Workflow UID of its label, if it has one.
    pub run_uid: String,
    pub value: Arc<V>,
}

impl<V> Clone for Held<V> {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            uid: self.uid.clone(),
            version: self.version,
            run_uid: self.run_uid.clone(),
            value: Arc::clone(&self.value),
        }
    }
}

impl<V> Held<V> {
    #[must_use]
    pub fn new(metadata: &ObjectMeta, run_uid: &str, value: Arc<V>) -> Self {
        Self {
            key: Key::of(metadata),
            uid: metadata.uid.clone().unwrap_or_default(),
            version: version(metadata),
            run_uid: run_uid.to_owned(),
            value,
        }
    }
}

/// The resourceVersion as a number, 0 if it is none.
#[must_use]
pub fn version(metadata: &ObjectMeta) -> u64 {
    metadata
        .resource_version
        .as_deref()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// What an event changed: the object before and after it.
#[derive(Debug)]
pub struct Change<V> {
    pub before: Option<Held<V>>,
    pub after: Option<Held<V>>,
}

/// An object that is known from the reply to an own write only: since when.
#[derive(Clone, Copy)]
struct Unseen {
    at: Duration,
    /// How many relists had begun.
    relists: u64,
}

/// All objects of one kind that one watch lists.
pub struct Mirror<V> {
    entries: BTreeMap<Key, Held<V>>,
    /// By run, so that one run's are found without a look at all others.
    unseen: BTreeMap<(String, Key), Unseen>,
    incoming: Option<BTreeMap<Key, Held<V>>>,
    /// The highest version that the watch has reported.
    passed: u64,
    relists: u64,
    listed: bool,
}

impl<V> Default for Mirror<V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            unseen: BTreeMap::new(),
            incoming: None,
            passed: 0,
            relists: 0,
            listed: false,
        }
    }
}

impl<V> Mirror<V> {
    /// A list has been completed once.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.listed
    }

    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Held<V>> {
        self.entries.get(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Held<V>> {
        self.entries.values()
    }

    /// Takes in what a watch reports.
    pub fn apply(&mut self, event: Event<Held<V>>) -> Vec<Change<V>> {
        match event {
            Event::Init => {
                self.relists += 1;
                self.incoming = Some(BTreeMap::new());
                Vec::new()
            }
            Event::InitApply(held) => {
                self.passed = self.passed.max(held.version);
                if let Some(incoming) = &mut self.incoming {
                    incoming.insert(held.key.clone(), held);
                }
                Vec::new()
            }
            Event::InitDone => self.swap(),
            Event::Apply(held) => {
                self.passed = self.passed.max(held.version);
                self.put(held).into_iter().collect()
            }
            Event::Delete(held) => {
                self.passed = self.passed.max(held.version);
                self.remove(&held).into_iter().collect()
            }
        }
    }

    /// Takes in the reply to an own write, or to a live GET.
    pub fn reply(&mut self, held: Held<V>, now: Duration) -> Option<Change<V>> {
        let was_deleted =
            held.version <= self.passed && self.incoming.is_none() && !self.entries.contains_key(&held.key);
        if was_deleted && held.version != 0 {
            return None;
        }
        let seen = held.version != 0 && held.version <= self.passed;
        let mark = (held.run_uid.clone(), held.key.clone());
        let change = self.put(held);
        if change.is_some() && !seen {
            let relists = self.relists;
            self.unseen.insert(mark, Unseen { at: now, relists });
        }
        change
    }

    /// Drops replies of one run that the watch has not confirmed in time. Says when to ask again.
    pub fn expire(&mut self, run_uid: &str, now: Duration) -> (Vec<Change<V>>, Option<Duration>) {
        let from = (run_uid.to_owned(), Key::default());
        let mut late = Vec::new();
        let mut next: Option<Duration> = None;
        for ((_, key), unseen) in self.unseen.range(from..).take_while(|((uid, _), _)| uid == run_uid) {
            let due = unseen.at + REPLY_TRUST;
            if due <= now {
                late.push(key.clone());
            } else {
                next = Some(next.map_or(due, |next| next.min(due)));
            }
        }
        let gone = late.iter().filter_map(|key| self.take(key)).collect();
        (gone, next)
    }

    fn put(&mut self, held: Held<V>) -> Option<Change<V>> {
        if let Some(before) = self.entries.get(&held.key) {
            if before.version > held.version && held.version != 0 {
                return None;
            }
            // At least as new as the reply: the watch has caught up with the own write.
            self.unseen.remove(&(before.run_uid.clone(), before.key.clone()));
            if before.version == held.version && before.uid == held.uid && held.version != 0 {
                return None;
            }
        }
        let after = held.clone();
        let before = self.entries.insert(held.key.clone(), held);
        Some(Change {
            before,
            after: Some(after),
        })
    }

    fn remove(&mut self, gone: &Held<V>) -> Option<Change<V>> {
        let held = self.entries.get(&gone.key)?;
        if held.version > gone.version && gone.version != 0 {
            return None; // made again since
        }
        self.take(&gone.key)
    }

    fn take(&mut self, key: &Key) -> Option<Change<V>> {
        let before = self.entries.remove(key)?;
        self.unseen.remove(&(before.run_uid.clone(), key.clone()));
        Some(Change {
            before: Some(before),
            after: None,
        })
    }

    /// A list is complete: what it does not hold is gone, but for what was written while it ran.
    fn swap(&mut self) -> Vec<Change<V>> {
        self.listed = true;
        let Some(incoming) = self.incoming.take() else {
            return Vec::new();
        };
        let written_since = |held: &Held<V>| {
            self.unseen
                .get(&(held.run_uid.clone(), held.key.clone()))
                .is_some_and(|unseen| unseen.relists == self.relists)
        };
        let gone: Vec<Key> = self
            .entries
            .values()
            .filter(|held| !incoming.contains_key(&held.key) && !written_since(held))
            .map(|held| held.key.clone())
            .collect();
        let mut changes: Vec<Change<V>> = gone.iter().filter_map(|key| self.take(key)).collect();
        changes.extend(incoming.into_values().filter_map(|held| self.put(held)));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn held(name: &str, version: u64) -> Held<u64> {
        Held {
            key: Key::new("n", name),
            uid: format!("{name}-uid"),
            version,
            run_uid: String::new(),
            value: Arc::new(version),
        }
    }

    fn list(mirror: &mut Mirror<u64>, objects: &[(&str, u64)]) {
        mirror.apply(Event::Init);
        for (name, version) in objects {
            mirror.apply(Event::InitApply(held(name, *version)));
        }
        mirror.apply(Event::InitDone);
    }

    fn content(mirror: &Mirror<u64>) -> String {
        let words: Vec<String> = mirror
            .iter()
            .map(|held| format!("{}@{}", held.key.name, held.version))
            .collect();
        words.join(" ")
    }

    #[test]
    fn a_relist_takes_effect_at_its_end() {
        let mut mirror = Mirror::default();
        list(&mut mirror, &[("a", 1), ("b", 2)]);
        mirror.apply(Event::Init);
        mirror.apply(Event::InitApply(held("b", 2)));
        assert_eq!(content(&mirror), "a@1 b@2", "no deletion before the end");
        let changes = mirror.apply(Event::InitDone);
        assert_eq!(content(&mirror), "b@2");
        assert_eq!(changes.len(), 1, "b is the same, a is gone");
    }

    #[test]
    fn a_broken_relist_starts_again() {
        let mut mirror = Mirror::default();
        list(&mut mirror, &[("a", 1), ("b", 2)]);
        mirror.apply(Event::Init);
        mirror.apply(Event::InitApply(held("b", 2)));
        list(&mut mirror, &[("a", 1)]);
        assert_eq!(content(&mirror), "a@1");
    }

    #[test]
    fn what_is_older_than_seen_is_dropped() {
        let mut mirror = Mirror::default();
        list(&mut mirror, &[("a", 5)]);
        assert!(mirror.apply(Event::Apply(held("a", 4))).is_empty());
        assert!(mirror.apply(Event::Delete(held("a", 4))).is_empty());
        list(&mut mirror, &[("a", 3)]);
        assert_eq!(content(&mirror), "a@5");
        assert_eq!(mirror.apply(Event::Delete(held("a", 6))).len(), 1);
        assert_eq!(content(&mirror), "");
    }

    #[test]
    fn the_reply_to_a_write_counts_as_seen() {
        let mut mirror = Mirror::default();
        list(&mut mirror, &[("a", 5)]);
        assert!(mirror.reply(held("b", 7), NOW).is_some());
        assert_eq!(content(&mirror), "a@5 b@7");
        assert!(mirror.apply(Event::Apply(held("b", 7))).is_empty(), "caught up");
        assert_eq!(mirror.expire("", NOW + REPLY_TRUST).0.len(), 0, "confirmed");
        assert!(mirror.reply(held("b", 6), NOW).is_none(), "older than seen");
    }

    #[test]
    fn a_reply_that_comes_after_the_deletion_makes_no_ghost() {
        let mut mirror = Mirror::default();
        list(&mut mirror, &[]);
        mirror.apply(Event::Apply(held("a", 7)));
        mirror.apply(Event::Delete(held("a", 9)));
        assert!(mirror.reply(held("a", 7), NOW).is_none());
        assert_eq!(content(&mirror), "");
    }

    #[test]
    fn a_reply_that_the_watch_never_confirms_is_dropped_in_time() {
        let mut mirror = Mirror::default();
        list(&mut mirror, &[]);
        mirror.reply(held("a", 7), NOW);
        let (gone, due) = mirror.expire("", NOW);
        assert!(gone.is_empty());
        assert_eq!(due, Some(NOW + REPLY_TRUST));
        assert_eq!(mirror.expire("", NOW + REPLY_TRUST).0.len(), 1);
    }

    #[test]
    fn a_list_that_began_before_a_write_does_not_undo_it() {
        let mut mirror = Mirror::default();
        list(&mut mirror, &[]);
        mirror.reply(held("before", 3), NOW);
        mirror.apply(Event::Init);
        mirror.reply(held("during", 7), NOW);
        mirror.apply(Event::InitDone);
        assert_eq!(content(&mirror), "during@7", "the list would have had `before`");
    }
}
