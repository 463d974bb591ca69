//! Many plays by their seeds, as many at once as the machine has cores, until enough of them have failed.

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use crate::laws::Fault;

/// What one is shown, if `JOBWRIGHT_SURVEY` does not ask for more.
const FAILURES_DEFAULT: u64 = 3;

/// A number that the caller may set in the environment.
#[must_use]
pub fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// Plays `count` seeds from `JOBWRIGHT_FIRST` on, and tells how long it took. Those that failed, by seed.
///
/// `JOBWRIGHT_SURVEY=1000` goes on after failures, to learn how many there are of each kind.
pub fn hunt(count: u64, play: impl Fn(u64) -> Result<(), Fault> + Sync) -> Vec<(u64, Fault)> {
    let first = number("JOBWRIGHT_FIRST").unwrap_or(0);
    let failures_max = number("JOBWRIGHT_SURVEY").unwrap_or(FAILURES_DEFAULT);
    let begun = Instant::now();
    let next = AtomicU64::new(first);
    let failed = Mutex::new(Vec::new());
    let is_enough = || failed.lock().unwrap().len() as u64 >= failures_max;
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while !is_enough() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    if let Err(fault) = safely(|| play(seed)) {
                        failed.lock().unwrap().push((seed, fault));
                    }
                }
            });
        }
    });
    let played = next.into_inner().min(first + count) - first;
    eprintln!("{played} plays in {:?}", begun.elapsed());
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    failed
}

/// A panic is a fault too.
pub fn safely(play: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
    let played = catch_unwind(AssertUnwindSafe(play));
    played.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        Err(format!("panic: {}", words.unwrap_or_else(|| "?".to_owned())))
    })
}
