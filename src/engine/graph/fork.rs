//! A step that runs once for each item: the step that forks, and the step as an item runs it.

use jobwright_api::{
    ForEach, Reason,
    policy::{Then, Timeouts},
};

use super::{Body, CompiledForEach, check::Wanted, compile, names, site::Site};
use crate::{
    definition::{Kind, StepDefinition},
    expr::{self, Members, Type, TypeEnv},
    problem::Problem,
};

/// The step that forks: what holds for each item is not its own.
pub(super) fn whole(step: &StepDefinition) -> StepDefinition {
    StepDefinition {
        kind: Kind::ForEach,
        retry: None,
        timeouts: Timeouts::default(),
        given: Vec::new(),
        ..step.clone()
    }
}

pub(super) fn compile(site: &Site, each: &ForEach, problems: &mut Vec<Problem>) -> CompiledForEach {
    let types = site.types;
    name(site, each.name(), problems);
    let items = site.optional("forEach.items", each.items.as_deref(), types, Wanted::List, problems);
    let types = types.clone().with(each.name(), Type::Dyn).with("index", Type::Int);
    let outputs = super::flow::given(site.section.definition, site.step);
    let types_after = types.clone().with("last", outputs);
    let stop_when = each.stop_when.as_deref();
    let stop_when = site.optional("forEach.stopWhen", stop_when, &types_after, Wanted::Boolean, problems);
    CompiledForEach {
        definition: each.clone(),
        items,
        stop_when,
        types_after,
        item: item(site, each, types, problems),
    }
}

/// An item has no needs: it begins when the fork lets it.
fn item(site: &Site, each: &ForEach, types: TypeEnv, problems: &mut Vec<Problem>) -> Body {
    let definition = StepDefinition {
        needs: Vec::new(),
        join: None,
        for_each: None,
        when: each.when.clone(),
        then: Then::Fail,
        on_failure: None,
        ..site.step.clone()
    };
    let when = ("forEach.when", each.when.as_deref());
    let node = compile::work(site, definition, Vec::new(), when, &types, problems);
    Body::of_one(node, types)
}

/// The root of the item must not hide another.
fn name(site: &Site, name: &str, problems: &mut Vec<Problem>) {
    if name == ForEach::NAME_DEFAULT {
        return;
    }
    if expr::ROOTS.contains(&name) {
        let words = format!("{name} is a root of its own: take another name");
        problems.push(Problem::new(Reason::InvalidDefinition, site.path("forEach.as"), words));
    } else {
        problems.extend(names::check(name, site.path("forEach.as")));
    }
}

/// What an expression reads of the step once it has ended, beside `outputs`.
pub(super) fn members(outputs: Members) -> [(&'static str, Type); 3] {
    let counts = ["total", "succeeded", "failed", "skipped", "cancelled"];
    let counts = counts
        .into_iter()
        .fold(Members::new(), |members, name| members.with(name, Type::Int));
    let failed = Members::new().with("index", Type::Int).with("reason", Type::String);
    [
        ("counts", counts.into()),
        ("failedItems", Type::list(failed)),
        ("results", Type::list(outputs)),
    ]
}
