//! The keys of receipts: had at the start, and read again now and then, so that a new one is taken up and those whose grace
//! is over no longer verify.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use crate::config::Receipts;
use crate::model::Timestamp;
use crate::receipt::{Issuer, IssuerOptions, KeyError};
use crate::state_dir::StateDir;

/// Time between two looks at the keys.
const INTERVAL: Duration = Duration::from_secs(30);

/// Reads the keys; makes the first one where there is none. `epoch` is the store's.
pub fn issuer(receipts: Receipts, epoch: u64, state_dir: &StateDir) -> Result<Arc<Issuer>, KeyError> {
    let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    let options = IssuerOptions {
        issuer: receipts.issuer.unwrap_or_else(|| format!("lictor:{}", state_dir.instance_id())),
        audience: receipts.audience,
        ttl_seconds: seconds(receipts.ttl),
        grace_seconds: seconds(receipts.grace),
        epoch,
        key: receipts.key,
        previous_keys: receipts.previous_keys,
        directory: state_dir.keys(),
        noted: Some(state_dir.path().join("receipt-keys")),
    };
    let issuer = Issuer::new(options, now())?;
    tracing::info!(key = issuer.key_id(), "receipts are signed");
    Ok(Arc::new(issuer))
}

/// Reads the keys again now and then, as long as somebody uses them.
pub async fn keep_fresh(issuer: Weak<Issuer>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(issuer) = issuer.upgrade() else { return };
        refresh(issuer).await;
    }
}

/// Reads the keys again. Where that fails they stay as they are.
pub async fn refresh(issuer: Arc<Issuer>) {
    let before = issuer.key_id();
    let reading = tokio::task::spawn_blocking(move || (issuer.refresh(now()), issuer.key_id())).await;
    match reading {
        Ok((Ok(()), after)) if after != before => tracing::info!(key = after, "receipts are signed with another key"),
        Ok((Ok(()), _)) => {}
        Ok((Err(error), _)) => {
            tracing::error!(%error, "the keys of receipts cannot be read again; they stay as they are");
        }
        Err(error) => tracing::error!(%error, "the keys of receipts were not read again"),
    }
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
