//! A case: a definition in few words, and what happens to every attempt.

use jobwright_api::{Http, ValueType, policy::Then};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

use super::{Condition, Each, Join, Outcome, Source};

/// A workflow with its fate.
#[derive(Clone, Debug, Default)]
pub struct Case {
    pub root: Body,
    /// A block runs only blocks that stand behind it, so that none runs itself.
    pub blocks: Vec<Body>,
    /// Value of the run's input `flag`.
    pub flag: bool,
    /// Value of the run's input `level`.
    pub level: i64,
    /// The run has `timeouts.total`: far beyond what any step that ends by itself can take.
    pub total: bool,
    /// Seconds that a finished Job is kept once its result is stored.
    pub ttl_s: Option<i32>,
    /// What follows the end of the run.
    pub on_exit: Option<Box<StepCase>>,
    /// Steps of the run that send a request in place of their Job. Whatever compares does not know of them.
    pub http: BTreeMap<String, Http>,
}

/// A list of steps: of the run, or of a block. Each has the inputs `flag` and `level`.
///
/// Steps are named by their place in it: a need has a lower one.
#[derive(Clone, Debug, Default)]
pub struct Body {
    pub steps: Vec<StepCase>,
    /// What it gives once all its steps have ended.
    pub outputs: Vec<(String, Source)>,
    /// Steps stand in the definition in the reverse of their order.
    pub reversed: bool,
    /// What follows a failure in it: as a step of its own.
    pub on_failure: Option<Box<StepCase>>,
    /// Of a block: what its inputs `flag` and `level` are where a step leaves them out.
    pub defaults: Option<(bool, i64)>,
}

#[derive(Clone, Debug, Default)]
pub struct StepCase {
    pub name: String,
    pub needs: Vec<usize>,
    pub join: Option<Join>,
    pub each: Option<Each>,
    pub when: Option<Condition>,
    pub kind: Kind,
    pub inputs: Vec<(String, Source)>,
    pub outputs: Vec<Output>,
    pub retry: Option<Retry>,
    /// 1 minute instead of the operator's hour.
    pub schedule_to_start: bool,
    /// 30 seconds: longer than any attempt that ends by itself.
    pub start_to_close: bool,
    pub schedule_to_close: ScheduleToClose,
    pub then: Then,
    /// What follows its failure: as a step of its own.
    pub on_failure: Option<Box<Self>>,
    /// Of the attempts from the first on; the last one repeats.
    pub outcomes: Vec<Outcome>,
}

/// What a step runs. Blocks are named by their place in the case.
#[derive(Clone, Debug, Default)]
pub enum Kind {
    #[default]
    Job,
    Task,
    Block(usize),
    /// None is the block `none`.
    Choice {
        cases: Vec<(Condition, Option<usize>)>,
        default: Option<usize>,
    },
    Loop(Loop),
    Wait {
        seconds: u64,
    },
    /// Integers.
    Set(Vec<(String, Source)>),
    Exit(Exit),
}

#[derive(Clone, Debug)]
pub struct Exit {
    pub fails: bool,
    pub reason: Option<String>,
    pub outputs: Vec<(String, Source)>,
}

#[derive(Clone, Debug)]
pub struct Loop {
    pub block: usize,
    /// `while`.
    pub before: Option<Condition>,
    /// `until`.
    pub after: Option<Condition>,
    pub max: u32,
    pub delay_s: Option<u64>,
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
    /// Of a Job: longer than one attempt, shorter than any delay: goes with a delay of ten hours. Of a step
    /// without one: longer than anything below that ends by itself.
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

/// An output of a step as those behind it may read it.
#[derive(Clone, Debug)]
pub struct Offer {
    pub name: String,
    pub kind: ValueType,
    /// It is there whenever a step below starts.
    pub is_certain: bool,
}

impl Kind {
    #[must_use]
    pub const fn has_jobs(&self) -> bool {
        matches!(self, Self::Job | Self::Task)
    }

