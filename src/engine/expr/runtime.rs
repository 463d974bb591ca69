//! The limits of one evaluation: every operation and every made byte is paid for here.

use super::error::quote;
use super::fault::Fault;
use super::pattern::{Pattern, Search};
use super::value::ELEMENT_BYTES;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;

/// Operations of one evaluation. One is about 5 to 20 ns, so the dearest expression ends in a few milliseconds
/// (measured by the test `hostile_expressions_are_stopped_by_a_limit`), and a fold over 10,000 results still fits.
pub(super) const FUEL: u64 = 200_000;
/// Bytes that one evaluation may make in all: twice what the largest Kubernetes object of ours may hold.
pub(super) const DATA_BYTES_MAX: usize = 1 << 20;

/// Fuel for getting memory and giving it back.
const ALLOCATION_FUEL: u64 = 2;

/// Fuel for compiling a pattern that does not stand in the text: the dearest take a millisecond.
const PATTERN_FUEL: u64 = 80_000;

pub(super) struct Runtime<'a> {
    fuel: u64,
    data_bytes: usize,
    /// The compiled pattern of the call that is being evaluated, if it stands in the text.
    pub(super) literal_pattern: Option<&'a Pattern>,
    patterns: BTreeMap<(String, Search), Rc<Pattern>>,
}

impl<'a> Runtime<'a> {
    pub(super) fn new() -> Self {
        Self {
            fuel: FUEL,
            data_bytes: DATA_BYTES_MAX,
            literal_pattern: None,
            patterns: BTreeMap::new(),
        }
    }

    pub(super) fn spend(&mut self, operations: u64) -> Result<(), Fault> {
        self.fuel = self.fuel.checked_sub(operations).ok_or(Fault::OutOfFuel)?;
        Ok(())
    }

    /// Pays for reading `bytes` bytes of text.
    pub(super) fn read(&mut self, bytes: usize) -> Result<(), Fault> {
        self.spend(per_bytes(bytes))
    }

    /// Pays for `bytes` of new data, before it is made.
    pub(super) fn make(&mut self, bytes: usize) -> Result<(), Fault> {
        self.data_bytes = self.data_bytes.checked_sub(bytes).ok_or(Fault::TooMuchData)?;
        self.spend(per_bytes(bytes).saturating_add(ALLOCATION_FUEL))
    }

    /// Pays for a list of `count` elements, before it is made.
    pub(super) fn make_elements(&mut self, count: usize) -> Result<(), Fault> {
        self.make(count.saturating_mul(ELEMENT_BYTES))
    }

    /// The compiled form of the pattern of the current call, its search of `text` paid for.
    pub(super) fn pattern(&mut self, pattern: &str, search: Search, text: &str) -> Result<Compiled<'a>, Fault> {
        self.read(text.len())?;
        if let Some(literal) = self.literal_pattern.take() {
            return Ok(Compiled::Literal(literal));
        }
        let key = (pattern.to_owned(), search);
        if let Some(compiled) = self.patterns.get(&key) {
            return Ok(Compiled::Made(Rc::clone(compiled)));
        }
        self.spend(PATTERN_FUEL)?;
        let compiled = Pattern::compile(pattern, search)
            .map_err(|message| Fault::Evaluation(format!("`{}`: {message}", quote(pattern))))?;
        let compiled = Rc::new(compiled);
        self.patterns.insert(key, Rc::clone(&compiled));
        Ok(Compiled::Made(compiled))
    }
}

/// A pattern of the text, or one that was made in this evaluation.
pub(super) enum Compiled<'a> {
    Literal(&'a Pattern),
    Made(Rc<Pattern>),
}

impl Deref for Compiled<'_> {
    type Target = Pattern;

    fn deref(&self) -> &Pattern {
        match self {
            Self::Literal(pattern) => pattern,
            Self::Made(pattern) => pattern,
        }
    }
}

/// Copying and comparing text runs at some bytes per nanosecond: 16 of them are one operation.
fn per_bytes(bytes: usize) -> u64 {
    u64::try_from(bytes / 16).unwrap_or(u64::MAX).saturating_add(1)
}
