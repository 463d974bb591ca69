//! Which objects have to be looked at, and when: one look at a time per object.
//!
//! Ours instead of kube's Controller: wakes come from many places (watches, timers, a reload), one
//! failing watch must not slow the others, and one process may watch several namespaces apart.
//!
//! Guarantees: a wake during a look leads to another look; wakes of one object merge, the earliest
//! wins; a panic or an error of one look is the look's own affair.

use futures::{StreamExt, stream::FuturesUnordered};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::{context::Wake, store::Key};

/// Keys that are due at some instant, or being looked at.
#[derive(Default)]
pub struct Queue {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Default)]
struct Inner {
    due: BTreeMap<Key, Instant>,
    order: BTreeSet<(Instant, Key)>,
    running: BTreeSet<Key>,
}

impl Inner {
    fn schedule(&mut self, key: Key, at: Instant) {
        if let Some(before) = self.due.get(&key) {
            if *before <= at {
                return;
            }
            self.order.remove(&(*before, key.clone()));
        }
        self.order.insert((at, key.clone()));
        self.due.insert(key, at);
    }

    /// The first that is not being looked at.
    fn first(&self) -> Option<&(Instant, Key)> {
        self.order.iter().find(|(_, key)| !self.running.contains(key))
    }
}

impl Queue {
    /// These have to be looked at now.
    pub fn wake(&self, keys: impl IntoIterator<Item = Key>) {
        let now = Instant::now();
        let mut inner = self.lock();
        for key in keys {
            inner.schedule(key, now);
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// This has to be looked at after a while, or before.
    pub fn wake_after(&self, key: Key, rest: Duration) {
        self.lock().schedule(key, Instant::now() + rest.min(FAR));
        self.changed.notify_one();
    }

    /// Takes the next key that is due and not being looked at. It is being looked at until [`Self::done`].
    pub fn take(&self) -> Option<Key> {
        let mut inner = self.lock();
        let (at, key) = inner.first().filter(|(at, _)| *at <= Instant::now()).cloned()?;
        inner.due.remove(&key);
        inner.running.insert(key.clone());
        inner.order.remove(&(at, key.clone()));
        Some(key)
    }

    /// When the next key is due that is not being looked at.
    pub fn next_at(&self) -> Option<Instant> {
        self.lock().first().map(|(at, _)| *at)
    }

    /// Looks at what is due, at most `concurrency` at once, until told to stop; then waits for
    /// those that are under way.
    pub async fn run<F, Fut>(&self, concurrency: usize, stop: impl Future<Output = ()>, look: F)
    where
        F: Fn(Key) -> Fut,
        Fut: Future<Output = Wake>,
    {
        let mut stop = std::pin::pin!(stop);
        let mut looks = FuturesUnordered::new();
        loop {
            while looks.len() < concurrency
                && let Some(key) = self.take()
            {
                let look = look(key.clone());
                looks.push(async move { (key, look.await) });
            }
            let due = self.next_at().filter(|_| looks.len() < concurrency);
            tokio::select! {
                () = &mut stop => break,
                () = self.changed.notified() => {}
                () = at(due) => {}
                Some((key, wake)) = looks.next() => self.done(key, wake),
            }
        }
        while let Some((key, _)) = looks.next().await {
            self.done(key, Wake::OnChange);
        }
    }

    /// The look at a key that was taken has ended.
    pub fn done(&self, key: Key, wake: Wake) {
        let mut inner = self.lock();
        inner.running.remove(&key);
        if let Wake::After(rest) = wake {
            inner.schedule(key, Instant::now() + rest.min(FAR));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Beyond this, an instant may not be representable.
const FAR: Duration = Duration::from_secs(86_400 * 365);

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::time::sleep;

    fn key(name: &str) -> Key {
        Key::new("n", name)
    }

    #[tokio::test(start_paused = true)]
    async fn a_wake_during_a_look_leads_to_another() {
        let queue = Queue::default();
        let looks = AtomicUsize::new(0);
        queue.wake([key("a"), key("a")]);
        let look = |_| async {
            if looks.fetch_add(1, Ordering::SeqCst) == 0 {
                queue.wake([key("a"), key("a")]);
            }
            Wake::OnChange
        };
        queue.run(4, sleep(Duration::from_secs(5)), look).await;
        assert_eq!(looks.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_object_is_looked_at_once_at_a_time_and_others_meanwhile() {
        let queue = Queue::default();
        let now = AtomicUsize::new(0);
        let most = AtomicUsize::new(0);
        let total = AtomicUsize::new(0);
        queue.wake((0..10).map(|n| key(&n.to_string())));
        let look = |_| async {
            let count = now.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(count, Ordering::SeqCst);
            sleep(Duration::from_millis(100)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            total.fetch_add(1, Ordering::SeqCst);
            Wake::OnChange
        };
        queue.run(3, sleep(Duration::from_secs(5)), look).await;
        assert_eq!(most.load(Ordering::SeqCst), 3);
        assert_eq!(total.load(Ordering::SeqCst), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_comes_again_when_it_asked_to() {
        let queue = Queue::default();
        let started = Instant::now();
        let at_ms = Mutex::new(Vec::new());
        queue.wake([key("a")]);
        let look = |_| async {
            at_ms.lock().unwrap().push(started.elapsed().as_millis());
            Wake::After(Duration::from_secs(2))
        };
        queue.run(3, sleep(Duration::from_secs(5)), look).await;
        assert_eq!(*at_ms.lock().unwrap(), [0, 2000, 4000]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_waits_for_what_is_under_way() {
        let queue = Queue::default();
        let ended = AtomicUsize::new(0);
        queue.wake([key("a"), key("b")]);
        let look = |_| async {
            sleep(Duration::from_secs(3)).await;
            ended.fetch_add(1, Ordering::SeqCst);
            Wake::After(Duration::ZERO)
        };
        queue.run(1, sleep(Duration::from_secs(1)), look).await;
        assert_eq!(
            ended.load(Ordering::SeqCst),
            1,
            "the first ends, the second never begins"
        );
    }
}
