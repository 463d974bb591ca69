//! Random definitions with a scripted outcome for each attempt of each step.

pub mod case;
pub mod expression;
pub mod fork;
pub mod outcome;
pub mod place;
pub mod random;
pub mod spec;

pub use case::{Body, Case, Exit, Kind, Loop, Offer, Output, Retry, ScheduleToClose, StepCase};
pub use expression::{Condition, Source};
pub use fork::{Each, Items, Join, MayFail, Require};
pub use outcome::{Outcome, Said, Stuck};
pub use place::{Place, Spot};
