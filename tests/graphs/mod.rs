//! Random definitions with a scripted outcome for each attempt of each step.

pub mod case;
pub mod expression;
pub mod outcome;
pub mod random;
pub mod spec;

pub use case::{Case, Output, Retry, ScheduleToClose, Source, StepCase};
pub use expression::Condition;
pub use outcome::{Outcome, Said, Stuck};
