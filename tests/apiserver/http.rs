//! Steps that send requests, to a receiver in this process.

use anyhow::{Context, Result, ensure};
use jobwright_api::{Reason, StepPhase, WorkflowStatus};
use jobwright_tests::harness::{self, Kubelet, World, receiver, step};
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use serde_json::json;

fn run(test: impl AsyncFnOnce(&mut World) -> Result<()>) -> Result<()> {
    harness::run(Kubelet::Fake, receiver::CONFIG, test)
}

/// A Workflow of this name with these steps, and what else its spec has.
fn workflow(name: &str, rest: &str) -> Result<String> {
    let text = format!("apiVersion: jobwright.dev/v1alpha1\nkind: Workflow\nmetadata: {{name: {name}}}\nspec:\n{rest}");
    Ok(text.replace(receiver::PLACE, &receiver::url()?))
}

async fn ensure_no_job(world: &World) -> Result<()> {
    let jobs = world.ensure_invariants().await?;
    ensure!(jobs == 0, "{jobs} Jobs were made");
    Ok(())
}

#[test]
fn values_go_out_and_come_back() -> Result<()> {
    const STEPS: &str = r"
  inputs: [{name: who, type: string, value: 'a&b=c/ü'}]
  steps:
  - name: tell
    http:
      method: POST
      url: {value: 'http://receiver.example/echo/values?a=1'}
      headers: [{name: X-Who, expression: 'string(size(inputs.who))'}]
      query: [{name: who, expression: inputs.who}, {name: none, expression: 'null'}]
      body: {expression: '{''who'': inputs.who, ''n'': 2}'}
      expect: response.status == 200 && response.headers['content-type'] == 'application/json'
      outputs:
      - {name: target, type: string, expression: response.body.target}
      - {name: n, type: integer, expression: response.body.body.n}
      - {name: kind, type: string, expression: 'response.body.headers[''content-type'']'}
      - {name: none, type: string, optional: true, expression: response.body.missing}
  - {name: after, needs: [tell], job: {image: none}, inputs: [{name: n, expression: steps.tell.outputs.n}]}
  outputs: [{name: n, type: integer, expression: steps.tell.outputs.n}]
";
    run(async |world| {
        world.create_all(&workflow("w", STEPS)?).await?;
        let status = world.succeeded("w", 30).await?;
        let outputs = &step(&status, "tell")?.outputs;
        ensure!(
            outputs["target"] == json!("/echo/values?a=1&who=a%26b%3Dc%2F%C3%BC"),
            "{outputs:?}"
        );
        ensure!(
            outputs["kind"] == json!("application/json") && status.outputs["n"] == json!(2),
            "{outputs:?}"
        );
        ensure!(!outputs.contains_key("none"), "{outputs:?}");
        let attempt = step(&status, "tell")?.attempts.recent.first().context("no attempt")?;
        ensure!(
            attempt.response_status == Some(200) && attempt.exit_code.is_none(),
            "{attempt:?}"
        );
        ensure!(world.ensure_invariants().await? == 1, "the request made a Job");
        Ok(())
    })
}

#[test]
fn what_passes_is_tried_again_under_the_same_key() -> Result<()> {
    const STEPS: &str = r"
  steps:
  - name: flaky
    retry: {maxAttempts: 3, backoff: {initial: 100ms}}
    http: {method: POST, url: {value: 'http://receiver.example/flaky/key'}, body: {value: 1}}
";
    run(async |world| {
        world.create_all(&workflow("w", STEPS)?).await?;
        let status = world.succeeded("w", 30).await?;
        let attempts = &step(&status, "flaky")?.attempts;
        ensure!(
            attempts.count == 2 && attempts.recent[0].reason == Some(Reason::Unavailable),
            "{attempts:?}"
        );
        let since = |at: usize| attempts.recent[at].started_at.clone().map(|at| at.0);
        let pause = since(1)
            .context("no start")?
            .duration_since(since(0).context("no start")?);
        ensure!(pause.as_secs() >= 1, "the receiver asked for a second: {pause}");
        let keys: Vec<_> = receiver::received("/flaky/key")?
            .into_iter()
            .map(|one| one.headers["idempotency-key"].clone())
            .collect();
        ensure!(keys.len() == 2 && keys[0] == keys[1], "{keys:?}");
        ensure_no_job(world).await
    })
}

