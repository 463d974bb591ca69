//! What `decide` wants done.

use jiff::Timestamp;
use jobwright_api::{Reason, StepPhase, Workflow, WorkflowPhase, WorkflowStatus};
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};

use crate::http::Request;

/// The outcome of one look at a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The whole status as it should be. Equal to `pending` where nothing changed.
    pub status: WorkflowStatus,
    /// What changed against `pending`, in the order of `seq`: for events, metrics and logs.
    pub transitions: Vec<Transition>,
    /// Allowed now, in this order. What has to be stored first is not among them: it comes with a
    /// later decision, once `stored` has it.
    pub actions: Vec<Action>,
    /// When the status has to be written.
    pub write: Write,
    /// Look again then, if nothing happens before.
    pub wake_at: Option<Timestamp>,
}

/// How soon the status has to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Write {
    /// It is stored already.
    #[default]
    Nothing,
    /// May wait for others to share the write, at most one second.
    Soon,
    /// Something waits for it: an intent, the begin or the end of a run.
    Now,
}

/// Every effect on the world. Each is harmless when done twice.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Create the `WorkflowRecord` of this name. The name is the hash of the content: a conflict is success.
    StoreSnapshot { name: String, data: String },
    /// Create the `WorkflowRecord` of this name, owned by the Workflow, with these steps (printed ids) in its data.
    StorePage {
        name: String,
        data: String,
        steps: Vec<String>,
    },
    /// Read this page: an expression needs what it holds.
    ReadPage { name: String },
    /// Create this Job. A conflict is success iff owner UID and attempt key are ours.
    StartJob { name: String, job: Box<Job> },
    /// Create this Workflow for a step. A conflict is success iff parent UID and attempt key are ours.
    StartChild { name: String, workflow: Box<Workflow> },
    /// Ask the API server whether this child exists: the stores do not know it.
    ConfirmChild { name: String },
    /// Delete this Job in the foreground, so that it is gone only after its pods.
    StopJob { name: String, uid: String },
    /// Set the TTL of a Job whose result is stored.
    ExpireJob { name: String, uid: String, ttl_s: i32 },
    /// Ask the API server whether this Job exists: the stores do not know it.
    ConfirmJob { name: String },
    /// Ask the API server for the pods of this Job: it is over, and the stores know none.
    ConfirmPods { job: String },
    /// Dry-run the pod of a Job that has none, for the server's words.
    ProbePod { name: String, pod: Box<Pod> },
    /// Ask for a place among the requests on their way, and leave of the endpoint. Nothing is sent yet.
    AdmitRequest { key: String, request: Box<Request> },
    /// Send this request, which has been admitted, under the key of its attempt; one that is on its way stays.
    SendRequest { key: String, request: Box<Request> },
}

/// One change of phase.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    pub seq: u64,
    pub subject: Subject,
    pub reason: Option<Reason>,
    pub message: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    Workflow {
        from: Option<WorkflowPhase>,
        to: WorkflowPhase,
    },
    Step {
        /// Printed id.
        id: String,
        owner: Option<String>,
        attempt: u32,
        from: StepPhase,
        to: StepPhase,
    },
}
