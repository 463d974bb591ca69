//! The world of one test.

use super::{
    Kubelet, Operator,
    kubectl::{Said, kubectl},
    manifest, shared, wait, wait_all,
};
use crate::audit;
use anyhow::{Context, Result};
use jiff::Timestamp;
use jobwright_api::{Reason, StepStatus, Task, Workflow, WorkflowPhase, WorkflowStatus, meta::label};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        batch::v1::Job,
        core::v1::{Event, Namespace, Pod, ServiceAccount},
    },
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    runtime::watcher,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// What every operator of a test is configured with: the namespace is its own, and nothing waits for
/// the client's rate limit, which the tests of many things at once would measure instead.
const CONFIG: &str = "api: {qps: 1000, burst: 1000, inFlight: 64}";

/// A namespace and an operator.
pub struct World {
    pub client: Client,
    pub namespace: String,
    pub operator: Operator,
    /// When the operator was ready: its first lists are before.
    since: Timestamp,
}

impl World {
    pub(super) async fn create(kubelet: Kubelet, config: &str) -> Result<Self> {
        let client = Client::try_default()
            .await
            .context("no cluster: run this under `jobwright-cluster run`")?;
        shared::prepare(&client, kubelet).await?;
        let namespace = namespace();
        create_namespace(&client, &namespace).await?;
        let api = if config.contains("api:") { "" } else { CONFIG };
        let config = format!("namespaces: [{namespace}]\n{api}\n{config}");
        let mut operator = Operator::start(&namespace, &config)?;
        operator.ready().await?;
        Ok(Self {
            client,
            namespace,
            operator,
            since: Timestamp::now(),
        })
    }

    /// Objects of a kind of this namespace.
    #[must_use]
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates all objects of a YAML text.
    pub async fn create_all(&self, yaml: &str) -> Result<()> {
        for object in manifest::documents(yaml)? {
            let name = object.name_any();
            self.create_one(object)
                .await
                .with_context(|| format!("create {name}"))?;
        }
        Ok(())
    }

    /// Creates one object; the error is the API server's.
    pub async fn create_one(&self, object: DynamicObject) -> Result<DynamicObject> {
        let resource = manifest::resource(&object)?;
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        Ok(api.create(&PostParams::default(), &object).await?)
    }

