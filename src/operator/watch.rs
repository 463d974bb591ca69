//! The watches: they feed the stores and wake who is concerned. One task per kind and namespace.

use futures::StreamExt;
use jobwright_api::{
    Task, Workflow, WorkflowRecord, WorkflowTemplate,
    meta::{MANAGED_BY, label},
};
use k8s_openapi::NamespaceResourceScope;
use kube::{
    Api, Client, Resource,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use std::{fmt::Debug, future::Future, pin::Pin};

use crate::{
    operator::Operator,
    report::metrics::Watch,
    store::{Feed, Woken},
    view::{job::Slim as SlimJob, pod::Slim as SlimPod},
};

type Running<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// All watches. They never end by themselves.
pub(crate) fn all(operator: &Operator) -> Vec<Running<'_>> {
    let ours = watcher::Config::default().labels(&format!("{}={MANAGED_BY}", label::MANAGED_BY));
    let snapshots = watcher::Config::default().labels(&format!("{}=snapshot", label::RECORD));
    let every = watcher::Config::default;
    let mut watches: Vec<Running<'_>> = Vec::new();
    for (source, namespace) in operator.namespaces().into_iter().enumerate() {
        let at = Place {
            operator,
            source,
            namespace,
        };
        watches.push(Box::pin(at.watch::<DeserializeGuard<Workflow>>(
            "workflows",
            every(),
            Feed::Workflow,
        )));
        watches.push(Box::pin(at.watch::<DeserializeGuard<Task>>(
            "tasks",
            every(),
            Feed::Task,
        )));
        watches.push(Box::pin(at.watch::<DeserializeGuard<WorkflowTemplate>>(
            "workflowtemplates",
            every(),
            Feed::Template,
        )));
        watches.push(Box::pin(at.watch::<SlimJob>("jobs", ours.clone(), Feed::Job)));
        watches.push(Box::pin(at.watch::<SlimPod>("pods", ours.clone(), Feed::Pod)));
        watches.push(Box::pin(at.watch::<DeserializeGuard<WorkflowRecord>>(
            "workflowrecords",
            snapshots.clone(),
            Feed::Record,
        )));
    }
    watches
}

#[derive(Clone)]
struct Place<'a> {
    operator: &'a Operator,
    source: usize,
    namespace: Option<String>,
}

impl<'a> Place<'a> {
    fn watch<K>(
        &self,
        kind: &'static str,
        config: watcher::Config,
        feed: fn(Event<K>) -> Feed,
    ) -> impl Future<Output = ()> + Send + 'a + use<'a, K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + 'static,
    {
        let operator = self.operator;
        let source = self.source;
        let client: Client = operator.client();
        let api: Api<K> = match &self.namespace {
            None => Api::all(client),
            Some(namespace) => Api::namespaced(client, namespace),
        };
        async move {
            let metrics = &operator.context().metrics;
            // Backs off by itself: an API server that is down is asked ever less often.
            let mut events = std::pin::pin!(watcher(api, config).default_backoff());
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => {
                        if matches!(event, Event::InitDone) {
                            metrics.relists.get_or_create(&Watch { kind }).inc();
                        }
                        let woken: Woken = operator.context().stores.feed(source, feed(event));
                        operator.woken(woken);
                    }
                    Err(error) => {
                        metrics.watch_failures.get_or_create(&Watch { kind }).inc();
                        tracing::warn!(kind, %error, "watch failed; it is taken up again");
                    }
                }
            }
        }
    }
}
