//! Invariants that an audit log can show to be broken. A user may run this over the log of any cluster
//! whose policy logs the bodies of writes to our kinds, Jobs and `pods/status`.

use super::{Event, text};
use jiff::Timestamp;
use jobwright_api::meta::annotation;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// An invariant that does not hold, with what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub invariant: &'static str,
    pub evidence: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.evidence)
    }
}

/// What was looked at, so that an empty log is not taken for a good one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    pub jobs: usize,
    pub statuses: usize,
    pub violations: Vec<Violation>,
}

/// Checks everything.
#[must_use]
pub fn check(events: &[Event]) -> Findings {
    let starts = starts(events);
    let histories = histories(events);
    let attempts = attempts(events);
    let mut violations = once(&attempts);
    violations.extend(final_phases(&histories));
    violations.extend(after_needs(events, &starts, &histories));
    violations.extend(kept_until_stored(events, &histories));
    Findings {
        jobs: attempts.len(),
        statuses: histories.values().map(Vec::len).sum(),
        violations,
    }
}

/// A Job of ours that was created.
struct Start<'a> {
    at: Timestamp,
    /// Of the Job, if the log has the answer.
    version: Option<u64>,
    workflow: &'a str,
    run: &'a str,
    /// The step's id as its annotation has it.
    step: &'a str,
    job: &'a str,
}

fn starts(events: &[Event]) -> Vec<Start<'_>> {
    let created = events
        .iter()
        .filter(|event| event.verb == "create" && event.resource == "jobs" && event.subresource.is_empty());
    created.filter_map(start).collect()
}

fn start(event: &Event) -> Option<Start<'_>> {
    let object = match (event.is_done(), event.may_be_done()) {
        (true, _) => &event.response,
        (_, true) => &event.request,
        _ => return None,
    };
    let metadata = object.get("metadata")?;
    let annotation = |name: &str| metadata.get("annotations")?.get(name)?.as_str();
    Some(Start {
        at: event.received,
        version: version(&event.response),
        workflow: text(metadata, "/ownerReferences/0/uid"),
        run: text(metadata, "/labels/jobwright.dev~1run"),
        step: annotation(annotation::STEP)?,
        job: text(metadata, "/name"),
    })
}

/// The Jobs of each attempt: UIDs by UID of the Workflow and key of the attempt.
type Attempts<'a> = BTreeMap<(&'a str, &'a str), BTreeSet<&'a str>>;

/// From all that the log shows of Jobs: the answer to a create may be missing, but not what the Job
/// controller wrote later.
fn attempts(events: &[Event]) -> Attempts<'_> {
    let mut attempts = Attempts::new();
    for event in events
        .iter()
        .filter(|event| event.resource == "jobs" && event.is_done())
    {
        let metadata = event.response.get("metadata").unwrap_or(&Value::Null);
        let annotations = metadata.get("annotations").unwrap_or(&Value::Null);
        let key = annotations.get(annotation::ATTEMPT_KEY).and_then(Value::as_str);
        let uid = text(metadata, "/uid");
        if let Some(key) = key.filter(|_| !uid.is_empty()) {
            let workflow = text(metadata, "/ownerReferences/0/uid");
            attempts.entry((workflow, key)).or_default().insert(uid);
        }
    }
    attempts
}

/// How many Jobs each Workflow has had, by its UID.
#[must_use]
pub fn jobs(events: &[Event]) -> BTreeMap<&str, usize> {
    let mut jobs = BTreeMap::new();
    for ((workflow, _), uids) in attempts(events) {
        let count: &mut usize = jobs.entry(workflow).or_default();
        *count += uids.len();
    }
    jobs
}

/// I1: at most one Job per attempt, ever.
fn once(attempts: &Attempts<'_>) -> Vec<Violation> {
    let several = attempts.iter().filter(|(_, uids)| uids.len() > 1);
    let words = several.map(|((workflow, key), uids)| Violation {
        invariant: "I1 one Job per attempt",
        evidence: format!("attempt {key} of Workflow {workflow} had the Jobs {uids:?}"),
    });
    words.collect()
}

