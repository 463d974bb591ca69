//! Outputs that are not what was declared. What only a real kubelet can show is in the e2e tests.

use crate::{run, task};
use anyhow::{Result, ensure};
use jobwright_api::{Reason, StepPhase};
use jobwright_tests::harness::step;
use serde_json::{Value, json};

/// A step whose termination message is this: the run fails, and its step says all of that.
fn wrong(outputs: &str, message: &str, says: &[&str]) -> Result<()> {
    run(async |world| {
        world.create_all(&said(outputs, message)).await?;
        let status = world
            .failed("says", 30, &Reason::StepFailed, &["step a failed", "OutputInvalid"])
            .await?;
        let step = step(&status, "a")?;
        ensure!(
            step.phase == StepPhase::Failed && step.reason == Some(Reason::OutputInvalid),
            "{step:?}"
        );
        let words = step.message.clone().unwrap_or_default();
        let missing = says.iter().find(|part| !words.contains(**part));
        ensure!(missing.is_none(), "it should say {missing:?}: {words}");
        ensure!(words.len() <= 1024, "{} bytes", words.len());
        Ok(())
    })
}

/// A Task whose program says a message, and a Workflow that runs it.
fn said(outputs: &str, message: &str) -> String {
    let annotations = json!({ "fake-kubelet/message": message }).to_string();
    let workflow = r"
apiVersion: jobwright.dev/v1alpha1
kind: Workflow
metadata: {name: says}
spec: {steps: [{name: a, task: {name: says}}]}
";
    format!("{}{workflow}", task("says", &annotations, outputs))
}

#[test]
fn what_is_not_json_is_quoted() -> Result<()> {
    wrong("[{name: n, type: integer}]", "forty two", &["not JSON", "forty two"])
}

#[test]
fn a_list_is_not_an_object() -> Result<()> {
    wrong(
        "[{name: n, type: integer}]",
        "[1, 2]",
        &["array", "JSON object", "[1, 2]"],
    )
}

#[test]
fn a_wrong_type_names_both_types() -> Result<()> {
    wrong(
        "[{name: n, type: integer}]",
        r#"{"n": "3"}"#,
        &["output n", "string", "integer"],
    )
}

#[test]
fn a_missing_output_is_named() -> Result<()> {
    wrong(
        "[{name: n, type: integer}]",
        r#"{"m": 3}"#,
        &["output n is missing", "termination-log"],
    )
}

#[test]
fn an_empty_message_misses_all() -> Result<()> {
    wrong("[{name: n}]", "", &["output n is missing", "nothing"])
}

#[test]
fn what_was_cut_is_said_to_be_cut() -> Result<()> {
    let long = format!("{{\"n\": \"{}", "x".repeat(4096 - 7));
    wrong("[{name: n}]", &long, &["cut at 4096 bytes", "reference"])
}

#[test]
fn outputs_flow_with_their_types() -> Result<()> {
    run(async |world| {
        let message = r#"{"text": "é \"{{ x }}\" $(HOME)", "whole": 3.0, "part": 0.5, "flag": true, "list": [1, null], "map": {"a": {}}}"#;
        let outputs = "[{name: text}, {name: whole, type: integer}, {name: part, type: number}, {name: flag, type: boolean}, {name: list, type: array}, {name: map, type: object}, {name: given, type: integer, default: 7}, {name: absent, optional: true}]";
        let yaml = said(outputs, message).replace(
            "spec: {steps:",
            "spec: {outputs: [{name: whole, type: integer, expression: steps.a.outputs.whole + steps.a.outputs.given}, {name: text, expression: steps.a.outputs.text}, {name: list, type: array, expression: steps.a.outputs.list}], steps:",
        );
        world.create_all(&yaml).await?;
        let status = world.succeeded("says", 30).await?;
        let expected: Value = json!({
            "text": "é \"{{ x }}\" $(HOME)", "whole": 3, "part": 0.5, "flag": true, "list": [1, null], "map": {"a": {}}, "given": 7,
        });
        let found = json!(step(&status, "a")?.outputs);
        ensure!(found == expected, "{found}");
        let found = json!(status.outputs);
        ensure!(
            found == json!({ "whole": 10, "text": "é \"{{ x }}\" $(HOME)", "list": [1, null] }),
            "{found}"
        );
        Ok(())
    })
}

#[test]
fn a_failed_program_is_tried_again_and_says_its_exit_code() -> Result<()> {
    run(async |world| {
        let yaml = said("[]", "disk full").replace(
            "fake-kubelet/message",
            "fake-kubelet/exit\": \"7\", \"fake-kubelet/message",
        );
        let yaml = yaml.replace(
            "task: {name: says}",
            "task: {name: says}, retry: {maxAttempts: 3, backoff: {initial: 100ms}}",
        );
        world.create_all(&yaml).await?;
        let status = world
            .failed(
                "says",
                30,
                &Reason::StepFailed,
                &["step a failed", "exit code 7", "disk full"],
            )
            .await?;
        let step = step(&status, "a")?;
        ensure!(step.attempts.count == 3, "{:?}", step.attempts);
        ensure!(
            step.attempts.recent.iter().all(|attempt| attempt.exit_code == Some(7)),
            "{:?}",
            step.attempts
        );
        ensure!(world.ensure_invariants().await? == 3, "one Job per attempt");
        Ok(())
    })
}
