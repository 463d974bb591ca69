//! A step without a Job: whether it may start, with which values, and how the Job comes to be.

use jobwright_api::{AttemptStatus, Reason, StepPhase, StepStatus, SubStatus};
use k8s_openapi::api::batch::v1::Job;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

use super::{
    child, deadline,
    join::{self, Join},
    observe::observe,
    outcome,
};
use crate::{
    decision::Action,
    definition::Kind,
    draft::{Cause, Draft},
    expr, flow,
    frame::{Frame, Instance},
    http,
    job::{self, Attempt, Unbuildable},
    number::as_stored,
    observed::{JobView, Refusal, RefusalKind},
    run::{Mood, Run},
    scope,
    text::clip,
};

/// Results that ride on a Job, in bytes. An object's annotations may take 256 KiB in all.
const CARRIED_BYTES_MAX: usize = 64 * 1024;
/// Inputs up to this size are shown in the status.
const SHOWN_INPUTS_BYTES_MAX: usize = 1024;
const REFUSED_PAUSE_S_MAX: i64 = 60;

/// Moves a step that has no open attempt as far as it may go now.
pub(crate) fn start(run: &Run, draft: &mut Draft, instance: Instance<'_>, mood: Mood<'_>) {
    let Some(step) = draft.step(instance.key()) else {
        return;
    };
    if step.phase == StepPhase::Pending && resume(run, draft, instance) {
        return;
    }
    let Some(step) = draft.step(instance.key()) else {
        return;
    };
    if run.ends_now(draft) {
        return;
    }
    let may_start = match step.phase {
        StepPhase::Pending => is_admitted(run, draft, instance, mood),
        StepPhase::Queued if mood.is_failing && step.attempts.is_none() => {
            omit(run, draft, instance, &failure(draft, instance));
            false
        }
        StepPhase::Queued => !run.is_suspended(),
        StepPhase::BackingOff => is_due(draft, step.next_attempt_at.as_ref().map(|at| at.0)) && !run.is_suspended(),
        _ => false,
    };
    // An attempt that ended just now may be followed already: the Job was made before a loss of memory.
    if !may_start {
        return;
    }
    if let Some(flow) = instance.flow() {
        flow::begin(run, draft, instance, flow);
    } else if !adopt(run, draft, instance) {
        make(run, draft, instance);
    }
}

/// The steps of a frame that others behind them have gone on from, at once or over others whose end is lost likewise. One
/// that would go on without its needs tells nothing.
pub(crate) fn followed<'f>(run: &Run, draft: &Draft, frame: &'f Frame<'_>) -> BTreeSet<&'f str> {
    let mut found = BTreeSet::new();
    let steps: Vec<Instance<'_>> = frame.in_order().collect();
    for step in steps.into_iter().rev().filter(|step| step.definition().join.is_none()) {
        let has_gone_on = || {
            let is_known = draft.step(step.key()).is_some_and(|status| {
                let is_judged = matches!(
                    status.phase,
                    StepPhase::Succeeded | StepPhase::Failed | StepPhase::Skipped
                );
                is_judged || status.scheduled_at.is_some()
            });
            is_known || (step.flow().is_some() && run.has_jobs_below(step.id()))
        };
        if step.needs().next().is_some() && (found.contains(step.key()) || has_gone_on()) {
            found.extend(step.needs().map(Instance::key));
        }
    }
    found
}

