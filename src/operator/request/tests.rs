//! Requests against a real receiver on this machine: slow, broken, endless, moved.

use jiff::Timestamp;
use jobwright_api::{
    Reason, SubStatus, WorkflowStatus,
    http::{HttpBreaker, HttpLimits, HttpMethod, HttpRate, SecretKey},
};
use jobwright_engine::http::{Answer, Header, Known, Request};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::OfRun;
use crate::{
    clock::Clock,
    config::Settings,
    context::Context,
    report::events::Events,
    store::Key,
    testing::{Log, client, refusal},
};

/// What the receiver does with a connection once it has read the head of a request.
#[derive(Clone, Copy)]
enum Manner {
    Says(&'static str),
    /// Never answers.
    Waits,
    /// Sends without end.
    Floods,
}

/// Heads of requests in the order in which they came.
type Heads = mpsc::UnboundedReceiver<String>;

async fn receiver(manner: Manner) -> (String, Heads) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let (heads, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, manner, heads.clone()));
        }
    });
    (url, told)
}

async fn serve(mut stream: TcpStream, manner: Manner, heads: mpsc::UnboundedSender<String>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read_buf(&mut head).await {
            Ok(count) if count > 0 => {}
            _ => return,
        }
    }
    heads.send(String::from_utf8(head).unwrap()).ok();
    match manner {
        Manner::Says(answer) => drop(stream.write_all(answer.as_bytes()).await),
        Manner::Waits => drop(stream.read(&mut [0]).await),
        Manner::Floods => {
            let begin = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let mut is_open = stream.write_all(begin.as_bytes()).await.is_ok();
            let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
            while is_open {
                is_open = stream.write_all(chunk.as_bytes()).await.is_ok();
            }
        }
    }
    heads.send("closed".to_owned()).ok();
}

const FINE: Manner =
    Manner::Says("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{\"n\":1}");

/// A clock that goes on when it is told to.
#[derive(Default)]
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(i64::try_from(self.0.load(Ordering::SeqCst)).unwrap()).unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

struct Bench {
    ctx: Context,
    log: Log,
    clock: Arc<Hand>,
    run: OfRun,
    url: String,
    heads: Heads,
    count: u32,
}

impl Bench {
    async fn new(manner: Manner, settings: &str) -> Self {
        let (url, heads) = receiver(manner).await;
        let (client, log) = client(|sent| {
            if sent.line.contains("/secrets/tokens") {
                let secret = json!({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "tokens"},
                    "data": {"one": "QmVhcmVyIGh1bnRlcjI=", "other": "b3RoZXI="}});
                return Some((200, secret));
            }
            refusal(404, "NotFound", "secrets \"none\" not found")
        });
        let settings = Settings::parse(&format!("outbound: {{loopbackNetworks: [127.0.0.0/8]{settings}}}")).unwrap();
        let clock = Arc::new(Hand::default());
        let ctx = Context::new(client, Arc::<Hand>::clone(&clock), settings, Events::none());
        Self {
            ctx,
            log,
            clock,
            run: OfRun::default(),
            url,
            heads,
            count: 0,
        }
    }

    fn request(&self) -> Request {
        Request {
            step: "a".to_owned(),
            attempt: 1,
            method: HttpMethod::Get,
            url: self.url.clone(),
            headers: Vec::new(),
            body: None,
            timeout: "5s".parse().unwrap(),
            limits: HttpLimits::default(),
        }
    }

    fn known(&self, key: &str) -> Option<Known> {
        let none = WorkflowStatus::default();
        self.run.known(&none, &none, &self.ctx.requests).remove(key)
    }

    /// Asks for leave under a new key.
    fn admit(&mut self, request: &Request) -> (String, Option<Known>) {
        self.count += 1;
        let key = format!("key-{}", self.count);
        self.run
            .admit(&Key::new("n", "w"), key.clone(), request, &self.ctx.requests);
        let known = self.known(&key);
        (key, known)
    }

    fn send(&self, key: &str, request: Request) {
        self.run
            .send(&Key::new("n", "w"), key.to_owned(), request, &self.ctx.requests);
    }

    async fn answer(&mut self, request: Request) -> Arc<Answer> {
        let (key, known) = self.admit(&request);
        match known {
            Some(Known::Answered(answer)) => return answer,
            Some(Known::Admitted) => self.send(&key, request),
            other => panic!("{other:?}"),
        }
        loop {
            let settled = self.ctx.requests.settled.notified();
            if let Some(Known::Answered(answer)) = self.known(&key) {
                return answer;
            }
            settled.await;
        }
    }
}

async fn lost(manner: Manner, timeout: &str) -> (Reason, bool, String) {
    let mut bench = Bench::new(manner, "").await;
    let request = Request {
        timeout: timeout.parse().unwrap(),
        ..bench.request()
    };
    let answer = bench.answer(request).await;
    let lost = Answer::clone(&answer).unwrap_err();
    (lost.reason, lost.may_pass, lost.message)
}