#[test]
fn two_hundred_requests_are_on_their_way_at_once() -> Result<()> {
    const STEPS: &str = r"
  steps:
  - name: all
    forEach: {count: 200}
    http:
      url: {expression: '''http://receiver.example/together/200/'' + string(item)'}
      timeout: 100s
      outputs: [{name: n, type: integer, expression: response.body.n}]
  outputs: [{name: sum, type: integer, expression: 'sum(steps.all.results.map(r, r.n))'}]
";
    run(async |world| {
        world.create_all(&workflow("w", STEPS)?).await?;
        // None is answered before all are there.
        let status = world.succeeded("w", 90).await?;
        ensure!(status.outputs["sum"] == json!(200), "{:?}", status.outputs);
        let writes = world
            .requests()
            .await?
            .iter()
            .filter(|event| event.verb == "patch")
            .count();
        ensure!(writes <= 30, "{writes} status writes");
        ensure_no_job(world).await
    })
}

#[test]
fn a_secret_reaches_the_receiver_and_nothing_else() -> Result<()> {
    const SECRET: &str = "hunter2-0123456789";
    const STEPS: &str = r"
  steps:
  - name: tell
    http:
      url: {value: 'http://receiver.example/echo/secret'}
      headers: [{name: Authorization, secretKeyRef: {name: token, key: value}}]
      outputs: [{name: got, type: string, expression: response.body.headers.authorization}]
  - name: refused
    http:
      url: {value: 'http://receiver.example/echo/secret'}
      headers: [{name: Authorization, secretKeyRef: {name: token, key: value}}]
      expect: 'false'
    onFailure: {then: Continue}
  - name: missing
    http:
      url: {value: 'http://receiver.example/echo/secret'}
      headers: [{name: Authorization, secretKeyRef: {name: token, key: other}}]
    onFailure: {then: Continue}
";
    run(async |world| {
        let secret = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: token}}\nstringData: {{value: 'Bearer {SECRET}'}}"
        );
        world.create_all(&secret).await?;
        world.create_all(&workflow("w", STEPS)?).await?;
        let status = world.succeeded("w", 30).await?;
        ensure!(step(&status, "tell")?.outputs["got"] == json!("…"), "{status:?}");
        ensure!(
            step(&status, "refused")?.reason == Some(Reason::UnexpectedResponse),
            "{status:?}"
        );
        let missing = step(&status, "missing")?;
        ensure!(missing.reason == Some(Reason::SecretMissing), "{missing:?}");
        let received = receiver::received("/echo/secret")?;
        let reached = received
            .iter()
            .filter(|one| one.headers["authorization"] == format!("Bearer {SECRET}"));
        ensure!(reached.count() == 2 && received.len() == 2, "{received:?}");
        world.event_says("the run is Succeeded", 20).await?;
        let events = world.api::<Event>().list(&ListParams::default()).await?;
        let asked: Vec<_> = world
            .requests()
            .await?
            .into_iter()
            .filter(|event| event.resource == "secrets")
            .collect();
        ensure!(
            asked.len() == 3 && asked.iter().all(|event| event.verb == "get"),
            "{asked:?}"
        );
        let audit = format!("{:?}", world.audit().await?);
        for (place, text) in [
            ("status", serde_json::to_string(&status)?),
            ("events", serde_json::to_string(&events.items)?),
            ("log", world.operator.log()),
            ("audit log", audit),
        ] {
            ensure!(!text.contains(SECRET), "the secret stands in the {place}");
        }
        Ok(())
    })
}

#[test]
fn where_nobody_may_go_no_request_goes() -> Result<()> {
    const STEPS: &str = r"
  inputs: [{name: metadata, type: string, value: 'http://169.254.169.254/latest'}]
  steps:
  - {name: metadata, onFailure: {then: Continue}, http: {url: {expression: inputs.metadata}}}
  - {name: api, onFailure: {then: Continue}, http: {url: {value: 'https://127.0.0.1:6443/api'}}}
  - {name: local, onFailure: {then: Continue}, http: {url: {value: 'http://127.0.0.3/'}}}
  - {name: moved, onFailure: {then: Continue}, http: {url: {value: 'http://receiver.example/moved'}}}
";
    run(async |world| {
        world.create_all(&workflow("w", STEPS)?).await?;
        let status = world.succeeded("w", 30).await?;
        for name in ["metadata", "api", "local"] {
            let refused = step(&status, name)?;
            ensure!(refused.reason == Some(Reason::AddressRefused), "{refused:?}");
        }
        ensure!(
            step(&status, "moved")?.reason == Some(Reason::UnexpectedResponse),
            "{status:?}"
        );
        ensure_no_job(world).await
    })
}

#[test]
fn an_operator_that_dies_on_the_way_repeats_only_what_may_be() -> Result<()> {
    const STEPS: &str = r"
  steps:
  - {name: post, onFailure: {then: Continue}, http: {method: POST, url: {value: 'http://receiver.example/slow/post'}, timeout: 1h}}
  - {name: get, timeouts: {startToClose: 2s}, onFailure: {then: Continue}, http: {url: {value: 'http://receiver.example/slow/get'}, timeout: 1h}}
";
    run(async |world| {
        world.create_all(&workflow("w", STEPS)?).await?;
        let are_sent = |status: &WorkflowStatus| status.steps.values().all(|step| step.phase == StepPhase::Running);
        world
            .until("w", 30, "has sent both", |status| {
                status.steps.len() == 2 && are_sent(status)
            })
            .await?;
        world.operator.kill()?;
        world.operator.start_again()?;
        let status = world.succeeded("w", 60).await?;
        let (post, get) = (step(&status, "post")?, step(&status, "get")?);
        ensure!(
            post.reason == Some(Reason::Interrupted) && post.attempts.count == 1,
            "{post:?}"
        );
        ensure!(
            get.reason == Some(Reason::DeadlineExceeded) && get.attempts.count >= 2,
            "{get:?}"
        );
        ensure!(get.attempts.recent[0].reason == Some(Reason::Interrupted), "{get:?}");
        ensure!(receiver::received("/slow/post")?.len() <= 1, "it was sent again");
        ensure_no_job(world).await
    })
}