/// A status as it was stored.
struct Stored<'a> {
    /// None: the API server could not say whether it was, for example since the operator was killed
    /// while it waited (504). Then it speaks for what is done upon it, never against.
    version: Option<u64>,
    received: Timestamp,
    status: &'a Value,
}

impl Stored<'_> {
    /// Versions of all kinds are one sequence: etcd's. A watch may tell of a write before its answer is
    /// out, so times are for writes without answer only.
    fn is_before(&self, version: Option<u64>, at: Timestamp) -> bool {
        match (self.version, version) {
            (Some(stored), Some(then)) => stored < then,
            _ => self.received <= at,
        }
    }
}

fn version(object: &Value) -> Option<u64> {
    text(object, "/metadata/resourceVersion").parse().ok()
}

/// By uid of the Workflow, in the order in which they were stored.
type Histories<'a> = BTreeMap<&'a str, Vec<Stored<'a>>>;

fn histories(events: &[Event]) -> Histories<'_> {
    let mut histories = Histories::new();
    let mut uids = BTreeMap::new();
    for event in events.iter().filter(|event| event.resource == "workflows") {
        let object = (&event.namespace, &event.name);
        if event.is_done() {
            let uid = text(&event.response, "/metadata/uid");
            uids.insert((&event.namespace, text(&event.response, "/metadata/name")), uid);
        }
        let version = version(&event.response);
        let (uid, status) = match event.stored_status() {
            Some(status) => (text(&event.response, "/metadata/uid"), status),
            None if event.may_be_done() => {
                match (uids.get(&(object.0, object.1.as_str())), event.request.get("status")) {
                    (Some(uid), Some(status)) => (*uid, status),
                    _ => continue,
                }
            }
            None => continue,
        };
        histories.entry(uid).or_default().push(Stored {
            version,
            received: event.received,
            status,
        });
    }
    for history in histories.values_mut() {
        history.sort_by_key(|stored| stored.version);
    }
    histories
}

fn is_terminal(phase: &str) -> bool {
    matches!(
        phase,
        "Succeeded" | "Failed" | "Skipped" | "Cancelled" | "Omitted" | "Terminated"
    )
}

fn steps(status: &Value) -> impl Iterator<Item = (&String, &Value)> {
    status.get("steps").and_then(Value::as_object).into_iter().flatten()
}

/// How many steps stand in records.
fn sealed(status: &Value) -> u64 {
    let records = status.get("records").and_then(Value::as_object).into_iter().flatten();
    records.filter_map(|(_, record)| record.get("total")?.as_u64()).sum()
}