#[tokio::test]
async fn an_answer_is_read() {
    let mut bench = Bench::new(FINE, "").await;
    let answer = bench.answer(bench.request()).await;
    let response = Answer::clone(&answer).unwrap();
    assert_eq!((response.status, response.body), (200, json!({"n": 1})));
    assert_eq!(response.headers["content-type"], "application/json");
    assert_eq!(bench.ctx.requests.count(), 0, "its place is free again");
    assert_eq!(
        bench.log.lines(),
        Vec::<String>::new(),
        "the API server was asked nothing"
    );
}

#[tokio::test]
async fn a_receiver_that_misbehaves_fails_the_attempt_in_a_word() {
    let (reason, may_pass, words) = lost(Manner::Waits, "100ms").await;
    assert_eq!((reason, may_pass), (Reason::DeadlineExceeded, true), "{words}");
    let (reason, may_pass, words) = lost(Manner::Says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"), "5s").await;
    assert_eq!((reason, may_pass), (Reason::ConnectionFailed, true), "{words}");
    let (reason, may_pass, words) = lost(Manner::Says("nonsense\r\n\r\n"), "5s").await;
    assert_eq!((reason, may_pass), (Reason::ResponseInvalid, false), "{words}");
    let (reason, may_pass, words) = lost(Manner::Floods, "5s").await;
    assert_eq!((reason, may_pass), (Reason::TooLarge, false), "{words}");
}

#[tokio::test]
async fn nobody_there_and_where_nobody_may_go() {
    let mut bench = Bench::new(FINE, "").await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (url, expected, may_pass) in [
        (format!("http://{free}/"), Reason::ConnectionFailed, true),
        (
            "http://169.254.169.254/latest".to_owned(),
            Reason::AddressRefused,
            false,
        ),
        (
            "http://user:hunter2@127.0.0.1/".to_owned(),
            Reason::AddressRefused,
            false,
        ),
        (
            "http://kubernetes.default.svc/".to_owned(),
            Reason::AddressRefused,
            false,
        ),
        ("file:///etc/passwd".to_owned(), Reason::AddressRefused, false),
    ] {
        let request = Request {
            url: url.clone(),
            ..bench.request()
        };
        let answer = bench.answer(request).await;
        let lost = Answer::clone(&answer).unwrap_err();
        assert_eq!((lost.reason, lost.may_pass), (expected, may_pass), "{url}");
        assert!(!lost.message.contains("hunter2"), "{}", lost.message);
    }
    bench.ctx.refuse_hosts(vec!["127.0.0.1".to_owned()]);
    let answer = bench.answer(bench.request()).await;
    assert_eq!(
        Answer::clone(&answer).unwrap_err().reason,
        Reason::AddressRefused,
        "the API server"
    );
    assert!(bench.heads.try_recv().is_err(), "no packet went out");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
    let mut bench = Bench::new(Manner::Says(moved), "").await;
    let answer = bench.answer(bench.request()).await;
    let response = Answer::clone(&answer).unwrap();
    assert_eq!(
        (response.status, response.headers["location"].as_str()),
        (302, "http://169.254.169.254/")
    );
    assert!(bench.heads.recv().await.unwrap().starts_with("GET /x HTTP/1.1"));
}

#[tokio::test]
async fn a_breaker_opens_and_one_request_finds_out() {
    let broken = Manner::Says("HTTP/1.1 503 Busy\r\nretry-after: 2\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let mut bench = Bench::new(broken, "").await;
    let limits = HttpLimits {
        breaker: Some(HttpBreaker {
            failures: Some(2),
            pause: Some("10s".parse().unwrap()),
        }),
        ..HttpLimits::default()
    };
    let request = Request {
        limits,
        ..bench.request()
    };
    for _ in 0..2 {
        let answer = bench.answer(request.clone()).await;
        let pause = Answer::clone(&answer).unwrap().retry_after;
        assert_eq!(pause, Some("2s".parse().unwrap()));
    }
    let (key, held) = bench.admit(&request);
    let Some(Known::Held { until, why, message }) = held else {
        panic!("{held:?}")
    };
    assert_eq!(
        (until, why),
        (Timestamp::from_second(10).unwrap(), SubStatus::BreakerOpen)
    );
    assert!(
        message.contains("http://127.0.0.1:") && !message.contains("/x"),
        "{message}"
    );
    // Of others with other limits it says nothing.
    let (other, known) = bench.admit(&bench.request());
    assert_eq!(known, Some(Known::Admitted));
    bench.clock.0.store(10_000, Ordering::SeqCst);
    bench
        .run
        .admit(&Key::new("n", "w"), key.clone(), &request, &bench.ctx.requests);
    assert_eq!(bench.known(&key), Some(Known::Admitted), "half open");
    let (_, second) = bench.admit(&request);
    assert!(matches!(second, Some(Known::Held { .. })), "one alone: {second:?}");
    assert_eq!(bench.ctx.requests.count(), 2);
    bench.run.clear();
    assert_eq!((bench.ctx.requests.count(), bench.known(&other)), (0, None));
    // The probe was dropped: the next may be it.
    let (_, known) = bench.admit(&request);
    assert_eq!(known, Some(Known::Admitted));
}

#[tokio::test]
async fn a_rate_limit_holds_back_and_bursts() {
    let mut bench = Bench::new(FINE, "").await;
    let limits = HttpLimits {
        rate: Some(HttpRate {
            requests: 1,
            per: "10s".parse().unwrap(),
            burst: Some(2),
        }),
        ..HttpLimits::default()
    };
    let request = Request {
        limits,
        ..bench.request()
    };
    bench.answer(request.clone()).await.as_ref().as_ref().unwrap();
    bench.answer(request.clone()).await.as_ref().as_ref().unwrap();
    let (_, held) = bench.admit(&request);
    assert!(
        matches!(
            held,
            Some(Known::Held {
                why: SubStatus::RateLimited,
                ..
            })
        ),
        "{held:?}"
    );
    bench.clock.0.store(10_000, Ordering::SeqCst);
    let (_, known) = bench.admit(&request);
    assert_eq!(known, Some(Known::Admitted));
}

#[tokio::test]
async fn a_thousand_requests_are_a_thousand_tasks_and_no_more() {
    let mut bench = Bench::new(Manner::Waits, ", inFlightMax: 1000").await;
    let mut first = None;
    for _ in 0..1000 {
        let request = bench.request();
        let (key, known) = bench.admit(&request);
        assert_eq!(known, Some(Known::Admitted));
        bench.send(&key, request);
        first.get_or_insert(key);
    }
    for _ in 0..1000 {
        assert!(bench.heads.recv().await.unwrap().starts_with("GET"));
    }
    assert_eq!(bench.ctx.requests.count(), 1000);
    let request = bench.request();
    let (key, held) = bench.admit(&request);
    assert!(
        matches!(
            held,
            Some(Known::Held {
                why: SubStatus::RequestsBusy,
                ..
            })
        ),
        "{held:?}"
    );
    // One attempt has ended: its request is dropped, who waits is woken and finds a place.
    let ended: WorkflowStatus =
        serde_json::from_value(json!({"steps": {"a": {"path": [], "kind": "http", "phase": "Running",
        "attempts": {"count": 2, "recent": [{"number": 2, "phase": "Running"}]}}}}))
        .unwrap();
    bench.run.known(&ended, &ended, &bench.ctx.requests);
    assert_eq!(bench.heads.recv().await.unwrap(), "closed");
    assert_eq!(bench.ctx.looks.take(), Some(Key::new("n", "w")));
    bench
        .run
        .admit(&Key::new("n", "w"), key.clone(), &request, &bench.ctx.requests);
    assert_eq!(bench.known(&key), Some(Known::Admitted));
}

#[tokio::test]
async fn a_secret_is_read_when_it_is_sent_and_shown_to_nobody_else() {
    let echo = Manner::Says(
        "HTTP/1.1 401 No\r\ncontent-type: text/plain\r\nx-got: Bearer hunter2\r\ncontent-length: 30\r\n\r\nyou sent Bearer hunter2, sorry",
    );
    let mut bench = Bench::new(echo, "").await;
    let secret = |name: &str, key: &str| {
        Header::Secret(SecretKey {
            name: name.to_owned(),
            key: key.to_owned(),
        })
    };
    let with = |header: Header, bench: &Bench| Request {
        headers: vec![("Authorization".to_owned(), header)],
        ..bench.request()
    };
    let answer = bench.answer(with(secret("tokens", "one"), &bench)).await;
    let head = bench.heads.recv().await.unwrap();
    assert!(head.contains("authorization: Bearer hunter2\r\n"), "{head}");
    let shown = format!("{answer:?}");
    assert!(
        !shown.contains("hunter2") && shown.contains("you sent …, sorry"),
        "{shown}"
    );
    assert_eq!(bench.log.lines(), ["GET /api/v1/namespaces/n/secrets/tokens"]);
    for (header, words) in [
        (secret("tokens", "two"), "Secret tokens has no key two"),
        (secret("none", "one"), "Secret none: "),
    ] {
        let answer = bench.answer(with(header, &bench)).await;
        let lost = Answer::clone(&answer).unwrap_err();
        assert_eq!((lost.reason, lost.may_pass), (Reason::SecretMissing, true));
        assert!(lost.message.contains(words), "{}", lost.message);
    }
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_refused_before_it_is() {
    let mut bench = Bench::new(FINE, "").await;
    for (name, value) in [("Host", "other"), ("X-A", "a\r\nX-B: b"), ("a b", "c")] {
        let request = Request {
            headers: vec![(name.to_owned(), Header::Text(value.to_owned()))],
            ..bench.request()
        };
        let answer = bench.answer(request).await;
        assert_eq!(
            Answer::clone(&answer).unwrap_err().reason,
            Reason::InvalidInput,
            "{name}"
        );
    }
    assert!(bench.heads.try_recv().is_err());
}
