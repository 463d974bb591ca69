//! How many, how long, and what is left when a caller goes away.

use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::{PATIENT, Receiver, SHORT, get, names::Names, outbound, outbound_with};
use crate::{Failure, Header, InvalidRequest, Method, Request, Stage};

/// A receiver that answers when the gate opens.
async fn gated() -> (Receiver, watch::Sender<bool>) {
    let (gate, opened) = watch::channel(false);
    let receiver = Receiver::new(move |mut peer| {
        let mut opened = opened.clone();
        async move {
            while peer.read_request().await.is_some() {
                if opened.wait_for(|is_open| *is_open).await.is_err() {
                    return;
                }
                peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            }
        }
    })
    .await;
    (receiver, gate)
}

#[tokio::test]
async fn a_thousand_at_once_are_bounded() {
    let (receiver, gate) = gated().await;
    let outbound = Arc::new(outbound_with(Names::none(), |settings| settings.in_flight_max = 50));
    let mut requests = JoinSet::new();
    for _ in 0..1000 {
        let (outbound, request) = (Arc::clone(&outbound), get(&receiver.url("/")));
        requests.spawn(async move { outbound.send(request).await });
    }
    receiver.until_open(50).await;
    gate.send_replace(true);
    let mut statuses = Vec::new();
    while let Some(done) = requests.join_next().await {
        statuses.push(done.unwrap().unwrap().status);
        assert!(*receiver.open.borrow() <= 50 && outbound.idle_lines() <= 50);
    }
    assert_eq!(statuses, [200; 1000]);
    // Each of the fifty has its connection, and later ones take it over.
    assert!(receiver.connections() <= 100, "{} connections", receiver.connections());
}

#[tokio::test]
async fn who_gets_no_place_in_time_is_told_so() {
    let (receiver, gate) = gated().await;
    let outbound = Arc::new(outbound_with(Names::none(), |settings| settings.in_flight_max = 1));
    let first = tokio::spawn({
        let (outbound, request) = (Arc::clone(&outbound), get(&receiver.url("/")));
        async move { outbound.send(request).await }
    });
    receiver.until_open(1).await;
    let second = Request {
        time_limit: SHORT,
        ..get(&receiver.url("/"))
    };
    let failure = outbound.send(second).await.unwrap_err();
    assert_eq!(
        failure,
        Failure::Busy {
            in_flight_max: 1,
            time_limit: SHORT
        }
    );
    assert_eq!(
        failure.to_string(),
        "1 requests are on their way already, and none ended within 0.25 s; the setting outbound.inFlightMax bounds them"
    );
    assert!(!failure.was_sent());
    gate.send_replace(true);
    assert_eq!(first.await.unwrap().unwrap().status, 200);
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn dropping_the_future_closes_the_connection_and_frees_the_place() {
    let (receiver, gate) = gated().await;
    let outbound = Arc::new(outbound_with(Names::none(), |settings| settings.in_flight_max = 1));
    let request = tokio::spawn({
        let (outbound, request) = (Arc::clone(&outbound), get(&receiver.url("/")));
        async move { outbound.send(request).await }
    });
    receiver.until_open(1).await;
    request.abort();
    gate.send_replace(true);
    receiver.until_open(0).await;
    assert_eq!(outbound.send(get(&receiver.url("/"))).await.unwrap().status, 200);
}

#[tokio::test]
async fn each_stage_has_its_place_in_the_time_limit() {
    /// Never answers.
    struct Silent;
    impl crate::Resolve for Silent {
        fn resolve(&self, _: &str) -> crate::Resolved<'_> {
            Box::pin(std::future::pending())
        }
    }
    let request = Request {
        time_limit: SHORT,
        ..get("http://slow.example/")
    };
    let failure = outbound_with(Silent, |_| ()).send(request).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "not done within 0.25 s; it ended while resolving the host's name"
    );
    assert!(!failure.was_sent());
    // Takes the connection, and says nothing.
    let silent = Receiver::holding("").await;
    for (scheme, stage) in [("http", Stage::Answering), ("https", Stage::Securing)] {
        let url = format!("{scheme}://{}/", silent.address);
        let request = Request {
            time_limit: SHORT,
            ..get(&url)
        };
        let failure = outbound().send(request).await.unwrap_err();
        assert_eq!(
            failure,
            Failure::TimedOut {
                time_limit: SHORT,
                stage
            }
        );
        assert_eq!(failure.was_sent(), scheme == "http");
    }
    silent.until_open(0).await;
}

