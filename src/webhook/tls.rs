//! Who may vouch for a receiver.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::error::AttemptError;

/// Largest file of certificates that is read, in bytes.
const MAX_CA_BYTES: u64 = 1 << 20;

/// A configuration that trusts the public authorities, and those of `ca_file`.
///
/// # Errors
/// The file cannot be read, or holds no certificate.
pub(super) fn client_config(ca_file: Option<&str>) -> Result<Arc<ClientConfig>, AttemptError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        add(&mut roots, Path::new(path)).map_err(|reason| AttemptError::Certificates { path: path.into(), reason })?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| AttemptError::Tls { host: String::new(), reason: error.to_string() })?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MAX_CA_BYTES {
        return Err(format!("the file has more than {MAX_CA_BYTES} bytes"));
    }
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let mut any = false;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
        any = true;
    }
    if any { Ok(()) } else { Err("the file holds no certificate (PEM)".to_owned()) }
}
