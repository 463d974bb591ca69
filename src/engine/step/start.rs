//! A step without a Job: whether it may start, with which values, and how the Job comes to be.

use jobwright_api::{AttemptStatus, Reason, StepPhase, StepStatus, SubStatus};
use k8s_openapi::api::batch::v1::Job;
use serde_json::Value;
use std::collections::BTreeMap;

use super::{deadline, observe::observe, outcome};
use crate::{
    decision::Action,
    draft::{Cause, Draft},
    expr,
    graph::{Given, Node},
    job::{self, Attempt, Unbuildable},
    number::as_stored,
    observed::{JobView, Refusal, RefusalKind},
    run::Run,
    scope,
    text::clip,
};

/// Results that ride on a Job, in bytes. An object's annotations may take 256 KiB in all.
const CARRIED_BYTES_MAX: usize = 64 * 1024;
/// Inputs up to this size are shown in the status.
const SHOWN_INPUTS_BYTES_MAX: usize = 1024;
const REFUSED_PAUSE_S_MAX: i64 = 60;

/// Moves a step that has no open attempt as far as it may go now.
pub(crate) fn start(run: &Run, draft: &mut Draft, node: &Node, is_failing: bool) {
    let Some(step) = draft.step(node.key()) else {
        return;
    };
    let may_start = match step.phase {
        StepPhase::Pending => is_admitted(run, draft, node, is_failing),
        StepPhase::Queued if is_failing && step.attempts.is_none() => {
            omit(run, draft, node, &run.failure(draft));
            false
        }
        StepPhase::Queued => !run.is_suspended(),
        StepPhase::BackingOff => is_due(draft, step.next_attempt_at.as_ref().map(|at| at.0)) && !run.is_suspended(),
        _ => false,
    };
    // An attempt that ended just now may be followed already: the Job was made before a loss of memory.
    if may_start && !adopt(run, draft, node) {
        make(run, draft, node);
    }
}

fn is_due(draft: &mut Draft, due: Option<jiff::Timestamp>) -> bool {
    match due {
        Some(due) if draft.now().0 < due => {
            draft.wake(due);
            false
        }
        _ => true,
    }
}

/// What the needs of a step say.
enum Join {
    Waits,
    Met,
    /// It can never be met: the need that ended badly.
    Lost(String),
}

fn join(run: &Run, draft: &Draft, node: &Node) -> Join {
    let mut waits = false;
    for need in run.graph.needs(node) {
        match draft.phase_of(need.key()) {
            StepPhase::Succeeded | StepPhase::Skipped => {}
            StepPhase::Failed if need.failure_counts_as_done() => {}
            phase if phase.is_terminal() => {
                return Join::Lost(format!("{} is {phase}", need.key()));
            }
            _ => waits = true,
        }
    }
    if waits { Join::Waits } else { Join::Met }
}

/// Join, run, `when`: in this order, each judged once.
fn is_admitted(run: &Run, draft: &mut Draft, node: &Node, is_failing: bool) -> bool {
    match join(run, draft, node) {
        Join::Lost(words) => {
            omit(run, draft, node, &words);
            return false;
        }
        Join::Waits | Join::Met if is_failing => {
            omit(run, draft, node, &run.failure(draft));
            return false;
        }
        Join::Waits => return false,
        Join::Met => {}
    }
    if run.is_suspended() {
        return false;
    }
    let Some(when) = node.when() else {
        return true;
    };
    match when.evaluate(&scope::of(run, draft, when)) {
        Ok(Value::Bool(true)) => true,
        Ok(Value::Bool(false)) => {
            let cause = Cause::new(Reason::WhenFalse, "");
            draft.move_step(node.key(), StepPhase::Skipped, cause);
            false
        }
        Ok(other) => {
            let found = jobwright_api::ValueType::name_of(&other);
            let words = format!("when: gives {found} instead of a boolean");
            outcome::fail_step(draft, node, Reason::ExpressionError, &words);
            false
        }
        Err(error) => {
            outcome::fail_step(draft, node, Reason::ExpressionError, &format!("when: {error}"));
            false
        }
    }
}

fn omit(run: &Run, draft: &mut Draft, node: &Node, words: &str) {
    if must_confirm(run, draft, node) {
        return;
    }
    draft.move_step(node.key(), StepPhase::Omitted, Cause::new(Reason::NeedNotMet, words));
}

