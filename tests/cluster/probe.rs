//! Readiness by asking: nothing sleeps for a fixed time and hopes.

use crate::process::Programs;
use anyhow::{Result, anyhow, bail};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::{
    Api, Client, Config,
    api::{GetParams, Request},
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{future::Future, path::Path, sync::Mutex, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// A cluster comes up in seconds; on a busy machine a cold disk may make ten times that of it.
const PATIENCE: Duration = Duration::from_secs(90);
/// One question: a server that is starting may accept it and never answer.
const QUESTION: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(30);

/// A client for who is inside the namespace.
pub(crate) async fn client(kubeconfig: &Path) -> Result<Client> {
    // One provider for the whole process; a second call finds it there.
    rustls::crypto::ring::default_provider().install_default().ok();
    let file = Kubeconfig::read_from(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    config.proxy_url = None;
    config.connect_timeout = Some(QUESTION);
    config.default_retry = false; // `until` asks again, and knows when to stop
    Ok(Client::try_from(config)?)
}

/// Asks `question` until it says yes; an error in between is only told when time is up.
pub(crate) async fn until<F>(
    what: &str,
    culprit: &str,
    programs: &Mutex<Programs>,
    mut question: impl FnMut() -> F,
) -> Result<()>
where
    F: Future<Output = Result<bool>>,
{
    let deadline = Instant::now() + PATIENCE;
    let mut last = String::from("not yet");
    loop {
        match timeout(QUESTION, question()).await {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => last = format!("{error:#}"),
            Err(_) => "no answer".clone_into(&mut last),
        }
        with(programs, Programs::all_alive)??;
        if Instant::now() >= deadline {
            let seconds = PATIENCE.as_secs();
            let told = with(programs, |programs| programs.log_of(culprit))?;
            bail!("{what}: {last} after {seconds} s; {culprit} says:\n{told}");
        }
        sleep(PAUSE).await;
    }
}

fn with<T>(programs: &Mutex<Programs>, ask: impl FnOnce(&mut Programs) -> T) -> Result<T> {
    let programs = programs.lock();
    Ok(ask(&mut *programs.map_err(|_| anyhow!("a starting thread panicked"))?))
}

/// Whether the API server serves.
pub(crate) async fn server_ready(client: &Client) -> Result<bool> {
    let request = Request::new("").get("readyz", &GetParams::default())?;
    Ok(client.request_text(request).await?.trim() == "ok")
}

/// Whether the node takes pods.
pub(crate) async fn node_ready(client: &Client, name: &str) -> Result<bool> {
    let node = Api::<Node>::all(client.clone()).get_opt(name).await?;
    let conditions = node.and_then(|node| node.status?.conditions).unwrap_or_default();
    Ok(conditions
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True"))
}

/// Whether pods are admitted: without this account each is refused.
pub(crate) async fn account_exists(client: &Client) -> Result<bool> {
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "default");
    Ok(accounts.get_opt("default").await?.is_some())
}
