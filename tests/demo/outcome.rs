//! What came out, and where to look further.

use crate::texts::Texts;
use console::{Style, style};
use jobwright_api::{Workflow, WorkflowPhase};
use kube::Client;
use serde_json::Value;
use tokio::sync::oneshot;

const BAR_WIDTH: u64 = 30;

/// The table, and whether the run has succeeded with the same numbers as a plain count.
pub(crate) fn show(workflow: &Workflow, texts: &Texts) -> bool {
    let status = workflow.status.clone().unwrap_or_default();
    if status.phase != Some(WorkflowPhase::Succeeded) {
        let reason = status.reason.map(|reason| reason.to_string()).unwrap_or_default();
        println!(
            "\n{} {reason}: {}",
            style("The run has failed.").red(),
            status.message.unwrap_or_default()
        );
        return false;
    }
    let report = status.outputs.get("report").and_then(Value::as_str).unwrap_or_default();
    println!("\n{}\n", Style::new().bold().apply_to(report));
    let found = ranking(status.outputs.get("top"));
    let most = found.first().map_or(1, |(_, count)| *count).max(1);
    for (place, (word, count)) in found.iter().enumerate() {
        let bar = "█".repeat(usize::try_from(count * BAR_WIDTH / most).unwrap_or_default());
        println!("  {:>2}  {word:<12}  {count:>6}  {}", place + 1, style(bar).cyan());
    }
    let counted = texts.count();
    let words = status.outputs.get("words").and_then(Value::as_u64);
    let is_same = words == u64::try_from(counted.words).ok()
        && found
            .iter()
            .zip(&counted.ranking)
            .all(|(found, (word, count))| found.0 == *word && usize::try_from(found.1) == Ok(*count));
    if is_same {
        println!("\n{} A plain count on this machine finds the same.", style("✓").green());
    } else {
        println!(
            "\n{} A plain count on this machine finds {} words.",
            style("✗").red(),
            counted.words
        );
    }
    is_same
}

fn ranking(top: Option<&Value>) -> Vec<(String, u64)> {
    let items = top.and_then(Value::as_array).into_iter().flatten();
    items
        .filter_map(|item| Some((item["word"].as_str()?.to_owned(), item["count"].as_u64()?)))
        .collect()
}

/// Three commands to go on with.
pub(crate) fn show_commands(workflow: &Workflow, client: &Client) {
    let name = workflow.metadata.name.clone().unwrap_or_default();
    let steps = workflow.status.iter().flat_map(|status| status.steps.values());
    let attempts = steps.filter_map(|step| Some((step.seq, step.attempts.recent.last()?)));
    let last = attempts.max_by_key(|(seq, _)| *seq);
    let job = last.map_or("", |(_, attempt)| attempt.job.as_str());
    let namespace = match client.default_namespace() {
        "default" => String::new(),
        other => format!(" -n {other}"),
    };
    println!("\nLook further{}:", place());
    for command in [
        "get jobwright,jobs,pods".to_owned(),
        format!("describe workflow {name}"),
        format!("logs job/{job}"),
    ] {
        println!("  kubectl{namespace} {command}");
    }
}

/// A local cluster is reached from the inside only.
fn place() -> String {
    match std::env::var("JOBWRIGHT_CLUSTER_NAME") {
        Ok(cluster) => format!(" (in another terminal, after `make shell CLUSTER={cluster}`)"),
        Err(_) => String::new(),
    }
}

/// Until the user has seen enough.
pub(crate) async fn wait_for_enter() {
    println!(
        "\nPress Enter to end the operator{}.",
        if std::env::var_os("JOBWRIGHT_CLUSTER_NAME").is_some() {
            " and the cluster"
        } else {
            ""
        }
    );
    let (tell, told) = oneshot::channel();
    // A thread of its own: tokio would wait for its end, which only Enter brings.
    std::thread::spawn(move || {
        std::io::stdin().read_line(&mut String::new()).ok();
        tell.send(()).ok();
    });
    told.await.ok();
}