    /// A JSON merge patch.
    pub async fn patch<K>(&self, name: &str, patch: Value) -> Result<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        let patched = self
            .api::<K>()
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        patched.with_context(|| format!("patch {name}"))
    }

    /// Deletes as `kubectl delete` does.
    pub async fn delete<K>(&self, name: &str) -> Result<()>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        let deleted = self.api::<K>().delete(name, &DeleteParams::background()).await;
        deleted.map(drop).with_context(|| format!("delete {name}"))
    }

    /// kubectl in this namespace.
    pub async fn kubectl(&self, args: &[&str]) -> Result<Said> {
        kubectl(&self.namespace, args, None).await
    }

    /// `kubectl apply -f -`.
    pub async fn kubectl_apply(&self, yaml: &str) -> Result<Said> {
        kubectl(&self.namespace, &["apply", "-f", "-"], Some(yaml)).await
    }

    /// Waits for a Workflow's status.
    pub async fn until(
        &self,
        name: &str,
        within_s: u64,
        what: &str,
        condition: impl Fn(&WorkflowStatus) -> bool,
    ) -> Result<WorkflowStatus> {
        let within = Duration::from_secs(within_s);
        let fits = |workflow: &Workflow| workflow.status.as_ref().is_some_and(&condition);
        let found = wait(&self.api::<Workflow>(), name, within, what, fits).await?;
        status(&found)
    }

    /// Waits until a Workflow has ended, however.
    pub async fn ended(&self, name: &str, within_s: u64) -> Result<WorkflowStatus> {
        self.until(name, within_s, "has ended", |status| {
            status.phase.is_some_and(WorkflowPhase::is_terminal)
        })
        .await
    }

    /// Waits until a Workflow has ended, and wants it to have succeeded.
    pub async fn succeeded(&self, name: &str, within_s: u64) -> Result<WorkflowStatus> {
        let status = self.ended(name, within_s).await?;
        anyhow::ensure!(
            status.phase == Some(WorkflowPhase::Succeeded),
            "{name} ended {:?}: {:?} {:?}",
            status.phase,
            status.reason,
            status.message
        );
        Ok(status)
    }

    /// Waits until a Workflow has failed with this reason, and its message says all of this.
    pub async fn failed(&self, name: &str, within_s: u64, reason: &Reason, says: &[&str]) -> Result<WorkflowStatus> {
        let status = self.ended(name, within_s).await?;
        let message = status.message.clone().unwrap_or_default();
        let missing = says.iter().find(|words| !message.contains(**words));
        anyhow::ensure!(
            status.phase == Some(WorkflowPhase::Failed) && status.reason.as_ref() == Some(reason) && missing.is_none(),
            "{name} should have Failed, {reason}, saying {says:?}; it is {:?}, {:?}, saying {message:?}",
            status.phase,
            status.reason
        );
        Ok(status)
    }

    /// Waits for the Jobs of this namespace.
    pub async fn jobs_until(
        &self,
        within_s: u64,
        what: &str,
        condition: impl Fn(&BTreeMap<String, Job>) -> bool,
    ) -> Result<BTreeMap<String, Job>> {
        let ours = watcher::Config::default().labels(label::WORKFLOW_UID);
        wait_all(&self.api::<Job>(), ours, Duration::from_secs(within_s), what, condition).await
    }

    /// Waits for an event that says this: they are published beside the run, a moment after its status.
    pub async fn event_says(&self, words: &str, within_s: u64) -> Result<()> {
        let api = self.api::<Event>();
        let says = |events: &BTreeMap<String, Event>| {
            let mut messages = events.values().filter_map(|event| event.message.as_deref());
            messages.any(|message| message.contains(words))
        };
        let every = watcher::Config::default();
        let within = Duration::from_secs(within_s);
        wait_all(&api, every, within, &format!("an event says {words:?}"), says)
            .await
            .map(drop)
    }

    /// Waits for the pods of this namespace.
    pub async fn pods_until(
        &self,
        within_s: u64,
        what: &str,
        condition: impl Fn(&BTreeMap<String, Pod>) -> bool,
    ) -> Result<BTreeMap<String, Pod>> {
        let every = watcher::Config::default();
        wait_all(
            &self.api::<Pod>(),
            every,
            Duration::from_secs(within_s),
            what,
            condition,
        )
        .await
    }

    /// Waits until a Task's `Ready` condition says something, and gives its status, reason and message.
    pub async fn task_ready(&self, name: &str, value: &str, within_s: u64) -> Result<(String, String)> {
        let what = format!("has Ready={value}");
        let find = |task: &Task| {
            let conditions = task.status.as_ref().map(|status| status.conditions.as_slice());
            let found = conditions
                .unwrap_or_default()
                .iter()
                .find(|condition| condition.type_ == "Ready")
                .cloned();
            found.filter(|condition| condition.status == value)
        };
        let within = Duration::from_secs(within_s);
        let task = wait(&self.api::<Task>(), name, within, &what, |task| find(task).is_some()).await?;
        let condition = find(&task).context("it was there a moment ago")?;
        Ok((condition.reason, condition.message))
    }

    /// The Workflow as it is now.
    pub async fn workflow(&self, name: &str) -> Result<Workflow> {
        self.api::<Workflow>()
            .get(name)
            .await
            .with_context(|| format!("get {name}"))
    }

    /// What the audit log says of this namespace, from everybody.
    pub async fn audit(&self) -> Result<Vec<audit::Event>> {
        audit::settle().await;
        audit::read(&audit::path()?, &self.namespace)
    }

    /// What this world's operator has asked for since it was ready, watches apart.
    pub async fn requests(&self) -> Result<Vec<audit::Event>> {
        let user = self.operator.user();
        let is_meant =
            |event: &audit::Event| event.user == user && event.verb != "watch" && event.received >= self.since;
        Ok(self.audit().await?.into_iter().filter(is_meant).collect())
    }

    /// No invariant is broken in this world, as far as the audit log shows. Gives the number of Jobs.
    pub async fn ensure_invariants(&self) -> Result<usize> {
        let findings = audit::invariants::check(&self.audit().await?);
        let words: Vec<String> = findings.violations.iter().map(ToString::to_string).collect();
        anyhow::ensure!(words.is_empty(), "{}", words.join("\n"));
        anyhow::ensure!(findings.statuses > 0, "the audit log has nothing of this world");
        Ok(findings.jobs)
    }

    /// Removes the namespace; nobody waits for that.
    pub(super) async fn remove(self) {
        let api: Api<Namespace> = Api::all(self.client.clone());
        api.delete(&self.namespace, &DeleteParams::background()).await.ok();
    }

    /// What there is to see after a failure.
    pub(super) async fn tell(&self) {
        let workflows = self.api::<Workflow>().list(&ListParams::default()).await;
        for workflow in workflows.map(|list| list.items).unwrap_or_default().iter().take(3) {
            eprintln!("Workflow {}: {:#}", workflow.name_any(), json!(workflow.status));
        }
        let log = self.operator.log();
        let lines: Vec<&str> = log.lines().collect();
        eprintln!("The operator's last lines, of {}:", lines.len());
        for line in lines.iter().skip(lines.len().saturating_sub(30)) {
            eprintln!("  {line}");
        }
    }
}

/// The status of a Workflow that has one.
pub fn status(workflow: &Workflow) -> Result<WorkflowStatus> {
    workflow.status.clone().context("the Workflow has no status")
}

/// What is known of a step.
pub fn step<'a>(status: &'a WorkflowStatus, name: &str) -> Result<&'a StepStatus> {
    status
        .steps
        .get(name)
        .with_context(|| format!("the status has no step {name}"))
}

/// A namespace whose default service account exists: without it no pod is taken.
pub async fn create_namespace(client: &Client, name: &str) -> Result<()> {
    let api: Api<Namespace> = Api::all(client.clone());
    let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
    api.create(&PostParams::default(), &namespace).await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), name);
    wait(&accounts, "default", Duration::from_secs(30), "exists", |_| true).await?;
    Ok(())
}

/// Named after the test, and different in each run against the same cluster.
fn namespace() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let thread = std::thread::current();
    let test = thread
        .name()
        .unwrap_or("test")
        .rsplit("::")
        .next()
        .unwrap_or("test")
        .replace('_', "-");
    let test: String = test.chars().take(44).collect();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{:x}-{count}", test.trim_matches('-'), std::process::id())
}
