//! A kubelet that runs nothing: it reports on pods as a kubelet would, in the order in which a kubelet
//! does, so that a control plane can be tested by the thousand pods on a small machine.
//!
//! What becomes of a pod is said by a script, a function from the pod to its [`Outcome`]; the usual one,
//! [`annotated`], reads annotations:
//!
//! | annotation | says |
//! |---|---|
//! | `fake-kubelet/exit` | the exit code, 0 by default |
//! | `fake-kubelet/exit-from` | the variable of the main container that has the exit code: a number, or a JSON list with one for each attempt |
//! | `fake-kubelet/message` | the termination message |
//! | `fake-kubelet/message-from` | the variable of the main container that has the message, for Tasks that say what they are given |
//! | `fake-kubelet/run-ms` | how long it is seen running; by default it never is |
//! | `fake-kubelet/phase-ms` | how much later than the containers' end the phase follows |
//! | `fake-kubelet/term-exit` | the exit code if it is deleted before, 143 by default |
//! | `fake-kubelet/never-start` | any value: nothing is ever reported |
//! | `fake-kubelet/evict` | any value: it fails as evicted |

mod reports;
mod work;

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// More requests in flight than the API server of two cores can use, and few enough sockets.
const IN_FLIGHT_MAX: usize = 64;

/// What becomes of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It stays pending, as if its image could not be had.
    NeverStarts,
    /// Its node throws it out.
    Evicted,
    /// Its containers run and end.
    Runs(Run),
}

/// How a pod's containers run and end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Not zero: it is reported as running first.
    pub lasts: Duration,
    /// The main containers' exit code.
    pub exit: i32,
    /// The first main container's termination message.
    pub message: String,
    /// How long after the containers' end the phase follows; a kubelet takes up to a second.
    pub phase_after: Duration,
}

/// A fake kubelet for all pods of a cluster.
///
/// Guarantees: each pod gets its outcome once; the containers' end is reported before the phase; no more
/// than 64 requests are in flight. Caveat: pods get no node, so the API server deletes them at once.
pub struct FakeKubelet {
    client: Client,
    script: Arc<dyn Fn(&Pod) -> Outcome + Send + Sync>,
    ended: Arc<AtomicUsize>,
}

impl FakeKubelet {
    /// `client` must be made inside the cluster's network.
    pub fn new(client: Client, script: impl Fn(&Pod) -> Outcome + Send + Sync + 'static) -> Self {
        Self {
            client,
            script: Arc::new(script),
            ended: Arc::default(),
        }
    }

    /// Counts the pods that have ended.
    #[must_use]
    pub fn ended(&self) -> Arc<AtomicUsize> {
        self.ended.clone()
    }

    /// Reports until it is dropped; all its work stops with it.
    pub async fn serve(self) -> Result<()> {
        work::serve(self).await
    }
}

/// A client for the given kubeconfig.
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    crate::probe::client(kubeconfig).await
}

/// The outcome that a pod's annotations say.
#[must_use]
pub fn annotated(pod: &Pod) -> Outcome {
    if annotation(pod, "never-start").is_some() {
        return Outcome::NeverStarts;
    }
    if annotation(pod, "evict").is_some() {
        return Outcome::Evicted;
    }
    let message = annotation(pod, "message").or_else(|| variable(pod, annotation(pod, "message-from")?));
    Outcome::Runs(Run {
        lasts: Duration::from_millis(number(pod, "run-ms", 0)),
        exit: exit_from(pod).unwrap_or_else(|| number(pod, "exit", 0)),
        message: message.unwrap_or_default().to_owned(),
        phase_after: Duration::from_millis(number(pod, "phase-ms", 0)),
    })
}

fn annotation<'a>(pod: &'a Pod, key: &str) -> Option<&'a str> {
    pod.annotations()
        .get(&format!("fake-kubelet/{key}"))
        .map(String::as_str)
}

/// A variable of the first container, as it is written: a `$` is doubled there.
fn variable<'a>(pod: &'a Pod, name: &str) -> Option<&'a str> {
    let container = pod.spec.as_ref()?.containers.first()?;
    let variables = container.env.as_ref()?;
    variables
        .iter()
        .find(|variable| variable.name == name)?
        .value
        .as_deref()
}

