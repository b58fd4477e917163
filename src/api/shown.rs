//! Whom a call shows to make it: the bearer of a token, or, with `--dev`, whoever it says.
//!
//! A client sends the same token with every call of a connection. What the connection saw last is compared first, then
//! what the worker has seen on other connections; only what neither knows is verified, on the compute pool.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::refusal::Refusal;
use crate::identity::{Asserted, BadToken, Caller, Identity, MAX_TOKEN_BYTES};

/// Most tokens that a worker remembers.
const REMEMBERED: usize = 1_024;

/// Whom a call shows.
#[derive(Debug)]
pub enum Shown {
    /// Nobody but who is on the connection.
    Nobody,
    /// Somebody who is known already.
    Known(Arc<Caller>),
    /// Whoever this token is of, once it is verified.
    Token(HeaderValue),
}

/// The last token of a connection.
pub type LastToken = RefCell<Option<(HeaderValue, Verified)>>;

/// Whom a token is of, and how many changes of keys ago that was found out.
#[derive(Debug, Clone)]
pub struct Verified {
    caller: Arc<Caller>,
    generation: u64,
}

impl Verified {
    fn still(&self, identity: &Identity) -> bool {
        self.generation == identity.token_generation()
            && self.caller.valid_until.is_none_or(|until| SystemTime::now() < until)
    }
}

/// The tokens that a worker has seen, by their hashes.
#[derive(Debug, Default)]
pub struct TokenCache {
    verified: RefCell<HashMap<[u8; 32], Verified>>,
}

/// Whom the call with `headers` shows, on a connection whose last token is `last`.
///
/// # Errors
/// It shows a token where none is accepted, something else than a token, or says what cannot be.
pub fn shown(headers: &HeaderMap, identity: &Identity, last: &LastToken, cache: &TokenCache) -> Result<Shown, Refusal> {
    if identity.is_dev()
        && let Some(caller) = asserted(headers, identity)?
    {
        return Ok(Shown::Known(caller));
    }
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(Shown::Nobody) };
    if values.next().is_some() {
        return Err(Refusal::several_tokens());
    }
    if !identity.accepts_tokens() {
        return Err(Refusal::tokens_not_accepted());
    }
    let same = |known: &HeaderValue| bool::from(known.as_bytes().ct_eq(value.as_bytes()));
    if let Some((known, verified)) = &*last.borrow()
        && same(known)
        && verified.still(identity)
    {
        return Ok(Shown::Known(verified.caller.clone()));
    }
    let token = bearer(value)?;
    if let Some(verified) = cache.find(token, identity) {
        let caller = verified.caller.clone();
        last.replace(Some((value.clone(), verified)));
        return Ok(Shown::Known(caller));
    }
    Ok(Shown::Token(value.clone()))
}

/// Verifies the token in `value`.
///
/// # Errors
/// It is not accepted.
pub fn verify(value: &HeaderValue, identity: &Identity) -> Result<Verified, Refusal> {
    // Before the keys are looked at, so that a change in between is noticed.
    let generation = identity.token_generation();
    let caller = identity.token(bearer(value)?).map_err(|bad| Refusal::bad_token(&bad))?;
    Ok(Verified { caller, generation })
}

impl TokenCache {
    fn find(&self, token: &str, identity: &Identity) -> Option<Verified> {
        let verified = self.verified.borrow();
        verified.get(&hash(token)).filter(|verified| verified.still(identity)).cloned()
    }

    /// Remembers whom the token in `value` is of, here and on the connection.
    pub fn remember(
        &self,
        value: HeaderValue,
        verified: Verified,
        identity: &Identity,
        last: &LastToken,
    ) -> Arc<Caller> {
        let caller = verified.caller.clone();
        if let Ok(token) = bearer(&value) {
            let mut all = self.verified.borrow_mut();
            if all.len() >= REMEMBERED {
                all.retain(|_, verified| verified.still(identity));
            }
            if all.len() >= REMEMBERED {
                all.clear();
            }
            all.insert(hash(token), verified.clone());
        }
        last.replace(Some((value, verified)));
        caller
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The token of an `authorization` that is `Bearer` and a token.
fn bearer(value: &HeaderValue) -> Result<&str, Refusal> {
    let text = value.to_str().map_err(|_| Refusal::bad_token(&BadToken::Malformed))?;
    let token = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let token = token.map(|(_, token)| token.trim()).ok_or_else(|| Refusal::bad_token(&BadToken::Malformed))?;
    if token.len() > MAX_TOKEN_BYTES { Err(Refusal::bad_token(&BadToken::TooLarge)) } else { Ok(token) }
}

/// Whom the metadata of a call say it is from.
fn asserted(headers: &HeaderMap, identity: &Identity) -> Result<Option<Arc<Caller>>, Refusal> {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("\u{7}"));
    let Some(principal) = text("x-lictor-principal") else { return Ok(None) };
    let asserted = Asserted { principal, roles: text("x-lictor-roles"), level: text("x-lictor-level") };
    identity.asserted(asserted).map(Some).map_err(Refusal::bad_assertion)
}
