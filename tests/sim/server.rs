//! A model of the API server: objects, versions, a log of events; below it the cluster.

use jiff::Timestamp;
use jobwright_api::WorkflowStatus;
use jobwright_tests::{
    graphs::{Case, Outcome, Stuck},
    laws::{Fault, History},
    world::{Cluster, go_numbers, job, json},
};
use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::{laws, receiver};

pub(crate) const NAMESPACE: &str = "default";
pub(crate) const WORKFLOW: &str = "play";
pub(crate) const UID: &str = "7a1d7a6e-0000-4000-8000-000000000002";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Workflow,
    Task,
    Template,
    Record,
    Job,
    Pod,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Workflow,
        Self::Task,
        Self::Template,
        Self::Record,
        Self::Job,
        Self::Pod,
    ];
}

/// A change that watches tell of.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    pub(crate) is_delete: bool,
    pub(crate) object: Value,
}

pub(crate) struct Server {
    pub(crate) case: Case,
    pub(crate) cluster: Cluster,
    pub(crate) objects: BTreeMap<(Kind, String), Value>,
    pub(crate) log: Vec<Event>,
    version: u64,
    pub(crate) history: History,
    /// Laws that were broken: the requests that broke them were carried out all the same.
    pub(crate) faults: Vec<Fault>,
    /// Requests, by verb and resource: what it cost.
    pub(crate) requests: BTreeMap<String, usize>,
    /// Someone deletes the Workflow.
    pub(crate) is_deleted: bool,
    /// Requests of steps that have arrived, by step and attempt, in their order.
    pub(crate) received: Vec<(String, u32)>,
}

/// Status code and body.
pub(crate) type Answer = (u16, Value);

impl Server {
    pub(crate) fn new(case: &Case, now: Timestamp) -> Self {
        let mut server = Self {
            case: case.clone(),
            cluster: Cluster::new(now),
            objects: BTreeMap::new(),
            log: Vec::new(),
            version: 100,
            history: History::default(),
            faults: Vec::new(),
            requests: BTreeMap::new(),
            is_deleted: false,
            received: Vec::new(),
        };
        for (name, task) in case.tasks() {
            let mut object = serde_json::to_value(task).unwrap();
            object["metadata"] =
                json!({"name": name, "namespace": NAMESPACE, "uid": format!("uid-{name}"), "generation": 1});
            server.put(Kind::Task, &name, object);
        }
        let mut object = serde_json::to_value(case.workflow(WORKFLOW)).unwrap();
        object["metadata"] = json!({"name": WORKFLOW, "namespace": NAMESPACE, "uid": UID, "generation": 1});
        object.as_object_mut().unwrap().remove("status");
        receiver::put_requests(&mut object, case);
        server.put(Kind::Workflow, WORKFLOW, object);
        server
    }

    pub(crate) fn get(&self, kind: Kind, name: &str) -> Option<&Value> {
        self.objects.get(&(kind, name.to_owned()))
    }

    pub(crate) fn stored(&self) -> WorkflowStatus {
        let status = self
            .get(Kind::Workflow, WORKFLOW)
            .map(|workflow| workflow["status"].clone());
        status
            .and_then(|status| serde_json::from_value(status).ok())
            .unwrap_or_default()
    }

    /// Stores an object under a new version, unless it is as it was.
    pub(crate) fn put(&mut self, kind: Kind, name: &str, mut object: Value) {
        go_numbers(&mut object);
        let key = (kind, name.to_owned());
        let version = self
            .objects
            .get(&key)
            .map(|known| known["metadata"]["resourceVersion"].clone());
        if let Some(version) = version {
            object["metadata"]["resourceVersion"] = version;
            if self.objects.get(&key) == Some(&object) {
                return;
            }
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.log.push(Event {
            kind,
            is_delete: false,
            object: object.clone(),
        });
        self.objects.insert(key, object);
    }

    pub(crate) fn remove(&mut self, kind: Kind, name: &str) {
        if let Some(mut object) = self.objects.remove(&(kind, name.to_owned())) {
            self.version += 1;
            object["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.log.push(Event {
                kind,
                is_delete: true,
                object,
            });
        }
    }

