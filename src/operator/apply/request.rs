//! The exact requests: paths, parameters and bodies.

use http::{Request, header::CONTENT_TYPE};
use jobwright_api::meta::FIELD_MANAGER;
use serde::Serialize;
use serde_json::{Value, json};

use super::{call::What, classify::Failure};
use crate::store::Key;
use jobwright_engine::observed::RefusalKind;

pub(super) const MERGE_PATCH: &str = "application/merge-patch+json";
pub(super) const JSON_PATCH: &str = "application/json-patch+json";

/// A kind that requests are sent for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resource {
    group: &'static str,
    pub(super) plural: &'static str,
}

pub(super) const JOBS: Resource = Resource {
    group: "/apis/batch/v1",
    plural: "jobs",
};
pub(super) const PODS: Resource = Resource {
    group: "/api/v1",
    plural: "pods",
};
pub(super) const SECRETS: Resource = Resource {
    group: "/api/v1",
    plural: "secrets",
};
pub(super) const WORKFLOWS: Resource = Resource {
    group: "/apis/jobwright.dev/v1alpha1",
    plural: "workflows",
};
pub(super) const TASKS: Resource = Resource {
    group: "/apis/jobwright.dev/v1alpha1",
    plural: "tasks",
};
pub(super) const TEMPLATES: Resource = Resource {
    group: "/apis/jobwright.dev/v1alpha1",
    plural: "workflowtemplates",
};
pub(super) const RECORDS: Resource = Resource {
    group: "/apis/jobwright.dev/v1alpha1",
    plural: "workflowrecords",
};

type Built = Result<Request<Vec<u8>>, Failure>;

impl Resource {
    pub(super) const fn what(self, verb: &'static str) -> What {
        What {
            verb,
            resource: self.plural,
        }
    }

    pub(super) fn create<T: Serialize>(self, namespace: &str, object: &T) -> Built {
        let path = self.collection(namespace);
        let uri = format!("{path}?fieldManager={FIELD_MANAGER}");
        build("POST", &uri, "application/json", object)
    }

    /// Asks whether an object would be accepted, to the letter.
    pub(super) fn dry_run<T: Serialize>(self, namespace: &str, object: &T) -> Built {
        let path = self.collection(namespace);
        let query = format!("dryRun=All&fieldManager={FIELD_MANAGER}&fieldValidation=Strict");
        build("POST", &format!("{path}?{query}"), "application/json", object)
    }

    /// A consistent read: without a resourceVersion it never comes from a cache that is behind.
    pub(super) fn get(self, key: &Key) -> Built {
        build("GET", &self.object(key), "", &())
    }

    /// A consistent list. The selector holds only characters that need no escape in a query.
    pub(super) fn list(self, namespace: &str, selector: &str) -> Built {
        let uri = format!("{}?labelSelector={selector}", self.collection(namespace));
        build("GET", &uri, "", &())
    }

    pub(super) fn patch(self, key: &Key, subresource: &str, kind: &str, change: &Value) -> Built {
        let path = format!("{}{subresource}", self.object(key));
        build("PATCH", &format!("{path}?fieldManager={FIELD_MANAGER}"), kind, change)
    }

    pub(super) fn delete(self, key: &Key, propagation: &str, preconditions: &Value) -> Built {
        let options = json!({
            "kind": "DeleteOptions", "apiVersion": "v1",
            "propagationPolicy": propagation, "preconditions": preconditions,
        });
        build("DELETE", &self.object(key), "application/json", &options)
    }

    fn collection(self, namespace: &str) -> String {
        format!("{}/namespaces/{namespace}/{}", self.group, self.plural)
    }

    fn object(self, key: &Key) -> String {
        format!("{}/{}", self.collection(&key.namespace), key.name)
    }
}

fn build<T: Serialize>(method: &str, uri: &str, content_type: &str, body: &T) -> Built {
    let impossible = |error: &dyn std::fmt::Display| Failure {
        cause: super::classify::Cause::Refused(RefusalKind::Permanent),
        message: format!("the request cannot be built: {error}"),
        retry_after: None,
    };
    let mut request = Request::builder().method(method).uri(uri);
    let mut bytes = Vec::new();
    if !content_type.is_empty() {
        request = request.header(CONTENT_TYPE, content_type);
        bytes = serde_json::to_vec(body).map_err(|error| impossible(&error))?;
    }
    request.body(bytes).map_err(|error| impossible(&error))
}
