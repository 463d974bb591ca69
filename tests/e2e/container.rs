//! What reaches the container, what comes back, and what it may do.

use crate::{IMAGE, one, run};
use anyhow::{Context, Result, ensure};
use jobwright_api::{Reason, StepPhase};
use jobwright_tests::{
    audit::{Event, text},
    harness::{World, indented, step},
};
use k8s_openapi::api::{batch::v1::Job, core::v1::Namespace};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

/// All that a shell, Kubernetes, Helm or JSON could stumble over.
const HOSTILE: &str = "$(HOME) $$(HOME) ${HOME} $HOME `id` '; id; ' \"quoted\" \\n \\\\ {{ inputs.x }} {% x %}\n\ttab\r\n  two lines\n🦀 é \u{202e}אב %s %% #end ";

#[test]
fn a_value_arrives_byte_for_byte() -> Result<()> {
    run(async |world| {
        let dump = "od -An -v -tx1 | tr -d ' \\n' >/dev/termination-log";
        let yaml = format!(
            r#"
apiVersion: jobwright.dev/v1alpha1
kind: Workflow
metadata: {{name: bytes}}
spec:
  inputs: [{{name: text, value: {value}}}]
  steps:
  - name: variable
    job: {{image: {IMAGE}, script: "printf %s \"$INPUT_TEXT\" | {dump}"}}
    inputs: [{{name: text, expression: inputs.text}}]
    outputs: [{{name: hex, format: Text}}]
  - name: argument
    job: {{image: {IMAGE}, command: [sh, -c, "printf %s \"$1\" | {dump}", sh, "$(INPUT_TEXT)"]}}
    inputs: [{{name: text, value: {value}}}]
    outputs: [{{name: hex, format: Text}}]
  - name: output
    job: {{image: {IMAGE}, script: "printf %s \"$INPUT_TEXT\" >/dev/termination-log"}}
    inputs: [{{name: text, expression: inputs.text}}]
    outputs: [{{name: same, format: Text}}]
  outputs: [{{name: same, expression: steps.output.outputs.same}}]
"#,
            value = json!(HOSTILE),
            dump = dump.replace('\\', "\\\\"),
        );
        world.create_all(&yaml).await?;
        let status = world.succeeded("bytes", 60).await?;
        let expected = hex(HOSTILE);
        for name in ["variable", "argument"] {
            let found = step(&status, name)?.outputs.get("hex").cloned().unwrap_or_default();
            ensure!(found == json!(expected), "{name}: {found} instead of {expected}");
        }
        ensure!(
            status.outputs.get("same") == Some(&json!(HOSTILE)),
            "{:?}",
            status.outputs
        );
        Ok(())
    })
}

/// As `od -tx1` prints it, without the spaces.
fn hex(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").ok();
        hex
    })
}

#[test]
fn a_script_runs_in_its_interpreter_with_its_fields_computed() -> Result<()> {
    run(async |world| {
        let yaml = format!(
            r#"
apiVersion: jobwright.dev/v1alpha1
kind: Workflow
metadata: {{name: w}}
spec:
  inputs: [{{name: image, value: {IMAGE}}}, {{name: memory, type: integer, value: 48}}]
  steps:
  - name: a
    job:
      fieldsFrom:
      - {{field: image, expression: inputs.image}}
      - {{field: resources.limits.memory, expression: 'string(inputs.memory) + "Mi"'}}
      interpreter: [awk]
      script: |
        BEGIN {{ for (i = 1; i <= 4; i++) sum += i; printf "{{\"sum\":%d}}", sum > "/dev/termination-log" }}
    inputs: [{{name: image, expression: inputs.image}}, {{name: memory, expression: inputs.memory}}]
    outputs: [{{name: sum, type: integer}}]
"#
        );
        world.create_all(&yaml).await?;
        let status = world.succeeded("w", 60).await?;
        ensure!(step(&status, "a")?.outputs.get("sum") == Some(&json!(10)), "{status:?}");
        let jobs = world.jobs_until(5, "one Job", |jobs| jobs.len() == 1).await?;
        let job = jobs.values().next().context("no Job")?;
        let container = json!(
            job.spec
                .as_ref()
                .and_then(|spec| spec.template.spec.as_ref())
                .map(|pod| &pod.containers)
        );
        ensure!(
            container.pointer("/0/resources/limits/memory") == Some(&json!("48Mi")),
            "{container}"
        );
        Ok(())
    })
}

