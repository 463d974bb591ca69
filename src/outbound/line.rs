//! One connection to one judged address.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::http1::{Builder, SendRequest},
};
use hyper_util::rt::TokioIo;
use std::{
    error::Error,
    io::{self, ErrorKind},
    net::SocketAddr,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    deadline::Deadline,
    failure::{Failure, Stage, quoted},
    guard::{Host, Target},
    tls,
};

pub(crate) type Message = http::Request<Full<Bytes>>;

/// Of the head of an answer; trailers count for themselves. Browsers and proxies take from 8 to 256 KiB.
const HEADER_BYTES_MAX: usize = 64 * 1024;
const HEADER_FIELDS_MAX: usize = 100;

/// Where a connection leads: it serves another request only if all of this is equal.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Place {
    is_tls: bool,
    /// TLS was set up in this name.
    host: Host,
    pub(crate) address: SocketAddr,
}

impl Place {
    pub(crate) fn of(target: &Target, address: SocketAddr) -> Self {
        Self {
            is_tls: target.is_tls(),
            host: target.host().clone(),
            address,
        }
    }
}

/// Dropping it closes the connection at once, whatever is on its way.
pub(crate) struct Line {
    pub(crate) place: Place,
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

/// Why a request got no answer on a line.
pub(crate) enum Lost {
    /// Not a byte of it was written: here it is back.
    Unsent(Box<Message>),
    Failed(Failure),
}

impl Line {
    /// Connects, to this address and no other, within a share of the time for the first step.
    pub(crate) async fn open(
        place: Place,
        tls: &TlsConnector,
        deadline: &Deadline,
        tries_left: usize,
    ) -> Result<Self, Failure> {
        let not_connected = |detail: String| Failure::NotConnected {
            address: place.address,
            detail,
        };
        let is_last = tries_left <= 1;
        let connect = TcpStream::connect(place.address);
        let connected = if is_last {
            deadline.hold(Stage::Connecting, connect).await?
        } else {
            let share = timeout(deadline.share(tries_left), connect).await;
            share.unwrap_or_else(|_| Err(io::Error::new(ErrorKind::TimedOut, "no answer")))
        };
        let stream = connected.map_err(|error| not_connected(quoted(&error)))?;
        // Small requests go out at once. A socket that cannot do it sends them later.
        let _ = stream.set_nodelay(true);
        if !place.is_tls {
            return Self::begin(place, stream).await;
        }
        let host = &place.host;
        let failed = |detail: String| Failure::TlsFailed {
            host: host.to_string(),
            detail,
        };
        let name = tls::server_name(host).ok_or_else(|| failed("no certificate can be for this name".into()))?;
        let secured = deadline.hold(Stage::Securing, tls.connect(name, stream)).await?;
        let stream = secured.map_err(|error| failed(quoted(&error)))?;
        Self::begin(place, stream).await
    }

    async fn begin(
        place: Place,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Self, Failure> {
        let mut builder = Builder::new();
        // What is read ahead of a body is bounded by the same number: a thousand connections hold 64 MiB.
        builder.max_buf_size(HEADER_BYTES_MAX).max_header_size(HEADER_BYTES_MAX);
        let begun = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = begun.map_err(|error| Failure::NotConnected {
            address: place.address,
            detail: quoted(&error),
        })?;
        let driver = tokio::spawn(async move {
            // Its error reaches whoever waits for the answer; an idle line just ends.
            let _ = connection.await;
        });
        Ok(Self { place, sender, driver })
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(
        &mut self,
        message: Message,
        deadline: &Deadline,
    ) -> Result<http::Response<Incoming>, Lost> {
        let sending = self.sender.try_send_request(message);
        let answered = deadline.hold(Stage::Answering, sending).await.map_err(Lost::Failed)?;
        answered.map_err(|mut error| match error.take_message() {
            Some(message) => Lost::Unsent(Box::new(message)),
            None => Lost::Failed(broken(self.place.address, error.error())),
        })
    }

    /// Whether the next request may use it: the answer was read to its end, nothing came after it, and
    /// both sides want to go on. What is not so at once is not waited for.
    pub(crate) async fn is_reusable(&self) -> bool {
        if !self.is_idle() {
            // The driver may still have to see the end of the message.
            tokio::task::yield_now().await;
        }
        self.is_idle()
    }

    /// Nothing is on its way, and the other side has not closed it, as far as is known here.
    pub(crate) fn is_idle(&self) -> bool {
        self.sender.is_ready()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What went wrong after a request was written, or may have been.
pub(crate) fn broken(address: SocketAddr, error: &hyper::Error) -> Failure {
    if error.is_parse_too_large() {
        return Failure::HeaderTooLarge {
            bytes_max: HEADER_BYTES_MAX,
            fields_max: HEADER_FIELDS_MAX,
        };
    }
    let cause = error.source();
    let detail = match cause {
        Some(cause) => quoted(&format_args!("{error}: {cause}")),
        None => quoted(error),
    };
    let io = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    // A broken TLS record is a broken connection; a broken chunk is broken HTTP.
    let is_garbage = io.is_some_and(|io| {
        let is_tls = io.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>);
        matches!(io.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput) && !is_tls
    });
    if error.is_parse() || is_garbage {
        Failure::Malformed { address, detail }
    } else {
        Failure::Closed { address, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Method, Request, Settings, guard::Guard, tests::receiver::Receiver};
    use std::time::Duration;

    #[tokio::test]
    async fn a_request_that_was_not_written_comes_back_whole() {
        let receiver = Receiver::new(|_| async {}).await;
        let settings = Settings {
            loopback_networks: vec!["127.0.0.0/8".parse().unwrap()],
            ..Settings::default()
        };
        let request = Request::new(Method::Post, receiver.url("/a?b"), Duration::from_secs(30));
        let target = Guard::new(&settings).check(&request.url).unwrap();
        let deadline = Deadline::after(request.time_limit);
        let place = Place::of(&target, receiver.address);
        let tls = tls::connector(&settings).unwrap();
        let mut line = Line::open(place, &tls, &deadline, 1).await.ok().unwrap();
        // The receiver has closed it, and this side has seen that.
        (&mut line.driver).await.unwrap();
        assert!(!line.is_idle());
        let message = request.build(&target).unwrap().map(Full::new);
        match line.send(message, &deadline).await {
            Err(Lost::Unsent(back)) => assert_eq!((back.uri().to_string().as_str(), back.headers().len()), ("/a?b", 3)),
            Err(Lost::Failed(failure)) => panic!("{failure}"),
            Ok(answer) => panic!("{answer:?}"),
        }
    }
}
