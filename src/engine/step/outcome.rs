//! The end of an attempt: the end of the step, or another attempt.

use jobwright_api::{
    Duration, Reason, StepPhase,
    status::{Stop, Timeout},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde_json::Value;
use std::collections::BTreeMap;

use super::{
    attempt::{Failure, Seen},
    deadline,
    retry::{self, Class, PLATFORM_BUDGET},
};
use crate::{
    draft::{Cause, Draft},
    frame::Instance,
    job,
    text::{MESSAGE_BYTES_MAX, clip},
};

/// The attempt ended well: so does the step.
pub(crate) fn succeed(draft: &mut Draft, instance: Instance<'_>, outputs: BTreeMap<String, Value>, seen: Seen) {
    close_attempt(draft, instance.key(), StepPhase::Succeeded, None, seen);
    draft.edit(instance.key(), |step| step.outputs = outputs);
    draft.move_step(instance.key(), StepPhase::Succeeded, Cause::default());
}

/// The attempt ended by its own or the platform's failure.
pub(crate) fn fail(
    draft: &mut Draft,
    instance: Instance<'_>,
    run: &crate::id::RunIdentity,
    failure: &Failure,
    seen: Seen,
) {
    let attempt = draft.step(instance.key()).and_then(|step| step.attempts.recent.last());
    let has_started = seen.started || attempt.is_some_and(|attempt| attempt.started_at.is_some());
    close_attempt(draft, instance.key(), StepPhase::Failed, Some(failure), seen);
    let class = match failure.reason {
        // The Job's own deadline stood in for ours while nobody looked: scheduleToStart is not retried.
        Reason::DeadlineExceeded if !has_started => Class::Final,
        _ => retry::class(&failure.reason),
    };
    retry_or_fail(draft, instance, run, failure, (class, None));
}

/// The attempt ended by a failure of this class, with the pause that is asked for before the next.
pub(crate) fn fail_as(
    draft: &mut Draft,
    instance: Instance<'_>,
    run: &crate::id::RunIdentity,
    (failure, seen): (&Failure, Seen),
    next: (Class, Option<Duration>),
) {
    close_attempt(draft, instance.key(), StepPhase::Failed, Some(failure), seen);
    retry_or_fail(draft, instance, run, failure, next);
}

/// The attempt was stopped by us, and its Job is gone.
pub(crate) fn stopped(draft: &mut Draft, instance: Instance<'_>, run: &crate::id::RunIdentity, stop: &Stop) {
    let failure = Failure::new(stop.reason.clone(), stop.message.clone().unwrap_or_default());
    match stop.timeout {
        None | Some(Timeout::Total) => {
            close_attempt(
                draft,
                instance.key(),
                StepPhase::Cancelled,
                Some(&failure),
                Seen::default(),
            );
            draft.move_step(
                instance.key(),
                StepPhase::Cancelled,
                Cause::new(failure.reason, &failure.message),
            );
        }
        Some(timeout) => {
            close_attempt(
                draft,
                instance.key(),
                StepPhase::Failed,
                Some(&failure),
                Seen::default(),
            );
            let class = match timeout {
                Timeout::StartToClose => Class::Program,
                _ => Class::Final,
            };
            retry_or_fail(draft, instance, run, &failure, (class, None));
        }
    }
}

/// The step ends without an attempt of its own having failed: bad input, a refused Job, a passed deadline.
pub(crate) fn fail_step(draft: &mut Draft, instance: Instance<'_>, reason: Reason, message: &str) {
    draft.move_step(instance.key(), StepPhase::Failed, Cause::new(reason, message));
}

fn close_attempt(draft: &mut Draft, key: &str, phase: StepPhase, failure: Option<&Failure>, seen: Seen) {
    let now = draft.now();
    draft.edit_attempt(key, |attempt| {
        attempt.phase = phase;
        attempt.finished_at = Some(now.clone());
        attempt.pod = seen.pod.or_else(|| attempt.pod.take());
        attempt.node = seen.node.or_else(|| attempt.node.take());
        if phase == StepPhase::Succeeded || seen.started {
            // A short program is never seen running: it ran for less than the kubelet's tick.
            attempt.started_at.get_or_insert_with(|| now.clone());
        }
        if phase == StepPhase::Succeeded && !attempt.job.is_empty() {
            attempt.exit_code = Some(0);
        }
        if let Some(failure) = failure {
            attempt.reason = Some(failure.reason.clone());
            attempt.message = Some(clip(&failure.message, MESSAGE_BYTES_MAX));
            attempt.exit_code = failure.exit_code;
        }
    });
    draft.edit(key, |step| {
        if phase == StepPhase::Succeeded {
            step.started_at.get_or_insert(now);
        }
    });
}

fn retry_or_fail(
    draft: &mut Draft,
    instance: Instance<'_>,
    run: &crate::id::RunIdentity,
    failure: &Failure,
    (class, asked): (Class, Option<Duration>),
) {
    let Some(step) = draft.step(instance.key()) else {
        return;
    };
    let count = step.attempts.count;
    let of_platform = step.attempts.platform_failures;
    let policy = instance.definition().retry.as_ref();
    let failures = match class {
        Class::Platform => of_platform.saturating_add(1),
        Class::Program | Class::Final => count.saturating_sub(of_platform),
    };
    let is_allowed = match class {
        Class::Platform => failures <= PLATFORM_BUDGET,
        Class::Program => retry::allows(policy, failures, failure.exit_code),
        Class::Final => false,
    };
    let delay = retry::delay(policy, failures, job::jitter(run, instance.id(), count));
    let delay = asked.map_or(delay, |asked| asked.max(delay));
    let now = draft.now().0;
    let due = now.saturating_add(delay.signed()).unwrap_or(jiff::Timestamp::MAX);
    let is_in_time = deadline::to_close(&instance.definition().timeouts, step).is_none_or(|deadline| due < deadline.at);
    if class == Class::Platform {
        draft.edit(instance.key(), |step| {
            step.attempts.platform_failures = failures;
        });
    }
    let cause = Cause::new(failure.reason.clone(), &failure.message);
    if is_allowed && is_in_time {
        draft.move_step(instance.key(), StepPhase::BackingOff, cause);
        draft.edit(instance.key(), |step| {
            step.next_attempt_at = Some(MicroTime(due));
        });
    } else {
        draft.move_step(instance.key(), StepPhase::Failed, cause);
    }
}