#[test]
fn a_step_with_a_sidecar_ends() -> Result<()> {
    run(async |world| {
        let task = format!(
            r#"
apiVersion: jobwright.dev/v1alpha1
kind: Task
metadata: {{name: served}}
spec:
  outputs: [{{name: said, format: Text}}]
  job:
    image: {IMAGE}
    script: |
      while [ ! -e /shared/ready ]; do sleep 0.1; done
      cat /shared/ready >/dev/termination-log
    volumeMounts: [{{name: shared, mountPath: /shared}}]
    sidecars:
    - name: server
      image: {IMAGE}
      command: [sh, -c, "trap 'exit 0' TERM; printf yes >/shared/new; mv /shared/new /shared/ready; while :; do sleep 0.1; done"]
      volumeMounts: [{{name: shared, mountPath: /shared}}]
    pod: {{volumes: [{{name: shared, emptyDir: {{}}}}], securityContext: {{fsGroup: 65534}}}}
---
apiVersion: jobwright.dev/v1alpha1
kind: Workflow
metadata: {{name: w}}
spec: {{steps: [{{name: a, task: {{name: served}}}}, {{name: b, needs: [a], task: {{name: served}}}}]}}
"#
        );
        world.create_all(&task).await?;
        let status = world.succeeded("w", 90).await?;
        ensure!(
            step(&status, "b")?.outputs.get("said") == Some(&json!("yes")),
            "{status:?}"
        );
        Ok(())
    })
}

#[test]
fn a_namespace_that_enforces_restricted_takes_our_pods_without_a_token() -> Result<()> {
    run(async |world| {
        let labels = json!({ "metadata": { "labels": {
            "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted",
        }}});
        let namespaces: Api<Namespace> = Api::all(world.client.clone());
        namespaces
            .patch(&world.namespace, &PatchParams::default(), &Patch::Merge(labels))
            .await?;
        let script = r#"[ ! -e /var/run/secrets/kubernetes.io ] || exit 3
printf '{"uid": %d, "caps": "%s"}' "$(id -u)" "$(sed -n 's/CapEff:[^0-9]*//p' /proc/self/status)" >/dev/termination-log"#;
        world
            .create_all(&one(
                "w",
                script,
                "    outputs: [{name: uid, type: integer}, {name: caps}]",
            ))
            .await?;
        let status = world.succeeded("w", 60).await?;
        let outputs = &step(&status, "a")?.outputs;
        ensure!(outputs.get("uid") == Some(&json!(65534)), "{outputs:?}");
        let caps = outputs.get("caps").and_then(|caps| caps.as_str()).unwrap_or_default();
        ensure!(
            !caps.is_empty() && caps.chars().all(|digit| digit == '0'),
            "{outputs:?}"
        );
        Ok(())
    })
}

#[test]
fn a_program_out_of_memory_says_so() -> Result<()> {
    run(async |world| {
        let yaml = one("w", "exec tail /dev/zero", "")
            .replace("    job:\n", "    job:\n      resources: {limits: {memory: 24Mi}}\n");
        world.create_all(&yaml).await?;
        let status = world
            .failed("w", 60, &Reason::StepFailed, &["OOMKilled", "resources.limits.memory"])
            .await?;
        let attempt = step(&status, "a")?.attempts.recent.first().context("no attempt")?;
        ensure!(
            attempt.reason == Some(Reason::OOMKilled) && attempt.exit_code == Some(137),
            "{attempt:?}"
        );
        Ok(())
    })
}

#[test]
fn an_exit_code_and_the_last_words_are_kept() -> Result<()> {
    run(async |world| {
        world
            .create_all(&one("w", "echo 'no space left' >/dev/termination-log; exit 9", ""))
            .await?;
        let status = world
            .failed("w", 60, &Reason::StepFailed, &["exit code 9", "no space left"])
            .await?;
        let attempt = step(&status, "a")?.attempts.recent.first().context("no attempt")?;
        ensure!(attempt.exit_code == Some(9) && attempt.node.is_some(), "{attempt:?}");
        Ok(())
    })
}

/// An output that cannot be read: the step says why.
fn invalid(script: &str, says: &[&str]) -> Result<()> {
    run(async |world| {
        world
            .create_all(&one("w", script, "    outputs: [{name: text}]"))
            .await?;
        let status = world.failed("w", 60, &Reason::StepFailed, &["OutputInvalid"]).await?;
        let words = step(&status, "a")?.message.clone().unwrap_or_default();
        let missing = says.iter().find(|part| !words.contains(**part));
        ensure!(
            missing.is_none() && words.len() <= 1024,
            "it should say {missing:?}: {words}"
        );
        Ok(())
    })
}

