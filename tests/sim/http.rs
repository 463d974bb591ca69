//! Steps that send requests, under every trouble at every write: each attempt is sent once at most, after its
//! start is stored, and no Job rests on an answer that is not.

use jobwright_api::{
    Http, StepPhase, ValueType, WorkflowPhase,
    http::{HttpMethod, HttpOutput, HttpUrl},
};
use jobwright_tests::graphs::{Body, Case, Outcome, Output, Retry, Said, Source, StepCase};
use serde_json::json;
use std::collections::BTreeMap;

use crate::{
    faults::Trouble,
    play::{Report, Script, play},
    receiver::FLAKY,
};

fn request(method: HttpMethod) -> Http {
    Http {
        method,
        url: HttpUrl {
            value: Some("http://receiver.example/".to_owned()),
            expression: None,
        },
        outputs: vec![HttpOutput {
            name: "n".to_owned(),
            kind: ValueType::Integer,
            expression: "response.body.n".to_owned(),
            ..HttpOutput::default()
        }],
        ..Http::default()
    }
}

fn step(name: &str, needs: &[usize]) -> StepCase {
    let said = Said::Values([("n".to_owned(), json!(7))].into());
    StepCase {
        name: name.to_owned(),
        needs: needs.to_vec(),
        outputs: vec![Output {
            name: "n".to_owned(),
            kind: ValueType::Integer,
            optional: false,
            default: None,
            is_text: false,
        }],
        outcomes: vec![Outcome::Exit {
            code: 0,
            start_ms: 400,
            run_ms: 900,
            said,
        }],
        ..StepCase::default()
    }
}

/// A Job, requests of each kind upon it, a Job upon these.
fn case() -> Case {
    let retry = |step: StepCase| StepCase {
        retry: Some(Retry {
            max: Some(5),
            initial_s: Some(1),
            factor: None,
            never: Vec::new(),
        }),
        ..step
    };
    let mut end = step("end", &[1, 2, 3, 4]);
    end.inputs = vec![("n".to_owned(), Source::Reads(3, "n".to_owned()))];
    let steps = vec![
        step("first", &[]),
        step("get", &[0]),
        retry(step(FLAKY, &[0])),
        retry(step("post", &[1])),
        step("beside", &[]),
        end,
    ];
    let http = [
        ("get", HttpMethod::Get),
        (FLAKY, HttpMethod::Get),
        ("post", HttpMethod::Post),
    ];
    Case {
        root: Body {
            steps,
            outputs: vec![("total".to_owned(), Source::ReadsOr(5, "n".to_owned(), -1))],
            ..Body::default()
        },
        ttl_s: Some(5),
        http: http.map(|(name, method)| (name.to_owned(), request(method))).into(),
        ..Case::default()
    }
}

fn ends_well(report: &Report) -> Result<(), String> {
    let status = &report.status;
    let open = status.steps.iter().find(|(_, step)| step.phase != StepPhase::Succeeded);
    if status.phase != Some(WorkflowPhase::Succeeded) || open.is_some() {
        return Err(format!("{:?} {:?}, {open:?}", status.phase, status.message));
    }
    let posts = report.received.iter().filter(|(step, _)| step == "post").count();
    (posts <= 2)
        .then_some(())
        .ok_or_else(|| format!("{posts} requests of one step: {:?}", report.received))
}

#[test]
fn requests_take_as_many_attempts_as_they_need() {
    let report = play(&case(), 7, &Script::default()).unwrap();
    ends_well(&report).unwrap();
    let sent: Vec<String> = report
        .received
        .iter()
        .map(|(step, attempt)| format!("{step}#{attempt}"))
        .collect();
    assert_eq!(sent.len(), 4, "{sent:?}");
    assert!(sent.contains(&"flaky#2".to_owned()), "{sent:?}");
}

#[test]
fn trouble_at_any_write_sends_no_attempt_twice() {
    let case = case();
    let undisturbed = play(&case, 7, &Script::default()).unwrap();
    let mut failed = Vec::new();
    for at in 0..undisturbed.writes.len() {
        for trouble in Trouble::AT_EACH_WRITE {
            let script = Script {
                troubles: BTreeMap::from([(at, trouble)]),
                ..Script::default()
            };
            let ended = play(&case, 7, &script).and_then(|report| ends_well(&report));
            let what = &undisturbed.writes[at];
            failed.extend(
                ended
                    .err()
                    .map(|fault| format!("{trouble:?} at write {at}, {what}: {fault}")),
            );
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
