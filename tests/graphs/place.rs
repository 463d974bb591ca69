//! Where a step stands while a run goes on: its printed id, and its place in the definition.

use super::{Case, Kind, Outcome, StepCase};

/// A step as it runs, such as `o[0].l[1].x`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub id: String,
    /// The block that it is a step of; none is the run.
    pub block: Option<usize>,
    pub step: usize,
}

impl Place {
    /// What stands before its name, equal for all steps of one pass through a body: `o[0].l[1].`.
    #[must_use]
    pub fn frame(&self) -> &str {
        frame(&self.id)
    }

    /// The step around it, and the iteration of it that this is.
    #[must_use]
    pub fn above(&self) -> Option<(&str, Option<u32>)> {
        let above = self.frame().strip_suffix('.')?;
        Some(split(above))
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

/// A last index, if there is one.
fn split(id: &str) -> (&str, Option<u32>) {
    match id.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) {
        Some((name, index)) => (name, index.parse().ok()),
        None => (id, None),
    }
}

impl Case {
    /// The step of this printed id; none where there can be no such step.
    #[must_use]
    pub fn place(&self, id: &str) -> Option<Place> {
        let mut found: Option<(Option<usize>, usize)> = None;
        let mut is_loop = false;
        for segment in id.split('.') {
            let bodies = match found {
                None => vec![None],
                Some((block, step)) => {
                    let kind = &self.body(block).steps[step].kind;
                    if is_loop != matches!(kind, Kind::Loop(_)) {
                        return None;
                    }
                    kind.blocks().into_iter().map(Some).collect()
                }
            };
            let (name, index) = split(segment);
            is_loop = index.is_some();
            let named = |body: &Option<usize>| {
                let step = self.body(*body).steps.iter().position(|step| step.name == name)?;
                Some((*body, step))
            };
            found = Some(bodies.iter().find_map(named)?);
        }
        let (block, step) = found.filter(|_| !is_loop)?;
        let id = id.to_owned();
        Some(Place { id, block, step })
    }

    #[must_use]
    pub fn step(&self, place: &Place) -> &StepCase {
        &self.body(place.block).steps[place.step]
    }

    /// Ids of the direct needs, with what they are.
    pub fn needs(&self, place: &Place) -> impl Iterator<Item = (String, &StepCase)> {
        let steps = &self.body(place.block).steps;
        let needs = steps[place.step].needs.iter().map(|need| &steps[*need]);
        let frame = place.frame().to_owned();
        needs.map(move |need| (format!("{frame}{}", need.name), need))
    }

    /// The outcome of attempt `number` of a step. Below the root each path begins elsewhere in the list, so
    /// that iterations differ.
    #[must_use]
    pub fn outcome(&self, place: &Place, number: u32) -> &Outcome {
        let outcomes = &self.step(place).outcomes;
        let begin = match place.block {
            None => 0,
            Some(_) => usize::try_from(hash(&place.id)).unwrap() % outcomes.len(),
        };
        let at = begin + usize::try_from(number.max(1) - 1).unwrap();
        &outcomes[at.min(outcomes.len() - 1)]
    }
}

/// FNV-1a, for ever the same.
fn hash(text: &str) -> u32 {
    let bytes = text.bytes();
    bytes.fold(0x811C_9DC5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