/// A Job of this step that is not on record: made just now, or before a loss of memory. Its existence
/// means started, whatever else has happened since.
pub(crate) fn adopt(run: &Run, draft: &mut Draft, node: &Node) -> bool {
    let Some(found) = next_job(run, draft, node) else {
        return false;
    };
    if draft.step(node.key()).is_some_and(|step| step.inputs.is_empty()) {
        show_inputs(run, draft, node);
    }
    let attempt = AttemptStatus {
        number: next_number(draft, node),
        job: found.name.clone(),
        uid: Some(found.uid.clone()),
        phase: StepPhase::Scheduled,
        scheduled_at: Some(draft.now()),
        ..AttemptStatus::default()
    };
    draft.open_attempt(node.id(), attempt);
    observe(run, draft, node);
    true
}

/// The Job of the attempt after the last one on record, if there is one and it is ours.
pub(crate) fn next_job<'a>(run: &Run<'a>, draft: &Draft, node: &Node) -> Option<&'a JobView> {
    let number = next_number(draft, node);
    let found = run
        .observed
        .jobs
        .get(&job::job_name(&run.identity, node.id(), number))?;
    let is_ours =
        found.owner_uid == run.identity.uid && found.attempt_key == job::attempt_key(&run.identity, node.id(), number);
    is_ours.then_some(found)
}

fn next_number(draft: &Draft, node: &Node) -> u32 {
    draft
        .step(node.key())
        .map_or(1, |step| step.attempts.count.saturating_add(1))
}

/// Makes the Job under its fixed name, unless somebody else has it or the API server refuses.
fn make(run: &Run, draft: &mut Draft, node: &Node) {
    let number = next_number(draft, node);
    let name = job::job_name(&run.identity, node.id(), number);
    if run.observed.jobs.contains_key(&name) {
        // Not ours: else it was adopted.
        name_taken(draft, node, &name);
        return;
    }
    match run.observed.notes.refusals.get(&name) {
        Some(refusal) => refused(run, draft, node, number, name, refusal),
        None => create(run, draft, node, number, name),
    }
}

fn name_taken(draft: &mut Draft, node: &Node, name: &str) {
    let words = format!("a Job named {name} exists and is not of this step: delete it, then start another run");
    outcome::fail_step(draft, node, Reason::NameTaken, &words);
}

fn create(run: &Run, draft: &mut Draft, node: &Node, number: u32, name: String) {
    match make_job(run, draft, node, number) {
        Err(wrong) => outcome::fail_step(draft, node, wrong.reason, &wrong.message),
        Ok(job) if carried_bytes(&job) > CARRIED_BYTES_MAX => draft.write_now(),
        Ok(job) => draft.act(Action::StartJob {
            name,
            job: Box::new(job),
        }),
    }
}

fn carried_bytes(job: &Job) -> usize {
    job.metadata
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(jobwright_api::meta::annotation::CARRIED))
        .map_or(0, String::len)
}

fn refused(run: &Run, draft: &mut Draft, node: &Node, number: u32, name: String, refusal: &Refusal) {
    let word = match refusal.kind {
        RefusalKind::NameTaken => return name_taken(draft, node, &name),
        RefusalKind::Permanent => {
            let words = format!("the API server refuses the Job: {}", refusal.message);
            return outcome::fail_step(draft, node, Reason::Refused, &words);
        }
        RefusalKind::Quota => SubStatus::QuotaBlocked,
        RefusalKind::Unavailable => SubStatus::ApiUnavailable,
    };
    let now = draft.now();
    draft.move_step(node.key(), StepPhase::Queued, Cause::default());
    draft.edit(node.key(), |step| {
        step.scheduled_at.get_or_insert_with(|| now.clone());
        step.queued_at.get_or_insert_with(|| now.clone());
        step.sub_status = Some(word);
        step.message = Some(clip(&refusal.message, 512));
    });
    let deadline = draft
        .step(node.key())
        .and_then(|step| deadline::of_queued(&node.definition().timeouts, step));
    if let Some(deadline) = deadline {
        if deadline.at <= now.0 {
            if must_confirm(run, draft, node) {
                return;
            }
            let stop = deadline.stop(now.0, Some(&refusal.message));
            return outcome::fail_step(draft, node, stop.reason, stop.message.as_deref().unwrap_or_default());
        }
        draft.wake(deadline.at);
    }
    let pause_s = 1_i64
        .checked_shl(refusal.count.saturating_sub(1))
        .unwrap_or(REFUSED_PAUSE_S_MAX)
        .clamp(1, REFUSED_PAUSE_S_MAX);
    let again_at = refusal.at.saturating_add(jiff::SignedDuration::from_secs(pause_s)).ok();
    if is_due(draft, again_at) {
        create(run, draft, node, number, name);
    }
}

