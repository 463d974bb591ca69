//! The sender goes where the guard says, and nowhere else.

use std::time::Duration;

use super::{Receiver, get, names::Names, outbound_with};
use crate::{Failure, guard::Rule};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn an_answer_that_mixes_good_and_bad_addresses_is_refused() {
    let receiver = Receiver::answering(OK).await;
    let url = |name: &str| format!("http://{name}:{}/", receiver.address.port());
    for (bad, private) in [
        ("169.254.169.254", false),
        ("10.0.0.1", true),
        ("::ffff:10.0.0.1", true),
    ] {
        for order in [["127.0.0.1", bad], [bad, "127.0.0.1"]] {
            let names = Names::none().with("mixed.example", &[&order]);
            let failure = outbound_with(names, |_| ())
                .send(get(&url("mixed.example")))
                .await
                .unwrap_err();
            let Failure::AddressRefused(refused) = &failure else {
                panic!("{failure}");
            };
            assert_eq!(matches!(refused.rule, Rule::Private(_)), private, "{refused}");
            assert!(!failure.was_sent());
        }
    }
    assert_eq!(receiver.connections(), 0, "no packet was sent");
}

#[tokio::test]
async fn a_name_that_changes_its_address_changes_nothing() {
    // Two receivers on one port, as a name that moves would have it.
    let good = Receiver::at("127.0.0.2:0", answer("good")).await;
    let port = good.address.port();
    let evil = Receiver::at(&format!("127.0.0.3:{port}"), answer("evil")).await;
    let names = Names::none().with("moves.example", &[&["127.0.0.2"], &["127.0.0.3"]]);
    let outbound = outbound_with(names.clone(), |settings| {
        settings.loopback_networks = vec!["127.0.0.2".parse().unwrap()];
    });
    let url = format!("http://moves.example:{port}/");
    let response = outbound.send(get(&url)).await.unwrap();
    assert_eq!((&response.body[..], response.address), (&b"good"[..], good.address));
    assert_eq!(names.asked().len(), 1, "one attempt resolves once");
    // The next attempt resolves again and is judged again, although a connection to the good one is kept.
    let failure = outbound.send(get(&url)).await.unwrap_err();
    assert!(
        failure
            .to_string()
            .starts_with("address 127.0.0.3 of host moves.example is loopback"),
        "{failure}"
    );
    assert_eq!((names.asked().len(), evil.connections()), (2, 0));
}

fn answer(body: &'static str) -> impl Fn(super::receiver::Peer) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    move |mut peer| {
        Box::pin(async move {
            while peer.read_request().await.is_some() {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                peer.write(format!("{head}{body}").as_bytes()).await;
            }
        })
    }
}

#[tokio::test]
async fn a_kept_connection_serves_only_what_is_judged_to_it() {
    let one = Receiver::at("127.0.0.2:0", answer("one")).await;
    let port = one.address.port();
    let two = Receiver::at(&format!("127.0.0.3:{port}"), answer("two")).await;
    let names = Names::none()
        .with("a.example", &[&["127.0.0.2"], &["127.0.0.3"]])
        .with("b.example", &[&["127.0.0.2"]]);
    let outbound = outbound_with(names, |_| ());
    for (host, body) in [("a", "one"), ("a", "two"), ("b", "one"), ("b", "one")] {
        let response = outbound
            .send(get(&format!("http://{host}.example:{port}/")))
            .await
            .unwrap();
        assert_eq!(&response.body[..], body.as_bytes());
    }
    // b does not share the connection of a: a receiver of one name need not be that of the other.
    assert_eq!((one.connections(), two.connections()), (2, 1));
}

#[tokio::test]
async fn the_next_address_is_tried_where_nobody_listens() {
    let receiver = Receiver::at("127.0.0.4:0", answer("here")).await;
    let port = receiver.address.port();
    let names = Names::none().with("two.example", &[&["127.0.0.5", "127.0.0.4"]]);
    let response = outbound_with(names, |_| ())
        .send(get(&format!("http://two.example:{port}/")))
        .await;
    assert_eq!(response.unwrap().address, receiver.address);
    let names = Names::none().with("none.example", &[&["127.0.0.5", "127.0.0.6"]]);
    let failure = outbound_with(names, |_| ())
        .send(get(&format!("http://none.example:{port}/")))
        .await
        .unwrap_err();
    assert_eq!((failure.reason(), failure.was_sent()), ("NotConnected", false));
    assert!(
        failure
            .to_string()
            .starts_with(&format!("no connection to 127.0.0.6:{port}: ")),
        "{failure}"
    );
}

#[tokio::test]
async fn a_name_without_an_address_is_told() {
    let names = Names::none().with("empty.example", &[&[]]);
    let outbound = outbound_with(names, |_| ());
    for (host, expected) in [
        (
            "empty.example",
            "host empty.example cannot be resolved: it has no address",
        ),
        ("absent.example", "host absent.example cannot be resolved: no such name"),
    ] {
        let failure = outbound.send(get(&format!("http://{host}/"))).await.unwrap_err();
        assert_eq!((failure.to_string().as_str(), failure.was_sent()), (expected, false));
    }
}

#[tokio::test]
async fn what_the_url_says_is_refused_without_a_look_up() {
    let names = Names::none();
    let outbound = outbound_with(names.clone(), |settings| {
        settings.allowed_hosts = vec!["*.example.com".parse().unwrap()];
    });
    for url in [
        "http://hooks.other.test/",
        "https://kubernetes.default.svc/",
        "http://u@a.example.com/",
        "ftp://a.example.com/",
    ] {
        let failure = outbound.send(get(url)).await.unwrap_err();
        assert_eq!(
            (failure.reason(), failure.was_sent()),
            ("AddressRefused", false),
            "{url}"
        );
    }
    assert!(names.asked().is_empty());
}

#[tokio::test]
async fn the_systems_resolver_knows_this_machine() {
    // The hosts file is enough: no server is asked.
    let system = crate::System::new();
    let found = tokio::time::timeout(Duration::from_secs(30), crate::Resolve::resolve(&system, "localhost"));
    let found = found.await.unwrap().unwrap();
    assert!(
        !found.is_empty() && found.iter().all(std::net::IpAddr::is_loopback),
        "{found:?}"
    );
}
