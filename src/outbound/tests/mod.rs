//! The sender against receivers of all kinds, each a few lines of bytes on a loopback address.
//!
//! No test needs a resolver of the system or a network. Where a time limit must run out it is a quarter of a
//! second, and nothing is asserted about speed.

mod answers;
mod guarded;
mod hostile;
mod limits;
mod names;
pub(crate) mod receiver;
mod secrets;
mod tls;

use std::{sync::Arc, time::Duration};

use crate::{Failure, Method, Outbound, Request, Resolve, Response, Settings};
use names::Names;
use receiver::Receiver;

/// Enough for a busy machine: nothing should ever come near.
const PATIENT: Duration = Duration::from_secs(30);
/// For what must run out.
const SHORT: Duration = Duration::from_millis(250);

fn settings() -> Settings {
    Settings {
        loopback_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..Settings::default()
    }
}

fn outbound_with(resolver: impl Resolve + 'static, change: impl FnOnce(&mut Settings)) -> Outbound {
    let mut settings = settings();
    change(&mut settings);
    Outbound::new(&settings, Arc::new(resolver)).unwrap()
}

/// For receivers that are called by their address.
fn outbound() -> Outbound {
    outbound_with(Names::none(), |_| ())
}

fn get(url: &str) -> Request {
    Request::new(Method::Get, url, PATIENT)
}

async fn fetch(receiver: &Receiver) -> Result<Response, Failure> {
    outbound().send(get(&receiver.url("/"))).await
}