    /// The blocks that it may run.
    #[must_use]
    pub fn blocks(&self) -> Vec<usize> {
        match self {
            Self::Job | Self::Task | Self::Wait { .. } | Self::Set(_) | Self::Exit(_) => Vec::new(),
            Self::Block(block) => vec![*block],
            Self::Loop(looped) => vec![looped.block],
            Self::Choice { cases, default } => cases.iter().filter_map(|(_, to)| *to).chain(*default).collect(),
        }
    }

    fn conditions_mut(&mut self) -> Vec<&mut Condition> {
        match self {
            Self::Choice { cases, .. } => cases.iter_mut().map(|(when, _)| when).collect(),
            Self::Loop(looped) => looped.before.iter_mut().chain(&mut looped.after).collect(),
            _ => Vec::new(),
        }
    }

    fn sources_mut(&mut self) -> Vec<&mut Source> {
        match self {
            Self::Set(given) | Self::Exit(Exit { outputs: given, .. }) => {
                given.iter_mut().map(|(_, source)| source).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl StepCase {
    /// The conditions in it.
    pub fn conditions_mut(&mut self) -> Vec<&mut Condition> {
        let each = self.each.iter_mut();
        let of_items = each.flat_map(|each| each.when.iter_mut().chain(&mut each.stop_when));
        let own = self.when.iter_mut().chain(self.kind.conditions_mut());
        own.chain(of_items).collect()
    }

    /// The steps beside it whose values or phases it reads, to be changed; those that its handler reads too.
    pub fn reads_mut(&mut self) -> Vec<&mut usize> {
        let handler = self.on_failure.iter_mut().flat_map(|handler| handler.reads_mut());
        let mut reads: Vec<&mut usize> = handler.collect();
        let each = self.each.iter_mut();
        let of_items = each.flat_map(|each| {
            let conditions = each.when.iter_mut().chain(&mut each.stop_when);
            conditions.flat_map(Condition::steps_mut).chain(each.items.steps_mut())
        });
        reads.extend(of_items);
        reads.extend(self.when.iter_mut().flat_map(Condition::steps_mut));
        reads.extend(self.inputs.iter_mut().flat_map(|(_, source)| source.steps_mut()));
        match &mut self.kind {
            Kind::Set(_) | Kind::Exit(_) => {
                reads.extend(self.kind.sources_mut().into_iter().flat_map(Source::steps_mut));
            }
            _ => {
                let conditions = self.kind.conditions_mut().into_iter();
                reads.extend(conditions.flat_map(Condition::steps_mut));
            }
        }
        reads
    }

    /// The steps beside it whose values or phases it reads.
    #[must_use]
    pub fn reads(&self) -> Vec<usize> {
        let mut copy = self.clone();
        copy.on_failure = None;
        copy.reads_mut().into_iter().map(|step| *step).collect()
    }

    /// The blocks that it may run, in place of its work or after its failure.
    pub fn blocks(&self) -> impl Iterator<Item = usize> {
        let handler = self.on_failure.iter().flat_map(|handler| handler.kind.blocks());
        self.kind.blocks().into_iter().chain(handler)
    }

    /// How many of its needs have to count.
    #[must_use]
    pub fn required(&self) -> usize {
        let join = self.join.as_ref();
        join.map_or(self.needs.len(), |join| join.required(self.needs.len()))
    }

    /// It may begin before all its needs have ended.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.required() < self.needs.len()
    }
}

impl Body {
    /// Whether `to` is needed by `from`, over however many others.
    #[must_use]
    pub fn is_upstream(&self, to: usize, from: usize) -> bool {
        self.steps[from]
            .needs
            .iter()
            .any(|need| *need == to || self.is_upstream(to, *need))
    }

    /// Of those upstream of a step: the ones that have ended whenever it begins.
    #[must_use]
    pub fn ended(&self, needs: &[usize], is_partial: bool) -> BTreeSet<usize> {
        let of_need = |need: &usize| {
            let above = &self.steps[*need];
            let mut ended = self.ended(&above.needs, above.is_partial());
            ended.insert(*need);
            ended
        };
        let all = needs
            .iter()
            .map(of_need)
            .reduce(|all, ended| if is_partial { &all & &ended } else { &all | &ended });
        all.unwrap_or_default()
    }

    /// The steps that need this one.
    pub fn below(&self, step: usize) -> impl Iterator<Item = (usize, &StepCase)> {
        let steps = self.steps.iter().enumerate();
        steps.filter(move |(_, other)| other.needs.contains(&step))
    }

    /// The steps in it, and those that follow failures.
    pub fn all(&self) -> impl Iterator<Item = &StepCase> {
        let handlers = self.steps.iter().filter_map(|step| step.on_failure.as_deref());
        self.steps.iter().chain(handlers).chain(self.on_failure.as_deref())
    }

    /// The steps upstream of a step with these needs: what its expressions may read.
    #[must_use]
    pub fn readable(&self, needs: &[usize]) -> Vec<usize> {
        let is_read = |place: &usize| {
            let mut needs = needs.iter();
            needs.any(|need| need == place || self.is_upstream(*place, *need))
        };
        (0..self.steps.len()).filter(is_read).collect()
    }
}

impl Case {
    pub const TOTAL_S: u64 = 30 * 86_400;

    #[must_use]
    pub fn body(&self, block: Option<usize>) -> &Body {
        block.map_or(&self.root, |block| &self.blocks[block])
    }

    pub fn body_mut(&mut self, block: Option<usize>) -> &mut Body {
        match block {
            Some(block) => &mut self.blocks[block],
            None => &mut self.root,
        }
    }

    /// Which bodies there are: none is the run's own.
    pub fn bodies(&self) -> impl Iterator<Item = Option<usize>> + use<> {
        [None].into_iter().chain((0..self.blocks.len()).map(Some))
    }

    /// The steps of all bodies.
    pub fn all_steps(&self) -> impl Iterator<Item = &StepCase> {
        self.bodies().flat_map(|body| &self.body(body).steps)
    }

    /// What a step gives.
    #[must_use]
    pub fn offers(&self, step: &StepCase) -> Vec<Offer> {
        let may_run_nothing = matches!(&step.kind, Kind::Loop(looped) if looped.before.is_some());
        let is_certain = step.when.is_none() && step.then == Then::Fail && !may_run_nothing;
        if step.each.is_some() {
            return Vec::new();
        }
        if let Kind::Set(variables) = &step.kind {
            let offer = |(name, _): &(String, Source)| Offer {
                name: name.clone(),
                kind: ValueType::Integer,
                is_certain,
            };
            return variables.iter().map(offer).collect();
        }
        if step.kind.has_jobs() {
            let offer = |output: &Output| Offer {
                name: output.name.clone(),
                kind: output.kind,
                is_certain: is_certain && (!output.optional || output.default.is_some()),
            };
            return step.outputs.iter().map(offer).collect();
        }
        let blocks = step.kind.blocks();
        // A choice that may run none gives nothing for certain.
        let ways = match &step.kind {
            Kind::Choice { cases, .. } => cases.len() + 1,
            _ => blocks.len(),
        };
        let mut offers: Vec<(Offer, usize, bool)> = Vec::new();
        let outputs = blocks.iter().flat_map(|block| {
            let outputs = self.blocks[*block].outputs.iter();
            outputs.map(|(name, source)| (name, self.kind_of(source, Some(*block))))
        });
        for (name, kind) in outputs {
            if let Some((offer, count, is_one_kind)) = offers.iter_mut().find(|(offer, ..)| offer.name == *name) {
                *count += 1;
                *is_one_kind &= offer.kind == kind;
            } else {
                let name = name.clone();
                offers.push((Offer { name, kind, is_certain }, 1, true));
            }
        }
        let known = offers.into_iter().filter(|(.., is_one_kind)| *is_one_kind);
        known
            .map(|(offer, count, _)| Offer {
                is_certain: is_certain && count == ways,
                ..offer
            })
            .collect()
    }

    /// An integer output that each item of a fork may give.
    #[must_use]
    pub fn integer_of_item(&self, step: &StepCase) -> Option<String> {
        let own = step.outputs.iter().filter(|output| output.kind == ValueType::Integer);
        let own = own.map(|output| output.name.clone());
        let inner = step.kind.blocks().into_iter().flat_map(|block| {
            let outputs = self.blocks[block].outputs.iter();
            let integers = outputs.filter(move |(_, source)| self.kind_of(source, Some(block)) == ValueType::Integer);
            integers.map(|(name, _)| name.clone())
        });
        own.chain(inner).next()
    }

    /// The type of what a source in this body gives.
    #[must_use]
    pub fn kind_of(&self, source: &Source, body: Option<usize>) -> ValueType {
        match source {
            Source::Literal(value) | Source::Default(value) => kind_of(value),
            Source::Absent | Source::Phase(_) | Source::Selected(_) => ValueType::String,
            Source::Judged(_) => ValueType::Boolean,
            Source::Reads(step, name) => {
                let offers = self.offers(&self.body(body).steps[*step]);
                offers.iter().find(|offer| offer.name == *name).unwrap().kind
            }
            Source::Level
            | Source::RunLevel
            | Source::ReadsOr(..)
            | Source::Divides(..)
            | Source::Iterations(_)
            | Source::Iteration
            | Source::Item(_)
            | Source::Index
            | Source::Variable(..)
            | Source::ExitCode(_)
            | Source::ItemsWell(_)
            | Source::Items(_)
            | Source::Sum(..)
            | Source::LastOr(..) => ValueType::Integer,
        }
    }

    /// The blocks that some step may run: others would be refused.
    #[must_use]
    pub fn used_blocks(&self) -> BTreeSet<usize> {
        let mut used = BTreeSet::new();
        let of_exit = self.on_exit.iter().flat_map(|step| step.kind.blocks());
        let mut open: Vec<Option<usize>> = of_exit.filter(|block| used.insert(*block)).map(Some).collect();
        open.push(None);
        while let Some(body) = open.pop() {
            let blocks = self.body(body).all().flat_map(StepCase::blocks);
            open.extend(blocks.filter(|block| used.insert(*block)).map(Some));
        }
        used
    }

    /// The most steps that a pass through a body may bring into the status, blocks within it included.
    #[must_use]
    pub fn weight(&self, block: Option<usize>) -> usize {
        let body = self.body(block);
        let steps = body.steps.iter().chain(body.on_failure.as_deref());
        let exit = self.on_exit.as_deref().filter(|_| block.is_none());
        steps.chain(exit).map(|step| self.weight_of(step)).sum()
    }

    /// The same of one step, however often it runs, and of what follows its failure.
    #[must_use]
    pub fn weight_of(&self, step: &StepCase) -> usize {
        let once = 1 + self.weight_below(&step.kind);
        let all = match &step.each {
            Some(each) => 1 + once * each.items.max(),
            None => once,
        };
        all + step.on_failure.as_deref().map_or(0, |handler| self.weight_of(handler))
    }

    #[must_use]
    pub fn weight_below(&self, kind: &Kind) -> usize {
        let blocks = kind.blocks().into_iter();
        let largest = blocks.map(|block| self.weight(Some(block))).max().unwrap_or(0);
        match kind {
            Kind::Loop(looped) => largest * usize::try_from(looped.iterations_max()).unwrap(),
            _ => largest,
        }
    }
}

impl Loop {
    /// `maxIterations`, or less where `while` counts.
    #[must_use]
    pub fn iterations_max(&self) -> u32 {
        match self.before {
            Some(Condition::Iteration(bound)) => self.max.min(bound),
            _ => self.max,
        }
    }
}

fn kind_of(value: &Value) -> ValueType {
    match value {
        Value::Null | Value::String(_) => ValueType::String,
        Value::Bool(_) => ValueType::Boolean,
        Value::Number(number) if number.is_i64() => ValueType::Integer,
        Value::Number(_) => ValueType::Number,
        Value::Array(_) => ValueType::Array,
        Value::Object(_) => ValueType::Object,
    }
}
