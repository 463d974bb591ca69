//! What an endpoint's breaker learns from a request.

use jiff::Timestamp;
use jobwright_engine::outbound::Outcome;

use crate::{failure::Failure, response::Response};

/// 429 and 5xx, and no answer, are failures of the endpoint; every other answer is a sign of life, also one
/// that is too large or encoded. What never left says nothing about it.
#[must_use]
pub fn outcome(result: &Result<Response, Failure>, now: Timestamp) -> Outcome {
    match result {
        Ok(response) if response.status == 429 || (500..=599).contains(&response.status) => Outcome::Failed {
            retry_after: response.retry_after(now),
        },
        Ok(_) | Err(Failure::HeaderTooLarge { .. } | Failure::BodyTooLarge { .. } | Failure::Encoded { .. }) => {
            Outcome::Succeeded
        }
        Err(Failure::InvalidRequest(_) | Failure::AddressRefused(_) | Failure::Busy { .. }) => Outcome::Abandoned,
        Err(
            Failure::NotResolved { .. }
            | Failure::NotConnected { .. }
            | Failure::TlsFailed { .. }
            | Failure::TimedOut { .. }
            | Failure::Closed { .. }
            | Failure::Malformed { .. },
        ) => Outcome::Failed { retry_after: None },
    }
}
