//! Where a step stands while a run goes on: its printed id, and its place in the definition.

use super::{Case, Kind, Outcome, StepCase};

/// A step as it runs, such as `o[0].l[1].x`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub id: String,
    /// The block that it is a step of; none is the run.
    pub block: Option<usize>,
    pub spot: Spot,
}

/// Which step of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    Step(usize),
    /// What follows the failure of this step.
    OnFailure(usize),
    /// What follows a failure in the body.
    AtFailure,
    /// What follows the end of the run.
    AtExit,
}

/// Names of the steps that handlers are.
pub const ON_FAILURE: &str = "onFailure";
pub const ON_EXIT: &str = "onExit";

impl Place {
    /// What stands before its name, equal for all steps of one pass through a body: `o[0].l[1].`.
    #[must_use]
    pub fn frame(&self) -> &str {
        frame(&self.id)
    }

    /// It is one item of a fork.
    #[must_use]
    pub fn is_item(&self) -> bool {
        self.id.ends_with(']')
    }
}

/// What stands before the name in a printed id.
#[must_use]
pub fn frame(id: &str) -> &str {
    id.rfind('.').map_or("", |dot| &id[..=dot])
}

/// A printed id without its indexes.
#[must_use]
pub fn definition(id: &str) -> String {
    let names: Vec<&str> = id.split('.').map(|segment| split(segment).0).collect();
    names.join(".")
}

/// Whether a step stands below another, or below an iteration of it.
#[must_use]
pub fn is_below(id: &str, above: &str) -> bool {
    id.strip_prefix(above)
        .is_some_and(|rest| rest.starts_with('.') || rest.starts_with('['))
}

/// Whether a handler stands between this frame and the step, or is the step.
#[must_use]
pub fn is_handled(id: &str, frame: &str) -> bool {
    let rest = id.strip_prefix(frame).unwrap_or_default();
    rest.split('.')
        .any(|segment| segment == ON_FAILURE || segment == ON_EXIT)
}

/// A last index, if there is one.
#[must_use]
pub fn split(id: &str) -> (&str, Option<u32>) {
    match id.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) {
        Some((name, index)) => (name, index.parse().ok()),
        None => (id, None),
    }
}

impl Case {
    /// The step of this printed id; none where there can be no such step.
    #[must_use]
    pub fn place(&self, id: &str) -> Option<Place> {
        // Where it may stand: blocks that a choice may run can have handlers of the same name.
        let mut found: Vec<(Option<usize>, Spot)> = Vec::new();
        let mut index = None;
        for (depth, segment) in id.split('.').enumerate() {
            let (name, next) = split(segment);
            found = if depth == 0 {
                self.named(None, name).into_iter().collect()
            } else {
                found.iter().flat_map(|at| self.below(*at, name, index)).collect()
            };
            index = next;
        }
        let (block, spot) = *found.first()?;
        let is_fork = self.at(block, spot)?.each.is_some();
        let id = id.to_owned();
        (index.is_none() || is_fork).then_some(Place { id, block, spot })
    }

    /// The step of this name in a body.
    fn named(&self, body: Option<usize>, name: &str) -> Option<(Option<usize>, Spot)> {
        let list = self.body(body);
        let spot = match name {
            ON_FAILURE => list.on_failure.as_ref().map(|_| Spot::AtFailure),
            ON_EXIT => self.on_exit.as_ref().filter(|_| body.is_none()).map(|_| Spot::AtExit),
            _ => list.steps.iter().position(|step| step.name == name).map(Spot::Step),
        };
        spot.map(|spot| (body, spot))
    }

    /// The steps of this name right below a step, or below an iteration or item of it.
    fn below(&self, at: (Option<usize>, Spot), name: &str, index: Option<u32>) -> Vec<(Option<usize>, Spot)> {
        let Some(step) = self.at(at.0, at.1) else {
            return Vec::new();
        };
        let handler = match at.1 {
            Spot::Step(place) if name == ON_FAILURE && index.is_none() && step.on_failure.is_some() => {
                Some((at.0, Spot::OnFailure(place)))
            }
            _ => None,
        };
        let has_index = step.each.is_some() || matches!(step.kind, Kind::Loop(_));
        let blocks = step.kind.blocks().into_iter().filter(|_| has_index == index.is_some());
        let inner = blocks.filter_map(|block| self.named(Some(block), name));
        handler.into_iter().chain(inner).collect()
    }

    fn at(&self, block: Option<usize>, spot: Spot) -> Option<&StepCase> {
        let body = self.body(block);
        match spot {
            Spot::Step(place) => body.steps.get(place),
            Spot::OnFailure(place) => body.steps.get(place)?.on_failure.as_deref(),
            Spot::AtFailure => body.on_failure.as_deref(),
            Spot::AtExit => self.on_exit.as_deref(),
        }
    }

    #[must_use]
    pub fn step(&self, place: &Place) -> &StepCase {
        self.at(place.block, place.spot).unwrap()
    }

    /// Ids of the direct needs, with what they are.
    pub fn needs(&self, place: &Place) -> impl Iterator<Item = (String, &StepCase)> {
        let steps = &self.body(place.block).steps;
        let needs = match place.spot {
            Spot::Step(step) if !place.is_item() => steps[step].needs.as_slice(),
            _ => &[],
        };
        let frame = place.frame().to_owned();
        let needs = needs.iter().map(|need| &steps[*need]);
        needs.map(move |need| (format!("{frame}{}", need.name), need))
    }

    /// What a step stands below.
    #[must_use]
    pub fn around(&self, place: &Place) -> Option<Around> {
        let (id, frame) = (place.id.as_str(), place.frame());
        if place.is_item() {
            return Some(Around::Fork(split(id).0.to_owned()));
        }
        let above = frame.strip_suffix('.')?;
        if matches!(place.spot, Spot::OnFailure(_)) {
            return Some(Around::Failed(above.to_owned()));
        }
        let (name, index) = split(above);
        match index {
            Some(index) if self.place(above).is_none() => Some(Around::Iteration(name.to_owned(), index)),
            _ => Some(Around::Block(above.to_owned())),
        }
    }

    /// The outcome of attempt `number` of a step. Below the root each path begins elsewhere in the list, so
    /// that iterations and items differ.
    #[must_use]
    pub fn outcome(&self, place: &Place, number: u32) -> &Outcome {
        let outcomes = &self.step(place).outcomes;
        let begin = if place.block.is_none() && !place.is_item() {
            0
        } else {
            usize::try_from(hash(&place.id)).unwrap() % outcomes.len()
        };
        let at = begin + usize::try_from(number.max(1) - 1).unwrap();
        &outcomes[at.min(outcomes.len() - 1)]
    }
}

/// What a step stands below, by its printed id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Around {
    /// It is an item.
    Fork(String),
    /// It follows the failure of this step.
    Failed(String),
    Block(String),
    Iteration(String, u32),
}

impl Around {
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Fork(id) | Self::Failed(id) | Self::Block(id) | Self::Iteration(id, _) => id,
        }
    }
}

/// FNV-1a, for ever the same.
fn hash(text: &str) -> u32 {
    let bytes = text.bytes();
    bytes.fold(0x811C_9DC5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
