//! Makes a failing case smaller while it still fails in the same way.

use jobwright_api::{policy::Then, settings::JobSettings};
use jobwright_engine::plan::{Sources, plan};
use jobwright_tests::graphs::{Body, Case, Condition, Each, Items, Kind, Outcome, Said, Source, StepCase};
use jobwright_tests::laws::Fault;
use std::collections::BTreeMap;

use crate::{play::Mood, random::play};

/// Tries each simplification until none helps.
pub(crate) fn shrink(case: &Case, seed: u64, fault: &Fault) -> (Case, Option<Mood>) {
    let mut best = (case.clone(), None);
    let fails = |case: &Case, mood| play(case, seed, mood).is_err_and(|other| kind(&other) == kind(fault));
    if fails(&best.0, Some(Mood::default())) {
        best.1 = Some(Mood::default());
    }
    loop {
        let smaller = simpler(&best.0)
            .into_iter()
            .find(|case| is_sound(case) && fails(case, best.1));
        match smaller {
            Some(case) => best.0 = case,
            None => return best,
        }
    }
}

/// The words of a fault that do not hang on names and numbers.
pub(crate) fn kind(fault: &str) -> Vec<&str> {
    let is_plain = |word: &&str| !word.contains(|c: char| c.is_ascii_digit());
    fault.split_whitespace().filter(is_plain).take(16).collect()
}

/// Cases that are a little smaller; the greatest steps first.
fn simpler(case: &Case) -> Vec<Case> {
    let mut smaller = Smaller {
        case,
        cases: Vec::new(),
    };
    for body in case.bodies() {
        for step in (0..case.body(body).steps.len()).rev() {
            smaller.cases.extend(without(case, body, step));
        }
    }
    smaller.push(|case| case.ttl_s = None);
    smaller.push(|case| case.on_exit = None);
    for body in case.bodies() {
        smaller.push(|case| case.body_mut(body).on_failure = None);
        smaller.push(|case| case.body_mut(body).reversed = false);
        smaller.push(|case| drop(case.body_mut(body).outputs.pop()));
        for step in 0..case.body(body).steps.len() {
            smaller.step(body, step);
        }
    }
    smaller.cases
}

/// What may be left out of a fork.
const EACH: [fn(&mut Each); 7] = [
    |each| each.items = Items::Count(u32::try_from(each.items.max() / 2).unwrap()),
    |each| each.items = Items::Count(u32::try_from(each.items.max()).unwrap().saturating_sub(1)),
    |each| each.at_once = None,
    |each| each.may_fail = None,
    |each| each.lets_finish = false,
    |each| each.stop_when = None,
    |each| each.when = None,
];

struct Smaller<'a> {
    case: &'a Case,
    cases: Vec<Case>,
}

impl Smaller<'_> {
    fn push(&mut self, change: impl FnOnce(&mut Case)) {
        let mut smaller = self.case.clone();
        change(&mut smaller);
        if format!("{smaller:?}") != format!("{:?}", self.case) {
            self.cases.push(smaller);
        }
    }

    /// Without what makes a step wait for less, run more often or be followed.
    fn rich(&mut self, body: Option<usize>, at: usize) {
        let mut push = |change: &dyn Fn(&mut StepCase)| {
            self.push(|case| change(&mut case.body_mut(body).steps[at]));
        };
        push(&|step| step.on_failure = None);
        push(&|step| step.join = None);
        push(&|step| {
            if let Some(join) = &mut step.join {
                join.cancels = false;
            }
        });
        push(&|step| {
            if let Some(join) = &mut step.join {
                join.is_strict = false;
            }
        });
        push(&|step| step.each = None);
        for change in EACH {
            push(&|step| step.each.iter_mut().for_each(change));
        }
    }

    fn step(&mut self, body: Option<usize>, at: usize) {
        self.rich(body, at);
        let mut push = |change: &dyn Fn(&mut StepCase)| {
            self.push(|case| change(&mut case.body_mut(body).steps[at]));
        };
        push(&|step| step.when = None);
        push(&|step| step.retry = None);
        push(&|step| step.schedule_to_start = false);
        push(&|step| step.then = Then::default());
        push(&|step| step.needs.truncate(step.needs.len().saturating_sub(1)));
        push(&|step| {
            if step.outcomes.len() > 1 {
                step.outcomes.remove(step.outcomes.len() - 2);
            }
        });
        push(&|step| {
            if step.kind.has_jobs() {
                step.kind = Kind::Job;
                step.inputs.clear();
            }
        });
        push(&|step| {
            if step.kind.has_jobs() && step.outputs.is_empty() {
                step.outcomes = vec![well()];
            }
        });
        push(&|step| step.inputs.iter_mut().for_each(|(name, source)| plain(name, source)));
        push(&|step| match &mut step.kind {
            Kind::Loop(looped) if looped.max > 1 => looped.max -= 1,
            Kind::Wait { seconds } => *seconds /= 2,
            _ => {}
        });
        push(&|step| match &mut step.kind {
            Kind::Loop(looped) => looped.delay_s = None,
            Kind::Exit(exit) => exit.outputs.clear(),
            Kind::Choice { cases, .. } if cases.len() > 1 => drop(cases.pop()),
            _ => {}
        });
        push(&|step| {
            if let Kind::Loop(looped) = &mut step.kind {
                looped.before = looped.before.take().filter(|_| looped.after.is_none());
            }
        });
        for nth in 0..4 {
            push(&|step| {
                if let Some(condition) = step.conditions_mut().into_iter().nth(nth) {
                    *condition = Condition::Literal(nth % 2 == 0);
                }
            });
        }
        // What it runs in place of it, or nothing that takes time.
        for block in self.case.body(body).steps[at].kind.blocks() {
            self.push(|case| case.body_mut(body).steps[at].kind = Kind::Block(block));
        }
        self.push(|case| {
            let step = &mut case.body_mut(body).steps[at];
            if !step.kind.has_jobs() {
                step.kind = Kind::Job;
                step.outcomes = vec![well()];
                step.inputs.clear();
            }
        });
    }
}

