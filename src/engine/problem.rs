//! What is wrong with a definition, in words for its author.

use jobwright_api::Reason;
use std::fmt;

/// One thing that is wrong: what, where (field path) and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub reason: Reason,
    /// Field path from the object's root: `spec.steps[2].needs[0]`.
    pub path: String,
    pub message: String,
}

impl Problem {
    pub fn new(reason: Reason, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            reason,
            path: path.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}
