//! From a request to what the server does: the few verbs that the operator may use, no others.

use serde_json::{Value, json};

use crate::{
    laws, patch,
    server::{Answer, Kind, NAMESPACE, Server, WORKFLOW, not_found, refusal},
};

/// A request as it arrives.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) content_type: String,
    pub(crate) body: Value,
}

impl Sent {
    /// It may change something.
    pub(crate) fn is_write(&self) -> bool {
        self.method != "GET" && !self.query.contains("dryRun")
    }

    /// Verb and resource, for counts and plans.
    pub(crate) fn what(&self) -> String {
        let mut parts = self.path.split('/').skip_while(|part| *part != NAMESPACE).skip(1);
        let resource = parts.next().unwrap_or_default();
        let sub = parts.nth(1).map_or_else(String::new, |sub| format!("/{sub}"));
        let dry = if self.query.contains("dryRun") { " dry" } else { "" };
        format!("{} {resource}{sub}{dry}", self.method)
    }
}

impl Server {
    pub(crate) fn handle(&mut self, sent: &Sent) -> Answer {
        *self.requests.entry(sent.what()).or_default() += 1;
        let prefix = format!("/namespaces/{NAMESPACE}/");
        let Some((group, rest)) = sent.path.split_once(&prefix) else {
            return self.unexpected(sent);
        };
        let parts: Vec<&str> = rest.split('/').collect();
        match (sent.method.as_str(), group, parts.as_slice()) {
            ("POST", "/apis/batch/v1", ["jobs"]) => self.create_job(sent.body.clone()),
            ("GET", "/apis/batch/v1", ["jobs", name]) => self.read(Kind::Job, "jobs.batch", name),
            ("DELETE", "/apis/batch/v1", ["jobs", name]) => self.delete_job(name, &sent.body),
            ("PATCH", "/apis/batch/v1", ["jobs", name]) => self.patch_job(name, &sent.body),
            ("GET", "/api/v1", ["pods"]) => self.list_pods(&sent.query),
            ("POST", "/api/v1", ["pods"]) if sent.query.contains("dryRun=All") => self.probe_pod(&sent.body),
            ("POST", "/apis/jobwright.dev/v1alpha1", ["workflowrecords"]) => self.create_record(&sent.body),
            ("GET", "/apis/jobwright.dev/v1alpha1", ["workflowrecords", name]) => {
                self.read(Kind::Record, "workflowrecords", name)
            }
            ("PATCH", "/apis/jobwright.dev/v1alpha1", ["workflowrecords", name]) => self.mark_record(name, &sent.body),
            ("DELETE", "/apis/jobwright.dev/v1alpha1", ["workflowrecords", name]) => {
                self.delete_record(name, &sent.body)
            }
            ("PATCH", "/apis/jobwright.dev/v1alpha1", ["workflows", name, "status"]) => {
                self.patch_status(Kind::Workflow, name, sent)
            }
            ("PATCH", "/apis/jobwright.dev/v1alpha1", ["tasks", name, "status"]) => {
                self.patch_status(Kind::Task, name, sent)
            }
            _ => self.unexpected(sent),
        }
    }

    fn unexpected(&mut self, sent: &Sent) -> Answer {
        self.faults
            .push(format!("nobody expects {} {}", sent.method, sent.path));
        refusal(405, "MethodNotAllowed", "not here")
    }

    fn read(&self, kind: Kind, resource: &str, name: &str) -> Answer {
        self.get(kind, name)
            .map_or_else(|| not_found(resource, name), |object| (200, object.clone()))
    }

    fn list_pods(&self, query: &str) -> Answer {
        let selector = query.split('&').find_map(|part| part.strip_prefix("labelSelector="));
        let job = selector
            .and_then(|selector| selector.rsplit_once("job-name"))
            .unwrap()
            .1;
        let job = job.trim_start_matches(['=', '%']).trim_start_matches("3D");
        let items: Vec<Value> = self.get(Kind::Pod, job).cloned().into_iter().collect();
        (
            200,
            json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}),
        )
    }

    fn create_record(&mut self, body: &Value) -> Answer {
        let name = body["metadata"]["name"].as_str().unwrap().to_owned();
        if self.get(Kind::Record, &name).is_some() {
            return refusal(
                409,
                "AlreadyExists",
                &format!("workflowrecords {name:?} already exists"),
            );
        }
        let mut record = body.clone();
        record["metadata"]["uid"] = json!(format!("uid-{name}"));
        let now = jiff::Timestamp::from_second(self.cluster.now.as_second()).unwrap();
        record["metadata"]["creationTimestamp"] = json!(now.to_string());
        self.put(Kind::Record, &name, record);
        (201, self.objects[&(Kind::Record, name)].clone())
    }

    fn mark_record(&mut self, name: &str, body: &Value) -> Answer {
        let Some(mut record) = self.get(Kind::Record, name).cloned() else {
            return not_found("workflowrecords", name);
        };
        patch::merge(&mut record, body);
        self.put(Kind::Record, name, record);
        self.read(Kind::Record, "workflowrecords", name)
    }

    fn delete_record(&mut self, name: &str, body: &Value) -> Answer {
        let Some(record) = self.get(Kind::Record, name).cloned() else {
            return not_found("workflowrecords", name);
        };
        let wanted = &body["preconditions"];
        let found = &record["metadata"];
        if wanted["uid"] != found["uid"] || wanted["resourceVersion"] != found["resourceVersion"] {
            return refusal(409, "Conflict", "the precondition does not hold");
        }
        laws::before_record_delete(self, name);
        self.remove(Kind::Record, name);
        (200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
    }

    /// Only the status changes, and only on the version that was meant.
    fn patch_status(&mut self, kind: Kind, name: &str, sent: &Sent) -> Answer {
        let Some(object) = self.get(kind, name).cloned() else {
            return not_found("workflows", name);
        };
        let mut patched = object.clone();
        if sent.content_type == "application/json-patch+json" {
            patch::edit(&mut patched, sent.body.as_array().unwrap());
        } else {
            patch::merge(&mut patched, &sent.body);
        }
        if patched["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] {
            return refusal(409, "Conflict", "the object has been modified");
        }
        let mut next = object;
        next["status"] = patched["status"].take();
        let bytes = serde_json::to_vec(&next).unwrap().len();
        if bytes > 512 * 1024 {
            self.faults.push(format!("I12: the object has {bytes} bytes"));
        }
        if kind == Kind::Workflow && name == WORKFLOW {
            laws::before_status(self, &next["status"]);
        }
        self.put(kind, name, next);
        self.read(kind, "workflows", name)
    }
}