fn well() -> Outcome {
    Outcome::Exit {
        code: 0,
        start_ms: 10,
        run_ms: 10,
        said: Said::Nothing,
    }
}

/// A literal of the type that a block wants of this input.
fn plain(name: &str, source: &mut Source) {
    match name {
        "level" => *source = Source::Literal(1.into()),
        "flag" => *source = Source::Literal(true.into()),
        _ => {}
    }
}

/// Expressions read only what is upstream and given.
fn is_sound(case: &Case) -> bool {
    let is_upstream = |body: &Body| {
        let steps = 0..body.steps.len();
        steps.into_iter().all(|place| {
            let reads = body.steps[place].reads();
            reads.iter().all(|read| body.is_upstream(*read, place))
        })
    };
    // A join is about needs, and requires no more than there are.
    let is_join = |step: &StepCase| {
        let has_join = step.join.is_some();
        !has_join || (!step.needs.is_empty() && step.required() <= step.needs.len())
    };
    let has_joins = case.all_steps().all(is_join);
    has_joins && case.bodies().all(|body| is_upstream(case.body(body))) && compiles(case)
}

/// The definition is one that begins to run: what reads an output that is no more given is refused.
fn compiles(case: &Case) -> bool {
    jobwright_tests::hunt::safely(|| {
        let tasks = case.tasks().into_iter().map(|(name, task)| (name, task.into()));
        let sources = Sources {
            tasks: &tasks.collect(),
            templates: &BTreeMap::new(),
            settings: &JobSettings::default(),
        };
        let plan = plan(&case.workflow_spec(), sources);
        plan.map(drop).map_err(|unready| format!("{unready:?}"))
    })
    .is_ok()
}

/// Without one step, where no other reads it.
fn without(case: &Case, body: Option<usize>, place: usize) -> Option<Case> {
    let list = case.body(body);
    let by_output = list.outputs.iter().any(|(_, source)| source.reads().contains(&place));
    let by_step = list.steps.iter().any(|step| {
        let mut copy = step.clone();
        copy.reads_mut().into_iter().any(|read| *read == place)
    });
    let by_step = by_step || read_at_end(case, body).contains(&place);
    if list.steps.len() < 2 || by_output || by_step {
        return None;
    }
    let mut smaller = case.clone();
    let list = smaller.body_mut(body);
    list.steps.remove(place);
    let moved = |step: &mut usize| {
        if *step > place {
            *step -= 1;
        }
    };
    for step in &mut list.steps {
        step.needs.retain(|need| *need != place);
        step.needs.iter_mut().for_each(moved);
        step.reads_mut().into_iter().for_each(moved);
    }
    for (_, source) in &mut list.outputs {
        source.steps_mut().into_iter().for_each(moved);
    }
    list.on_failure
        .iter_mut()
        .flat_map(|step| step.reads_mut())
        .for_each(moved);
    if body.is_none() {
        smaller
            .on_exit
            .iter_mut()
            .flat_map(|step| step.reads_mut())
            .for_each(moved);
    }
    Some(smaller)
}

/// The steps of a body that its handlers read.
fn read_at_end(case: &Case, body: Option<usize>) -> Vec<usize> {
    let exit = case.on_exit.iter().filter(|_| body.is_none());
    let handlers = case.body(body).on_failure.iter().chain(exit);
    handlers.flat_map(|step| step.reads()).collect()
}
