//! The time limits of an attempt: each begins at an instant that is in the status.

use jiff::Timestamp;
use jobwright_api::{
    AttemptStatus, Duration, Reason, StepStatus,
    policy::Timeouts,
    status::{Stop, Timeout},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// An instant at which something has to end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Deadline {
    pub(crate) at: Timestamp,
    kind: Timeout,
    limit: Duration,
}

/// The nearest deadline of a running attempt.
pub(crate) fn nearest(timeouts: &Timeouts, step: &StepStatus, attempt: &AttemptStatus) -> Option<Deadline> {
    let of_attempt = match &attempt.started_at {
        None => deadline(
            Timeout::ScheduleToStart,
            timeouts.schedule_to_start,
            attempt.scheduled_at.as_ref(),
        ),
        Some(started_at) => deadline(Timeout::StartToClose, timeouts.start_to_close, Some(started_at)),
    };
    let of_step = to_close(timeouts, step);
    [of_attempt, of_step]
        .into_iter()
        .flatten()
        .min_by_key(|deadline| deadline.at)
}

/// The deadline over all attempts of a step.
pub(crate) fn to_close(timeouts: &Timeouts, step: &StepStatus) -> Option<Deadline> {
    deadline(
        Timeout::ScheduleToClose,
        timeouts.schedule_to_close,
        step.scheduled_at.as_ref(),
    )
}

/// The deadline of a step whose Job the API server does not take yet, since it was first refused.
pub(crate) fn of_queued(timeouts: &Timeouts, step: &StepStatus) -> Option<Deadline> {
    let to_start = deadline(
        Timeout::ScheduleToStart,
        timeouts.schedule_to_start,
        step.queued_at.as_ref(),
    );
    [to_start, to_close(timeouts, step)]
        .into_iter()
        .flatten()
        .min_by_key(|deadline| deadline.at)
}

/// The end of a run, over all its steps.
pub(crate) fn total(limit: Option<Duration>, started_at: Option<&MicroTime>) -> Option<Deadline> {
    deadline(Timeout::Total, limit, started_at)
}

fn deadline(kind: Timeout, limit: Option<Duration>, since: Option<&MicroTime>) -> Option<Deadline> {
    let (limit, since) = (limit?, since?);
    let at = since.0.saturating_add(limit.signed()).ok()?;
    Some(Deadline { at, kind, limit })
}

impl Deadline {
    /// The intent that follows from it, naming what blocked the attempt if that is known.
    pub(crate) fn stop(&self, now: Timestamp, blocked_by: Option<&str>) -> Stop {
        let name = match self.kind {
            Timeout::ScheduleToStart => "scheduleToStart",
            Timeout::StartToClose => "startToClose",
            Timeout::ScheduleToClose => "scheduleToClose",
            Timeout::Total => "timeouts.total",
            Timeout::Unknown => "a time limit",
        };
        let limit = self.limit;
        let message = match blocked_by {
            Some(words) if self.kind == Timeout::ScheduleToStart => {
                format!("{name} of {limit} passed; it waited for: {words}")
            }
            _ => format!("{name} of {limit} passed"),
        };
        Stop {
            reason: Reason::DeadlineExceeded,
            timeout: Some(self.kind),
            message: Some(crate::text::clip(&message, crate::text::MESSAGE_BYTES_MAX)),
            at: MicroTime(now),
        }
    }
}
