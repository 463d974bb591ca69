//! What becomes of one step: from its needs to its end.

pub(crate) mod attempt;
pub(crate) mod child;
pub(crate) mod deadline;
pub(crate) mod join;
pub(crate) mod observe;
pub(crate) mod outcome;
pub(crate) mod output;
pub(crate) mod retry;
pub(crate) mod start;
