//! Keys, certificates and kubeconfigs of one cluster, made new at every start.

use crate::paths::Paths;
use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use serde_json::json;
use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// The address of the bridge, on which every program of the cluster is reached, also from pods.
pub(crate) const ADDRESS: &str = "10.244.0.1";
/// The first service address, given to the service `kubernetes`.
const SERVICE_ADDRESS: &str = "10.96.0.1";
pub(crate) const NODE: &str = "node1";

/// One who talks over TLS: its file name, what its certificate says of it, and where it may be reached.
struct Identity {
    file: &'static str,
    organization: Option<&'static str>,
    common_name: &'static str,
    alternative_names: &'static [&'static str],
}

/// May do everything; also what tests and users are.
pub(crate) const ADMIN: &str = "admin";
pub(crate) const CONTROLLER_MANAGER: &str = "controller-manager";
pub(crate) const SCHEDULER: &str = "scheduler";

const IDENTITIES: [Identity; 5] = [
    Identity {
        file: "apiserver",
        organization: None,
        common_name: "kube-apiserver",
        alternative_names: &[
            "localhost",
            "kubernetes.default.svc",
            "127.0.0.1",
            ADDRESS,
            SERVICE_ADDRESS,
        ],
    },
    Identity {
        file: ADMIN,
        organization: Some("system:masters"),
        common_name: "admin",
        alternative_names: &[],
    },
    Identity {
        file: CONTROLLER_MANAGER,
        organization: None,
        common_name: "system:kube-controller-manager",
        alternative_names: &[],
    },
    Identity {
        file: SCHEDULER,
        organization: None,
        common_name: "system:kube-scheduler",
        alternative_names: &[],
    },
    Identity {
        file: NODE,
        organization: Some("system:nodes"),
        common_name: "system:node:node1",
        alternative_names: &[NODE, ADDRESS],
    },
];

/// Writes everything below `paths.pki()` and a kubeconfig per identity.
///
/// Guarantees: private keys and kubeconfigs are readable by their owner alone.
pub(crate) fn create(paths: &Paths) -> Result<()> {
    let folder = paths.pki();
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let authority = authority()?;
    write(&folder.join("ca.crt"), &authority.pem(), 0o644)?;
    for identity in &IDENTITIES {
        let (certificate, key) = issue(identity, &authority)?;
        write(&folder.join(format!("{}.crt", identity.file)), &certificate, 0o644)?;
        write(&folder.join(format!("{}.key", identity.file)), &key, 0o600)?;
        write(
            &paths.kubeconfig(identity.file),
            &kubeconfig(paths, identity.file)?,
            0o600,
        )?;
    }
    let service_accounts = KeyPair::generate()?;
    write(
        &folder.join("service-accounts.key"),
        &service_accounts.serialize_pem(),
        0o600,
    )?;
    write(
        &folder.join("service-accounts.pub"),
        &service_accounts.public_key_pem(),
        0o644,
    )
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = lasting(CertificateParams::new(Vec::new())?);
    params.distinguished_name.push(DnType::CommonName, "jobwright-cluster");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn issue(identity: &Identity, authority: &CertifiedIssuer<'static, KeyPair>) -> Result<(String, String)> {
    let names: Vec<String> = identity.alternative_names.iter().map(|&name| name.to_owned()).collect();
    let mut params = lasting(CertificateParams::new(names)?);
    if let Some(organization) = identity.organization {
        params.distinguished_name.push(DnType::OrganizationName, organization);
    }
    params.distinguished_name.push(DnType::CommonName, identity.common_name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, authority)?.pem(), key.serialize_pem()))
}

/// A cluster lives for minutes; the dates only have to hold on machines whose clock is off.
fn lasting(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
}

/// JSON is YAML too.
fn kubeconfig(paths: &Paths, file: &str) -> Result<String> {
    let (pki, name) = (paths.pki(), paths.name().prefixed());
    Ok(serde_json::to_string_pretty(&json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": name, "cluster": {
            "server": format!("https://{ADDRESS}:6443"),
            "certificate-authority": pki.join("ca.crt"),
        }}],
        "users": [{ "name": file, "user": {
            "client-certificate": pki.join(format!("{file}.crt")),
            "client-key": pki.join(format!("{file}.key")),
        }}],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": file } }],
        "current-context": name,
    }))?)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{IDENTITIES, authority, issue};
    use std::{io::Write, process};

    /// The certificate as openssl reads it.
    fn told(certificate: &str) -> String {
        let mut openssl = process::Command::new("openssl")
            .args(["x509", "-noout", "-subject", "-ext", "subjectAltName,extendedKeyUsage"])
            .stdin(process::Stdio::piped())
            .stdout(process::Stdio::piped())
            .stderr(process::Stdio::null())
            .spawn()
            .unwrap();
        openssl.stdin.take().unwrap().write_all(certificate.as_bytes()).unwrap();
        String::from_utf8(openssl.wait_with_output().unwrap().stdout).unwrap()
    }

    #[test]
    fn certificates_say_who_and_where() {
        let authority = authority().unwrap();
        let texts: Vec<String> = IDENTITIES
            .iter()
            .map(|identity| told(&issue(identity, &authority).unwrap().0))
            .collect();
        let server = &texts[0];
        for name in [
            "DNS:localhost",
            "DNS:kubernetes.default.svc",
            "127.0.0.1",
            "10.244.0.1",
            "10.96.0.1",
        ] {
            assert!(server.contains(name), "{name} in {server}");
        }
        assert!(texts[1].contains("O = system:masters, CN = admin"), "{}", texts[1]);
        assert!(
            texts[4].contains("O = system:nodes, CN = system:node:node1"),
            "{}",
            texts[4]
        );
        assert!(
            texts.iter().all(|text| text.contains("TLS Web Client Authentication")),
            "{texts:?}"
        );
    }
}
