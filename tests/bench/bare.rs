//! The floor: a client that knows what to do and does nothing else.

use crate::machine::{IMAGE, IN_FLIGHT, create_namespace, is_complete, settle};
use anyhow::{Context, Result, bail};
use futures::{Stream, StreamExt, TryStreamExt, future, stream};
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Api, Client, ResourceExt,
    api::PostParams,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    pin::Pin,
    time::{Duration, Instant},
};

/// What the next Job waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum On {
    /// The first report that the containers have ended.
    Exit,
    /// The pod's phase.
    Succeeded,
    /// The Job's condition.
    Complete,
}

/// The same Job as Jobwright makes, as far as the cluster's work goes.
fn job(name: &str) -> Result<Job> {
    let job = serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": { "backoffLimit": 0, "template": { "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "securityContext": { "runAsNonRoot": true, "runAsUser": 65534, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "main", "image": IMAGE, "command": ["true"],
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
            }],
        }}},
    }))?;
    Ok(job)
}

type Names = Pin<Box<dyn Stream<Item = String> + Send>>;

/// Names of the Jobs that are done, some of them several times.
fn done(client: &Client, namespace: &str, on: On) -> Names {
    let every = watcher::Config::default();
    match on {
        On::Complete => {
            let events = watcher(Api::<Job>::namespaced(client.clone(), namespace), every).default_backoff();
            Box::pin(objects(events).filter_map(|job| future::ready(is_complete(&job).then(|| job.name_any()))))
        }
        On::Exit | On::Succeeded => {
            let events = watcher(Api::<Pod>::namespaced(client.clone(), namespace), every).default_backoff();
            Box::pin(objects(events).filter_map(move |pod| {
                let is_done = if matches!(on, On::Exit) {
                    has_exited(&pod)
                } else {
                    has_succeeded(&pod)
                };
                future::ready(if is_done {
                    pod.labels().get("job-name").cloned()
                } else {
                    None
                })
            }))
        }
    }
}

fn objects<K: Send>(events: impl Stream<Item = watcher::Result<Event<K>>> + Send) -> impl Stream<Item = K> + Send {
    events.filter_map(|event| {
        future::ready(match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => Some(object),
            _ => None,
        })
    })
}

fn has_exited(pod: &Pod) -> bool {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_deref())
        .unwrap_or_default();
    let has_ended = |status: &k8s_openapi::api::core::v1::ContainerStatus| {
        let state = status.state.as_ref().and_then(|state| state.terminated.as_ref());
        state.is_some_and(|terminated| terminated.exit_code == 0)
    };
    !statuses.is_empty() && statuses.iter().all(has_ended)
}

fn has_succeeded(pod: &Pod) -> bool {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Succeeded")
}

/// One Job after the other.
pub(crate) async fn chain(client: &Client, namespace: &str, steps: u32, on: On) -> Result<Duration> {
    create_namespace(client, namespace).await?;
    let api: Api<Job> = Api::namespaced(client.clone(), namespace);
    let mut done = done(client, namespace, on);
    let begun = Instant::now();
    for number in 1..=steps {
        let name = format!("bare-{number}");
        api.create(&PostParams::default(), &job(&name)?).await?;
        while done.next().await.context("the watch ended")? != name {}
    }
    let took = begun.elapsed();
    settle(client, namespace).await?;
    Ok(took)
}

/// All at once.
pub(crate) async fn crowd(client: &Client, namespace: &str, count: u32) -> Result<Duration> {
    create_namespace(client, namespace).await?;
    let api: Api<Job> = Api::namespaced(client.clone(), namespace);
    let mut done = done(client, namespace, On::Exit);
    let begun = Instant::now();
    let all = async {
        let mut ended = BTreeSet::new();
        while ended.len() < count as usize {
            let Some(name) = done.next().await else {
                bail!("the watch ended");
            };
            ended.insert(name);
        }
        Ok(())
    };
    let api = &api;
    let create = stream::iter(1..=count)
        .map(|number| async move {
            api.create(&PostParams::default(), &job(&format!("bare-{number}"))?)
                .await
                .map_err(anyhow::Error::from)
        })
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<Vec<Job>>();
    futures::try_join!(all, create)?;
    let took = begun.elapsed();
    settle(client, namespace).await?;
    Ok(took)
}
