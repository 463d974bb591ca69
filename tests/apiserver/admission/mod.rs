//! What `kubectl apply` is told at once: bad Tasks and Workflows are refused with the field and with
//! what to do, good ones are taken and can be read back.

use jobwright_api::{Task, Workflow};
use serde_json::{Value, json};

use crate::server;

mod changes;
mod flow;
mod http;
mod sizes;
mod status;
mod tasks;
mod types;
mod workflows;

pub(crate) const NAMESPACE: &str = "jobwright-admission";

/// A spec in YAML, and the words that its refusal must hold; none where it is accepted.
type Row = (&'static str, &'static [&'static str]);
const ACCEPTED: &[&str] = &[];

pub(crate) fn object(kind: &str, name: &str, spec: &str) -> Value {
    let spec: Value = serde_saphyr::from_str(spec).unwrap_or_else(|error| panic!("{spec}: {error}"));
    json!({
        "apiVersion": "jobwright.dev/v1alpha1", "kind": kind,
        "metadata": { "name": name, "namespace": NAMESPACE }, "spec": spec,
    })
}

/// Tries each row and reports all that went wrong at once.
async fn check(kind: &str, rows: impl IntoIterator<Item = (String, Vec<&'static str>)>) {
    let client = server::client().await;
    server::namespace(&client, NAMESPACE).await;
    let mut wrong = Vec::new();
    for (spec, words) in rows {
        let answer = server::create(&client, &object(kind, "tried", &spec), true).await;
        let spec: String = spec.chars().take(300).collect();
        match answer {
            Ok(stored) if words.is_empty() => wrong.extend(unreadable(kind, &stored)),
            Ok(_) => wrong.push(format!("{spec}\n  was accepted, not refused with {words:?}")),
            Err(refused) => {
                let message = &refused.message;
                let is_as_told = words.iter().all(|word| message.contains(word));
                if words.is_empty() || !is_as_told {
                    wrong.push(format!("{spec}\n  expected {words:?}, but was told:\n  {message}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

async fn check_rows(kind: &str, rows: &[Row]) {
    let owned = rows.iter().map(|(spec, words)| ((*spec).to_owned(), words.to_vec()));
    check(kind, owned).await;
}

/// Whatever the server accepts, our types must be able to read.
fn unreadable(kind: &str, stored: &Value) -> Option<String> {
    let error = match kind {
        "Task" => serde_json::from_value::<Task>(stored.clone()).err(),
        _ => serde_json::from_value::<Workflow>(stored.clone()).err(),
    };
    error.map(|error| format!("{stored}\n  was accepted, but cannot be read: {error}"))
}
