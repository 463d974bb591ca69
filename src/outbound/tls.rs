//! Whom TLS trusts, and how it is spoken.

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{net::IpAddr, sync::Arc};
use tokio_rustls::TlsConnector;

use crate::{
    guard::Host,
    settings::{Settings, SettingsError},
};

/// TLS 1.2 and 1.3 with ring, the roots of the web (Mozilla's list, built in: an image needs no files) and
/// what the settings add. No client certificate, no early data, no key log.
pub(crate) fn connector(settings: &Settings) -> Result<TlsConnector, SettingsError> {
    let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let extra = settings.extra_ca_pem.as_slice();
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(extra)
        .collect::<Result<_, _>>()
        .map_err(|error| SettingsError::ExtraCa(error.to_string()))?;
    if certificates.is_empty() && !extra.trim_ascii().is_empty() {
        return Err(SettingsError::ExtraCa("holds no certificate".into()));
    }
    for certificate in certificates {
        let added = roots.add(certificate);
        added.map_err(|error| SettingsError::ExtraCa(error.to_string()))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingsError::Tls(error.to_string()))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// What the certificate must be for, and what SNI says: the host of the URL, whatever address it has. An
/// address is sent as no SNI (RFC 6066, 3).
pub(crate) fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Name(name) => ServerName::try_from(name.clone()).ok(),
        Host::Address(IpAddr::V4(address)) => Some(ServerName::from(*address)),
        Host::Address(IpAddr::V6(address)) => Some(ServerName::from(*address)),
    }
}
