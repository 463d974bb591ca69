//! Receivers that do all kinds of wrong.

use proptest::prelude::*;
use std::{io::Write, time::Duration};
use tokio::time::{MissedTickBehavior, interval};

use super::{Receiver, SHORT, fetch, get, outbound};
use crate::{Failure, Request, Stage};

/// What a receiver's bytes, and then its closing, get.
async fn check(answer: &[u8], expected: &str) {
    let receiver = Receiver::closing(answer).await;
    let failure = fetch(&receiver).await.unwrap_err();
    let start = String::from_utf8_lossy(&answer[..answer.len().min(80)]).into_owned();
    assert_eq!(failure.reason(), expected, "{start:?}: {failure}");
    assert!(failure.was_sent(), "{start:?}: {failure}");
    assert!(failure.to_string().len() < 1024, "{failure}");
}

#[tokio::test]
async fn an_early_end_is_told() {
    for answer in [
        "",
        "H",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        check(answer.as_bytes(), "Closed").await;
    }
}

#[tokio::test]
async fn garbage_is_told() {
    for answer in [
        &b"SSH-2.0-OpenSSH_9.9\r\n"[..],
        b"\x00\x01\x02\x03",
        b"\x15\x03\x03\x00\x02\x02\x46",
        b"<html>",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA\0B: c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nFolded: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    ] {
        check(answer, "Malformed").await;
    }
}

#[tokio::test]
async fn a_huge_head_is_cut_off() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(70_000));
    check(long.as_bytes(), "HeaderTooLarge").await;
    check(
        b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
        "HeaderTooLarge",
    )
    .await;
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: 1\r\n".repeat(101));
    check(many.as_bytes(), "HeaderTooLarge").await;
    // For ever: the receiver sees the connection close.
    let endless = Receiver::new(|mut peer| async move {
        peer.read_request().await;
        peer.write(b"HTTP/1.1 200 OK\r\nX: ").await;
        while peer.write(&[b'a'; 4096]).await {}
    })
    .await;
    assert_eq!(fetch(&endless).await.unwrap_err().reason(), "HeaderTooLarge");
    endless.until_open(0).await;
    // What just fits is read.
    let fits = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: {}\r\n\r\n",
        "a".repeat(60_000)
    );
    assert_eq!(fetch(&Receiver::answering(fits).await).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_huge_body_is_cut_off() {
    let max = 64 * 1024;
    let with_length = |length: usize| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{}",
            "a".repeat(length)
        )
    };
    let fits = Receiver::answering(with_length(max)).await;
    assert_eq!(fetch(&fits).await.unwrap().body.len(), max);
    check(with_length(max + 1).as_bytes(), "BodyTooLarge").await;
    // It is known from the head, so nothing is waited for.
    let promised = Receiver::holding("HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\n").await;
    assert_eq!(fetch(&promised).await.unwrap_err().reason(), "BodyTooLarge");
    for head in ["Transfer-Encoding: chunked", "Connection: close"] {
        let endless = Receiver::new(move |mut peer| async move {
            peer.read_request().await;
            peer.write(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes())
                .await;
            let chunk = format!("1000\r\n{}\r\n", "a".repeat(4096));
            while peer.write(chunk.as_bytes()).await {}
        })
        .await;
        let failure = fetch(&endless).await.unwrap_err();
        assert_eq!(failure, Failure::BodyTooLarge { bytes_max: max });
        endless.until_open(0).await;
    }
}

#[tokio::test]
async fn an_encoded_body_is_not_unfolded() {
    // 100 MB of zeros would be 100 KB of gzip; ten bytes will do, for nothing reads them.
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n".to_vec();
    answer.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]).unwrap();
    check(&answer, "Encoded").await;
    for coding in ["br", "identity, gzip", "x\u{1b}[31m"] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 1\r\n\r\na");
        let receiver = Receiver::closing(answer).await;
        let reason = fetch(&receiver).await.unwrap_err();
        assert!(["Encoded", "Malformed"].contains(&reason.reason()), "{reason}");
        assert!(!reason.to_string().contains('\u{1b}'));
    }
}