/// I3: terminal phases never change within a run, and I10: `seq` never falls.
fn final_phases(histories: &Histories<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (uid, history) in histories {
        let known: Vec<&Stored<'_>> = history.iter().filter(|stored| stored.version.is_some()).collect();
        for (before, after) in known.iter().zip(known.iter().skip(1)) {
            let (before, after) = (before.status, after.status);
            let number = |status: &Value, field: &str| status.get(field).and_then(Value::as_u64).unwrap_or_default();
            if number(after, "seq") < number(before, "seq") {
                violations.push(Violation {
                    invariant: "I10 seq never falls",
                    evidence: format!(
                        "Workflow {uid}: {} after {}",
                        number(after, "seq"),
                        number(before, "seq")
                    ),
                });
            }
            if number(before, "run") != number(after, "run") {
                continue;
            }
            let changed = |of: &str, was: &str, is: &str| Violation {
                invariant: "I3 terminal phases are final",
                evidence: format!("{of} of Workflow {uid} was {was} and became {is:?}"),
            };
            let (was, is) = (text(before, "/phase"), text(after, "/phase"));
            if is_terminal(was) && was != is {
                violations.push(changed("the run", was, is));
            }
            let mut left = 0;
            for (name, step) in steps(before) {
                let was = text(step, "/phase");
                let Some(now) = after.get("steps").and_then(|steps| steps.get(name)) else {
                    left += 1;
                    if !is_terminal(was) {
                        violations.push(changed(&format!("step {name}"), was, "gone"));
                    }
                    continue;
                };
                let is_same = was == text(now, "/phase") && step.get("outputs") == now.get("outputs");
                let is_folded = now.is_null() && is_folded(name, after);
                if is_terminal(was) && !is_same && !is_folded {
                    violations.push(changed(&format!("step {name}"), was, text(now, "/phase")));
                }
            }
            // Steps leave a status for records alone.
            let sealed = sealed(after).saturating_sub(sealed(before));
            if sealed != left {
                let evidence = format!("Workflow {uid}: {left} steps left its status, {sealed} more stand in records");
                violations.push(Violation {
                    invariant: "I3 terminal phases are final",
                    evidence,
                });
            }
        }
    }
    violations
}

/// Its iteration has been counted by a loop around it, and is not shown any more.
fn is_folded(name: &str, after: &Value) -> bool {
    name.match_indices('[').any(|(at, _)| {
        let index = name[at + 1..].split(']').next().and_then(|index| index.parse().ok());
        let around = after.get("steps").and_then(|steps| steps.get(&name[..at]));
        let ended = around
            .and_then(|around| around.get("iterations"))
            .and_then(Value::as_u64);
        index.zip(ended).is_some_and(|(index, ended): (u64, u64)| index < ended)
    })
}

/// I2: a Job is created only when all needs of its step have ended.
fn after_needs(events: &[Event], starts: &[Start<'_>], histories: &Histories<'_>) -> Vec<Violation> {
    let evidence = Evidence {
        starts,
        histories,
        needs: needs(events),
        ended_pods: ended_pods(events),
    };
    let early = |start: &Start<'_>| {
        let need = evidence.open_need(start, &name_of(start.step))?;
        Some(Violation {
            invariant: "I2 a step starts after its needs",
            evidence: format!(
                "Job {} of Workflow {} was created at {} before {need} had ended",
                start.job, start.workflow, start.at
            ),
        })
    };
    starts.iter().filter_map(early).collect()
}

/// What tells when a step had ended.
struct Evidence<'a> {
    starts: &'a [Start<'a>],
    histories: &'a Histories<'a>,
    needs: BTreeMap<(&'a str, &'a str), BTreeSet<String>>,
    ended_pods: BTreeMap<&'a str, Timestamp>,
}

impl Evidence<'_> {
    /// The first need of a step that had not ended when a Job was created.
    fn open_need(&self, start: &Start<'_>, step: &str) -> Option<String> {
        let mut needs = self.needs.get(&(start.workflow, step)).into_iter().flatten();
        needs.find(|need| !self.has_ended(start, need)).cloned()
    }

    fn has_ended(&self, start: &Start<'_>, need: &str) -> bool {
        let pointer = format!("/steps/{need}/phase");
        let by_status = self
            .histories
            .get(start.workflow)
            .into_iter()
            .flatten()
            .any(|stored| stored.is_before(start.version, start.at) && is_terminal(text(stored.status, &pointer)));
        let is_of_need = |other: &&Start<'_>| {
            other.workflow == start.workflow && other.run == start.run && name_of(other.step) == need
        };
        let mut jobs = self.starts.iter().filter(is_of_need).peekable();
        if by_status {
            return true;
        }
        if jobs.peek().is_none() {
            // Skipped, or failed before its Job: that is decided once its own needs have ended.
            return self.open_need(start, need).is_none();
        }
        // An end that only the Job controller has reported leaves no trace here but the status.
        jobs.all(|job| self.ended_pods.get(job.job).is_some_and(|at| *at <= start.at))
    }
}

