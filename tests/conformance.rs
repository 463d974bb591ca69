//! The Workflows of `config/samples/conformance`, each with what it has to come to.
//!
//! `<name>.yaml` is a Workflow of that name, `<name>.expected.yaml` says how it ends; the Tasks of all
//! stand in `tasks.yaml`, the templates in `templates.yaml`.

use anyhow::{Context, Result, ensure};
use jobwright_api::{Reason, StepStatus, Workflow, WorkflowPhase, WorkflowStatus, meta::label, status::PathSegment};
use kube::api::ListParams;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
};

use crate::{
    audit,
    harness::{self, Kubelet, World, receiver},
};

/// The longest of them takes seconds, on a machine that does much else.
const SAMPLE_MAX_S: u64 = 60;
/// How many iterations of a loop that have ended are shown for sure; older ones may be shown.
const ITERATIONS_SHOWN: u32 = 3;

/// A Workflow with what it has to come to.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: String,
    pub yaml: String,
    pub expected: Expected,
}

/// How a run ends. What is not said is empty.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expected {
    pub phase: WorkflowPhase,
    pub reason: Option<Reason>,
    #[serde(default)]
    pub outputs: BTreeMap<String, Value>,
    #[serde(default)]
    pub loop_counts: BTreeMap<String, u64>,
    /// How many Jobs were ever made, those of the Workflows that its steps ran among them.
    pub jobs: usize,
    /// Phase, or phase and reason with `/` between, by printed id: all that the status shows.
    #[serde(default)]
    pub steps: BTreeMap<String, String>,
}

impl Expected {
    /// Reads one to the letter.
    pub fn parse(yaml: &str) -> Result<Self> {
        let expected: Self = serde_saphyr::from_str(yaml)?;
        ensure!(expected.phase.is_terminal(), "a run does not end {}", expected.phase);
        Ok(expected)
    }

    fn lines(&self) -> BTreeMap<String, String> {
        let steps = self.steps.iter().map(|(key, how)| (key.clone(), how.clone())).collect();
        let outputs = self.outputs.clone();
        lines(
            (self.phase, self.reason.as_ref()),
            outputs,
            &self.loop_counts,
            self.jobs,
            steps,
        )
    }
}

/// Where the samples are.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/samples/conformance")
}

/// All samples, by name.
pub fn all() -> Result<Vec<Sample>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder())? {
        let file = entry?.file_name();
        let name = file.to_str().and_then(|name| name.strip_suffix(".expected.yaml"));
        names.extend(name.map(str::to_owned));
    }
    names.sort_unstable();
    names.into_iter().map(read).collect()
}

fn read(name: String) -> Result<Sample> {
    let text = |file: String| {
        let path = folder().join(file);
        fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    };
    let expected = text(format!("{name}.expected.yaml"))?;
    Ok(Sample {
        yaml: text(format!("{name}.yaml"))?,
        expected: Expected::parse(&expected).with_context(|| format!("{name}.expected.yaml"))?,
        name,
    })
}

