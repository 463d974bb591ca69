//! Structured ids of steps, and the names that follow from identity.

use jobwright_api::status::PathSegment;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a step stands in a run: names and iteration numbers from the root.
///
/// Printed `settle[2].probe`. The printed form is for people and for keys of maps; it is never
/// parsed: whoever needs the parts has the path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(Vec<PathSegment>);

impl StepId {
    /// A step at the root of a run.
    #[must_use]
    pub fn root(name: &str) -> Self {
        Self::below(&[], name)
    }

    /// A step below a path: of the block, the iteration or the branch that it is in.
    #[must_use]
    pub fn below(path: &[PathSegment], name: &str) -> Self {
        let own = PathSegment {
            name: name.to_owned(),
            index: None,
        };
        Self(path.iter().cloned().chain([own]).collect())
    }

    /// The path of one iteration or item of this step; none where it has one pass only.
    #[must_use]
    pub fn iteration(&self, index: Option<u32>) -> Vec<PathSegment> {
        let mut path = self.0.clone();
        if let Some(last) = path.last_mut() {
            last.index = index.or(last.index);
        }
        path
    }

    /// The id without its indexes: the same for all iterations of all loops around it.
    #[must_use]
    pub fn definition(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|segment| segment.name.as_str()).collect();
        names.join(".")
    }

    #[must_use]
    pub fn path(&self) -> &[PathSegment] {
        &self.0
    }

    /// The step's own name: the last of the path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.last().map_or("", |segment| segment.name.as_str())
    }
}

impl From<Vec<PathSegment>> for StepId {
    fn from(path: Vec<PathSegment>) -> Self {
        Self(path)
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(".")?;
            }
            f.write_str(&segment.name)?;
            if let Some(index) = segment.index {
                write!(f, "[{index}]")?;
            }
        }
        Ok(())
    }
}

/// Which run of which Workflow: what names and keys are made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunIdentity {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub run: u32,
}