fn exit_from(pod: &Pod) -> Option<i32> {
    let text = variable(pod, annotation(pod, "exit-from")?)?;
    let by_attempt: Vec<i32> = match serde_json::from_str(text) {
        Ok(list) => list,
        Err(_) => return text.parse().ok(),
    };
    let attempt: usize = variable(pod, "JOBWRIGHT_ATTEMPT")?.parse().ok()?;
    by_attempt.get(attempt.checked_sub(1)?).copied()
}

fn number<N: std::str::FromStr>(pod: &Pod, key: &str, default: N) -> N {
    annotation(pod, key)
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// How many pods a second it can end here, with nothing else to do: a benchmark that comes near has
/// measured the fake kubelet. Assumes that no other fake kubelet serves this cluster.
pub async fn ceiling(client: Client, pods: u32) -> Result<f64> {
    const LABEL: &str = "fake-kubelet/measure=yes";
    let api: Api<Pod> = Api::default_namespaced(client.clone());
    stream::iter(0..pods)
        .map(|number| create(&api, number))
        .buffer_unordered(IN_FLIGHT_MAX)
        .try_collect::<Vec<()>>()
        .await
        .context("create the pods to measure with")?;
    let kubelet = FakeKubelet::new(client, annotated);
    let (ended, begun) = (kubelet.ended(), Instant::now());
    let all_ended = async {
        while ended.load(Ordering::Relaxed) < pods as usize {
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        result = kubelet.serve() => bail!("the fake kubelet ended early: {result:?}"),
        () = all_ended => {}
    }
    let seconds = begun.elapsed().as_secs_f64();
    api.delete_collection(&DeleteParams::default(), &ListParams::default().labels(LABEL))
        .await?;
    Ok(f64::from(pods) / seconds)
}

async fn create(api: &Api<Pod>, number: u32) -> Result<()> {
    let pod = serde_json::from_value(json!({
        "metadata": { "name": format!("measure-{number}"), "labels": { "fake-kubelet/measure": "yes" } },
        "spec": { "restartPolicy": "Never", "containers": [{ "name": "main", "image": "none" }] },
    }))?;
    api.create(&PostParams::default(), &pod).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Run, annotated};
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;
    use std::time::Duration;

    fn outcome(annotations: &serde_json::Value) -> Outcome {
        let pod: Pod = serde_json::from_value(json!({ "metadata": { "annotations": annotations } })).unwrap();
        annotated(&pod)
    }

    #[test]
    fn annotations_say_what_becomes_of_a_pod() {
        assert_eq!(outcome(&json!({})), Outcome::Runs(Run::default()));
        assert_eq!(outcome(&json!({ "fake-kubelet/evict": "" })), Outcome::Evicted);
        assert_eq!(
            outcome(&json!({ "fake-kubelet/never-start": "yes" })),
            Outcome::NeverStarts
        );
        let run = Run {
            lasts: Duration::from_millis(20),
            exit: 3,
            message: "no".to_owned(),
            phase_after: Duration::from_secs(1),
        };
        let annotations = json!({
            "fake-kubelet/run-ms": "20", "fake-kubelet/exit": "3", "fake-kubelet/message": "no", "fake-kubelet/phase-ms": "1000",
        });
        assert_eq!(outcome(&annotations), Outcome::Runs(run));
    }

    #[test]
    fn the_main_containers_variables_say_what_it_does() {
        let pod = |exit: &str| -> Pod {
            let env = json!([
                { "name": "INPUT_SAYS", "value": "{}" }, { "name": "INPUT_EXIT", "value": exit }, { "name": "JOBWRIGHT_ATTEMPT", "value": "2" },
            ]);
            let annotations =
                json!({ "fake-kubelet/message-from": "INPUT_SAYS", "fake-kubelet/exit-from": "INPUT_EXIT" });
            let pod = json!({ "metadata": { "annotations": annotations }, "spec": { "containers": [{ "name": "main", "env": env }] } });
            serde_json::from_value(pod).unwrap()
        };
        for (exit, code) in [("7", 7), ("[3,5]", 5), ("[3]", 0)] {
            let run = Run {
                exit: code,
                message: "{}".to_owned(),
                ..Run::default()
            };
            assert_eq!(annotated(&pod(exit)), Outcome::Runs(run), "{exit}");
        }
    }
}