/// A step without a Job of its own has begun, and that was lost before it was stored: a Job below it tells.
/// It goes on from there, whatever else has happened since, as a step does whose own Job is found.
pub(crate) fn resume(run: &Run, draft: &mut Draft, instance: Instance<'_>) -> bool {
    let Some(flow) = instance.flow() else {
        return false;
    };
    let has_begun = join::join(draft, instance) == Join::Met && run.has_begun(instance, 0);
    if has_begun {
        flow::begin(run, draft, instance, flow);
    }
    has_begun
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

/// Why nothing new starts beside this step, in words.
fn failure(draft: &Draft, instance: Instance<'_>) -> String {
    let mut steps = instance.frame().instances();
    let failed = steps.find(|other| join::is_failure(draft, *other));
    failed.map_or_else(
        || "another step failed".to_owned(),
        |other| format!("{} failed", other.key()),
    )
}

/// Join, run, `when`: in this order, each judged once.
fn is_admitted(run: &Run, draft: &mut Draft, instance: Instance<'_>, mood: Mood<'_>) -> bool {
    match join::join(draft, instance) {
        Join::Lost(words) => {
            omit(run, draft, instance, &words);
            return false;
        }
        Join::Waits | Join::Met if mood.is_failing => {
            omit(run, draft, instance, &failure(draft, instance));
            return false;
        }
        Join::Waits => return false,
        // What a join below does without in this look or the next does not begin.
        Join::Met if join::is_doomed(draft, instance) && !mood.has_ended => return false,
        Join::Met => {}
    }
    if (run.is_suspended() && !mood.has_ended) || !has_view(run, draft, instance) {
        return false;
    }
    let Some(when) = instance.when() else {
        return true;
    };
    match when.evaluate(&scope::of(run, draft, instance, when)) {
        Ok(Value::Bool(true)) => true,
        Ok(Value::Bool(false)) => {
            let cause = Cause::new(Reason::WhenFalse, "");
            draft.move_step(instance.key(), StepPhase::Skipped, cause);
            false
        }
        Ok(other) => {
            let found = jobwright_api::ValueType::name_of(&other);
            let words = format!("when: gives {found} instead of a boolean");
            outcome::fail_step(draft, instance, Reason::ExpressionError, &words);
            false
        }
        Err(error) => {
            outcome::fail_step(draft, instance, Reason::ExpressionError, &format!("when: {error}"));
            false
        }
    }
}

/// What the step will see of others that may still run is settled, and stored: every later look, each attempt and each
/// item reads the same, whatever has ended by then.
fn has_view(run: &Run, draft: &mut Draft, instance: Instance<'_>) -> bool {
    if !has_stored_needs(run, draft, instance) {
        draft.write_now();
        return false;
    }
    let names = instance.open_reads();
    if names.is_empty() {
        return true;
    }
    let known = draft.step(instance.key()).and_then(|step| step.unseen.clone());
    let stored = run.observed.stored.steps.get(instance.key());
    if known.is_some() && stored.is_some_and(|stored| stored.unseen == known) {
        return true;
    }
    if known.is_none() {
        let has_ended = |name: &&String| {
            let found = instance.frame().find(name);
            found.is_some_and(|step| draft.phase_of(step.key()).is_terminal())
        };
        let unseen = names.iter().filter(|name| !has_ended(name)).cloned().collect();
        draft.edit(instance.key(), |step| step.unseen = Some(unseen));
    }
    draft.write_now();
    false
}

/// What a join has counted is stored, unless Jobs tell of it: a step behind a join may go on without any one of its
/// needs, so that nothing else would show that this one had ended.
fn has_stored_needs(run: &Run, draft: &Draft, instance: Instance<'_>) -> bool {
    let is_open = |need: Instance<'_>| {
        let is_of_job = need.flow().is_none() && draft.step(need.key()).is_some_and(|step| !step.attempts.is_none());
        draft.phase_of(need.key()).is_terminal() && !is_of_job && !run.is_stored_terminal(need.key())
    };
    instance.definition().join.is_none() || !instance.needs().any(is_open)
}

fn omit(run: &Run, draft: &mut Draft, instance: Instance<'_>, words: &str) {
    if must_confirm(run, draft, instance) {
        return;
    }
    draft.move_step(
        instance.key(),
        StepPhase::Omitted,
        Cause::new(Reason::NeedNotMet, words),
    );
}

/// A Job of this step that is not on record: made just now, or before a loss of memory. Its existence
/// means started, whatever else has happened since.
pub(crate) fn adopt(run: &Run, draft: &mut Draft, instance: Instance<'_>) -> bool {
    if instance.node().http().is_some() {
        return false; // no Job tells of a request
    }
    if instance.definition().child.is_some() {
        return child::adopt(run, draft, instance);
    }
    let Some(found) = next_job(run, draft, instance) else {
        return false;
    };
    if draft.step(instance.key()).is_some_and(|step| step.inputs.is_empty()) {
        show_inputs(run, draft, instance);
    }
    let attempt = AttemptStatus {
        number: next_number(draft, instance),
        job: found.name.clone(),
        uid: Some(found.uid.clone()),
        phase: StepPhase::Scheduled,
        scheduled_at: Some(draft.now()),
        ..AttemptStatus::default()
    };
    draft.open_attempt(instance.id(), attempt);
    observe(run, draft, instance);
    true
}

/// The Job of the attempt after the last one on record, if there is one and it is ours.
pub(crate) fn next_job<'a>(run: &Run<'a>, draft: &Draft, instance: Instance<'_>) -> Option<&'a JobView> {
    let number = next_number(draft, instance);
    let found = run
        .observed
        .jobs
        .get(&job::job_name(&run.identity, instance.id(), number))?;
    let is_ours = found.owner_uid == run.identity.uid
        && found.attempt_key == job::attempt_key(&run.identity, instance.id(), number);
    is_ours.then_some(found)
}

