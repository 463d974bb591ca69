//! One table: what an error of the API server means.

use jobwright_engine::observed::RefusalKind;
use kube::core::Status;
use std::time::Duration;

/// A request that did not do what it was sent for, or may not have.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub cause: Cause,
    /// The server's words, at most [`WORDS_MAX`] bytes.
    pub message: String,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    NotFound,
    AlreadyExists,
    /// Another version than the one that was meant.
    Conflict,
    Refused(RefusalKind),
}

/// Longest text that is kept of an answer: a field of a status, not a page of HTML.
const WORDS_MAX: usize = 1024;

impl Failure {
    pub(crate) fn timed_out(after: Duration) -> Self {
        Self {
            cause: Cause::Refused(RefusalKind::Unavailable),
            message: format!("no answer from the API server within {} s", after.as_secs_f64()),
            retry_after: None,
        }
    }

    /// As what kind of refusal it is remembered.
    #[must_use]
    pub fn kind(&self) -> RefusalKind {
        match self.cause {
            Cause::Refused(kind) => kind,
            Cause::AlreadyExists => RefusalKind::NameTaken,
            // The namespace is gone.
            Cause::NotFound => RefusalKind::Permanent,
            // Of a create: the quota was changed at the same time.
            Cause::Conflict => RefusalKind::Unavailable,
        }
    }
}

/// Sorts an error.
#[must_use]
pub fn classify(error: &kube::Error) -> Failure {
    if let kube::Error::Api(status) = error {
        return Failure {
            cause: cause(status),
            message: cut(&status.message),
            retry_after: retry_after(status),
        };
    }
    // No answer that can be read: the connection broke, or a proxy spoke. It may have been done.
    Failure {
        cause: Cause::Refused(RefusalKind::Unavailable),
        message: cut(&error.to_string()),
        retry_after: None,
    }
}

fn cause(status: &Status) -> Cause {
    match status.code {
        404 => Cause::NotFound,
        409 if status.is_already_exists() => Cause::AlreadyExists,
        409 => Cause::Conflict,
        403 if is_quota(status) => Cause::Refused(RefusalKind::Quota),
        403 if is_of_rights(status) => Cause::Refused(RefusalKind::Unavailable),
        400 | 403 | 405 | 413 | 415 | 422 => Cause::Refused(RefusalKind::Permanent),
        // 401 passes with the next token, 408, 429 and 5xx by themselves; a webhook that does not
        // answer is a 500. What is unknown is tried again.
        _ => Cause::Refused(RefusalKind::Unavailable),
    }
}

/// Quota refusals have no reason or cause of their own (`resourcequota` admission, Kubernetes 1.35):
/// their words are the only mark. A quota whose use is not counted yet passes as well; "failed
/// quota: must specify" is the pod's own fault and does not.
fn is_quota(status: &Status) -> bool {
    ["exceeded quota", "status unknown for quota"]
        .iter()
        .any(|words| status.message.contains(words))
}

/// The operator itself lacks a right: a role is being replaced, or the API server has just started and
/// does not know its roles yet (`authorization/rbac`, Kubernetes 1.35). That is no fault of a step.
fn is_of_rights(status: &Status) -> bool {
    status.message.contains("\" cannot ") && status.message.contains(" resource \"")
}

fn retry_after(status: &Status) -> Option<Duration> {
    let seconds = status.details.as_ref()?.retry_after_seconds;
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(WORDS_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_answer_has_its_meaning() {
        use Cause::{AlreadyExists, Conflict, NotFound, Refused};
        use RefusalKind::{Permanent, Quota, Unavailable};
        let exceeded = "jobs.batch \"a\" is forbidden: exceeded quota: q, requested: count/jobs.batch=1";
        let unknown = "jobs.batch \"a\" is forbidden: status unknown for quota: q, resources: pods";
        let unspecified = "pods \"a\" is forbidden: failed quota: q: must specify limits.cpu";
        let rights = "jobs.batch is forbidden: User \"system:serviceaccount:j:j\" cannot create resource \"jobs\" in API group \"batch\" in the namespace \"n\"";
        let webhook = "Internal error occurred: failed calling webhook \"w\": context deadline exceeded";
        for (code, reason, message, expected) in [
            (403, "Forbidden", exceeded, Refused(Quota)),
            (403, "Forbidden", unknown, Refused(Quota)),
            (403, "Forbidden", unspecified, Refused(Permanent)),
            (403, "Forbidden", rights, Refused(Unavailable)),
            (
                403,
                "Forbidden",
                "violates PodSecurity \"restricted:latest\"",
                Refused(Permanent),
            ),
            (
                400,
                "BadRequest",
                "strict decoding error: unknown field",
                Refused(Permanent),
            ),
            (413, "RequestEntityTooLarge", "too large", Refused(Permanent)),
            (422, "Invalid", "Job.batch \"a\" is invalid", Refused(Permanent)),
            (401, "Unauthorized", "Unauthorized", Refused(Unavailable)),
            (429, "TooManyRequests", "Too many requests", Refused(Unavailable)),
            (500, "InternalError", webhook, Refused(Unavailable)),
            (503, "ServiceUnavailable", "no endpoints", Refused(Unavailable)),
            (
                504,
                "Timeout",
                "Timeout: request did not complete",
                Refused(Unavailable),
            ),
            (404, "NotFound", "namespaces \"a\" not found", NotFound),
            (409, "AlreadyExists", "jobs.batch \"a\" already exists", AlreadyExists),
            (
                409,
                "Conflict",
                "Operation cannot be fulfilled on resourcequotas \"q\"",
                Conflict,
            ),
        ] {
            let status = Status::failure(message, reason).with_code(code);
            let failure = classify(&kube::Error::Api(status.boxed()));
            assert_eq!(failure.cause, expected, "{code} {message}");
            assert_eq!(failure.message, message);
        }
    }

    #[test]
    fn the_servers_wish_to_wait_is_read() {
        let status: Status = serde_json::from_value(json!({
            "status": "Failure", "code": 429, "reason": "TooManyRequests", "details": {"retryAfterSeconds": 7}
        }))
        .unwrap();
        let failure = classify(&kube::Error::Api(status.boxed()));
        assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let status = Status::failure(&"ä".repeat(2000), "Invalid").with_code(422);
        assert_eq!(classify(&kube::Error::Api(status.boxed())).message.len(), WORDS_MAX);
    }
}