#[tokio::test]
async fn an_address_that_drops_packets_leaves_time_for_the_next() {
    // Its queue of connections is full and nobody accepts: the system answers no further one.
    let full = TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.7:0".parse().unwrap()).unwrap();
    let full = full.listen(1).unwrap();
    let port = full.local_addr().unwrap().port();
    let mut queued = JoinSet::new();
    for _ in 0..8 {
        queued.spawn(TcpStream::connect(("127.0.0.7", port)));
    }
    let _first = queued.join_next().await.unwrap().unwrap().unwrap();
    let _second = queued.join_next().await.unwrap().unwrap().unwrap();
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let receiver = Receiver::at(&format!("127.0.0.8:{port}"), move |mut peer| async move {
        peer.read_request().await;
        peer.write(ok.as_bytes()).await;
    })
    .await;
    let names = Names::none().with("two.example", &[&["127.0.0.7", "127.0.0.8"]]);
    let names = names.with("one.example", &[&["127.0.0.7"]]);
    let outbound = outbound_with(names, |_| ());
    let request = |host: &str, time_limit| Request {
        time_limit,
        ..get(&format!("http://{host}.example:{port}/"))
    };
    let response = outbound.send(request("two", SHORT * 8)).await.unwrap();
    assert_eq!(response.address, receiver.address);
    let failure = outbound.send(request("one", SHORT)).await.unwrap_err();
    assert_eq!(
        failure,
        Failure::TimedOut {
            time_limit: SHORT,
            stage: Stage::Connecting
        }
    );
}

#[tokio::test]
async fn idle_connections_are_closed_after_a_while() {
    let receiver = Receiver::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let outbound = outbound();
    outbound.send(get(&receiver.url("/"))).await.unwrap();
    assert_eq!(outbound.idle_lines(), 1);
    // Only now: a clock that stands would jump over the request.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    receiver.until_open(0).await;
    assert_eq!(outbound.idle_lines(), 0);
}

#[tokio::test]
async fn a_wrong_request_is_refused_before_anything_is_sent() {
    let receiver = Receiver::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let outbound = outbound();
    let many = vec![Header::new("A", "b").unwrap(); 65];
    let long = vec![Header::new("A", &"b".repeat(20_000)).unwrap()];
    for (headers, body, expected) in [
        (many, 0, InvalidRequest::HeadersTooLarge),
        (long, 0, InvalidRequest::HeadersTooLarge),
        (Vec::new(), 2 << 20, InvalidRequest::BodyTooLarge),
    ] {
        let mut request = Request::new(Method::Put, receiver.url("/"), PATIENT);
        (request.headers, request.body) = (headers, Bytes::from(vec![0; body]));
        let failure = outbound.send(request).await.unwrap_err();
        assert_eq!(failure, Failure::InvalidRequest(expected));
        assert!(!failure.was_sent());
    }
    assert_eq!(receiver.connections(), 0);
    for (name, value, expected) in [
        ("Host", "x", "header host is written by the sender itself: leave it out"),
        ("content-LENGTH", "1", "header content-length is written by"),
        ("Transfer-Encoding", "chunked", "header transfer-encoding is written by"),
        ("Connection", "x", "header connection is written by"),
        ("A b", "x", "header name \"A b\" is none"),
        ("", "x", "header name \"\" is none"),
        ("A\r\nB", "x", "header name \"A\\\\r\\\\nB\" is none"),
        (
            "A",
            "x\r\nB: y",
            "the value of header a has a line break or another control character",
        ),
    ] {
        let error = Header::new(name, value).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