/// The step's own name, from its structured id.
fn name_of(id: &str) -> String {
    let path: Value = serde_json::from_str(id).unwrap_or_default();
    let last = path.as_array().and_then(|segments| segments.last());
    last.map_or_else(String::new, |segment| text(segment, "/name").to_owned())
}

/// Needs of each step as the log shows definitions: all of them, should one have changed.
fn needs(events: &[Event]) -> BTreeMap<(&str, &str), BTreeSet<String>> {
    let mut needs: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    let mut changed = BTreeSet::new();
    for event in events
        .iter()
        .filter(|event| event.resource == "workflows" && event.is_done())
    {
        let uid = text(&event.response, "/metadata/uid");
        if event.response.pointer("/metadata/generation").and_then(Value::as_i64) > Some(1)
            && text(&event.response, "/spec/runPolicy") == "OnChange"
        {
            changed.insert(uid); // which definition a run has, only its snapshot says
        }
        let steps = event.response.pointer("/spec/steps").and_then(Value::as_array);
        // A join may want less than the end of all: that is for the simulators to see.
        for step in steps.into_iter().flatten().filter(|step| step.get("join").is_none()) {
            let own = step.get("needs").and_then(Value::as_array).into_iter().flatten();
            let names = own.filter_map(Value::as_str).map(str::to_owned);
            needs.entry((uid, text(step, "/name"))).or_default().extend(names);
        }
    }
    needs.retain(|(uid, _), _| !changed.contains(uid));
    needs
}

/// When the containers of each Job's pod were first reported to have ended.
fn ended_pods(events: &[Event]) -> BTreeMap<&str, Timestamp> {
    let mut ended: BTreeMap<&str, Timestamp> = BTreeMap::new();
    let reports = events
        .iter()
        .filter(|event| event.resource == "pods" && event.subresource == "status");
    for event in reports.filter(|event| event.is_done()) {
        let statuses = event
            .response
            .pointer("/status/containerStatuses")
            .and_then(Value::as_array);
        let has_ended = statuses.is_some_and(|statuses| {
            !statuses.is_empty()
                && statuses
                    .iter()
                    .all(|status| status.pointer("/state/terminated").is_some())
        });
        let phase = text(&event.response, "/status/phase");
        if has_ended || is_terminal(phase) {
            let job = text(&event.response, "/metadata/labels/batch.kubernetes.io~1job-name");
            let at = ended.entry(job).or_insert(event.received);
            *at = event.received.min(*at);
        }
    }
    ended
}

/// A Job gets a TTL only when its result is stored: else it might take the result along.
fn kept_until_stored(events: &[Event], histories: &Histories<'_>) -> Vec<Violation> {
    let patched = events
        .iter()
        .filter(|event| event.resource == "jobs" && event.verb == "patch" && event.is_done());
    let expiring = patched.filter(|event| event.request.pointer("/spec/ttlSecondsAfterFinished").is_some());
    let mut violations = Vec::new();
    for event in expiring {
        let workflow = text(&event.response, "/metadata/ownerReferences/0/uid");
        let is_stored = histories.get(workflow).into_iter().flatten().any(|stored| {
            stored.is_before(version(&event.response), event.received)
                && steps(stored.status).any(|(_, step)| has_ended(step, &event.name))
        });
        if !is_stored {
            violations.push(Violation {
                invariant: "a TTL comes after the result is stored",
                evidence: format!("Job {} of Workflow {workflow} at {}", event.name, event.received),
            });
        }
    }
    violations
}

fn has_ended(step: &Value, job: &str) -> bool {
    let attempts = step.pointer("/attempts/recent").and_then(Value::as_array);
    attempts
        .into_iter()
        .flatten()
        .any(|attempt| text(attempt, "/job") == job && is_terminal(text(attempt, "/phase")))
}
