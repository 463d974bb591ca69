//! A case: a definition in few words, and what happens to every attempt.

use jobwright_api::{StepPhase, ValueType, policy::Then};
use serde_json::Value;

use super::{Condition, Outcome};

/// A workflow with its fate. Steps are named by their place: a need has a lower one.
#[derive(Clone, Debug, Default)]
pub struct Case {
    pub steps: Vec<StepCase>,
    /// Value of the run's input `flag`.
    pub flag: bool,
    /// Value of the run's input `level`.
    pub level: i64,
    /// The run has `timeouts.total`: far beyond what any step that ends by itself can take.
    pub total: bool,
    /// Seconds that a finished Job is kept once its result is stored.
    pub ttl_s: Option<i32>,
    /// The run has an output that reads this step's output, or -1 where that is absent.
    pub output: Option<(usize, String)>,
    /// Steps stand in the definition in the reverse of their order.
    pub reversed: bool,
}

#[derive(Clone, Debug, Default)]
pub struct StepCase {
    pub name: String,
    pub needs: Vec<usize>,
    pub when: Option<Condition>,
    /// Runs a Task; else an inline job.
    pub is_task: bool,
    pub inputs: Vec<(String, Source)>,
    pub outputs: Vec<Output>,
    pub retry: Option<Retry>,
    /// 1 minute instead of the operator's hour.
    pub schedule_to_start: bool,
    /// 30 seconds: longer than any attempt that ends by itself.
    pub start_to_close: bool,
    pub schedule_to_close: ScheduleToClose,
    pub then: Then,
    /// Of the attempts from the first on; the last one repeats.
    pub outcomes: Vec<Outcome>,
}

#[derive(Clone, Debug)]
pub struct Retry {
    /// None: as the default says.
    pub max: Option<u32>,
    /// None: as the default says.
    pub initial_s: Option<u64>,
    pub factor: Option<f64>,
    pub never: Vec<i32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScheduleToClose {
    #[default]
    None,
    /// Never reached.
    Ample,
    /// Longer than one attempt, shorter than any delay: goes with a delay of ten hours.
    Short,
}

#[derive(Clone, Debug)]
pub struct Output {
    pub name: String,
    pub kind: ValueType,
    pub optional: bool,
    pub default: Option<Value>,
    pub is_text: bool,
}

/// Where an input comes from.
#[derive(Clone, Debug)]
pub enum Source {
    Literal(Value),
    /// Left out: the Task's default is used.
    Default(Value),
    /// Left out, and the Task lets it.
    Absent,
    /// The run's input `level`.
    Level,
    /// An output of a step that is there for certain.
    Reads(usize, String),
    /// 12 divided by such an output.
    Divides(usize, String),
    /// An output of a step, or a number where it is absent.
    ReadsOr(usize, String, i64),
    /// The phase of a step as a string.
    Phase(usize),
}

impl Case {
    pub const TOTAL_S: u64 = 30 * 86_400;

    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.name == name)
    }

    /// The outcome of attempt `number` of a step.
    #[must_use]
    pub fn outcome(&self, step: usize, number: u32) -> &Outcome {
        let outcomes = &self.steps[step].outcomes;
        let place = usize::try_from(number.max(1) - 1).unwrap();
        &outcomes[place.min(outcomes.len() - 1)]
    }

    /// Whether an output of a step is there whenever a step below it starts.
    #[must_use]
    pub fn is_certain(&self, step: usize, output: &str) -> bool {
        let step = &self.steps[step];
        let mut outputs = step.outputs.iter();
        let is_given = outputs.any(|given| given.name == output && (!given.optional || given.default.is_some()));
        is_given && step.when.is_none() && step.then == Then::Fail
    }

    /// Whether `to` is needed by `from`, over however many others.
    #[must_use]
    pub fn is_upstream(&self, to: usize, from: usize) -> bool {
        self.steps[from]
            .needs
            .iter()
            .any(|need| *need == to || self.is_upstream(to, *need))
    }
}

/// A phase as CEL sees it.
#[must_use]
pub fn phase_word(phase: StepPhase) -> String {
    phase.to_string()
}
