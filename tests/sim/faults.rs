//! What goes wrong between the operator and the server: by plan, or by chance.

use jobwright_tests::rng::Rng;
use std::collections::BTreeMap;

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The operator dies before the request is sent.
    CrashBefore,
    /// The request is done, and the operator dies before it has the answer.
    CrashAfter,
    /// Not done, and the answer says so.
    Refused(u16),
    /// Somebody else changes the Workflow at the last moment.
    Overtaken,
    /// Done, and the answer is an error.
    DoneButErrored(u16),
    /// Done, and there never is an answer.
    DoneButSilent,
    /// Not done, and there never is an answer.
    Silent,
    /// Done, and the answer takes two seconds.
    Slow,
}

impl Trouble {
    /// What `make test` tries at each write of each sample.
    pub(crate) const AT_EACH_WRITE: [Self; 10] = [
        Self::Overtaken,
        Self::CrashBefore,
        Self::CrashAfter,
        Self::DoneButErrored(500),
        Self::DoneButSilent,
        Self::Refused(500),
        Self::Refused(429),
        Self::Refused(409),
        Self::Silent,
        Self::Slow,
    ];

    pub(crate) const fn is_done(self) -> bool {
        matches!(
            self,
            Self::CrashAfter | Self::Overtaken | Self::DoneButErrored(_) | Self::DoneButSilent | Self::Slow
        )
    }

    pub(crate) const fn is_crash(self) -> bool {
        matches!(self, Self::CrashBefore | Self::CrashAfter)
    }
}

/// How unkind the world is, in percent per occasion.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mood {
    /// Watch events come late, together, or in a list.
    pub(crate) late: u64,
    /// A watch event never comes; a list mends it later.
    pub(crate) lost: u64,
    /// The operator dies at a request.
    pub(crate) crash: u64,
    /// A request is answered with an error, or not at all, done or not.
    pub(crate) error: u64,
    /// An answer takes its time.
    pub(crate) slow: u64,
    /// Somebody suspends the run for a while.
    pub(crate) suspend: u64,
    /// The wall clock jumps.
    pub(crate) jump: u64,
    /// Two operators work at once.
    pub(crate) is_double: bool,
    /// Somebody deletes the Workflow.
    pub(crate) deletes: bool,
}

impl Mood {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let mut level = || *rng.pick(&[0, 0, 5, 20]);
        let mut mood = Self {
            late: level() * 2,
            lost: level() / 2,
            crash: level() / 2,
            error: level(),
            slow: level(),
            suspend: level() / 5,
            jump: level() / 5,
            ..Self::default()
        };
        mood.is_double = rng.chance(30);
        mood.deletes = rng.chance(5);
        mood
    }

    pub(crate) const fn is_calm(&self) -> bool {
        self.late + self.lost + self.crash + self.error + self.slow + self.suspend + self.jump == 0
    }
}

/// Decides over each request.
pub(crate) struct Plan {
    /// By number of the write.
    pub(crate) at: BTreeMap<usize, Trouble>,
    pub(crate) mood: Mood,
    pub(crate) rng: Rng,
    /// How many writes there were.
    pub(crate) writes: usize,
    /// What each write was.
    pub(crate) names: Vec<String>,
    /// Faults are over: the world heals.
    pub(crate) is_over: bool,
    /// Tell of each request and each life of an operator.
    pub(crate) is_told: bool,
}

impl Plan {
    pub(crate) fn new(mood: Mood, rng: Rng) -> Self {
        Self {
            at: BTreeMap::new(),
            mood,
            rng,
            writes: 0,
            names: Vec::new(),
            is_over: false,
            is_told: false,
        }
    }

    pub(crate) fn next(&mut self, what: String, is_write: bool) -> Option<Trouble> {
        if is_write {
            self.writes += 1;
            self.names.push(what);
            if let Some(trouble) = self.at.get(&(self.writes - 1)) {
                return Some(*trouble);
            }
        }
        if self.is_over {
            return None;
        }
        if self.rng.chance(self.mood.crash) {
            return Some(if self.rng.chance(50) {
                Trouble::CrashBefore
            } else {
                Trouble::CrashAfter
            });
        }
        if !self.rng.chance(self.mood.error) {
            return self.rng.chance(self.mood.slow).then_some(Trouble::Slow);
        }
        let code = *self.rng.pick(&[500, 503, 504, 429]);
        Some(match self.rng.below(10) {
            0..4 => Trouble::Refused(code),
            4..7 => Trouble::DoneButErrored(code),
            7 => Trouble::DoneButSilent,
            8 => Trouble::Silent,
            _ => Trouble::Overtaken,
        })
    }
}
