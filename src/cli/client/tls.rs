//! TLS to a server.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::cli::documents::CommandError;

/// What to trust and what to show.
pub struct Files<'a> {
    /// Roots of the server's certificate; the public ones if not given.
    pub ca: Option<&'a Path>,
    /// The certificate to show.
    pub certificate: Option<&'a Path>,
    /// Its key.
    pub key: Option<&'a Path>,
}

/// Connects to one server.
#[derive(Clone)]
pub struct Connector {
    address: String,
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Connector {
    /// To the server at `address` (host and port).
    ///
    /// # Errors
    /// The address has no usable host, or a file cannot be used.
    pub fn new(address: &str, files: &Files<'_>) -> Result<Self, CommandError> {
        let host = host_of(address);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            CommandError::environment(format!(
                "`{address}` is not a host and a port, for example `lictor.example:50151`"
            ))
        })?;
        let mut roots = RootCertStore::empty();
        match files.ca {
            Some(path) => {
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|error| unusable(path, &error))?;
                }
            }
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| CommandError::environment(error.to_string()))?
            .with_root_certificates(roots);
        let mut config = match (files.certificate, files.key) {
            (Some(certificate), Some(key)) => {
                let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
                let chain = certificates(certificate)?;
                builder.with_client_auth_cert(chain, private).map_err(|error| unusable(certificate, &error))?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { address: address.to_owned(), name, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Connects.
    pub async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        self.tls.connect(self.name.clone(), stream).await
    }
}

/// Why the two do not trust each other and what to do about it, where that is what a connection failed for.
pub fn distrust(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let found = inner.and_then(|inner| inner.downcast_ref()).or_else(|| error.downcast_ref::<rustls::Error>());
        if let Some(found) = found {
            return Some(advice(found));
        }
        cause = error.source();
    }
    None
}

fn advice(error: &rustls::Error) -> String {
    use rustls::{CertificateError, Error};
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is of an authority that is not trusted; name that authority's certificate with `--tls-ca FILE`".into()
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!("{error}; name the server as its certificate does"),
        Error::AlertReceived(_) => format!(
            "{error}; if it asks for client certificates (`listen.tls.clientCa`), show one of an authority that it trusts with \
             `--tls-certificate` and `--tls-key`"
        ),
        Error::InvalidMessage(_) => format!("{error}; if it speaks no TLS, name it as `http://HOST:PORT`"),
        other => other.to_string(),
    }
}

/// The host of a host and a port.
pub fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CommandError> {
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| unusable(path, &error))?.collect();
    let certificates = certificates.map_err(|error| unusable(path, &error))?;
    if certificates.is_empty() {
        return Err(unusable(path, &"it holds no certificate in PEM"));
    }
    Ok(certificates)
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> CommandError {
    CommandError::environment(format!("`{}` cannot be used: {why}", path.display()))
}
