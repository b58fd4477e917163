//! Callers that prove who they are.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::authority::Authority;
use super::http2::Address;
use super::token_key::{ISSUER, TokenKey, key_set};

/// Who may ask what [`super::question`] asks.
const MAY_ASK: &str = "mayAssert: {subjects: ['support-*'], roles: [support, night]}";

/// What a server is told of its callers: lines of its configuration, and files that these name.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub config: String,
    pub files: Vec<(&'static str, String)>,
}

/// A server that takes tokens, and a token.
pub fn bearer() -> (Known, String) {
    let key = TokenKey::new("k", 1);
    let config = format!(
        "identity:\n  jwt: {{issuer: '{ISSUER}', audience: lictor, jwks: jwks.json, algorithms: [EdDSA]}}\n  \
         principals: [{{match: 'jwt:{ISSUER}#runtime', {MAY_ASK}}}]\n"
    );
    let files = vec![("jwks.json", key_set(&[&key]))];
    (Known { config, files }, key.token("runtime", "default", 24 * 3_600))
}

/// A server that takes certificates, and how a client with a good one connects.
pub fn certified() -> (Known, impl Fn(SocketAddr) -> Address) {
    let [servers, clients] = ["servers", "clients"].map(Authority::new);
    let (server, client) = (servers.server(), clients.issue("runtime", |_| {}));
    let config = format!(
        "listen: {{tls: {{certificate: server.pem, key: server.key, clientCa: clients.pem}}}}\n\
         identity: {{principals: [{{match: 'cn:runtime', {MAY_ASK}}}]}}\n"
    );
    let files = vec![("server.pem", server.chain), ("server.key", server.key), ("clients.pem", clients.pem)];
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(servers.pem.as_bytes()).expect("a root")).expect("a root");
    let chain = vec![CertificateDer::from_pem_slice(client.chain.as_bytes()).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(client.key.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let mut tls = tls.with_root_certificates(roots).with_client_auth_cert(chain, key).expect("a client's certificate");
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let tls = Arc::new(tls);
    (Known { config, files }, move |address| Address::Tls(address, tls.clone()))
}