/// A create that was answered with an error may have been done all the same: before the step ends
/// without that Job, its absence is confirmed.
pub(crate) fn must_confirm(run: &Run, draft: &mut Draft, node: &Node) -> bool {
    let name = job::job_name(&run.identity, node.id(), next_number(draft, node));
    let notes = run.observed.notes;
    let is_unknown = notes
        .refusals
        .get(&name)
        .is_some_and(|refusal| refusal.kind == RefusalKind::Unavailable);
    if !is_unknown || notes.absent.contains(&name) {
        return false;
    }
    draft.act(Action::ConfirmJob { name });
    true
}

/// Makes the Job of an attempt from what is known now. Equal at every look.
pub(crate) fn make_job(run: &Run, draft: &Draft, node: &Node, number: u32) -> Result<Job, Unbuildable> {
    let inputs = inputs(run, draft, node)?;
    let fields = fields(node, &inputs)?;
    let attempt = Attempt {
        run: &run.identity,
        id: node.id(),
        number,
        step: node.definition(),
        inputs: &inputs,
        fields: &fields,
        idempotency_key: &idempotency_key(run, draft, node)?,
        carried: carried(run, draft, node),
    };
    job::build(&attempt, &run.graph.definition().enforced)
}

fn inputs(run: &Run, draft: &Draft, node: &Node) -> Result<BTreeMap<String, Value>, Unbuildable> {
    let mut given = BTreeMap::new();
    for (name, source) in node.inputs() {
        let value = match source {
            Given::Literal(value) => value.clone(),
            Given::Computed(expression) => expression
                .evaluate(&scope::of(run, draft, expression))
                .map_err(|error| expression_error(&format!("input {name}"), &error))?,
        };
        given.insert(name.clone(), value);
    }
    let checked = job::check_inputs(node.definition().declared.as_deref(), given)?;
    let stored = checked.into_iter().map(|(name, value)| (name, as_stored(value)));
    Ok(stored.collect())
}

/// Computed fields see the inputs of their own step.
fn fields(node: &Node, inputs: &BTreeMap<String, Value>) -> Result<BTreeMap<String, Value>, Unbuildable> {
    let mut values = BTreeMap::new();
    if node.fields().is_empty() {
        return Ok(values);
    }
    let inputs = Value::Object(inputs.clone().into_iter().collect());
    for (field, expression) in node.fields() {
        let value = expression
            .evaluate(&expr::Scope::new().with_ref("inputs", &inputs))
            .map_err(|error| expression_error(&format!("fieldsFrom {field}"), &error))?;
        values.insert(field.clone(), value);
    }
    Ok(values)
}

/// Equal over attempts. A step may set its own.
fn idempotency_key(run: &Run, draft: &Draft, node: &Node) -> Result<String, Unbuildable> {
    let Some(expression) = node.idempotency_key() else {
        return Ok(job::idempotency_key(&run.identity, node.id()));
    };
    match expression.evaluate(&scope::of(run, draft, expression)) {
        Ok(Value::String(key)) => Ok(key),
        Ok(other) => Err(Unbuildable {
            reason: Reason::ExpressionError,
            message: format!(
                "idempotencyKey: gives {} instead of a string: wrap it in string()",
                jobwright_api::ValueType::name_of(&other)
            ),
        }),
        Err(error) => Err(expression_error("idempotencyKey", &error)),
    }
}

fn expression_error(place: &str, error: &crate::expr::Error) -> Unbuildable {
    Unbuildable {
        reason: Reason::ExpressionError,
        message: format!("{place}: {error}"),
    }
}

fn show_inputs(run: &Run, draft: &mut Draft, node: &Node) {
    let Ok(inputs) = inputs(run, draft, node) else {
        return;
    };
    let size = serde_json::to_string(&inputs).map_or(usize::MAX, |text| text.len());
    if size <= SHOWN_INPUTS_BYTES_MAX {
        draft.edit(node.key(), |step| step.inputs = inputs);
    }
}

/// Results of steps above this one that are not stored yet: this Job carries them, so that they
/// survive even if the operator and their pods are lost before the status is written. Each rides
/// once: along a chain the Jobs would grow, and every event of theirs with them.
fn carried(run: &Run, draft: &Draft, node: &Node) -> Option<String> {
    let results: BTreeMap<&str, &StepStatus> = run
        .graph
        .upstream(node)
        .filter(|above| !run.is_stored_terminal(above.key()) && !run.is_carried(above.key()))
        .filter_map(|above| Some((above.key(), draft.step(above.key())?)))
        .filter(|(_, step)| step.phase.is_terminal())
        .collect();
    if results.is_empty() {
        return None;
    }
    serde_json::to_string(&results).ok()
}
