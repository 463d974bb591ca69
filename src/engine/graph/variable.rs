//! Variables: who sets them, and what a step may read of them.

use jobwright_api::{Reason, ValueType, Variable, policy::Then};
use std::collections::{BTreeMap, BTreeSet};

use super::{names, section::Section};
use crate::{
    definition::{Flow, StepDefinition},
    expr::{Members, Type, TypeEnv},
    problem::Problem,
};

/// What a step sets.
fn set(step: &StepDefinition) -> &[Variable] {
    match &step.flow {
        Some(Flow::Set(variables)) => variables,
        _ => &[],
    }
}

/// Positions of the steps among `of` that set variables, in the order in which they run.
pub(super) fn writers(section: &Section, order: &[usize], of: &BTreeSet<usize>) -> Vec<usize> {
    let writes = |at: &&usize| section.steps.get(**at).is_some_and(|step| !set(step).is_empty());
    order
        .iter()
        .filter(|at| of.contains(at))
        .filter(writes)
        .copied()
        .collect()
}

/// The root `vars`, where these steps may have run, and have where `has_ended`. Of two that set the same, the later one
/// counts.
pub(super) fn with_variables(
    types: &TypeEnv,
    section: &Section,
    writers: &[usize],
    has_ended: impl Fn(usize) -> bool,
) -> TypeEnv {
    let mut found: BTreeMap<&str, (ValueType, bool)> = BTreeMap::new();
    for (at, step) in writers.iter().filter_map(|at| Some((*at, section.steps.get(*at)?))) {
        let is_certain = step.when.is_none() && step.then == Then::Fail && has_ended(at);
        for variable in set(step) {
            let entry = found.entry(&variable.name).or_insert((variable.kind, false));
            entry.1 = entry.1 || is_certain;
        }
    }
    let members = found
        .into_iter()
        .fold(Members::new(), |members, (name, (kind, is_certain))| {
            if is_certain {
                members.with(name, Type::from(kind))
            } else {
                members.with_optional(name, Type::from(kind))
            }
        });
    types.clone().with("vars", members)
}

/// Names, one type for each variable, and no two steps side by side that set the same one.
pub(super) fn check(section: &Section, upstream: &[BTreeSet<usize>], problems: &mut Vec<Problem>) {
    let mut known: BTreeMap<&str, Vec<(usize, ValueType)>> = BTreeMap::new();
    for (at, step) in section.steps.iter().enumerate() {
        for (index, variable) in set(step).iter().enumerate() {
            let path = section.step(at, &format!("set[{index}]"));
            problems.extend(names::check(&variable.name, format!("{path}.name")));
            let earlier = known.entry(&variable.name).or_default();
            for (other, kind) in earlier.iter() {
                if let Some(words) = clash(section, (at, variable), (*other, *kind), upstream) {
                    problems.push(Problem::new(Reason::InvalidDefinition, path.clone(), words));
                }
            }
            earlier.push((at, variable.kind));
        }
    }
}

fn clash(
    section: &Section,
    (at, variable): (usize, &Variable),
    (other, kind): (usize, ValueType),
    upstream: &[BTreeSet<usize>],
) -> Option<String> {
    let name = &variable.name;
    let who = section.steps.get(other).map_or("", |step| step.name.as_str());
    if kind != variable.kind {
        return Some(format!(
            "{name} is {} here and {kind} in step {who}: give it one type",
            variable.kind
        ));
    }
    let comes_after = |a: usize, b: usize| upstream.get(a).is_some_and(|above| above.contains(&b));
    if at == other {
        return Some(format!("{name} is set twice in this step: once is enough"));
    }
    let is_ordered = comes_after(at, other) || comes_after(other, at);
    (!is_ordered).then(|| format!("step {who} sets {name} too, and may run at the same time: let one need the other"))
}
