//! A step with a Job: what became of it since the last look.

use jobwright_api::{AttemptStatus, Reason, StepPhase, SubStatus, status::Stop};

use super::{
    attempt::{Failure, Open, Seen, Verdict, judge},
    child, deadline, outcome, output, start,
};
use crate::{
    decision::Action,
    draft::{Cause, Draft},
    frame::Instance,
    http,
    job::pod_of,
    observed::{JobView, Observed, RefusalKind},
    run::Run,
    text::clip,
};

/// How long a Job may be without a pod before the API server is asked why. Creating one takes the
/// Job controller less than a second unless something refuses it.
const PODLESS_BEFORE_PROBE_S: i64 = 2;
const PROBE_PAUSE_S_MAX: i64 = 60;
/// A sub-status is shown once it has lasted: most waits are over before.
const SUB_STATUS_AFTER_S: i64 = 2;

/// Looks at the running attempt of a step and moves the step accordingly.
pub(crate) fn observe(run: &Run, draft: &mut Draft, instance: Instance<'_>) {
    if instance.definition().child.is_some() {
        return child::observe(run, draft, instance);
    }
    if let Some(request) = instance.node().http() {
        return http::observe(run, draft, instance, request);
    }
    let Some(attempt) = draft
        .step(instance.key())
        .and_then(|step| step.attempts.recent.last())
        .cloned()
    else {
        return;
    };
    let observed = run.observed;
    let found = observed.jobs.get(&attempt.job);
    let Some(job) = found.filter(|job| is_same(job, &attempt)) else {
        // Where another Job has taken the name, ours is gone for sure.
        let is_gone = found.is_some() || observed.notes.absent.contains(&attempt.job);
        missing(run, draft, instance, &attempt, is_gone);
        return;
    };
    let pods = observed.pods.get(&attempt.job).map_or(&[][..], Vec::as_slice);
    let is_podless = observed.notes.podless.contains(&attempt.job);
    let verdict = judge(job, pods, is_podless, attempt.interruption.as_ref());
    let stop_is_stored = is_stop_stored(observed, instance.key(), &attempt);
    match (verdict, &attempt.stop) {
        // An exit reported before the stop was stored counts.
        (Verdict::Open(_) | Verdict::Unread, Some(_)) => stop(draft, job, stop_is_stored),
        (_, Some(_)) if stop_is_stored => stop(draft, job, true),
        (Verdict::Unread, None) => draft.act(Action::ConfirmPods { job: attempt.job }),
        (Verdict::Open(open), None) => still_open(run, draft, instance, &attempt, &open),
        (
            Verdict::Succeeded {
                message,
                seen,
                is_ahead,
            },
            _,
        ) => {
            withdraw_stop(draft, instance.key());
            succeeded(run, draft, instance, message.as_deref(), seen, is_ahead);
        }
        (Verdict::Failed(failure, seen), _) => {
            withdraw_stop(draft, instance.key());
            outcome::fail(draft, instance, &run.identity, &failure, seen);
        }
    }
}

fn is_same(job: &JobView, attempt: &AttemptStatus) -> bool {
    attempt.uid.as_deref().is_none_or(|uid| uid == job.uid)
}

pub(crate) fn is_stop_stored(observed: &Observed, key: &str, attempt: &AttemptStatus) -> bool {
    let stored = observed
        .stored
        .steps
        .get(key)
        .and_then(|step| step.attempts.recent.last());
    stored.is_some_and(|stored| stored.number == attempt.number && stored.stop.is_some())
}

/// The intent is stored first, then the Job is deleted, then the attempt ends.
fn stop(draft: &mut Draft, job: &JobView, is_stored: bool) {
    if !is_stored {
        draft.write_now();
    } else if !job.deleting {
        draft.act(Action::StopJob {
            name: job.name.clone(),
            uid: job.uid.clone(),
        });
    }
}

pub(crate) fn withdraw_stop(draft: &mut Draft, key: &str) {
    draft.edit_attempt(key, |attempt| attempt.stop = None);
}

/// The stores do not know the Job. Only a confirmed absence counts.
fn missing(run: &Run, draft: &mut Draft, instance: Instance<'_>, attempt: &AttemptStatus, is_gone: bool) {
    if !is_gone {
        draft.act(Action::ConfirmJob {
            name: attempt.job.clone(),
        });
        return;
    }
    match (&attempt.stop, &attempt.interruption) {
        (Some(stop), _) => outcome::stopped(draft, instance, &run.identity, stop),
        (None, Some(interruption)) => {
            outcome::fail(
                draft,
                instance,
                &run.identity,
                &interruption.clone().into(),
                Seen::default(),
            );
        }
        (None, None) => {
            let failure = Failure::new(
                Reason::ResultLost,
                "the Job was deleted before its result was read; it may have run, so it is not started again",
            );
            outcome::fail(draft, instance, &run.identity, &failure, Seen::default());
        }
    }
}

