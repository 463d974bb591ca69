//! The attempt of a step that sends a request: from its begin to its end.

use jobwright_api::{AttemptStatus, Reason, StepPhase};

use super::{Known, answer, request::request};
use crate::{
    decision::Action,
    draft::{Cause, Draft},
    frame::Instance,
    graph::CompiledHttp,
    job,
    run::Run,
    step::{
        attempt::{Failure, Seen},
        observe::{arm_deadline, is_stop_stored, withdraw_stop},
        outcome,
        retry::Class,
    },
    text::clip,
};

/// Opens the next attempt. What cannot be sent whatever happens fails before that.
pub(crate) fn begin(run: &Run, draft: &mut Draft, instance: Instance<'_>, http: &CompiledHttp, number: u32) {
    if let Err(wrong) = request(run, draft, instance, http, number) {
        return outcome::fail_step(draft, instance, wrong.reason, &wrong.message);
    }
    let attempt = AttemptStatus {
        number,
        phase: StepPhase::Scheduled,
        scheduled_at: Some(draft.now()),
        ..AttemptStatus::default()
    };
    draft.open_attempt(instance.id(), attempt);
    observe(run, draft, instance, http);
}

/// Looks at the attempt that is open and moves the step accordingly.
pub(crate) fn observe(run: &Run, draft: &mut Draft, instance: Instance<'_>, http: &CompiledHttp) {
    let step = draft.step(instance.key());
    let Some(attempt) = step.and_then(|step| step.attempts.recent.last()).cloned() else {
        return;
    };
    if attempt.phase.is_terminal() {
        return;
    }
    let key = job::attempt_key(&run.identity, instance.id(), attempt.number);
    let known = run.observed.notes.requests.get(&key);
    let stop_is_stored = is_stop_stored(run.observed, instance.key(), &attempt);
    match (known, &attempt.stop) {
        // The request is dropped: nobody waits for its answer any more.
        (_, Some(intent)) if stop_is_stored => outcome::stopped(draft, instance, &run.identity, intent),
        // An answer that came before the stop was stored counts.
        (Some(Known::Answered(answer)), _) => {
            if run.can_read(draft, instance) {
                withdraw_stop(draft, instance.key());
                answer::take_in(run, draft, instance, http, answer);
            }
        }
        (_, Some(_)) => {
            // The same look may have wanted to send it.
            draft.take_back_request(&key);
            draft.write_now();
        }
        (known, None) => go_on(run, draft, (instance, http), (attempt, key), known),
    }
}

fn go_on(
    run: &Run,
    draft: &mut Draft,
    (instance, http): (Instance<'_>, &CompiledHttp),
    (attempt, key): (AttemptStatus, String),
    known: Option<&Known>,
) {
    let number = attempt.number;
    let is_running = attempt.phase == StepPhase::Running;
    match known {
        None if is_running => interrupted(run, draft, instance, http),
        None => admit(run, draft, (instance, http), (number, key)),
        Some(Known::Held { until, why, message }) => {
            draft.edit(instance.key(), |step| {
                step.sub_status = Some(why.clone());
                step.message = Some(clip(message, 512));
            });
            if draft.now().0 < *until {
                draft.wake(*until);
            } else {
                admit(run, draft, (instance, http), (number, key));
            }
            arm_deadline(draft, instance, Some(message));
        }
        Some(Known::Admitted | Known::Sent) if !is_running => {
            start(draft, instance);
            arm_deadline(draft, instance, None);
        }
        Some(Known::Admitted) if is_start_stored(run, instance, number) => {
            match request(run, draft, instance, http, number) {
                Ok(request) => draft.act(Action::SendRequest {
                    key,
                    request: Box::new(request),
                }),
                Err(wrong) => fail(run, draft, instance, (wrong.reason, &wrong.message), Class::Final),
            }
        }
        Some(Known::Admitted) => draft.write_now(),
        Some(Known::Sent | Known::Answered(_)) => arm_deadline(draft, instance, None),
    }
}

fn admit(run: &Run, draft: &mut Draft, (instance, http): (Instance<'_>, &CompiledHttp), (number, key): (u32, String)) {
    match request(run, draft, instance, http, number) {
        Ok(request) => draft.act(Action::AdmitRequest {
            key,
            request: Box::new(request),
        }),
        Err(wrong) => fail(run, draft, instance, (wrong.reason, &wrong.message), Class::Final),
    }
}

/// It may go: that it runs is stored first.
fn start(draft: &mut Draft, instance: Instance<'_>) {
    let now = draft.now();
    draft.edit_attempt(instance.key(), |attempt| {
        attempt.phase = StepPhase::Running;
        attempt.started_at = Some(now.clone());
    });
    draft.edit(instance.key(), |step| {
        step.started_at.get_or_insert(now);
    });
    draft.move_step(instance.key(), StepPhase::Running, Cause::default());
    draft.write_now();
}

fn is_start_stored(run: &Run, instance: Instance<'_>, number: u32) -> bool {
    let stored = run.observed.stored.steps.get(instance.key());
    let attempt = stored.and_then(|step| step.attempts.recent.last());
    attempt.is_some_and(|attempt| attempt.number == number && attempt.phase == StepPhase::Running)
}

/// It was sent by a process that is no more, or just not yet.
fn interrupted(run: &Run, draft: &mut Draft, instance: Instance<'_>, http: &CompiledHttp) {
    let words = "the operator was restarted while the request was on its way: whether it arrived is not known";
    let may_repeat = http.method.is_idempotent() || instance.definition().retry.is_some();
    if may_repeat {
        fail(run, draft, instance, (Reason::Interrupted, words), Class::Platform);
        return;
    }
    let words = format!(
        "{words}; {} is not repeated by itself: see what it has done, or write retry where the receiver knows the Idempotency-Key",
        http.method
    );
    fail(run, draft, instance, (Reason::Interrupted, &words), Class::Final);
}

fn fail(run: &Run, draft: &mut Draft, instance: Instance<'_>, (reason, words): (Reason, &str), class: Class) {
    let failure = Failure::new(reason, words);
    outcome::fail_as(
        draft,
        instance,
        &run.identity,
        (&failure, Seen::default()),
        (class, None),
    );
}
