//! From a name to addresses.

use std::{
    future::Future,
    io,
    net::{IpAddr, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
};
use tokio::sync::Semaphore;

/// What a look-up gives.
pub type Resolved<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Resolves names. Called once per attempt, for names only, never for addresses.
///
/// Whatever it returns is judged, so it need not be trusted; an empty list counts as "not found".
pub trait Resolve: Send + Sync {
    fn resolve(&self, name: &str) -> Resolved<'_>;
}

/// The system's resolver (`getaddrinfo`), with its search list and hosts file.
///
/// A look-up blocks a thread for as long as the system's own time-outs, even if nobody waits for it any
/// more; so at most 32 run at once, and others wait. More would take threads that the rest of the process
/// needs (tokio has 512).
pub struct System {
    look_ups: Arc<Semaphore>,
}

impl System {
    const LOOK_UPS_MAX: usize = 32;

    #[must_use]
    pub fn new() -> Self {
        Self {
            look_ups: Arc::new(Semaphore::new(Self::LOOK_UPS_MAX)),
        }
    }
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

impl Resolve for System {
    fn resolve(&self, name: &str) -> Resolved<'_> {
        let name = name.to_owned();
        Box::pin(async move {
            let permit = Arc::clone(&self.look_ups).acquire_owned().await;
            let permit = permit.map_err(io::Error::other)?;
            let look_up = tokio::task::spawn_blocking(move || {
                let found = (name.as_str(), 0).to_socket_addrs();
                drop(permit);
                Ok(found?.map(|socket| socket.ip()).collect())
            });
            look_up.await.map_err(io::Error::other)?
        })
    }
}