    /// The cluster does what is due by now.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        // One happening after the other, so that watches can tell of each.
        while let Some(at) = self.cluster.next_at().filter(|at| *at <= now) {
            self.cluster.advance(at);
            self.publish();
        }
        self.cluster.advance(now);
    }

    /// Brings the objects up to what the cluster is.
    pub(crate) fn publish(&mut self) {
        for name in std::mem::take(&mut self.cluster.changed) {
            let now = self.cluster.now;
            let found = self.cluster.jobs.get(&name);
            let job = found.map(|found| json::job(found, now));
            let pod = found.and_then(|found| Some(json::pod(found, found.pod.as_ref()?)));
            match pod {
                Some(pod) => self.put(Kind::Pod, &name, pod),
                None => self.remove(Kind::Pod, &name),
            }
            match job {
                Some(job) => self.put(Kind::Job, &name, job),
                None => self.remove(Kind::Job, &name),
            }
        }
    }

    pub(crate) fn create_job(&mut self, body: Value) -> Answer {
        let job: Job = serde_json::from_value(body).unwrap();
        let name = job.metadata.name.clone().unwrap();
        let Some((step, number)) = job::identity(&job) else {
            self.faults.push(format!("Job {name} does not say which attempt it is"));
            return refusal(422, "Invalid", "no identity");
        };
        let Some(place) = self.case.place(&step) else {
            self.faults.push(format!("Job {name} is of no step: {step}"));
            return refusal(422, "Invalid", "no such step");
        };
        let fate = self.case.outcome(&place, number).clone();
        if matches!(fate, Outcome::Refused) {
            return refusal(422, "Invalid", "in the server's words");
        }
        if self.get(Kind::Job, &name).is_some() {
            return refusal(409, "AlreadyExists", &format!("jobs.batch {name:?} already exists"));
        }
        laws::before_create(self, &job, (&place, number));
        self.history.born(&job, (&place, number));
        self.cluster.create(job, fate);
        if self.get(Kind::Workflow, WORKFLOW).is_none() {
            // Its owner is gone: the garbage collector takes it.
            self.cluster.delete(&name);
        }
        self.publish();
        (201, self.get(Kind::Job, &name).unwrap().clone())
    }

    pub(crate) fn delete_job(&mut self, name: &str, body: &Value) -> Answer {
        let Some(object) = self.get(Kind::Job, name).cloned() else {
            return not_found("jobs.batch", name);
        };
        if body["preconditions"]["uid"] != object["metadata"]["uid"] {
            return refusal(409, "Conflict", "the UID in the precondition is another");
        }
        if body["propagationPolicy"] != "Foreground" {
            self.faults.push(format!("{name} is not deleted in the foreground"));
        }
        laws::before_delete(self, name);
        self.cluster.delete(name);
        self.publish();
        (200, self.get(Kind::Job, name).cloned().unwrap_or(object))
    }

    pub(crate) fn patch_job(&mut self, name: &str, body: &Value) -> Answer {
        let Some(object) = self.get(Kind::Job, name).cloned() else {
            return not_found("jobs.batch", name);
        };
        if body["metadata"]["uid"] != object["metadata"]["uid"] {
            return refusal(409, "Conflict", "the UID in the patch is another");
        }
        let ttl_s = body["spec"]["ttlSecondsAfterFinished"].as_i64().unwrap();
        laws::before_ttl(self, name);
        self.cluster.set_ttl(name, i32::try_from(ttl_s).unwrap());
        self.publish();
        (200, self.get(Kind::Job, name).cloned().unwrap_or(object))
    }

    pub(crate) fn probe_pod(&self, body: &Value) -> Answer {
        // Whose pod it is, its labels say: enough to know its fate.
        let labels = &body["metadata"]["labels"];
        let uid = labels["batch.kubernetes.io/job-name"].as_str();
        let stuck = self
            .cluster
            .jobs
            .values()
            .filter(|job| uid.is_none_or(|uid| job.name == uid));
        let mut stuck = stuck.filter(|job| matches!(job.fate, Outcome::NeverStarts(Stuck::NoPod)));
        if stuck.next().is_some() {
            return refusal(403, "Forbidden", "pods \"x\" is forbidden: exceeded quota: pods");
        }
        (201, body.clone())
    }

    /// A user changes the Workflow.
    pub(crate) fn set_suspend(&mut self, suspend: bool) {
        if let Some(mut workflow) = self.get(Kind::Workflow, WORKFLOW).cloned() {
            workflow["spec"]["suspend"] = json!(suspend);
            let generation = workflow["metadata"]["generation"].as_i64().unwrap() + 1;
            workflow["metadata"]["generation"] = json!(generation);
            self.put(Kind::Workflow, WORKFLOW, workflow);
        }
    }

    /// Somebody changes the Workflow, but nothing that matters.
    pub(crate) fn touch(&mut self) {
        if let Some(mut workflow) = self.get(Kind::Workflow, WORKFLOW).cloned() {
            let note = self.version;
            workflow["metadata"]["annotations"]["example.com/note"] = json!(note.to_string());
            self.put(Kind::Workflow, WORKFLOW, workflow);
        }
    }

    /// A user deletes the Workflow; the garbage collector follows.
    pub(crate) fn delete_workflow(&mut self) {
        self.is_deleted = true;
        self.remove(Kind::Workflow, WORKFLOW);
        self.cluster.collect_all();
        self.publish();
    }
}

pub(crate) fn refusal(code: u16, reason: &str, message: &str) -> Answer {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
    });
    (code, body)
}

pub(crate) fn not_found(resource: &str, name: &str) -> Answer {
    refusal(404, "NotFound", &format!("{resource} {name:?} not found"))
}
