//! Snapshots: kept as text, compiled once per content.

use jiff::Timestamp;
use jobwright_api::{WorkflowRecord, meta::annotation};
use jobwright_engine::{definition::Definition, graph::Graph};
use kube::core::DeserializeGuard;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::mirror::{Held, Key};
use crate::view;

/// How many compiled graphs are kept. A graph of 256 steps weighs under a megabyte; beyond this
/// number the one that was compiled first is dropped and compiled again when asked for.
const GRAPHS_MAX: usize = 256;

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub data: String,
    pub created_at: Option<Timestamp>,
    /// When a run last took it up, as its annotation says.
    pub last_used_at: Option<Timestamp>,
}

impl Record {
    /// The later of creation and last use.
    #[must_use]
    pub fn used_at(&self) -> Option<Timestamp> {
        self.created_at.max(self.last_used_at)
    }
}

/// A snapshot that cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("snapshot {key} cannot be read: {why}")]
pub struct BadSnapshot {
    pub key: Key,
    pub why: String,
}

/// Converts a record; one that cannot be decoded is left out.
pub(crate) fn held(guard: DeserializeGuard<WorkflowRecord>) -> Option<Held<Record>> {
    let record = guard.0.ok()?;
    let annotations = record.metadata.annotations.as_ref();
    let value = Record {
        created_at: record.metadata.creation_timestamp.as_ref().map(|t| t.0),
        last_used_at: view::text(annotations, annotation::LAST_USED).and_then(|text| text.parse().ok()),
        data: record.spec.data,
    };
    Some(Held::new(&record.metadata, "", Arc::new(value)))
}

/// Compiled graphs, by the record that they are made from.
#[derive(Default)]
pub(super) struct Graphs {
    inner: Mutex<Compiled>,
}

#[derive(Default)]
struct Compiled {
    /// With a number that grows: the lowest is the oldest.
    graphs: BTreeMap<(Key, String), (u64, Arc<Graph>)>,
    count: u64,
}

impl Graphs {
    pub(super) fn get(&self, held: &Held<Record>) -> Result<Arc<Graph>, BadSnapshot> {
        // The UID beside the name: a record that was deleted and made again may say something else.
        let id = (held.key.clone(), held.uid.clone());
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, graph)) = inner.graphs.get(&id) {
            return Ok(Arc::clone(graph));
        }
        let graph = Arc::new(compile(held)?);
        if inner.graphs.len() >= GRAPHS_MAX {
            let oldest = inner.graphs.iter().min_by_key(|(_, (age, _))| *age);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                inner.graphs.remove(&oldest);
            }
        }
        inner.count += 1;
        let count = inner.count;
        inner.graphs.insert(id, (count, Arc::clone(&graph)));
        Ok(graph)
    }
}

fn compile(held: &Held<Record>) -> Result<Graph, BadSnapshot> {
    let bad = |why: String| BadSnapshot {
        key: held.key.clone(),
        why,
    };
    let definition: Definition = serde_json::from_str(&held.value.data).map_err(|error| bad(error.to_string()))?;
    Graph::compile(definition).map_err(|problems| {
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        bad(words.join("; "))
    })
}
