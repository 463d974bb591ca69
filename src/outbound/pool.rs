//! Connections that are kept for the next request.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::time::{Instant, sleep};

use crate::{
    guard::Target,
    line::{Line, Place},
};

/// More are closed, the longest idle first: an idle connection costs both sides a socket.
const IDLE_MAX: usize = 128;
/// Less than most receivers wait before they close (a minute, commonly): a connection that is closed
/// while a request is on its way to it fails the attempt.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// Guarantees: at most 128 idle connections, none for longer than a minute; each serves only requests to the
/// same scheme, host, port and judged address.
#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The longest idle first.
    lines: VecDeque<(Instant, Line)>,
    is_swept: bool,
}

impl Pool {
    /// The line that was used last, of those that lead where this request goes.
    pub(crate) fn take(&self, target: &Target, addresses: &[SocketAddr]) -> Option<Line> {
        let places: Vec<Place> = addresses.iter().map(|address| Place::of(target, *address)).collect();
        let mut idle = self.lock();
        idle.sweep();
        let at = idle.lines.iter().rposition(|(_, line)| places.contains(&line.place))?;
        idle.lines.remove(at).map(|(_, line)| line)
    }

    pub(crate) fn put(self: &Arc<Self>, line: Line) {
        let mut idle = self.lock();
        idle.sweep();
        if idle.lines.len() >= IDLE_MAX {
            idle.lines.pop_front();
        }
        idle.lines.push_back((Instant::now(), line));
        if !idle.is_swept {
            idle.is_swept = true;
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().lines.len()
    }
}

impl Idle {
    fn sweep(&mut self) {
        self.lines
            .retain(|(since, line)| since.elapsed() < IDLE_TIME && line.is_idle());
    }
}

/// Closes what nobody asks for any more; ends when nothing is left, or the pool is gone.
async fn sweep(pool: Weak<Pool>) {
    loop {
        sleep(IDLE_TIME).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut idle = pool.lock();
        idle.sweep();
        if idle.lines.is_empty() {
            idle.is_swept = false;
            return;
        }
    }
}