fn succeeded(run: &Run, draft: &mut Draft, instance: Instance<'_>, message: Option<&str>, seen: Seen, is_ahead: bool) {
    let declared = &instance.definition().outputs;
    let Some(message) = message.or_else(|| declared.is_empty().then_some("")) else {
        let failure = Failure::new(
            Reason::ResultLost,
            "the Job completed, but its pod was gone before its outputs could be read",
        );
        outcome::fail(draft, instance, &run.identity, &failure, seen);
        return;
    };
    match output::read(declared, message) {
        Ok(outputs) => outcome::succeed(draft, instance, outputs, seen),
        // Another attempt waits until the pod of this one has ended: only success runs ahead.
        Err(_) if is_ahead => {}
        Err(words) => {
            let failure = Failure {
                exit_code: Some(0),
                ..Failure::new(Reason::OutputInvalid, words)
            };
            outcome::fail(draft, instance, &run.identity, &failure, seen);
        }
    }
}

fn still_open(run: &Run, draft: &mut Draft, instance: Instance<'_>, attempt: &AttemptStatus, open: &Open) {
    let now = draft.now();
    let probed = if open.podless {
        probe(run, draft, instance, attempt)
    } else {
        None
    };
    if open.seen.started && attempt.started_at.is_none() {
        draft.edit_attempt(instance.key(), |attempt| {
            attempt.phase = StepPhase::Running;
            attempt.started_at = Some(now.clone());
        });
        draft.edit(instance.key(), |step| {
            step.started_at.get_or_insert(now);
        });
        draft.move_step(instance.key(), StepPhase::Running, Cause::default());
    }
    draft.edit_attempt(instance.key(), |attempt| {
        attempt.pod.clone_from(&open.seen.pod);
        attempt.node.clone_from(&open.seen.node);
        attempt.interruption.clone_from(&open.interruption);
    });
    let waits = if open.seen.started {
        None
    } else {
        open.waits.clone().or(probed)
    };
    show_wait(draft, instance.key(), attempt, waits.as_ref());
    arm_deadline(draft, instance, waits.as_ref().map(|(_, words)| words.as_str()));
}

/// Writes or clears the word that says why a step does not start.
fn show_wait(draft: &mut Draft, key: &str, attempt: &AttemptStatus, waits: Option<&(SubStatus, String)>) {
    let now = draft.now().0;
    let shown_at = attempt.scheduled_at.as_ref().and_then(|since| {
        since
            .0
            .saturating_add(jiff::SignedDuration::from_secs(SUB_STATUS_AFTER_S))
            .ok()
    });
    if let (Some(_), Some(at)) = (waits, shown_at)
        && now < at
    {
        draft.wake(at);
        return;
    }
    draft.edit(key, |step| {
        let word = waits.map(|(word, _)| word);
        // The words of one cause change all the time, such as how many nodes there are: the first ones are kept.
        if word.is_none() || step.sub_status.as_ref() != word {
            step.sub_status = word.cloned();
            step.message = waits.map(|(_, words)| clip(words, 512));
        }
    });
}

pub(crate) fn arm_deadline(draft: &mut Draft, instance: Instance<'_>, blocked_by: Option<&str>) {
    let nearest = draft.step(instance.key()).and_then(|step| {
        let attempt = step.attempts.recent.last()?;
        deadline::nearest(&instance.definition().timeouts, step, attempt)
    });
    let Some(deadline) = nearest else {
        return;
    };
    let now = draft.now().0;
    if now < deadline.at {
        draft.wake(deadline.at);
    } else {
        let stop: Stop = deadline.stop(now, blocked_by);
        draft.stop_attempt(instance.key(), stop);
    }
}

/// Asks for the words of whoever refuses the pod of this Job, after a while and then ever less often.
fn probe(run: &Run, draft: &mut Draft, instance: Instance<'_>, attempt: &AttemptStatus) -> Option<(SubStatus, String)> {
    let known = run.observed.notes.probes.get(&attempt.job);
    let (since, pause_s) = match known {
        Some(probe) => {
            let doubled = PODLESS_BEFORE_PROBE_S.saturating_mul(1_i64.checked_shl(probe.count).unwrap_or(i64::MAX));
            (probe.at, doubled.clamp(PODLESS_BEFORE_PROBE_S, PROBE_PAUSE_S_MAX))
        }
        None => (attempt.scheduled_at.as_ref()?.0, PODLESS_BEFORE_PROBE_S),
    };
    let due = since.saturating_add(jiff::SignedDuration::from_secs(pause_s)).ok()?;
    if draft.now().0 < due {
        draft.wake(due);
    } else if let Ok(job) = start::make_job(run, draft, instance, attempt.number) {
        draft.act(Action::ProbePod {
            name: attempt.job.clone(),
            pod: Box::new(pod_of(&job)),
        });
    }
    let (kind, words) = known?.refused.clone()?;
    let word = match kind {
        RefusalKind::Quota => SubStatus::QuotaBlocked,
        RefusalKind::Unavailable => SubStatus::ApiUnavailable,
        RefusalKind::Permanent | RefusalKind::NameTaken => SubStatus::PodRefused,
    };
    Some((word, words))
}
