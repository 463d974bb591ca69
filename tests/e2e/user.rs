//! The word count of `config/samples`, and what a user of kubectl expects of a Workflow.

use crate::{IMAGE, one, run};
use anyhow::{Context, Result, ensure};
use jobwright_tests::harness::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::{fs, path::Path};

/// What the sample's comment says: texts that are on every Debian.
const TEXTS: &str = "/usr/share/common-licenses";

/// The sample, with the image that the node has.
pub(crate) fn sample() -> Result<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/samples/wordcount");
    let read = |file: &str| fs::read_to_string(folder.join(file)).with_context(|| format!("read {file} of the sample"));
    let text = format!("{}\n---\n{}", read("tasks.yaml")?, read("workflow.yaml")?);
    ensure!(text.contains("busybox:1.37"), "the sample's image has changed");
    Ok(text.replace("busybox:1.37", IMAGE))
}

pub(crate) async fn create_texts(world: &World) -> Result<()> {
    let from = format!("--from-file={TEXTS}");
    world
        .kubectl(&["create", "configmap", "wordcount-texts", &from])
        .await?
        .fine()
        .map(drop)
}

/// The words of the regular files there, counted without any container.
pub(crate) fn words() -> Result<u64> {
    let mut words = 0;
    for entry in fs::read_dir(TEXTS)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let text = fs::read(entry.path())?;
            let parts = text
                .split(|byte| !byte.is_ascii_alphabetic())
                .filter(|part| !part.is_empty());
            words += u64::try_from(parts.count())?;
        }
    }
    Ok(words)
}

async fn json_of(world: &World, args: &[&str]) -> Result<Value> {
    let args = [args, &["-o", "json"]].concat();
    Ok(serde_json::from_str(&world.kubectl(&args).await?.fine()?)?)
}

#[test]
fn the_word_count_runs_as_a_user_expects() -> Result<()> {
    run(async |world| {
        create_texts(world).await?;
        let sample = sample()?;
        let said = world.kubectl_apply(&sample).await?.fine()?;
        ensure!(said.contains("workflow.jobwright.dev/wordcount created"), "{said}");
        let wait = [
            "wait",
            "--for=condition=Succeeded",
            "workflow/wordcount",
            "--timeout=120s",
        ];
        let said = world.kubectl(&wait).await?.fine()?;
        ensure!(said.contains("condition met"), "{said}");
        ensure_counted(world).await?;
        ensure_columns(world).await?;
        ensure_described(world).await?;
        // To apply it again changes nothing, and runs nothing.
        world.kubectl_apply(&sample).await?.fine()?;
        let workflow = world.workflow("wordcount").await?;
        ensure!(
            workflow.metadata.generation == Some(1),
            "{:?}",
            workflow.metadata.generation
        );
        let jobs = json_of(world, &["get", "jobs"]).await?;
        ensure!(
            jobs["items"].as_array().map(Vec::len) == Some(7),
            "seven steps, seven Jobs"
        );
        ensure_deleted(world, "wordcount").await?;
        ensure!(world.ensure_invariants().await? == 7, "each step ran once");
        Ok(())
    })
}

async fn ensure_counted(world: &World) -> Result<()> {
    let workflow = json_of(world, &["get", "workflow", "wordcount"]).await?;
    let outputs = &workflow["status"]["outputs"];
    ensure!(
        outputs["words"] == json!(words()?),
        "{} words counted, there are {}",
        outputs["words"],
        words()?
    );
    let most = outputs["top"][0]["word"].as_str().unwrap_or_default();
    ensure!(
        most == "the",
        "the most frequent word of licences should be \"the\": {}",
        outputs["top"]
    );
    let report = outputs["report"].as_str().unwrap_or_default();
    ensure!(report.contains("\"the\" is the most frequent"), "{report}");
    Ok(())
}

