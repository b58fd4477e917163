//! What callers are known by: set up at the start, and read again when files change.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, UNIX_EPOCH};

use metrics::gauge;
use tokio::runtime::Handle;

use super::AppError;
use crate::config::Tls;
use crate::identity::{Identity, IdentityOptions, TlsFiles};
use crate::telemetry::{Collector, Telemetry, names};

/// Time between two looks at certificates and keys. They are compared by content: rotation replaces files by renaming,
/// often through a symbolic link, which file watching is easily led astray by.
const INTERVAL: Duration = Duration::from_secs(2);

/// Callers as `options` say, and TLS as `tls` says.
///
/// # Errors
/// A file cannot be read or used, or asserted identities would be believed from other machines.
pub fn open(
    options: IdentityOptions,
    tls: Option<Tls>,
    listen: Option<SocketAddr>,
) -> Result<(Arc<Identity>, Option<Arc<TlsFiles>>), AppError> {
    if let Some(address) = listen.filter(|address| options.dev && !address.ip().to_canonical().is_loopback()) {
        return Err(AppError::DevNotLoopback { address });
    }
    if options.dev {
        tracing::warn!(
            "development mode: callers are believed who they say they are (metadata `x-lictor-principal`), also for \
             administration; never use `--dev` where others can connect"
        );
    }
    let identity = Arc::new(Identity::new(options)?);
    let tls = tls.map(|files| TlsFiles::open(files, identity.accepts_tokens())).transpose()?.map(Arc::new);
    Ok((identity, tls))
}

/// Whether certificates and keys on disk can be used.
#[derive(Default)]
struct Freshness {
    keys_failed: AtomicBool,
    tls_failed: AtomicBool,
}

/// Reads certificates and keys again now and then on the runtime `control`, as long as somebody uses them, and tells
/// `telemetry` how they stand.
pub fn watch(control: &Handle, telemetry: &Telemetry, identity: &Arc<Identity>, tls: Option<&Arc<TlsFiles>>) {
    let freshness = Arc::new(Freshness::default());
    telemetry.collect_from(figures(freshness.clone(), tls.cloned()));
    control.spawn(keep_fresh(Arc::downgrade(identity), tls.map(Arc::downgrade), freshness));
}

fn figures(freshness: Arc<Freshness>, tls: Option<Arc<TlsFiles>>) -> Collector {
    Box::new(move || {
        for (of, failed) in [("jwks", &freshness.keys_failed), ("tls", &freshness.tls_failed)] {
            let failed = if failed.load(Ordering::Relaxed) { 1.0 } else { 0.0 };
            gauge!(names::IDENTITY_RELOAD_FAILED, "of" => of).set(failed);
        }
        let expires = tls.as_ref().and_then(|tls| tls.expires());
        if let Some(Ok(expires)) = expires.map(|expires| expires.duration_since(UNIX_EPOCH)) {
            gauge!(names::CERTIFICATE_EXPIRES).set(expires.as_secs_f64());
        }
    })
}

async fn keep_fresh(identity: Weak<Identity>, tls: Option<Weak<TlsFiles>>, freshness: Arc<Freshness>) {
    let (mut of_keys, mut of_tls) = (Reported::default(), Reported::default());
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(identity) = identity.upgrade() else { return };
        let tls = tls.as_ref().and_then(Weak::upgrade);
        let reading =
            tokio::task::spawn_blocking(move || (identity.refresh_keys(), tls.map_or(Ok(false), |tls| tls.refresh())));
        let Ok((keys, tls)) = reading.await else { continue };
        freshness.keys_failed.store(keys.is_err(), Ordering::Relaxed);
        freshness.tls_failed.store(tls.is_err(), Ordering::Relaxed);
        of_keys.report("the keys of tokens", keys);
        of_tls.report("the certificates of TLS", tls);
    }
}

/// The last failure, which is told once.
#[derive(Default)]
struct Reported(Option<String>);

impl Reported {
    fn report(&mut self, what: &str, outcome: Result<bool, impl Display>) {
        match outcome {
            Ok(changed) => {
                if changed {
                    tracing::info!("{what} have changed and are used from now on");
                } else if self.0.is_some() {
                    tracing::info!("{what} can be used again, and are what they were");
                }
                self.0 = None;
            }
            Err(error) => {
                let error = error.to_string();
                if self.0.as_ref() != Some(&error) {
                    tracing::error!(error, "{what} cannot be read again; they stay as they are");
                    self.0 = Some(error);
                }
            }
        }
    }
}
