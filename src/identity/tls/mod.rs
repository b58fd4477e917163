//! TLS on the listener: the server's certificate, the roots that clients' certificates lead to, and which of them are revoked.
//!
//! The files are read again when their content changes. New connections use what was read last; those that are open stay,
//! unless their client's certificate would not be accepted any more.

mod certificate;
mod error;
mod open;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};

pub use certificate::BadCertificate;
pub(super) use certificate::shown_by;
pub use error::TlsError;
pub use open::Trusted;

use crate::config::Tls;

/// Largest file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// What files hold, in words.
const CERTIFICATES: &str = "certificate";
const REVOCATIONS: &str = "list of revoked certificates";

/// What the listener proves itself with, and asks of clients.
#[derive(Debug)]
pub struct TlsFiles {
    files: Tls,
    /// Whether a client may do without a certificate, because it may show a token.
    certificate_optional: bool,
    loaded: ArcSwap<Loaded>,
    open: open::Open,
    digest: Mutex<[u8; 32]>,
}

/// What was made of the files.
#[derive(Debug)]
struct Loaded {
    config: Arc<ServerConfig>,
    /// Judges clients' certificates; `None` where none is asked for.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    expires: Option<SystemTime>,
}

/// What one handshake goes by.
#[derive(Debug)]
pub struct Terms(Arc<Loaded>);

impl Terms {
    /// What the connection is served with.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        self.0.config.clone()
    }
}

impl TlsFiles {
    /// Reads the files. With `certificate_optional` clients may do without a certificate.
    ///
    /// # Errors
    /// A file cannot be read or used.
    pub fn open(files: Tls, certificate_optional: bool) -> Result<Self, TlsError> {
        let content = Content::read(&files)?;
        let loaded = content.load(&files, certificate_optional)?;
        Ok(Self {
            files,
            certificate_optional,
            loaded: ArcSwap::from_pointee(loaded),
            open: open::Open::default(),
            digest: Mutex::new(content.digest()),
        })
    }

    /// What a new connection is served with.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms(self.loaded.load_full())
    }

    /// Notes a connection for which hands were shaken by `terms`, its client having shown `chain`.
    ///
    /// # Errors
    /// The files were replaced in between, and the client would not be accepted any more.
    pub fn admit(&self, terms: &Terms, chain: &[CertificateDer<'_>]) -> Result<Trusted, rustls::Error> {
        self.open.note(chain, || {
            let loaded = self.loaded.load();
            match &loaded.verifier {
                Some(verifier) if !Arc::ptr_eq(&loaded, &terms.0) => open::judge(&**verifier, chain),
                _ => Ok(()),
            }
        })
    }

    /// When the server's certificate expires; `None` where it does not say.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        self.loaded.load().expires
    }

    /// Whether every caller must prove who it is, by a certificate or a token.
    #[must_use]
    pub const fn knows_callers(&self) -> bool {
        self.files.client_ca.is_some() || self.certificate_optional
    }

    /// Reads the files again and takes up what has changed; gives whether something has. Tells the connections whose
    /// client's certificate would not be accepted any more.
    ///
    /// # Errors
    /// A file cannot be read or used; everything stays as it is then. While files are replaced one by one they need not
    /// fit each other for a moment.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let content = Content::read(&self.files)?;
        let digest = content.digest();
        let mut known = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == digest {
            return Ok(false);
        }
        let loaded = Arc::new(content.load(&self.files, self.certificate_optional)?);
        self.loaded.store(loaded.clone());
        *known = digest;
        let lost = loaded.verifier.as_ref().map_or(0, |verifier| self.open.judge_again(&**verifier));
        if lost > 0 {
            tracing::info!(
                connections = lost,
                "open connections end, because their clients' certificates are not good any more"
            );
        }
        Ok(true)
    }
}

/// The content of the files.
struct Content {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
    client_crl: Option<Vec<u8>>,
}

impl Content {
    fn read(files: &Tls) -> Result<Self, TlsError> {
        Ok(Self {
            certificate: read(&files.certificate)?,
            key: read(&files.key)?,
            client_ca: files.client_ca.as_deref().map(read).transpose()?,
            client_crl: files.client_crl.as_deref().map(read).transpose()?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref(), self.client_crl.as_ref()] {
            let part = part.map_or(&[][..], Vec::as_slice);
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    fn load(&self, files: &Tls, certificate_optional: bool) -> Result<Loaded, TlsError> {
        let chain: Vec<CertificateDer<'static>> = all_of(&files.certificate, &self.certificate, CERTIFICATES)?;
        let expires = chain.first().and_then(|certificate| certificate::expires(certificate));
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| TlsError::unusable(&files.key, format!("it holds no private key in PEM: {error}")))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| TlsError::unusable(&files.certificate, error.to_string()))?;
        let mut judge = None;
        let builder = match (&files.client_ca, &self.client_ca) {
            (Some(path), Some(content)) => {
                let mut roots = RootCertStore::empty();
                for root in all_of::<CertificateDer<'static>>(path, content, CERTIFICATES)? {
                    roots.add(root).map_err(|error| TlsError::unusable(path, error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = match (&files.client_crl, &self.client_crl) {
                    // What no list tells of, or only one that is out of date, counts as revoked.
                    (Some(path), Some(content)) => {
                        verifier.with_crls(all_of(path, content, REVOCATIONS)?).enforce_revocation_expiration()
                    }
                    _ => verifier,
                };
                let verifier = if certificate_optional { verifier.allow_unauthenticated() } else { verifier };
                let verifier = verifier.build().map_err(|error| TlsError::unusable(path, error.to_string()))?;
                judge = Some(verifier.clone());
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| {
            TlsError::unusable(&files.certificate, format!("with the key `{}`: {error}", files.key.display()))
        })?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // A resumed session would bring a client's certificate that is not checked again. Connections of gRPC last.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Loaded { config: Arc::new(config), verifier: judge, expires })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(TlsError::unusable(path, format!("it has more than {MAX_BYTES} bytes")));
    }
    std::fs::read(path).map_err(unreadable)
}

/// Everything of one sort in a file, at least one.
fn all_of<T: PemObject>(path: &Path, pem: &[u8], what: &str) -> Result<Vec<T>, TlsError> {
    let all: Result<Vec<_>, _> = T::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(TlsError::unusable(path, format!("it holds no {what} in PEM"))),
        Err(error) => Err(TlsError::unusable(path, error.to_string())),
    }
}
