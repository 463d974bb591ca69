//! No secret is shown, whatever goes wrong.

use bytes::Bytes;

use super::{PATIENT, Receiver, SHORT, names::Names, outbound_with};
use crate::{Header, Method, Request, Secret};

const SECRET: &str = "hunter2";

fn request(url: &str) -> Request {
    let mut request = Request::new(Method::Post, url, PATIENT);
    let bearer = Secret::new(format!("Bearer {SECRET}").as_bytes()).unwrap();
    request.headers = vec![
        Header::secret("Authorization", bearer).unwrap(),
        Header::new("X-Plain", SECRET).unwrap(),
    ];
    request.body = Bytes::from_static(SECRET.as_bytes());
    request
}

#[tokio::test]
async fn failures_and_debug_show_no_secret() {
    let names = Names::none()
        .with("refused.example", &[&["10.0.0.1"]])
        .with("tls.example", &[&["127.0.0.1"]]);
    let outbound = outbound_with(names, |_| ());
    // Receivers that send back what they were sent.
    let echo = |head: &'static str| {
        Receiver::new(move |mut peer| async move {
            let text = peer.read_request().await.unwrap_or_default();
            let text = text.replace("\r\n", " ");
            peer.write(head.replace("{}", &text).as_bytes()).await;
        })
    };
    let receivers = [
        echo("").await,
        echo("{}\r\n\r\n").await,
        echo("HTTP/1.1 200 {}\r\nContent-Length: 9\r\n\r\n").await,
        echo("HTTP/1.1 200 OK\r\n{}\r\n\r\n").await,
        echo("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n").await,
        echo("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}\r\n").await,
        echo("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{}").await,
        echo("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Encoding: {}\r\n\r\n").await,
    ];
    let no_tls = Receiver::new(|mut peer| async move {
        peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        peer.until_closed().await;
    })
    .await;
    let path = format!("/{SECRET}?{SECRET}");
    let mut urls: Vec<String> = receivers.iter().map(|receiver| receiver.url(&path)).collect();
    let port = receivers[0].address.port();
    urls.extend([
        format!("https://tls.example:{}{path}", no_tls.address.port()),
        format!("http://refused.example{path}"),
        format!("http://absent.example{path}"),
        format!("http://0x7f000009:{port}{path}"),
        format!("http://{SECRET}:{SECRET}@a.example{path}"),
        format!("http://a.example{path} "),
        format!("http://a.example:{SECRET}/"),
        format!("http://a.example/#{SECRET}"),
        format!("{SECRET}://a.example/"),
    ]);
    for url in urls {
        let failure = outbound.send(request(&url)).await.unwrap_err();
        let shown = format!("{failure} {failure:?} {failure:#?}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

#[tokio::test]
async fn requests_and_answers_hide_what_they_carry() {
    let answer = format!("HTTP/1.1 200 OK\r\nX-Echo: {SECRET}\r\nContent-Length: 7\r\n\r\n{SECRET}");
    let receiver = Receiver::answering(answer).await;
    let request = request(&receiver.url(&format!("/{SECRET}")));
    let shown = format!("{request:?} {:?}", request.headers.first());
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(
        shown.contains("authorization") && shown.contains("body_bytes: 7"),
        "{shown}"
    );
    let outbound = outbound_with(Names::none(), |_| ());
    let response = outbound
        .send(Request {
            time_limit: SHORT * 40,
            ..request
        })
        .await
        .unwrap();
    let shown = format!("{response:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(shown.contains("200") && shown.contains("x-echo"), "{shown}");
}
