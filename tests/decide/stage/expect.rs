//! The notation of what is expected.

use jobwright_api::{Reason, StepPhase, SubStatus};
use serde_json::Value;

use super::{Stage, graph::span, parts, words};

const ACTIONS: [&str; 11] = [
    "page", "read", "send", "start", "try", "stop", "expire", "confirm", "pods", "probe", "snapshot",
];

/// What is otherwise than expected.
pub(super) fn differences(stage: &Stage, expected: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut actions = Vec::new();
    for part in parts(expected) {
        let words = words(&part);
        if ACTIONS.contains(&words[0].as_str()) {
            actions.push(part);
        } else {
            wrong.extend(difference(stage, &words));
        }
    }
    let mut done = stage.done.clone();
    // Probes change nothing: told only where asked for.
    if !actions.iter().any(|action| action.starts_with("probe")) {
        done.retain(|action| !action.starts_with("probe"));
    }
    actions.sort();
    done.sort();
    if done != actions {
        wrong.push(format!("does {done:?}, not {actions:?}"));
    }
    wrong
}

fn difference(stage: &Stage, words: &[String]) -> Option<String> {
    let (subject, what) = (words[0].as_str(), words[1].as_str());
    match subject {
        "wake" => {
            let at = stage.after(span(what));
            let found = stage.wake_at.map(|at| at.duration_since(stage.start));
            (stage.wake_at != Some(at)).then(|| format!("wakes after {found:?}, not {what}"))
        }
        "run" => on_run(stage, words),
        attempt if attempt.contains('#') => on_attempt(stage, attempt, what),
        step => on_step(stage, step, words),
    }
}

fn on_run(stage: &Stage, words: &[String]) -> Option<String> {
    let status = &stage.pending;
    match words[1].as_str() {
        "says" => missing("run", status.message.as_deref(), &words[2]),
        "out" => member("run", &status.outputs, &words[2]),
        "counts" => {
            let (id, count) = words[2].split_once('=')?;
            let found = status.loop_counts.get(id).copied().unwrap_or_default().to_string();
            (found != count).then(|| format!("{id} is counted {found} times, not {count}"))
        }
        "records" => (status.records.len().to_string() != words[2])
            .then(|| format!("{} records, not {}", status.records.len(), words[2])),
        "done" => {
            let found = status.progress.as_ref().map(|progress| progress.summary.clone());
            (found.as_deref() != Some(&words[2])).then(|| format!("done are {found:?}"))
        }
        "shows" => {
            let most: usize = words[2].parse().unwrap();
            (status.steps.len() > most).then(|| format!("{} steps are shown", status.steps.len()))
        }
        number if number.starts_with("run=") => {
            let found = format!("run={}", status.run.unwrap_or_default());
            (found != number).then(|| format!("is {found}"))
        }
        what => {
            let phase = status.phase.map(|phase| phase.to_string()).unwrap_or_default();
            unlike("run", &phase, status.reason.as_ref(), status.sub_status.as_ref(), what)
        }
    }
}

fn on_step(stage: &Stage, name: &str, words: &[String]) -> Option<String> {
    let Some(step) = stage.pending.steps.get(name) else {
        if words[1] == "gone" {
            return None;
        }
        return Some(format!("{name} is not in the status"));
    };
    match words[1].as_str() {
        "says" => missing(name, step.message.as_deref(), &words[2]),
        "out" => member(name, &step.outputs, &words[2]),
        "in" => member(name, &step.inputs, &words[2]),
        "nothing" => (!step.outputs.is_empty()).then(|| format!("{name} gives {:?}", step.outputs)),
        "gone" => Some(format!("{name} is still in the status")),
        count if count.starts_with("iterations=") => {
            let found = format!("iterations={}", step.iterations);
            (found != count).then(|| format!("{name} has {found}"))
        }
        "counts" => {
            let found = serde_json::to_string(&step.counts).unwrap();
            let found = found.replace(['"', '{', '}'], "");
            (!found.contains(&words[2])).then(|| format!("{name} counts {found}"))
        }
        "selected" => {
            let found = step.selected.as_deref().unwrap_or("nothing yet");
            (found != words[2]).then(|| format!("{name} has selected {found}"))
        }
        count if count.starts_with("attempts=") => {
            let found = format!("attempts={}", step.attempts.count);
            (found != count).then(|| format!("{name} has {found}"))
        }
        what => unlike(
            name,
            &step.phase.to_string(),
            step.reason.as_ref(),
            step.sub_status.as_ref(),
            what,
        ),
    }
}

fn on_attempt(stage: &Stage, attempt: &str, what: &str) -> Option<String> {
    let (step, number) = attempt.split_once('#')?;
    let recent = &stage.pending.steps.get(step)?.attempts.recent;
    let Some(found) = recent.iter().find(|attempt| attempt.number.to_string() == number) else {
        return Some(format!("{attempt} is not in the status"));
    };
    if what == "asked-to-stop" {
        return found.stop.is_none().then(|| format!("{attempt} has no stop intent"));
    }
    let phase = if found.phase == StepPhase::Pending {
        String::new()
    } else {
        found.phase.to_string()
    };
    unlike(attempt, &phase, found.reason.as_ref(), None, what)
}

/// `Failed/ExitCode`, `Scheduled+Unschedulable`, or the phase alone.
fn unlike(whose: &str, phase: &str, reason: Option<&Reason>, waits: Option<&SubStatus>, what: &str) -> Option<String> {
    let mut found = phase.to_owned();
    if what.contains('/') {
        found = format!("{found}/{}", reason.map_or_else(String::new, Reason::to_string));
    }
    if what.contains('+') {
        found = format!("{found}+{}", waits.map_or_else(String::new, SubStatus::to_string));
    }
    (found != what).then(|| format!("{whose} is {found}, not {what}"))
}

fn missing(whose: &str, message: Option<&str>, what: &str) -> Option<String> {
    let message = message.unwrap_or_default();
    (!message.contains(what)).then(|| format!("{whose} says {message:?}, not {what:?}"))
}

fn member(whose: &str, outputs: &std::collections::BTreeMap<String, Value>, what: &str) -> Option<String> {
    let (name, value) = what.split_once('=')?;
    let value: Value = serde_json::from_str(value).unwrap();
    let found = outputs.get(name);
    (found != Some(&value)).then(|| format!("{whose} gives {found:?} as {name}, not {value}"))
}
