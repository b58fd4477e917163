//! Certificates and tokens for tests, and clients that show them.

use std::path::Path;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use lictor::config::{self, Claims, Jwt, Principal, PrincipalAsserts, Tls};
use lictor::policy::Pattern;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

pub use super::authority::{Authority, Certificate};
pub use super::token_key::{ISSUER, TokenKey, key_set};
use crate::harness::Running;

/// Writes the files of a TLS listener.
pub fn write_tls(folder: &Path, server: &Certificate, client_ca: Option<&Authority>) -> Tls {
    let file = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name)
    };
    Tls {
        certificate: file("server.pem", &server.chain),
        key: file("server.key", &server.key),
        client_ca: client_ca.map(|authority| file("clients.pem", &authority.pem)),
        client_crl: None,
    }
}

/// A connection to the TLS listener of `running`, trusting `authority` and showing `shown`.
pub async fn connect(
    running: &Running,
    authority: &Authority,
    shown: Option<&Certificate>,
) -> Result<Channel, tonic::transport::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match shown {
        Some(Certificate { chain, key }) => {
            let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    let address = running.server.tcp_address().unwrap();
    let connect = tower::service_fn(move |_| {
        let connector = connector.clone();
        async move {
            let stream = tokio::net::TcpStream::connect(address).await?;
            let name = ServerName::try_from("localhost").unwrap();
            connector.connect(name, stream).await.map(TokioIo::new)
        }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(connect).await
}

/// A principal of the configuration that may act in and speak of `tenants`, with `change` applied.
pub fn principal(matches: &str, tenants: &[&str], change: impl FnOnce(&mut Principal)) -> Principal {
    let mut principal = Principal {
        matches: Pattern::parse(matches).unwrap(),
        name: None,
        roles: Vec::new(),
        level: None,
        tenants: patterns(tenants),
        may_assert: PrincipalAsserts::default(),
    };
    change(&mut principal);
    principal
}

pub fn patterns(texts: &[&str]) -> Option<Box<[Pattern]>> {
    Some(texts.iter().map(|text| Pattern::parse(text).unwrap()).collect())
}

/// Writes the file of keys.
pub fn write_keys(folder: &Path, keys: &[&TokenKey]) -> Jwt {
    std::fs::write(folder.join("jwks.json"), key_set(keys)).unwrap();
    Jwt {
        issuer: ISSUER.into(),
        audience: "lictor".into(),
        jwks: folder.join("jwks.json"),
        algorithms: vec![config::Algorithm::EdDsa],
        leeway: std::time::Duration::ZERO,
        claims: Claims { tenants: Some("tenant".into()), ..Claims::default() },
        groups: std::collections::BTreeMap::default(),
    }
}

/// `message` with a token.
pub fn with_token<T>(message: T, token: &str) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}
