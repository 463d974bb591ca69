//! Dry runs of pods, shared: a hundred Jobs that wait for the same reason are one question.

use jobwright_engine::observed::RefusalKind;
use k8s_openapi::api::core::v1::Pod;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{call::Caller, classify::Failure, job};

/// How long an answer stands for all pods of the same shape. A quota or a policy that changed shows
/// that much later at most.
const STANDS: Duration = Duration::from_secs(10);

/// What the server would say of a pod: nothing, if it would take it.
pub type Words = Option<(RefusalKind, String)>;

/// Recent answers by shape.
#[derive(Default)]
pub struct Probes {
    answers: Mutex<BTreeMap<String, (Duration, Words)>>,
}

impl Probes {
    pub(super) async fn ask(
        &self,
        caller: &Caller,
        namespace: &str,
        pod: &Pod,
        now: Duration,
    ) -> Result<Words, Failure> {
        let shape = shape(namespace, pod);
        if let Some(words) = self.recent(&shape, now) {
            return Ok(words);
        }
        let words = job::probe(caller, namespace, pod).await?;
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|_, (at, _)| *at + STANDS > now);
        answers.insert(shape, (now, words.clone()));
        Ok(words)
    }

    fn recent(&self, shape: &str, now: Duration) -> Option<Words> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, words) = answers.get(shape)?;
        (*at + STANDS > now).then(|| words.clone())
    }
}

/// A pod without what differs from step to step and what no quota or policy looks at.
fn shape(namespace: &str, pod: &Pod) -> String {
    let mut spec = pod.spec.clone().unwrap_or_default();
    let inits = spec.init_containers.iter_mut().flatten();
    for container in spec.containers.iter_mut().chain(inits) {
        container.env = None;
        container.command = None;
        container.args = None;
    }
    // A spec can always be written as JSON; if not, all such pods would share an answer.
    let spec = serde_json::to_string(&spec).unwrap_or_default();
    format!("{namespace} {spec}")
}
