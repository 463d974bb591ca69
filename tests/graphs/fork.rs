//! Forks and joins of a case.

use serde_json::Value;

use super::{Body, Condition, Source};

/// When the needs of a step let it start.
#[derive(Clone, Debug, Default)]
pub struct Join {
    pub require: Require,
    /// Only successes count.
    pub is_strict: bool,
    /// The other needs are stopped.
    pub cancels: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub enum Require {
    #[default]
    All,
    Any,
    So(usize),
}

impl Join {
    #[must_use]
    pub fn required(&self, needs: usize) -> usize {
        match self.require {
            Require::All => needs,
            Require::Any => 1,
            Require::So(many) => many,
        }
    }
}

/// A step for each item.
#[derive(Clone, Debug)]
pub struct Each {
    pub items: Items,
    /// The root of the item; none is `item`.
    pub name: Option<String>,
    pub at_once: Option<u32>,
    pub may_fail: Option<MayFail>,
    pub lets_finish: bool,
    pub stop_when: Option<Condition>,
    pub when: Option<Condition>,
}

#[derive(Clone, Debug)]
pub enum Items {
    Count(u32),
    /// Integers.
    Literal(Vec<i64>),
    /// As many as the source gives, none below 0 and 5 at most.
    Range(Source),
}

#[derive(Clone, Copy, Debug)]
pub enum MayFail {
    So(u32),
    Percent(u32),
}

impl MayFail {
    #[must_use]
    pub const fn of(self, total: usize) -> usize {
        match self {
            Self::So(many) => many as usize,
            Self::Percent(share) => total * share as usize / 100,
        }
    }
}

impl Each {
    #[must_use]
    pub fn root(&self) -> &str {
        self.name.as_deref().unwrap_or("item")
    }
}

impl Items {
    pub const RANGE_MAX: i64 = 5;

    /// So many at most.
    #[must_use]
    pub fn max(&self) -> usize {
        match self {
            Self::Count(count) => *count as usize,
            Self::Literal(items) => items.len(),
            Self::Range(_) => usize::try_from(Self::RANGE_MAX).unwrap(),
        }
    }

    /// As CEL; none where it is a count.
    #[must_use]
    pub fn to_cel(&self, body: &Body) -> Option<String> {
        match self {
            Self::Count(_) => None,
            Self::Literal(items) => Some(Value::from(items.clone()).to_string()),
            Self::Range(source) => {
                let many = source.to_cel(body)?;
                Some(format!("range(max(0, min({many}, {})))", Self::RANGE_MAX))
            }
        }
    }

    /// The steps that it reads, to be changed.
    pub fn steps_mut(&mut self) -> Vec<&mut usize> {
        match self {
            Self::Range(source) => source.steps_mut(),
            Self::Count(_) | Self::Literal(_) => Vec::new(),
        }
    }
}
