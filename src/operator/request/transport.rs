//! What carries requests: the network, or a model of it.

use jobwright_engine::http::Lost;
use jobwright_outbound::{Failure, Outbound as Sender, Request, Response, Settings, System, guard::Target};
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use super::answer;
use crate::config::Outbound;

/// A request of an attempt, with all that is secret in it.
#[derive(Clone, Debug)]
pub struct Order {
    /// Printed id.
    pub step: String,
    pub attempt: u32,
    pub request: Request,
}

/// The answer on its way. Dropped, the request is.
pub type Sending = Pin<Box<dyn Future<Output = Result<Response, Failure>> + Send>>;

/// Carries requests.
pub trait Transport: Send + Sync {
    /// What can be said of a URL without a packet.
    ///
    /// # Errors
    /// It may not be called.
    fn check(&self, url: &str) -> Result<Target, Lost>;

    /// Sends a request once.
    fn send(&self, order: Order) -> Sending;
}

/// By the network, under these settings; the hosts are those of the API server.
pub(super) fn of(settings: &Outbound, api_server: &[String]) -> Arc<dyn Transport> {
    let mut settings = settings.settings();
    for host in api_server {
        match host.parse() {
            Ok(address) => settings.api_server_addresses.push(address),
            Err(_) => settings.api_server_hosts.extend(host.parse().ok()),
        }
    }
    Arc::new(Network {
        settings,
        sender: OnceLock::new(),
    })
}

/// Made when the first request goes: most operators and tests send none.
struct Network {
    settings: Settings,
    sender: OnceLock<Result<Arc<Sender>, String>>,
}

impl Network {
    fn sender(&self) -> Result<Arc<Sender>, String> {
        let sender = self.sender.get_or_init(|| {
            let sender = Sender::new(&self.settings, Arc::new(System::new()));
            sender.map(Arc::new).map_err(|error| error.to_string())
        });
        sender.clone()
    }
}

impl Transport for Network {
    fn check(&self, url: &str) -> Result<Target, Lost> {
        let sender = self.sender().map_err(answer::unset)?;
        sender
            .check(url)
            .map_err(|refused| answer::lost(&Failure::AddressRefused(refused)))
    }

    fn send(&self, order: Order) -> Sending {
        let sender = self.sender();
        Box::pin(async move {
            match sender {
                Ok(sender) => sender.send(order.request).await,
                Err(detail) => Err(Failure::NotResolved {
                    host: String::new(),
                    detail,
                }),
            }
        })
    }
}
