//! Requests on the stage: what the operator does with them, and what becomes of them in a story.

use jobwright_api::{Reason, StepPhase, SubStatus, WorkflowStatus};
use jobwright_engine::http::{Header, Known, Lost, Request, Response};
use std::sync::Arc;

use super::{Stage, graph::span};

impl Stage {
    pub(super) fn admit(&mut self, key: String, request: &Request) {
        let short = format!("{}#{}", request.step, request.attempt);
        self.requests.insert(short.clone(), key.clone());
        let known = match self.holds.get(&short) {
            Some(until) if *until > self.now => Known::Held {
                until: *until,
                why: SubStatus::BreakerOpen,
                message: "too many failures".to_owned(),
            },
            _ => Known::Admitted,
        };
        let before = self.notes.requests.insert(key, known);
        let is_asked_twice = matches!(before, Some(Known::Admitted | Known::Sent | Known::Answered(_)));
        assert!(!is_asked_twice, "{short} is admitted already");
    }

    pub(super) fn send(&mut self, key: String, request: &Request) -> String {
        let short = format!("{}#{}", request.step, request.attempt);
        let attempt = self.stored.steps[&request.step].attempts.recent.last().unwrap();
        let is_stored = attempt.number == request.attempt && attempt.phase == StepPhase::Running;
        assert!(is_stored, "I17: {short} is sent before its start is stored");
        let names_attempts = |(name, value): &&(String, Header)| {
            name == "Idempotency-Key" && matches!(value, Header::Text(text) if !text.is_empty())
        };
        assert!(
            request.headers.iter().any(|header| names_attempts(&header)),
            "{request:?}"
        );
        let before = self.notes.requests.insert(key, Known::Sent);
        assert_eq!(before, Some(Known::Admitted), "{short} is sent twice, or without leave");
        format!("send {short}")
    }

    /// As the operator does: a request is dropped with its attempt, an answer once that is stored.
    pub(super) fn forget_requests(&mut self) {
        let has_ended = |status: &WorkflowStatus, short: &str| {
            let (step, number) = short.rsplit_once('#').unwrap();
            let step = status.steps.get(step);
            let mut recent = step.iter().flat_map(|step| &step.attempts.recent);
            recent.any(|attempt| attempt.number.to_string() == number && attempt.phase.is_terminal())
        };
        for (short, key) in &self.requests {
            let status = match self.notes.requests.get(key) {
                Some(Known::Answered(_)) => &self.stored,
                _ => &self.pending,
            };
            if has_ended(status, short) {
                self.notes.requests.remove(key);
            }
        }
    }

    /// `a#1 answers 200 {"n":1}`, `answers 503 after=7s`, `lost`, `refused`, `held 30s`. False: not of a request.
    pub(super) fn request(&mut self, attempt: &str, words: &[String]) -> bool {
        let answer = match words[0].as_str() {
            "held" => {
                self.holds.insert(attempt.to_owned(), self.after(span(&words[1])));
                return true;
            }
            "answers" => Ok(answer(&words[1..])),
            "lost" => Err(lost(Reason::ConnectionFailed, true)),
            "refused" => Err(lost(Reason::AddressRefused, false)),
            _ => return false,
        };
        let key = self.requests.get(attempt);
        let key = key.unwrap_or_else(|| panic!("no request of {attempt} was asked for"));
        // Of what was dropped no answer arrives.
        if let Some(known) = self.notes.requests.get_mut(key) {
            *known = Known::Answered(Arc::new(answer));
        }
        true
    }
}

fn answer(words: &[String]) -> Response {
    let more = |prefix: &str| words.iter().find_map(|word| word.strip_prefix(prefix));
    let body = words.iter().find(|word| word.starts_with(['{', '[', '"']));
    let body = body.map_or("", String::as_str);
    Response {
        status: words[0].parse().unwrap(),
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        body: serde_json::from_str(body).unwrap_or_default(),
        excerpt: body.to_owned(),
        retry_after: more("after=").map(span),
    }
}

fn lost(reason: Reason, may_pass: bool) -> Lost {
    Lost {
        reason,
        message: "says the sender".to_owned(),
        may_pass,
    }
}
