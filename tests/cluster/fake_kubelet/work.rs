//! The fake kubelet's loop: one task per pod, all of them bounded in what they have in flight.

use super::{FakeKubelet, IN_FLIGHT_MAX, Outcome, reports};
use anyhow::Result;
use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

/// A report is tried again while the server is down, for as long as tests keep one down.
const TRIES_MAX: u32 = 100;
const PAUSE: Duration = Duration::from_millis(200);
const CALL: Duration = Duration::from_secs(5);

/// What a pod's task is doing.
struct Task {
    handle: AbortHandle,
    is_ending: bool,
}

/// What each task needs.
#[derive(Clone)]
struct Reporter {
    client: Client,
    permits: Arc<Semaphore>,
    ended: Arc<AtomicUsize>,
}

pub(super) async fn serve(kubelet: FakeKubelet) -> Result<()> {
    let pods: Api<Pod> = Api::all(kubelet.client.clone());
    let mut events = watcher(pods, watcher::Config::default()).default_backoff().boxed();
    let permits = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let reporter = Reporter {
        client: kubelet.client,
        permits,
        ended: kubelet.ended,
    };
    let mut tasks: HashMap<String, Task> = HashMap::new();
    let mut running = JoinSet::new(); // dropped with this future, and its tasks with it
    while let Some(event) = events.next().await {
        while running.try_join_next().is_some() {}
        match event {
            Ok(Event::Apply(pod) | Event::InitApply(pod)) => {
                let uid = pod.uid().unwrap_or_default();
                let is_ending = pod.metadata.deletion_timestamp.is_some();
                match tasks.get(&uid) {
                    Some(task) if task.is_ending || !is_ending => continue,
                    Some(task) => task.handle.abort(),
                    None if is_ended(&pod) && !is_ending => continue, // by a kubelet before us
                    None => {}
                }
                let reporter = reporter.clone();
                let outcome = (kubelet.script)(&pod);
                let handle = if is_ending {
                    running.spawn(async move { reporter.end_deleted(&pod).await })
                } else {
                    running.spawn(async move { reporter.live(&pod, outcome).await })
                };
                tasks.insert(uid, Task { handle, is_ending });
            }
            Ok(Event::Delete(pod)) => {
                if let Some(task) = tasks.remove(&pod.uid().unwrap_or_default()) {
                    task.handle.abort();
                }
            }
            Ok(Event::Init | Event::InitDone) => {}
            Err(error) => tracing::warn!("watch pods: {error}"), // the watcher goes on by itself
        }
    }
    Ok(())
}

fn is_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

impl Reporter {
    /// From a pod's start to its end.
    async fn live(&self, pod: &Pod, outcome: Outcome) {
        match outcome {
            Outcome::NeverStarts => return,
            Outcome::Evicted => self.report(pod, reports::evicted(Timestamp::now())).await,
            Outcome::Runs(run) => {
                let begun = Timestamp::now();
                if !run.lasts.is_zero() {
                    self.report(pod, reports::running(pod, begun)).await;
                    sleep(run.lasts).await;
                }
                let report = reports::terminated(pod, &run, begun, Timestamp::now());
                self.report(pod, report).await;
                sleep(run.phase_after).await;
                self.report(pod, reports::phase(run.exit)).await;
            }
        }
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// A deleted pod ends, then its object goes as soon as its finalizers let it.
    async fn end_deleted(&self, pod: &Pod) {
        if !is_ended(pod) {
            self.report(pod, reports::deleted(pod, Timestamp::now())).await;
            self.ended.fetch_add(1, Ordering::Relaxed);
        }
        let now = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions {
                uid: pod.uid(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        self.ask(pod, || async {
            self.api(pod).delete(&pod.name_any(), &now).await.map(drop)
        })
        .await;
    }

    async fn report(&self, pod: &Pod, status: Value) {
        // The uid makes it a conflict if another pod has the name by now.
        let patch = Patch::Strategic(json!({ "metadata": { "uid": pod.uid() }, "status": status }));
        let params = PatchParams::default();
        let name = pod.name_any();
        self.ask(pod, || async {
            self.api(pod).patch_status(&name, &params, &patch).await.map(drop)
        })
        .await;
    }

    /// Asks until there is an answer. That the pod is gone, or another, is an answer.
    async fn ask<F>(&self, pod: &Pod, call: impl Fn() -> F)
    where
        F: Future<Output = kube::Result<()>>,
    {
        for _ in 0..TRIES_MAX {
            let Ok(permit) = self.permits.acquire().await else {
                return;
            };
            let answer = timeout(CALL, call()).await;
            drop(permit);
            match answer {
                Ok(Ok(())) => return,
                Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => return,
                Ok(Err(kube::Error::Api(status))) if status.code < 429 => {
                    return tracing::warn!("pod {}: {}", pod.name_any(), status.message);
                }
                Ok(Err(_)) | Err(_) => sleep(PAUSE).await,
            }
        }
        tracing::warn!("pod {}: no answer, given up", pod.name_any());
    }

    fn api(&self, pod: &Pod) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &pod.namespace().unwrap_or_default())
    }
}