async fn ensure_columns(world: &World) -> Result<()> {
    for kind in ["workflow", "workflows.jobwright.dev", "jwf"] {
        let table = world.kubectl(&["get", kind]).await?.fine()?;
        let mut lines = table.lines();
        let head: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
        ensure!(
            head == ["NAME", "PHASE", "PROGRESS", "STEP", "STARTED", "DURATION", "MESSAGE"],
            "{table}"
        );
        let row = lines.next().unwrap_or_default();
        let cells: Vec<&str> = row.split_whitespace().collect();
        ensure!(cells.starts_with(&["wordcount", "Succeeded", "7/7"]), "{table}");
        ensure!(
            cells.len() == 5 && cells[4].ends_with('s'),
            "no step is looked at, a duration in seconds:\n{table}"
        );
    }
    let all = world.kubectl(&["get", "jobwright", "-o", "name"]).await?.fine()?;
    for name in ["workflow.jobwright.dev/wordcount", "task.jobwright.dev/wordcount-count"] {
        ensure!(all.contains(name), "the category jobwright: {all}");
    }
    let tasks = world.kubectl(&["get", "jtask"]).await?.fine()?;
    let ready = tasks
        .lines()
        .skip(1)
        .filter(|line| line.split_whitespace().nth(1) == Some("True"))
        .count();
    ensure!(ready == 3, "three Tasks are ready:\n{tasks}");
    Ok(())
}

async fn ensure_described(world: &World) -> Result<()> {
    world.event_says("the run is Succeeded", 10).await?;
    let text = world.kubectl(&["describe", "workflow", "wordcount"]).await?.fine()?;
    for words in ["Phase:", "Succeeded", "Owner:", "samples", "Events:"] {
        ensure!(text.contains(words), "describe should show {words:?}:\n{text}");
    }
    let (_, events) = text.split_once("Events:").context("no events")?;
    ensure!(
        events.contains("jobwright-operator") && events.contains("Succeeded"),
        "events:\n{events}"
    );
    Ok(())
}

/// Deleting waits for nothing, but everything goes: Jobs and pods with their Workflow.
async fn ensure_deleted(world: &World, name: &str) -> Result<()> {
    world.kubectl(&["delete", "workflow", name]).await?.fine()?;
    world.jobs_until(60, "no Job is left", BTreeMap::is_empty).await?;
    world.pods_until(60, "no pod is left", BTreeMap::is_empty).await?;
    let rest = world.kubectl(&["get", "jobs,pods,workflows"]).await?.fine()?;
    ensure!(rest.is_empty(), "{rest}");
    Ok(())
}

#[test]
fn failed_workflows_are_found_by_their_phase() -> Result<()> {
    run(async |world| {
        world.create_all(&one("good", "true", "")).await?;
        world.create_all(&one("bad", "exit 4", "")).await?;
        let wait = ["wait", "--for=condition=Stalled", "workflow/bad", "--timeout=60s"];
        world.kubectl(&wait).await?.fine()?;
        world.succeeded("good", 60).await?;
        for (phase, name) in [("Failed", "bad"), ("Succeeded", "good")] {
            let selector = format!("status.phase={phase}");
            let names = world
                .kubectl(&["get", "workflows", "--field-selector", &selector, "-o", "name"])
                .await?
                .fine()?;
            ensure!(
                names.trim() == format!("workflow.jobwright.dev/{name}"),
                "{phase}: {names}"
            );
        }
        let table = world.kubectl(&["get", "workflow", "bad"]).await?.fine()?;
        ensure!(
            table.contains("exit code 4") && table.contains("1/1"),
            "the message says why:\n{table}"
        );
        world.event_says("exit code 4", 10).await
    })
}

#[test]
fn the_logs_of_a_step_are_found_by_its_label() -> Result<()> {
    run(async |world| {
        world.create_all(&one("w", "echo hello from the step", "")).await?;
        world.succeeded("w", 60).await?;
        let uid = json_of(world, &["get", "workflow", "w"]).await?["metadata"]["uid"]
            .as_str()
            .map(str::to_owned);
        let selector = format!("jobwright.dev/workflow-uid={}", uid.context("no uid")?);
        let logs = world.kubectl(&["logs", "--selector", &selector]).await?.fine()?;
        ensure!(logs.trim() == "hello from the step", "{logs}");
        Ok(())
    })
}

#[test]
fn what_is_wrong_is_said_when_it_is_applied() -> Result<()> {
    run(async |world| {
        let unknown = one("w", "true", "    retries: 3");
        let complaint = world.kubectl_apply(&unknown).await?.complaint()?;
        ensure!(complaint.contains("spec.steps[0].retries"), "{complaint}");
        let nothing = "apiVersion: jobwright.dev/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec: {steps: []}\n";
        let complaint = world.kubectl_apply(nothing).await?.complaint()?;
        ensure!(complaint.contains("spec.steps"), "{complaint}");
        world.kubectl_apply(&one("w", "true", "")).await?.fine()?;
        let changed = world.kubectl_apply(&one("w", "false", "")).await?.complaint()?;
        ensure!(changed.contains("create another Workflow"), "{changed}");
        Ok(())
    })
}
