//! Dry runs of pods, shared: a hundred Jobs that wait for the same reason are one question.

use jobwright_engine::observed::RefusalKind;
use k8s_openapi::api::core::v1::Pod;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Mutex as AsyncMutex;

use super::{call::Caller, classify::Failure, job};

/// How long an answer stands for all pods of the same shape. A quota or a policy that changed shows
/// that much later at most.
const STANDS: Duration = Duration::from_secs(10);

/// Shapes that are kept, but for those that are being asked about.
const KEPT_MAX: usize = 256;

/// What the server would say of a pod: nothing, if it would take it.
pub type Words = Option<(RefusalKind, String)>;

/// Recent answers by shape, each behind a lock that is held while it is asked for.
#[derive(Default)]
pub struct Probes {
    answers: Mutex<BTreeMap<String, Arc<AsyncMutex<Option<Answer>>>>>,
}

/// What the server said, and when.
type Answer = (Duration, Words);

impl Probes {
    /// What the server would say of a pod. Whoever asks about the same shape meanwhile waits for the
    /// same answer.
    pub(super) async fn ask(
        &self,
        caller: &Caller,
        namespace: &str,
        pod: &Pod,
        now: Duration,
    ) -> Result<Words, Failure> {
        let answer = self.of(shape(namespace, pod));
        let mut answer = answer.lock().await;
        if let Some((at, words)) = &*answer
            && *at + STANDS > now
        {
            return Ok(words.clone());
        }
        let words = job::probe(caller, namespace, pod).await?;
        *answer = Some((now, words.clone()));
        Ok(words)
    }

    /// The place of one answer. Those that nobody waits for and that stand no more are dropped by the
    /// way: their number follows the pods that are refused now.
    fn of(&self, shape: String) -> Arc<AsyncMutex<Option<Answer>>> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= KEPT_MAX {
            answers.retain(|_, answer| Arc::strong_count(answer) > 1);
        }
        Arc::clone(answers.entry(shape).or_default())
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
