//! A run as rows: the steps by stage, those of one stage side by side under one branch.

use jiff::{SignedDuration, Timestamp};
use jobwright_api::{Step, StepPhase, StepStatus, Workflow};
use serde_json::Value;
use std::collections::BTreeMap;

/// One step.
pub(crate) struct Row {
    /// Lines that show where it stands, four columns.
    pub(crate) branch: &'static str,
    pub(crate) name: String,
    pub(crate) phase: StepPhase,
    pub(crate) attempt: u32,
    pub(crate) duration: Option<SignedDuration>,
    pub(crate) note: String,
}

/// The rows in the order of the stages. A stage is the longest way from a step without needs.
pub(crate) fn rows(workflow: &Workflow, now: Timestamp) -> Vec<Row> {
    let steps = &workflow.spec.steps;
    let stages = stages(steps);
    let last = stages.values().max().copied().unwrap_or_default();
    let status = workflow.status.as_ref();
    let mut rows = Vec::new();
    for stage in 0..=last {
        let members: Vec<&Step> = steps
            .iter()
            .filter(|step| stages.get(step.name.as_str()) == Some(&stage))
            .collect();
        for (place, step) in members.iter().enumerate() {
            let known = status.and_then(|status| status.steps.get(&step.name));
            let branch = branch(place, members.len(), stage == last);
            rows.push(row(branch, step, known, now));
        }
    }
    rows
}

fn stages(steps: &[Step]) -> BTreeMap<&str, usize> {
    let mut stages: BTreeMap<&str, usize> = steps.iter().map(|step| (step.name.as_str(), 0)).collect();
    // As many rounds as steps: a definition with a cycle, which is refused, ends as well.
    for _ in steps {
        for step in steps {
            let needs = step.needs.iter().filter_map(|need| stages.get(need.as_str()));
            let stage = needs.max().map_or(0, |stage| (stage + 1).min(steps.len()));
            stages.insert(&step.name, stage);
        }
    }
    stages
}

fn branch(place: usize, members: usize, is_last_stage: bool) -> &'static str {
    match (place, members, is_last_stage) {
        (0, 1, false) => "├── ",
        (0, 1, true) => "└── ",
        (0, _, false) => "├─┬ ",
        (0, _, true) => "└─┬ ",
        (_, _, false) if place + 1 < members => "│ ├ ",
        (_, _, false) => "│ └ ",
        (_, _, true) if place + 1 < members => "  ├ ",
        (_, _, true) => "  └ ",
    }
}

fn row(branch: &'static str, step: &Step, known: Option<&StepStatus>, now: Timestamp) -> Row {
    let begun = known.and_then(|known| known.scheduled_at.as_ref());
    let ended = known
        .and_then(|known| known.finished_at.as_ref())
        .map_or(now, |time| time.0);
    Row {
        branch,
        name: step.name.clone(),
        phase: known.map(|known| known.phase).unwrap_or_default(),
        attempt: known.map_or(0, |known| known.attempts.count),
        // The clock of the operator may be ahead of ours.
        duration: begun.map(|begun| ended.duration_since(begun.0).max(SignedDuration::ZERO)),
        note: known.map_or_else(String::new, note),
    }
}

/// What a person wants to know next: what came out, or why it is not further.
fn note(step: &StepStatus) -> String {
    if step.phase == StepPhase::Succeeded {
        // What can be read comes first, then how much there is of the rest.
        let (parts, whole): (Vec<_>, Vec<_>) = step
            .outputs
            .iter()
            .partition(|(_, value)| value.is_array() || value.is_object());
        let outputs = whole.into_iter().chain(parts);
        return outputs
            .map(|(name, value)| format!("{name}={}", brief(value)))
            .collect::<Vec<_>>()
            .join(" ");
    }
    let words = [
        step.sub_status.as_ref().map(ToString::to_string),
        step.reason.as_ref().map(ToString::to_string),
        step.message.clone(),
    ];
    words
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(": ")
        .replace(char::is_control, " ")
}

fn brief(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.len()),
        Value::Object(members) => format!("{{{}}}", members.len()),
        Value::String(text) => text.replace(char::is_control, " "),
        other => other.to_string(),
    }
}

/// `1.2s`, `1m05s`, `2h01m`.
pub(crate) fn brief_duration(duration: SignedDuration) -> String {
    let (seconds, tenths) = (duration.as_secs(), duration.subsec_millis() / 100);
    match seconds {
        0..60 => format!("{seconds}.{tenths}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}