/// Bytes keep coming, slower than the time limit.
async fn trickle(head: &'static str, bytes: &'static [u8]) -> Failure {
    let receiver = Receiver::new(move |mut peer| async move {
        peer.read_request().await;
        peer.write(head.as_bytes()).await;
        let mut tick = interval(Duration::from_millis(10));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while peer.write(bytes).await {
            tick.tick().await;
        }
    })
    .await;
    let request = Request {
        time_limit: SHORT,
        ..get(&receiver.url("/"))
    };
    let failure = outbound().send(request).await.unwrap_err();
    receiver.until_open(0).await;
    failure
}

#[tokio::test]
async fn a_trickle_does_not_prolong_the_time() {
    let timed_out = |stage| Failure::TimedOut {
        time_limit: SHORT,
        stage,
    };
    let body = "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n";
    assert_eq!(trickle(body, b"a").await, timed_out(Stage::Reading));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(trickle(chunked, b"1\r\na\r\n").await, timed_out(Stage::Reading));
    assert_eq!(
        trickle("HTTP/1.1 200 OK\r\nX: ", b"a").await,
        timed_out(Stage::Answering)
    );
    assert_eq!(
        trickle("", b"HTTP/1.1 100 Continue\r\n\r\n").await,
        timed_out(Stage::Answering)
    );
    assert!(timed_out(Stage::Reading).was_sent() && timed_out(Stage::Answering).was_sent());
    assert!(!timed_out(Stage::Securing).was_sent() && !timed_out(Stage::Connecting).was_sent());
}

/// The same bytes after a head, as fast as they are taken.
async fn flood(head: &'static str, bytes: &'static str) -> Failure {
    let receiver = Receiver::new(move |mut peer| async move {
        peer.read_request().await;
        peer.write(head.as_bytes()).await;
        let many = bytes.repeat(4096 / bytes.len());
        while peer.write(many.as_bytes()).await {}
    })
    .await;
    let request = Request {
        time_limit: SHORT,
        ..get(&receiver.url("/"))
    };
    let failure = outbound().send(request).await.unwrap_err();
    receiver.until_open(0).await;
    failure
}

#[tokio::test]
async fn a_flood_of_nothing_ends() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (head, bytes, expected) in [
        ("", "HTTP/1.1 100 Continue\r\n\r\n", "TimedOut"),
        (chunked, "1;a=b\r\na\r\n", "Malformed"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            "a=b;",
            "Malformed",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            "T: 1\r\n",
            "Malformed",
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0", "TimedOut"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1",
            " ",
            "TimedOut",
        ),
    ] {
        let failure = flood(head, bytes).await;
        assert_eq!(failure.reason(), expected, "{head:?} {bytes:?}: {failure}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Answers with bytes changed, dropped and put in: an answer or a failure, within the caps, at once.
    #[test]
    fn any_answer_is_survived(
        which in 0_usize..3,
        edits in proptest::collection::vec((0_usize..120, any::<u8>(), 0_u8..3), 0..6),
    ) {
        let answers = [
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Encoding: identity\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\na\r\n2\r\nbc\r\n0\r\nT: 1\r\n\r\n",
            "HTTP/1.1 103 Hint\r\nA: b\r\n\r\nHTTP/1.0 503 No\r\nConnection: keep-alive\r\n\r\nabc",
        ];
        let mut answer = answers[which].as_bytes().to_vec();
        for (at, byte, edit) in edits {
            let at = at % answer.len();
            match edit {
                0 => answer[at] = byte,
                1 => answer.insert(at, byte),
                _ => drop(answer.remove(at)),
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let result = runtime.block_on(async {
            let receiver = Receiver::closing(answer).await;
            fetch(&receiver).await
        });
        match result {
            Ok(response) => prop_assert!(response.body.len() <= 120),
            Err(failure) => prop_assert!(failure.was_sent() && failure.reason() != "TimedOut", "{}", failure),
        }
    }
}

#[tokio::test]
async fn what_comes_after_an_answer_is_not_the_next_one() {
    // Too short a Content-Length, or a second answer slipped in behind the first.
    let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    let receiver = Receiver::answering(smuggled).await;
    let outbound = outbound();
    for _ in 0..5 {
        let response = outbound.send(get(&receiver.url("/"))).await.unwrap();
        assert_eq!(&response.body[..], b"a");
    }
    assert_eq!(receiver.connections(), 5);
}
