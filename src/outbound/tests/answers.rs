//! Receivers that do nothing wrong.

use bytes::Bytes;
use jiff::Timestamp;
use jobwright_engine::outbound::Outcome;
use std::time::Duration;

use super::{PATIENT, fetch, get, names::Names, outbound, outbound_with, receiver::Receiver};
use crate::{Header, Method, Request, Secret, outcome};

#[tokio::test]
async fn a_request_arrives_as_it_was_meant() {
    let receiver = Receiver::answering("HTTP/1.1 201 Created\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 2\r\n\r\nok").await;
    let port = receiver.address.port();
    let names = Names::none().with("hooks.example", &[&["127.0.0.1"]]);
    let outbound = outbound_with(names.clone(), |_| ());
    let mut request = Request::new(
        Method::Post,
        format!("HTTP://Hooks.Example.:{port}/a/../b?c=d%20e"),
        PATIENT,
    );
    request.body = Bytes::from_static(b"{\"a\": 1}");
    request.headers = vec![
        Header::new("Content-Type", "application/json").unwrap(),
        Header::secret("Authorization", Secret::new(b"Bearer hunter2").unwrap()).unwrap(),
        Header::new("X-Twice", "1").unwrap(),
        Header::new("X-Twice", "2").unwrap(),
    ];
    let response = outbound.send(request).await.unwrap();
    assert_eq!((response.status, &response.body[..]), (201, &b"ok"[..]));
    assert_eq!(response.headers.get_all("x-a").iter().count(), 2);
    assert_eq!(response.address, receiver.address);
    assert_eq!(names.asked(), ["hooks.example"]);
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "POST /b?c=d%20e HTTP/1.1\r\nhost: hooks.example:{port}\r\naccept-encoding: identity\r\nuser-agent: jobwright/{version}\r\ncontent-type: application/json\r\nauthorization: Bearer hunter2\r\nx-twice: 1\r\nx-twice: 2\r\ncontent-length: 8\r\n\r\n{{\"a\": 1}}"
    );
    assert_eq!(receiver.requests(), [expected]);
}

#[tokio::test]
async fn every_framing_is_read() {
    for (answer, status, body) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\nbc\r\n0\r\nT: 1\r\n\r\n",
            200,
            "abc",
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, ""),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            200,
            "",
        ),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 404, "no"),
        (
            "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nContent-Encoding: identity\r\n\r\n",
            503,
            "",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
            200,
            "",
        ),
    ] {
        let receiver = Receiver::answering(answer).await;
        let response = fetch(&receiver).await.unwrap();
        assert_eq!(
            (response.status, &response.body[..]),
            (status, body.as_bytes()),
            "{answer}"
        );
    }
    // Its end is the connection's end.
    for answer in [
        "HTTP/1.0 200 OK\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc",
    ] {
        let receiver = Receiver::closing(answer).await;
        assert_eq!(&fetch(&receiver).await.unwrap().body[..], b"abc");
    }
}

#[tokio::test]
async fn a_head_has_no_body() {
    let receiver = Receiver::answering("HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n").await;
    let outbound = outbound();
    for _ in 0..2 {
        let request = Request::new(Method::Head, receiver.url("/"), PATIENT);
        assert_eq!(outbound.send(request).await.unwrap().body.len(), 0);
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn one_connection_serves_one_after_the_other() {
    let receiver = Receiver::answering("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na").await;
    let outbound = outbound();
    for _ in 0..20 {
        outbound.send(get(&receiver.url("/"))).await.unwrap();
    }
    assert_eq!((receiver.requests().len(), receiver.connections()), (20, 1));
}

#[tokio::test]
async fn what_the_receiver_closed_is_not_used_again() {
    let closing = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na";
    let receiver = Receiver::answering(closing).await;
    let outbound = outbound();
    for _ in 0..3 {
        outbound.send(get(&receiver.url("/"))).await.unwrap();
    }
    assert_eq!(receiver.connections(), 3);
    // Without a word.
    let receiver = Receiver::closing("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na").await;
    for _ in 0..3 {
        outbound.send(get(&receiver.url("/"))).await.unwrap();
        receiver.until_open(0).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(receiver.connections(), 3);
}

#[tokio::test]
async fn a_protocol_that_nobody_asked_for_is_not_switched_to() {
    let receiver =
        Receiver::answering("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").await;
    let outbound = outbound();
    for _ in 0..2 {
        let result = outbound.send(get(&receiver.url("/"))).await;
        assert!(result.is_err() || result.is_ok_and(|response| response.status == 101 && response.body.is_empty()));
    }
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let second = Receiver::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    for status in [301, 302, 303, 307, 308] {
        for location in [second.url("/"), "http://2852039166/".into(), "/loop".into()] {
            let answer = format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            let first = Receiver::answering(answer).await;
            let response = fetch(&first).await.unwrap();
            assert_eq!(response.status, status);
            assert_eq!(response.headers["location"], location.as_str());
            assert_eq!(first.requests().len(), 1);
        }
    }
    assert_eq!(second.connections(), 0);
}

#[tokio::test]
async fn a_breaker_learns_from_the_answer() {
    let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
    for (head, expected) in [
        ("200 OK", Outcome::Succeeded),
        ("404 No", Outcome::Succeeded),
        ("500 No", Outcome::Failed { retry_after: None }),
        (
            "429 No\r\nRetry-After: 7",
            Outcome::Failed {
                retry_after: Some(Duration::from_secs(7)),
            },
        ),
        (
            "503 No\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT",
            Outcome::Failed {
                retry_after: Some(Duration::from_secs(37)),
            },
        ),
    ] {
        let receiver = Receiver::answering(format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n")).await;
        assert_eq!(outcome(&fetch(&receiver).await, now), expected, "{head}");
    }
    let closed = Receiver::closing("").await;
    assert_eq!(
        outcome(&fetch(&closed).await, now),
        Outcome::Failed { retry_after: None }
    );
    let refused = outbound().send(get("http://2852039166/")).await;
    assert_eq!(outcome(&refused, now), Outcome::Abandoned);
}