pub(super) fn next_number(draft: &Draft, instance: Instance<'_>) -> u32 {
    draft
        .step(instance.key())
        .map_or(1, |step| step.attempts.count.saturating_add(1))
}

/// The name of the Job of the attempt after the last one on record.
pub(crate) fn next_name(run: &Run, draft: &Draft, instance: Instance<'_>) -> String {
    job::job_name(&run.identity, instance.id(), next_number(draft, instance))
}

/// Makes the Job under its fixed name, unless somebody else has it or the API server refuses.
fn make(run: &Run, draft: &mut Draft, instance: Instance<'_>) {
    let number = next_number(draft, instance);
    if let Some(request) = instance.node().http() {
        return http::begin(run, draft, instance, request, number);
    }
    let name = job::job_name(&run.identity, instance.id(), number);
    if run.observed.jobs.contains_key(&name) {
        // Not ours: else it was adopted.
        name_taken(draft, instance, &name);
        return;
    }
    match run.observed.notes.refusals.get(&name) {
        Some(refusal) => refused(run, draft, instance, number, name, refusal),
        None => create(run, draft, instance, number, name),
    }
}

fn name_taken(draft: &mut Draft, instance: Instance<'_>, name: &str) {
    let what = if instance.definition().child.is_some() {
        "Workflow"
    } else {
        "Job"
    };
    let words = format!("a {what} named {name} exists and is not of this step: delete it, then start another run");
    outcome::fail_step(draft, instance, Reason::NameTaken, &words);
}

