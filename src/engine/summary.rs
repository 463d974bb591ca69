//! What is said of a run as a whole: progress, the step to look at, conditions.

use jobwright_api::{Reason, StepPhase, StepStatus, WorkflowPhase, WorkflowStatus, status::Progress};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::{draft::Draft, observed::Observed};

/// Brings everything that follows from phases up to date.
pub(crate) fn complete(observed: &Observed, draft: &mut Draft) {
    let now = draft.now().0;
    let status = &mut draft.status;
    status.observed_generation = Some(observed.generation);
    status.progress = (!status.steps.is_empty() || !status.records.is_empty()).then(|| progress(status));
    status.step = step_to_look_at(status);
    status.duration = duration(status);
    let conditions = conditions(status, observed.generation);
    status.conditions = conditions
        .into_iter()
        .map(|condition| keep_time(condition, &status.conditions, now))
        .collect();
}

/// How a step failed, in one sentence.
pub(crate) fn failure_of(key: &str, step: &StepStatus) -> String {
    let reason = step.reason.as_ref().map_or_else(String::new, ToString::to_string);
    match &step.message {
        Some(message) => format!("step {key} failed: {reason}: {message}"),
        None => format!("step {key} failed: {reason}"),
    }
}

fn progress(status: &WorkflowStatus) -> Progress {
    let mut progress = Progress::default();
    let add = |count: &mut u32, more: u32| *count = count.saturating_add(more);
    for step in status.steps.values() {
        add(&mut progress.total, 1);
        add(&mut progress.done, step.phase.is_terminal().into());
        add(&mut progress.running, step.phase.is_started().into());
        add(&mut progress.succeeded, (step.phase == StepPhase::Succeeded).into());
        add(&mut progress.failed, (step.phase == StepPhase::Failed).into());
        add(&mut progress.skipped, (step.phase == StepPhase::Skipped).into());
    }
    for sealed in status.records.values() {
        add(&mut progress.total, sealed.total);
        add(&mut progress.done, sealed.total);
        add(&mut progress.succeeded, sealed.succeeded);
        add(&mut progress.failed, sealed.failed);
        add(&mut progress.skipped, sealed.skipped);
    }
    progress.summary = format!("{}/{}", progress.done, progress.total);
    progress
}

/// The first that failed, else the one that changed last among those that run.
fn step_to_look_at(status: &WorkflowStatus) -> Option<String> {
    let of = |phase: fn(StepPhase) -> bool| status.steps.iter().filter(move |(_, step)| phase(step.phase));
    let failed = of(|phase| phase == StepPhase::Failed).min_by_key(|(_, step)| step.seq);
    let running = of(|phase| phase.is_started() || matches!(phase, StepPhase::BackingOff | StepPhase::Queued))
        .max_by_key(|(_, step)| step.seq);
    failed.or(running).map(|(key, _)| key.clone())
}

/// From start to end, in the two largest units.
fn duration(status: &WorkflowStatus) -> Option<String> {
    let (start, end) = (status.started_at.as_ref()?, status.finished_at.as_ref()?);
    let span = end.0.duration_since(start.0);
    let millis = u64::try_from(span.as_millis()).unwrap_or_default();
    // Tenths of a second matter below a minute only.
    let rounded = if millis < 60_000 {
        return Some(format!("{}.{}s", millis / 1_000, millis % 1_000 / 100));
    } else {
        millis.saturating_sub(millis % 1_000)
    };
    Some(jobwright_api::Duration::from_millis(rounded).to_string())
}

/// `kstatus` reads `Ready`, `Reconciling` and `Stalled`; people wait for `Succeeded`.
fn conditions(status: &WorkflowStatus, generation: i64) -> Vec<Condition> {
    let phase = status.phase.unwrap_or_default();
    let reason = status
        .reason
        .as_ref()
        .map_or_else(|| phase.to_string(), Reason::to_string);
    let message = status.message.clone().unwrap_or_default();
    let is_stuck = phase == WorkflowPhase::Pending && status.reason.is_some();
    let has_failed = phase.is_terminal() && phase != WorkflowPhase::Succeeded;
    let make = |name: &str, value: Option<bool>| Condition {
        type_: name.to_owned(),
        status: value
            .map_or("Unknown", |value| if value { "True" } else { "False" })
            .to_owned(),
        reason: word(&reason),
        message: message.clone(),
        observed_generation: Some(generation),
        last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
    };
    vec![
        make("Ready", Some(phase == WorkflowPhase::Succeeded)),
        make("Reconciling", Some(!phase.is_terminal() && !is_stuck)),
        make("Stalled", Some(is_stuck || has_failed)),
        make(
            "Succeeded",
            phase.is_terminal().then_some(phase == WorkflowPhase::Succeeded),
        ),
    ]
}

/// A reason of a condition has a form of its own (`metav1.Condition`); unknown words may not have it.
fn word(reason: &str) -> String {
    let is_word = reason.chars().next().is_some_and(|first| first.is_ascii_alphabetic())
        && reason.chars().all(|character| character.is_ascii_alphanumeric());
    if is_word {
        reason.to_owned()
    } else {
        "Unknown".to_owned()
    }
}

/// The time of a condition is that of its last change of status, in whole seconds as it is stored.
fn keep_time(new: Condition, old: &[Condition], now: jiff::Timestamp) -> Condition {
    let before = old
        .iter()
        .find(|old| old.type_ == new.type_ && old.status == new.status);
    let seconds = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
    Condition {
        last_transition_time: before.map_or(Time(seconds), |before| before.last_transition_time.clone()),
        ..new
    }
}
