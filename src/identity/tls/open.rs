//! Open connections, and the certificates that their clients have shown: looked at again when roots or revocations change.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use tokio::sync::Notify;

/// Those that are closed are taken out of the list when it has become twice as long, and so much, as it was after the last time.
const SWEEP: usize = 64;

/// An open connection's proof of whom it is of. The connection holds it as long as it is open.
#[derive(Debug)]
pub struct Trusted(Arc<Shown>);

impl Trusted {
    /// Ready once the client's certificate would not be accepted any more.
    pub async fn lost(&self) {
        self.0.lost.notified().await;
    }
}

/// What a client has shown.
struct Shown {
    /// Its certificate, and those that lead to its root.
    chain: Vec<CertificateDer<'static>>,
    lost: Notify,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

/// The open connections whose clients have shown a certificate.
#[derive(Debug, Default)]
pub struct Open {
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    shown: Vec<Weak<Shown>>,
    after_sweep: usize,
}

impl Open {
    /// Notes a connection whose client has shown `chain`. `judge` is asked first, while nobody else is noted.
    ///
    /// # Errors
    /// What `judge` says.
    pub fn note<E>(&self, chain: &[CertificateDer<'_>], judge: impl FnOnce() -> Result<(), E>) -> Result<Trusted, E> {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        judge()?;
        let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        let shown = Arc::new(Shown { chain, lost: Notify::new() });
        if list.shown.len() >= list.after_sweep.saturating_mul(2).saturating_add(SWEEP) {
            list.shown.retain(|shown| shown.strong_count() > 0);
            list.after_sweep = list.shown.len();
        }
        list.shown.push(Arc::downgrade(&shown));
        Ok(Trusted(shown))
    }

    /// Looks at all that were noted until now with what holds from now on, and tells those that are not accepted any more.
    /// Gives how many.
    pub fn judge_again(&self, verifier: &dyn ClientCertVerifier) -> usize {
        let noted: Vec<Arc<Shown>> = {
            let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
            list.shown.iter().filter_map(Weak::upgrade).collect()
        };
        let is_lost = |shown: &&Arc<Shown>| judge(verifier, &shown.chain).is_err();
        noted.iter().filter(is_lost).map(|shown| shown.lost.notify_one()).count()
    }
}

/// Whether a client that shows `chain` is accepted now.
///
/// # Errors
/// Why not.
pub fn judge(verifier: &dyn ClientCertVerifier, chain: &[CertificateDer<'_>]) -> Result<(), rustls::Error> {
    let Some((certificate, between)) = chain.split_first() else { return Ok(()) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    verifier.verify_client_cert(certificate, between, UnixTime::since_unix_epoch(now)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_closed_is_forgotten() {
        let open = Open::default();
        let certificate = CertificateDer::from(vec![1, 2, 3]);
        let note = || open.note(std::slice::from_ref(&certificate), || Ok::<(), ()>(())).expect("noted");
        let kept: Vec<Trusted> = (0..10).map(|_| note()).collect();
        for _ in 0..10_000 {
            drop(note());
        }
        assert!(open.list.lock().expect("a list").shown.len() <= 2 * kept.len() + SWEEP);
        assert!(open.note(&[], || Err(())).is_err());
    }
}