/// Runs samples in so many worlds side by side; an error tells of all that differ.
///
/// `image` takes the place of the image that the samples name, and a receiver of the tests that of the host.
pub fn run(samples: Vec<Sample>, side_by_side: usize, kubelet: Kubelet, config: &str, image: &str) -> Result<()> {
    let tasks = fs::read_to_string(folder().join("tasks.yaml"))?;
    let templates = fs::read_to_string(folder().join("templates.yaml"))?;
    let receiver = receiver::url()?;
    let with_image = |yaml: &str| yaml.replace("busybox:1.37", image).replace(receiver::PLACE, &receiver);
    let config = format!("{config}\n{}", receiver::CONFIG);
    let count = samples.len();
    let left = Mutex::new(VecDeque::from(samples));
    let wrong = Mutex::new(BTreeMap::new());
    let one_world = || {
        let done = harness::run(kubelet, &config, async |world| {
            world.create_all(&with_image(&tasks)).await?;
            world.create_all(&templates).await?;
            let mut ended = Vec::new();
            loop {
                let Some(sample) = lock(&left).pop_front() else { break };
                match end_of(world, &sample, &with_image(&sample.yaml)).await {
                    Ok(workflow) => ended.push((sample, workflow)),
                    Err(error) => drop(lock(&wrong).insert(sample.name, format!("{error:#}"))),
                }
            }
            let differing = compare(world, ended).await?;
            lock(&wrong).extend(differing);
            Ok(())
        });
        if let Err(error) = done {
            lock(&wrong).insert("a world".to_owned(), format!("{error:#}"));
        }
    };
    thread::scope(|scope| {
        let named = |_| {
            thread::Builder::new()
                .name("conformance".to_owned())
                .spawn_scoped(scope, one_world)
        };
        (0..side_by_side).try_for_each(|number| named(number).map(drop))
    })?;
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    let words: Vec<String> = wrong.iter().map(|(name, words)| format!("\n{name}: {words}")).collect();
    ensure!(
        words.is_empty(),
        "{} of {count} samples:{}",
        words.len(),
        words.concat()
    );
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Applies one sample and waits for its end.
async fn end_of(world: &World, sample: &Sample, yaml: &str) -> Result<Workflow> {
    let is_over = |status: &WorkflowStatus| {
        let phase = status.phase.unwrap_or_default();
        // It would wait for somebody to mend it.
        phase.is_terminal() || (phase == WorkflowPhase::Pending && status.reason.is_some())
    };
    world.create_all(yaml).await?;
    world.until(&sample.name, SAMPLE_MAX_S, "has ended", is_over).await?;
    world.workflow(&sample.name).await
}

/// What differs, by sample. The Jobs are counted in the audit log: some are gone.
async fn compare(world: &World, ended: Vec<(Sample, Workflow)>) -> Result<BTreeMap<String, String>> {
    world.ensure_invariants().await?;
    let events = world.audit().await?;
    let jobs = audit::invariants::jobs(&events);
    let families = families(world).await?;
    let mut wrong = BTreeMap::new();
    for (sample, workflow) in ended {
        let status = harness::status(&workflow)?;
        let uid = workflow.metadata.uid.unwrap_or_default();
        let jobs = with_descendants(&families, &uid, &jobs);
        let differences = differences(&sample.expected, &status, jobs);
        if !differences.is_empty() {
            let said = status.message.unwrap_or_default();
            let head = format!("{said}\n  {:24} {:32} found", "", "expected");
            wrong.insert(sample.name, format!("{head}\n{}", differences.join("\n")));
        }
    }
    Ok(wrong)
}

/// The UIDs of children, by the UID of their parent.
type Families = BTreeMap<String, Vec<String>>;

async fn families(world: &World) -> Result<Families> {
    let mut families = Families::new();
    for workflow in world.api::<Workflow>().list(&ListParams::default()).await? {
        let labels = workflow.metadata.labels.unwrap_or_default();
        if let (Some(parent), Some(uid)) = (labels.get(label::PARENT_UID), workflow.metadata.uid) {
            families.entry(parent.clone()).or_default().push(uid);
        }
    }
    Ok(families)
}

fn with_descendants(families: &Families, uid: &str, jobs: &BTreeMap<&str, usize>) -> usize {
    let own = jobs.get(uid).copied().unwrap_or_default();
    let children = families.get(uid).into_iter().flatten();
    own + children
        .map(|child| with_descendants(families, child, jobs))
        .sum::<usize>()
}

/// One line for each member that is not as expected.
#[must_use]
pub fn differences(expected: &Expected, status: &WorkflowStatus, jobs: usize) -> Vec<String> {
    let found = found(expected, status, jobs);
    let expected = expected.lines();
    let keys: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let differing = keys.into_iter().filter(|key| expected.get(*key) != found.get(*key));
    let shown = |value: Option<&String>| value.cloned().unwrap_or_else(|| "-".to_owned());
    differing
        .map(|key| format!("  {key:24} {:32} {}", shown(expected.get(key)), shown(found.get(key))))
        .collect()
}

fn found(expected: &Expected, status: &WorkflowStatus, jobs: usize) -> BTreeMap<String, String> {
    let steps = status.steps.iter();
    let steps = steps.filter(|(key, step)| expected.steps.contains_key(*key) || !may_be_folded(status, step));
    let steps = steps.map(|(key, step)| (key.clone(), how(step))).collect();
    let end = (status.phase.unwrap_or_default(), status.reason.as_ref());
    lines(end, status.outputs.clone(), &status.loop_counts, jobs, steps)
}

fn how(step: &StepStatus) -> String {
    match &step.reason {
        Some(reason) => format!("{}/{reason}", step.phase),
        None => step.phase.to_string(),
    }
}

/// It belongs to an iteration that is shown no more once a later look has stored it.
fn may_be_folded(status: &WorkflowStatus, step: &StepStatus) -> bool {
    (1..step.path.len()).any(|length| {
        let (above, Some(last)) = (&step.path[..length], step.path[..length].last()) else {
            return false;
        };
        let mut of = above.to_vec();
        if let Some(segment) = of.last_mut() {
            segment.index = None;
        }
        let around = status.steps.get(&printed(&of));
        let ended = around
            .filter(|around| around.kind == "loop")
            .map_or(0, |around| around.iterations);
        last.index.is_some_and(|index| index + ITERATIONS_SHOWN < ended)
    })
}

fn printed(path: &[PathSegment]) -> String {
    let names = path.iter().map(|segment| match segment.index {
        Some(index) => format!("{}[{index}]", segment.name),
        None => segment.name.clone(),
    });
    names.collect::<Vec<_>>().join(".")
}

fn lines(
    (phase, reason): (WorkflowPhase, Option<&Reason>),
    outputs: BTreeMap<String, Value>,
    loop_counts: &BTreeMap<String, u64>,
    jobs: usize,
    steps: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut lines = BTreeMap::from([("phase".into(), phase.to_string()), ("jobs".into(), jobs.to_string())]);
    lines.extend(reason.map(|reason| ("reason".into(), reason.to_string())));
    lines.extend(
        outputs
            .into_iter()
            .map(|(name, value)| (format!("outputs.{name}"), json!(value).to_string())),
    );
    lines.extend(
        loop_counts
            .iter()
            .map(|(id, count)| (format!("loopCounts.{id}"), count.to_string())),
    );
    lines.extend(steps.into_iter().map(|(key, how)| (format!("steps.{key}"), how)));
    lines
}