fn create(run: &Run, draft: &mut Draft, instance: Instance<'_>, number: u32, name: String) {
    if run.must_store_first(draft) || http::must_store_first(run, draft, instance) {
        return draft.write_now();
    }
    if let Some(child) = &instance.definition().child {
        return child::create(run, draft, instance, child, name);
    }
    match make_job(run, draft, instance, number) {
        Err(wrong) => outcome::fail_step(draft, instance, wrong.reason, &wrong.message),
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

fn refused(run: &Run, draft: &mut Draft, instance: Instance<'_>, number: u32, name: String, refusal: &Refusal) {
    let word = match refusal.kind {
        RefusalKind::NameTaken => return name_taken(draft, instance, &name),
        RefusalKind::Permanent if must_confirm(run, draft, instance) => return,
        RefusalKind::Permanent => {
            let words = format!("the API server refuses {name}: {}", refusal.message);
            return outcome::fail_step(draft, instance, Reason::Refused, &words);
        }
        RefusalKind::Quota => SubStatus::QuotaBlocked,
        RefusalKind::Unavailable => SubStatus::ApiUnavailable,
    };
    let now = draft.now();
    draft.move_step(instance.key(), StepPhase::Queued, Cause::default());
    draft.edit(instance.key(), |step| {
        step.scheduled_at.get_or_insert_with(|| now.clone());
        step.queued_at.get_or_insert_with(|| now.clone());
        step.sub_status = Some(word);
        step.message = Some(clip(&refusal.message, 512));
    });
    let deadline = draft
        .step(instance.key())
        .and_then(|step| deadline::of_queued(&instance.definition().timeouts, step));
    if let Some(deadline) = deadline {
        if deadline.at <= now.0 {
            if must_confirm(run, draft, instance) {
                return;
            }
            let stop = deadline.stop(now.0, Some(&refusal.message));
            return outcome::fail_step(
                draft,
                instance,
                stop.reason,
                stop.message.as_deref().unwrap_or_default(),
            );
        }
        draft.wake(deadline.at);
    }
    let pause_s = 1_i64
        .checked_shl(refusal.count.saturating_sub(1))
        .unwrap_or(REFUSED_PAUSE_S_MAX)
        .clamp(1, REFUSED_PAUSE_S_MAX);
    let again_at = refusal.at.saturating_add(jiff::SignedDuration::from_secs(pause_s)).ok();
    if is_due(draft, again_at) {
        create(run, draft, instance, number, name);
    }
}

/// A create that was answered with an error may have been done all the same: before the step ends
/// without that Job, its absence is confirmed.
pub(crate) fn must_confirm(run: &Run, draft: &mut Draft, instance: Instance<'_>) -> bool {
    let name = job::job_name(&run.identity, instance.id(), next_number(draft, instance));
    let notes = run.observed.notes;
    let is_unknown = notes.refusals.get(&name).is_some_and(|refusal| refusal.may_exist);
    if !is_unknown || notes.absent.contains(&name) {
        return false;
    }
    draft.act(match instance.definition().child {
        Some(_) => Action::ConfirmChild { name },
        None => Action::ConfirmJob { name },
    });
    true
}

/// Makes the Job of an attempt from what is known now. Equal at every look.
pub(crate) fn make_job(run: &Run, draft: &Draft, instance: Instance<'_>, number: u32) -> Result<Job, Unbuildable> {
    let inputs = inputs(run, draft, instance)?;
    let fields = fields(instance, &inputs)?;
    let attempt = Attempt {
        run: &run.identity,
        id: instance.id(),
        number,
        step: instance.definition(),
        inputs: &inputs,
        fields: &fields,
        idempotency_key: &idempotency_key(run, draft, instance)?,
        carried: carried(run, draft, instance),
    };
    job::build(&attempt, &run.graph.definition().enforced)
}

pub(super) fn inputs(run: &Run, draft: &Draft, instance: Instance<'_>) -> Result<BTreeMap<String, Value>, Unbuildable> {
    let mut given = BTreeMap::new();
    for (name, source) in instance.inputs() {
        let value = scope::value(run, draft, instance, source)
            .map_err(|error| expression_error(&format!("input {name}"), &error))?;
        given.insert(name.clone(), value);
    }
    let checked = job::check_inputs(instance.definition().declared.as_deref(), given)?;
    let stored = checked.into_iter().map(|(name, value)| (name, as_stored(value)));
    Ok(stored.collect())
}

/// Computed fields see the inputs of their own step.
fn fields(instance: Instance<'_>, inputs: &BTreeMap<String, Value>) -> Result<BTreeMap<String, Value>, Unbuildable> {
    let mut values = BTreeMap::new();
    if instance.fields().is_empty() {
        return Ok(values);
    }
    let inputs = Value::Object(inputs.clone().into_iter().collect());
    for (field, expression) in instance.fields() {
        let value = expression
            .evaluate(&expr::Scope::new().with_ref("inputs", &inputs))
            .map_err(|error| expression_error(&format!("fieldsFrom {field}"), &error))?;
        values.insert(field.clone(), value);
    }
    Ok(values)
}

/// Equal over attempts. A step may set its own.
pub(crate) fn idempotency_key(run: &Run, draft: &Draft, instance: Instance<'_>) -> Result<String, Unbuildable> {
    let Some(expression) = instance.idempotency_key() else {
        return Ok(job::idempotency_key(&run.identity, instance.id()));
    };
    match expression.evaluate(&scope::of(run, draft, instance, expression)) {
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

fn show_inputs(run: &Run, draft: &mut Draft, instance: Instance<'_>) {
    let Ok(inputs) = inputs(run, draft, instance) else {
        return;
    };
    let size = serde_json::to_string(&inputs).map_or(usize::MAX, |text| text.len());
    if size <= SHOWN_INPUTS_BYTES_MAX {
        draft.edit(instance.key(), |step| step.inputs = inputs);
    }
}

/// Results of Jobs that are not stored yet: this Job carries them, so that they survive even if the
/// operator and their pods are lost before the status is written. Each rides once: along a chain the
/// Jobs would grow, and every event of theirs with them. What no Job has decided is derived again.
pub(super) fn carried(run: &Run, draft: &Draft, instance: Instance<'_>) -> Option<String> {
    let steps = draft.status.steps.iter();
    let results: BTreeMap<&String, &StepStatus> = steps
        .filter(|(key, step)| {
            let is_of_jobs = [Kind::Task, Kind::Job, Kind::Workflow]
                .iter()
                .any(|kind| step.kind == kind.word());
            // One without an attempt was skipped, or the like: that is derived from what is above it.
            let is_result = step.phase.is_terminal()
                && step.attempts.count > 0
                && !run.is_stored_terminal(key)
                && !run.is_carried(key);
            is_of_jobs && (is_result || (*key == instance.key() && is_unstored_retry(run, step, key)))
        })
        .collect();
    if results.is_empty() {
        return None;
    }
    serde_json::to_string(&results).ok()
}

/// The last attempt of this step has failed, and that is not stored.
fn is_unstored_retry(run: &Run, step: &StepStatus, key: &str) -> bool {
    let is_ended = |step: &StepStatus| {
        let last = step.attempts.recent.last();
        last.is_some_and(|attempt| attempt.phase.is_terminal())
    };
    let stored = run.observed.stored.steps.get(key);
    let is_stored = stored.is_some_and(|stored| stored.attempts.count >= step.attempts.count && is_ended(stored));
    is_ended(step) && !is_stored
}
