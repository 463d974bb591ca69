//! The kinds of `jobwright.dev/v1alpha1`: types, names, phases and reasons.
//!
//! No logic but constructors and validation of single values; no client, no clock.
#![expect(
    clippy::module_name_repetitions,
    reason = "Kubernetes names its types after their kind: TaskSpec, WorkflowStatus"
)]

pub mod container;
pub mod crd;
pub mod duration;
pub mod flow;
pub mod http;
pub mod meta;
pub mod phase;
pub mod policy;
pub mod reason;
pub mod record;
pub mod rules;
pub mod schema;
pub mod settings;
pub mod status;
pub mod task;
pub mod template;
pub mod value;
pub mod workflow;

pub use duration::Duration;
pub use flow::{Block, Choice, Exit, ForEach, Join, Loop, Variable, Wait};
pub use http::Http;
pub use phase::{StepPhase, WorkflowPhase};
pub use reason::{Reason, SubStatus};
pub use record::{RecordKind, WorkflowRecord, WorkflowRecordSpec};
pub use status::{AttemptStatus, StepStatus, WorkflowStatus};
pub use task::{Task, TaskSpec, TaskStatus};
pub use template::{Child, WorkflowTemplate, WorkflowTemplateSpec, WorkflowTemplateStatus};
pub use value::{Binding, Input, Output, ValueType};
pub use workflow::{Step, Workflow, WorkflowSpec};
