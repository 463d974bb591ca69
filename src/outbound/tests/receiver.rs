//! A receiver that does with a connection what a test says.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Ends with the test.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    /// How many connections are open.
    pub(crate) open: watch::Receiver<usize>,
    driver: JoinHandle<()>,
}

/// One connection, as the receiver sees it.
pub(crate) struct Peer {
    stream: TcpStream,
    requests: Arc<Mutex<Vec<String>>>,
    open: Arc<watch::Sender<usize>>,
}

impl Receiver {
    /// On any port of 127.0.0.1.
    pub(crate) async fn new<F: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(Peer) -> F + Send + Sync + 'static,
    ) -> Self {
        Self::at("127.0.0.1:0", serve).await
    }

    pub(crate) async fn at<F: Future<Output = ()> + Send + 'static>(
        address: &str,
        serve: impl Fn(Peer) -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let connections: Arc<AtomicUsize> = Arc::default();
        let (sender, open) = watch::channel(0);
        let (sender, known, count) = (Arc::new(sender), Arc::clone(&requests), Arc::clone(&connections));
        let driver = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                sender.send_modify(|open| *open += 1);
                let (requests, open) = (Arc::clone(&known), Arc::clone(&sender));
                tokio::spawn(serve(Peer { stream, requests, open }));
            }
        });
        Self {
            address,
            requests,
            connections,
            open,
            driver,
        }
    }

    /// Answers every request of every connection with these bytes, and keeps the connection open.
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::new(move |mut peer| {
            let answer = answer.clone();
            async move {
                while peer.read_request().await.is_some() {
                    peer.write(&answer).await;
                }
            }
        })
        .await
    }

    /// Writes these bytes after one request and closes.
    pub(crate) async fn closing(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::new(move |mut peer| {
            let answer = answer.clone();
            async move {
                peer.read_request().await;
                peer.write(&answer).await;
            }
        })
        .await
    }

    /// Writes these bytes after one request and then holds the connection.
    pub(crate) async fn holding(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::new(move |mut peer| {
            let answer = answer.clone();
            async move {
                peer.read_request().await;
                peer.write(&answer).await;
                peer.until_closed().await;
            }
        })
        .await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far, each as it came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until so many connections are open.
    pub(crate) async fn until_open(&self, count: usize) {
        self.open.clone().wait_for(|open| *open == count).await.unwrap();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Peer {
    /// The next request, head and body; `None` if the connection has ended.
    pub(crate) async fn read_request(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        while !is_whole(&bytes) {
            if self.stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return None;
            }
        }
        let text = String::from_utf8(bytes).unwrap();
        self.requests.lock().unwrap().push(text.clone());
        Some(text)
    }

    /// Whether it could be written.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    pub(crate) async fn until_closed(&mut self) {
        let mut ignored = [0; 1024];
        while self.stream.read(&mut ignored).await.unwrap_or(0) > 0 {}
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.open.send_modify(|open| *open -= 1);
    }
}

fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse().unwrap());
    bytes.len() >= end + 4 + length
}
