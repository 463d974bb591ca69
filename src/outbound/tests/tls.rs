//! Certificates, good and bad.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::{Names, Receiver, get, outbound_with, settings};
use crate::{Failure, Outbound, Settings, SettingsError};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn issuer(name: &str) -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn leaf(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// A receiver that speaks TLS, and the names that it was asked for.
async fn secure(params: CertificateParams, issuer: &Issuer) -> (SocketAddr, Arc<Mutex<Vec<Option<String>>>>) {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth();
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let names: Arc<Mutex<Vec<_>>> = Arc::default();
    let seen = Arc::clone(&names);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let connection = stream.get_ref().1;
            assert_eq!(connection.alpn_protocol(), Some(&b"http/1.1"[..]));
            seen.lock()
                .unwrap()
                .push(connection.server_name().map(ToOwned::to_owned));
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                while stream.read(&mut bytes).await.unwrap_or(0) > 0 {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecure";
                    stream.write_all(answer).await.unwrap();
                }
            });
        }
    });
    (address, names)
}

fn trusting(issuer: &Issuer) -> Outbound {
    let names = Names::none().with("hooks.example", &[&["127.0.0.1"]]);
    let pem = issuer.pem().into_bytes();
    outbound_with(names, |settings| settings.extra_ca_pem = pem)
}

#[tokio::test]
async fn an_extra_authority_is_trusted_and_the_name_is_kept() {
    let issuer = issuer("known");
    let (address, names) = secure(leaf(&["hooks.example", "127.0.0.1"]), &issuer).await;
    let outbound = trusting(&issuer);
    for host in ["hooks.example", "hooks.example", "127.0.0.1"] {
        let response = outbound
            .send(get(&format!("https://{host}:{}/", address.port())))
            .await
            .unwrap();
        assert_eq!(&response.body[..], b"secure");
    }
    // One connection for the name, one for the address, which is no name to ask for.
    assert_eq!(*names.lock().unwrap(), [Some("hooks.example".to_owned()), None]);
}

#[tokio::test]
async fn a_bad_certificate_is_refused_before_anything_is_sent() {
    let (known, stranger) = (issuer("known"), issuer("stranger"));
    let expired = || {
        let mut params = leaf(&["hooks.example"]);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        params
    };
    for (params, issuer, expected) in [
        (leaf(&["hooks.example"]), &stranger, "UnknownIssuer"),
        (leaf(&["other.example"]), &known, "not valid for name"),
        (leaf(&["127.0.0.1"]), &known, "not valid for name"),
        (expired(), &known, "expired"),
    ] {
        let (address, _) = secure(params, issuer).await;
        let outbound = trusting(&known);
        let url = format!("https://hooks.example:{}/", address.port());
        let failure = outbound.send(get(&url)).await.unwrap_err();
        assert_eq!(
            (failure.reason(), failure.was_sent()),
            ("TlsFailed", false),
            "{failure}"
        );
        assert!(
            failure.to_string().starts_with("no TLS with hooks.example: "),
            "{failure}"
        );
        assert!(failure.to_string().contains(expected), "{failure}");
    }
}

#[tokio::test]
async fn what_is_no_tls_is_told() {
    let plain = Receiver::new(|mut peer| async move {
        peer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            .await;
        peer.until_closed().await;
    })
    .await;
    let names = Names::none().with("hooks.example", &[&["127.0.0.1"]]);
    let url = format!("https://hooks.example:{}/", plain.address.port());
    let failure = outbound_with(names, |_| ()).send(get(&url)).await.unwrap_err();
    assert!(
        matches!(failure, Failure::TlsFailed { .. }) && !failure.was_sent(),
        "{failure}"
    );
}

#[test]
fn an_extra_authority_must_be_one() {
    for (pem, expected) in [
        (
            "not a certificate",
            "outbound.extraCa: holds no certificate; give certificates in PEM",
        ),
        (
            "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
            "outbound.extraCa: ",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "outbound.extraCa: ",
        ),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "outbound.extraCa: "),
    ] {
        let settings = Settings {
            extra_ca_pem: pem.into(),
            ..settings()
        };
        let error = Outbound::new(&settings, Arc::new(Names::none())).err().unwrap();
        assert!(matches!(error, SettingsError::ExtraCa(_)), "{error}");
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    let settings = Settings {
        extra_ca_pem: b" \n".to_vec(),
        ..settings()
    };
    assert!(Outbound::new(&settings, Arc::new(Names::none())).is_ok());
}
