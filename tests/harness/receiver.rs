//! Whoever answers the requests of steps: one server of this process, on this machine alone.
//!
//! What it does stands in the path: `/echo` tells what it got, `/status/503` answers so, `/flaky` answers 503 at the
//! first request of each step, `/slow` never answers, `/moved` redirects, `/closes` ends in the middle, and
//! `/together/200` answers once so many are there.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Not that of the API server, to which no request of a step ever goes.
const ADDRESS: &str = "127.0.0.2:0";
/// What the operator's settings have to allow.
pub const CONFIG: &str = "outbound: {loopbackNetworks: [127.0.0.2/32]}";
/// Stands in samples where the receiver's address comes.
pub const PLACE: &str = "http://receiver.example";

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Received {
    pub method: String,
    /// With the query.
    pub target: String,
    /// By name in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

struct Shared {
    address: SocketAddr,
    received: Mutex<Vec<Received>>,
    seen: Mutex<BTreeSet<String>>,
    /// How many wait for each other.
    together: watch::Sender<usize>,
}

/// The base of its URLs. It starts with the first that asks.
pub fn url() -> Result<String> {
    Ok(format!("http://{}", shared()?.address))
}

/// What has arrived at paths that begin so.
pub fn received(path: &str) -> Result<Vec<Received>> {
    let all = shared()?
        .received
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    Ok(all.into_iter().filter(|one| one.target.starts_with(path)).collect())
}

fn shared() -> Result<&'static Arc<Shared>> {
    static SHARED: OnceLock<Option<Arc<Shared>>> = OnceLock::new();
    let started = SHARED.get_or_init(|| start().ok());
    started.as_ref().context("the receiver cannot be started")
}

/// It has a thread and a runtime of its own: it outlives each test.
fn start() -> Result<Arc<Shared>> {
    let listener = std::net::TcpListener::bind(ADDRESS)?;
    listener.set_nonblocking(true)?;
    let shared = Arc::new(Shared {
        address: listener.local_addr()?,
        received: Mutex::default(),
        seen: Mutex::default(),
        together: watch::channel(0).0,
    });
    let serving = Arc::clone(&shared);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("receiver".to_owned()).spawn(move || {
        runtime.block_on(async {
            let Ok(listener) = TcpListener::from_std(listener) else {
                return;
            };
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                tokio::spawn(async move { serve(stream, &shared).await.ok() });
            }
        });
    })?;
    Ok(shared)
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> Result<()> {
    let request = read(&mut stream).await?;
    shared
        .received
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(request.clone());
    let path = request.target.split('?').next().unwrap_or_default().to_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (status, head, body) = match parts.as_slice() {
        ["echo", ..] => (200, String::new(), echo(&request)),
        ["status", code, ..] => (code.parse()?, String::new(), json!({"code": code})),
        ["flaky", ..] if is_first(&request, shared) => (503, "retry-after: 1\r\n".to_owned(), Value::Null),
        ["flaky", ..] => (200, String::new(), json!({"n": 7})),
        ["moved", ..] => (302, "location: http://169.254.169.254/\r\n".to_owned(), Value::Null),
        ["slow", ..] => return Ok(stream.read(&mut [0]).await.map(|_| ())?),
        ["closes", ..] => {
            return Ok(stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
                .await?);
        }
        ["together", count, ..] => {
            let count = count.parse()?;
            shared.together.send_modify(|there| *there += 1);
            shared.together.subscribe().wait_for(|there| *there >= count).await?;
            (200, String::new(), json!({"n": 1}))
        }
        _ => (404, String::new(), json!({"why": "no such path"})),
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\nconnection: close\r\n{head}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    Ok(())
}

fn echo(request: &Received) -> Value {
    let body = serde_json::from_str(&request.body).unwrap_or_else(|_| json!(request.body));
    json!({"method": request.method, "target": request.target, "headers": request.headers, "body": body})
}

/// Attempts of one step have one key.
fn is_first(request: &Received, shared: &Shared) -> bool {
    let key = request.headers.get("idempotency-key").cloned().unwrap_or_default();
    shared.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
}

async fn read(stream: &mut TcpStream) -> Result<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "closed");
    };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(Ok(0), |length| length.parse())?;
    while bytes.len() < end + 4 + length {
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "closed");
    }
    Ok(Received {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body: String::from_utf8_lossy(bytes.get(end + 4..).unwrap_or_default()).into_owned(),
    })
}