#[test]
fn an_output_that_is_no_utf8_is_invalid() -> Result<()> {
    invalid(r#"printf '{"text": "\377\376"}' >/dev/termination-log"#, &["UTF-8"])
}

#[test]
fn an_output_of_five_kibibytes_was_cut() -> Result<()> {
    let script = r#"{ printf '{"text": "'; head -c 5120 /dev/zero | tr '\0' x; printf '"}'; } >/dev/termination-log"#;
    invalid(script, &["cut at 4096 bytes"])
}

#[test]
fn the_first_report_of_the_exit_is_what_the_run_records() -> Result<()> {
    run(async |world| {
        let script = r#"printf '{"n": 7}' >/dev/termination-log"#;
        let body = |name: &str, needs: &str| {
            format!(
                "- name: {name}\n  needs: [{needs}]\n  job: {{image: {IMAGE}, script: {}}}\n  outputs: [{{name: n, type: integer}}]",
                json!(script)
            )
        };
        let steps = format!("{}\n{}", body("a", ""), body("b", "a"));
        let yaml = format!(
            "apiVersion: jobwright.dev/v1alpha1\nkind: Workflow\nmetadata: {{name: w}}\nspec:\n  steps:\n  {}\n",
            indented(&steps, 2)
        );
        world.create_all(&yaml).await?;
        let status = world.succeeded("w", 60).await?;
        for name in ["a", "b"] {
            ensure!(step(&status, name)?.outputs.get("n") == Some(&json!(7)), "{status:?}");
        }
        let job = |name: &str| -> Result<String> {
            let attempt = step(&status, name)?.attempts.recent.first().context("no attempt")?;
            Ok(attempt.job.clone())
        };
        let (first, second) = (job("a")?, job("b")?);
        // The phase and the Job's end come later than the run's own: give them the time.
        world
            .jobs_until(30, "both Jobs are complete", |jobs| {
                jobs.values().filter(|job| is_complete(job)).count() == 2
            })
            .await?;
        let events = world.audit().await?;
        ensure_ahead(world, &events, &first, &second)
    })
}

fn is_complete(job: &Job) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Complete" && condition.status == "True")
}

/// The next Job is created, and the end of the run stored, before the pods' phase says so.
fn ensure_ahead(world: &World, events: &[Event], first: &str, second: &str) -> Result<()> {
    let succeeded = |job: &str| {
        let reports = events
            .iter()
            .filter(|event| event.resource == "pods" && event.subresource == "status");
        let own = reports.filter(|event| text(&event.response, "/metadata/labels/job-name") == job);
        own.filter(|event| text(&event.response, "/status/phase") == "Succeeded")
            .map(|event| event.received)
            .min()
    };
    let completed = |job: &str| {
        let updates = events
            .iter()
            .filter(|event| event.resource == "jobs" && event.name == job && event.is_done());
        let over = updates.filter(|event| event.response.pointer("/status/completionTime").is_some());
        over.map(|event| event.received).min()
    };
    let created = events
        .iter()
        .find(|event| event.what() == "create jobs" && text(&event.response, "/metadata/name") == second);
    let created = created.context("no create of the second Job")?.received;
    let phase = succeeded(first).context("the first pod's phase is not in the log")?;
    ensure!(
        created < phase,
        "the second Job was created at {created}, after the first pod's phase at {phase}"
    );
    let user = world.operator.user();
    let stored = events.iter().filter(|event| event.user == user).find(|event| {
        event
            .stored_status()
            .is_some_and(|status| text(status, "/phase") == "Succeeded")
    });
    let stored = stored.context("no stored success")?.received;
    let phase = succeeded(second).context("the second pod's phase is not in the log")?;
    let complete = completed(second).context("the second Job's end is not in the log")?;
    ensure!(
        stored < phase && stored < complete,
        "stored at {stored}; phase at {phase}, complete at {complete}"
    );
    eprintln!(
        "ahead of the phase by {:?}, of Complete by {:?}",
        phase.duration_since(stored),
        complete.duration_since(stored)
    );
    Ok(())
}

#[test]
fn every_attempt_knows_who_it_is() -> Result<()> {
    run(async |world| {
        let script = r#"printf '{"who": "%s %s %s %s", "key": "%s"}' "$JOBWRIGHT_WORKFLOW" "$JOBWRIGHT_RUN" "$JOBWRIGHT_STEP" "$JOBWRIGHT_ATTEMPT" "$JOBWRIGHT_IDEMPOTENCY_KEY" >/dev/termination-log
[ "$JOBWRIGHT_ATTEMPT" = 2 ]"#;
        let more = "    outputs: [{name: who}, {name: key}]\n    retry: {maxAttempts: 2, backoff: {initial: 100ms}}";
        world.create_all(&one("w", script, more)).await?;
        let status = world.succeeded("w", 60).await?;
        let step = step(&status, "a")?;
        ensure!(
            step.phase == StepPhase::Succeeded && step.attempts.count == 2,
            "{step:?}"
        );
        ensure!(step.outputs.get("who") == Some(&json!("w 1 a 2")), "{:?}", step.outputs);
        Ok(())
    })
}
