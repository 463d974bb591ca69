//! The one read of a Secret: by name, when a request that names it is sent.

use k8s_openapi::api::core::v1::Secret;
use std::collections::BTreeMap;

use super::{call::Caller, classify::Failure, request::SECRETS};
use crate::store::Key;

/// The values of a Secret by key. Whoever has them keeps them no longer than the request.
///
/// # Errors
/// There is none, the operator may not read it, or there was no answer.
pub(crate) async fn read(caller: &Caller, key: &Key) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let request = SECRETS.get(key)?;
    let secret: Secret = caller.send(SECRETS.what("get"), request).await?;
    let data = secret.data.unwrap_or_default();
    Ok(data.into_iter().map(|(name, value)| (name, value.0)).collect())
}
