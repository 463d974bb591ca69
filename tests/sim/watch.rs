//! The watches of one operator: they tell of everything in order, but when and how they like.

use jobwright_operator::{
    context::Context,
    store::{Feed, Woken},
};
use jobwright_tests::rng::Rng;
use kube::runtime::watcher::Event as Told;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

use crate::{
    faults::Mood,
    server::{Event, Kind, Server},
};

/// How far each kind has been told.
pub(crate) struct Watches {
    cursors: [usize; 6],
    /// Nothing of this kind is told before.
    held_until: [Option<Instant>; 6],
    /// An event was lost: a list comes by then.
    relist_at: [Option<Instant>; 6],
    /// Loses exactly this event of the log.
    pub(crate) loses: Option<usize>,
}

impl Watches {
    /// Begins with a list of everything.
    pub(crate) fn begin(server: &Server, ctx: &Context) -> (Self, Vec<Woken>) {
        let mut watches = Self {
            cursors: [0; 6],
            held_until: [None; 6],
            relist_at: [None; 6],
            loses: None,
        };
        let woken = (0..6).map(|kind| watches.relist(server, ctx, kind)).collect();
        (watches, woken)
    }

    /// When something is to be told.
    pub(crate) fn next_at(&self, server: &Server) -> Option<Instant> {
        let kinds = 0..6;
        let events = kinds.filter_map(|kind| {
            self.pending(server, kind)?;
            Some(self.held_until[kind].unwrap_or_else(Instant::now))
        });
        events.chain(self.relist_at.iter().flatten().copied()).min()
    }

    pub(crate) fn tell(&mut self, server: &Server, ctx: &Context, mood: &Mood, rng: &mut Rng) -> Vec<Woken> {
        let now = Instant::now();
        let mut woken = Vec::new();
        for kind in 0..6 {
            if self.relist_at[kind].is_some_and(|at| at <= now) {
                woken.push(self.relist(server, ctx, kind));
            }
            if self.held_until[kind].is_some_and(|at| at > now) {
                continue;
            }
            let was_held = self.held_until[kind].take().is_some();
            if self.pending(server, kind).is_some() && !was_held && rng.chance(mood.late) {
                self.held_until[kind] = Some(now + Duration::from_millis(rng.between(1, 3_000)));
                continue;
            }
            if self.pending(server, kind).is_some() && rng.chance(mood.late / 4) {
                woken.push(self.relist(server, ctx, kind));
            }
            while let Some(at) = self.pending(server, kind) {
                self.cursors[kind] = at + 1;
                if self.loses == Some(at) || rng.chance(mood.lost) {
                    self.relist_at[kind] = Some(now + Duration::from_millis(rng.between(1, 10_000)));
                    continue;
                }
                woken.push(ctx.stores.feed(0, feed(&server.log[at])));
                if rng.chance(mood.late) {
                    break;
                }
            }
        }
        woken
    }

    /// The next event of this kind that was not told.
    fn pending(&self, server: &Server, kind: usize) -> Option<usize> {
        let from = self.cursors[kind];
        let rest = server.log[from..]
            .iter()
            .position(|event| event.kind == Kind::ALL[kind])?;
        Some(from + rest)
    }

    fn relist(&mut self, server: &Server, ctx: &Context, kind: usize) -> Woken {
        self.cursors[kind] = server.log.len();
        self.relist_at[kind] = None;
        let wanted = Kind::ALL[kind];
        ctx.stores.feed(0, list(wanted, &Told::Init));
        for ((_, _), object) in server.objects.iter().filter(|((kind, _), _)| *kind == wanted) {
            ctx.stores.feed(0, list(wanted, &Told::InitApply(object)));
        }
        ctx.stores.feed(0, list(wanted, &Told::InitDone))
    }
}

fn feed(event: &Event) -> Feed {
    if event.is_delete {
        list(event.kind, &Told::Delete(&event.object))
    } else {
        list(event.kind, &Told::Apply(&event.object))
    }
}

fn list(kind: Kind, told: &Told<&Value>) -> Feed {
    match kind {
        Kind::Workflow => Feed::Workflow(decoded(told)),
        Kind::Task => Feed::Task(decoded(told)),
        Kind::Template => Feed::Template(decoded(told)),
        Kind::Record => Feed::Record(decoded(told)),
        Kind::Job => Feed::Job(decoded(told)),
        Kind::Pod => Feed::Pod(decoded(told)),
    }
}

fn decoded<T: serde::de::DeserializeOwned>(told: &Told<&Value>) -> Told<T> {
    let read = |object: &Value| serde_json::from_value(object.clone()).unwrap();
    match told {
        Told::Init => Told::Init,
        Told::InitApply(object) => Told::InitApply(read(object)),
        Told::InitDone => Told::InitDone,
        Told::Apply(object) => Told::Apply(read(object)),
        Told::Delete(object) => Told::Delete(read(object)),
    }
}
