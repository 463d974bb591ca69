//! Workflows that run for a step of another one, as the engine sees them.

use jobwright_api::{
    Workflow,
    meta::{annotation, label},
    status::PathSegment,
    template::OnParentClose,
};
use jobwright_engine::observed::ChildView;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::text;

/// What the labels and annotations of a child say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub parent_uid: String,
    pub run: u32,
    pub path: Vec<PathSegment>,
    pub attempt: u32,
    pub on_close: OnParentClose,
}

/// Whose child this object is. None: it is nobody's, or someone has changed what says so.
#[must_use]
pub fn identity(metadata: &ObjectMeta) -> Option<Identity> {
    let (labels, annotations) = (metadata.labels.as_ref(), metadata.annotations.as_ref());
    Some(Identity {
        parent_uid: text(labels, label::PARENT_UID)?.to_owned(),
        run: text(labels, label::RUN)?.parse().ok()?,
        path: serde_json::from_str(text(annotations, annotation::STEP)?).ok()?,
        attempt: text(labels, label::ATTEMPT)?.parse().ok()?,
        on_close: OnParentClose::of_word(text(annotations, annotation::ON_PARENT_CLOSE)?)?,
    })
}

/// A child and the UID of its parent.
#[must_use]
pub fn view(workflow: &Workflow) -> Option<(String, ChildView)> {
    let metadata = &workflow.metadata;
    let identity = identity(metadata)?;
    let status = workflow.status.as_ref();
    let view = ChildView {
        name: metadata.name.clone()?,
        uid: metadata.uid.clone()?,
        attempt_key: text(metadata.annotations.as_ref(), annotation::ATTEMPT_KEY)?.to_owned(),
        run: identity.run,
        path: identity.path,
        attempt: identity.attempt,
        phase: status.and_then(|status| status.phase),
        reason: status.and_then(|status| status.reason.clone()),
        message: status.and_then(|status| status.message.clone()),
        outputs: status.map(|status| status.outputs.clone()).unwrap_or_default(),
    };
    Some((identity.parent_uid, view))
}
