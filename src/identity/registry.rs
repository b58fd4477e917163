//! From what a channel shows to a caller: the principals of the configuration, and what holds without any.

use std::sync::Arc;
use std::time::SystemTime;

use super::dev::{self, Asserted, BadAssertion};
use super::tls::{BadCertificate, shown_by};
use super::token::{BadToken, JwksError, Tokens};
use super::{Administration, Assertable, Caller, CallerKind, Denied, EmbeddedRefused, MayAssert, Names};
use crate::config::{Jwt, Principal};
use crate::model::{ANONYMOUS, Resource, Text, Timestamp, default_tenant};
use crate::policy::{DocumentSet, Pattern};

/// What callers are known by, and what follows from it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct IdentityOptions {
    /// Who is who; the first that matches counts.
    pub principals: Vec<Principal>,
    /// Tokens that are accepted; `None` for none.
    pub jwt: Option<Jwt>,
    /// Documents over administration; `None` for those that come with the program.
    pub system_policies: Option<DocumentSet>,
    /// Whether asserted identities are believed.
    pub dev: bool,
}

/// Why callers cannot be told apart as configured.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The system policies that come with the program have errors.
    #[error(transparent)]
    SystemPolicies(#[from] EmbeddedRefused),
    /// The keys of tokens cannot be used.
    #[error(transparent)]
    Jwks(#[from] JwksError),
}

/// Knows callers, and decides what they may administer.
#[derive(Debug)]
pub struct Identity {
    principals: Vec<Principal>,
    tokens: Option<Tokens>,
    administration: Administration,
    own_uid: u32,
    dev: bool,
    own_peer: Arc<Caller>,
    anonymous: Arc<Caller>,
}

/// What an issuer vouches for beside the name.
#[derive(Debug, Clone, Default)]
pub struct Vouched {
    /// Roles.
    pub roles: Vec<Text>,
    /// Tenants; `None` where nothing is said.
    pub tenants: Option<Vec<Text>>,
    /// Level of approver.
    pub level: Option<u8>,
    /// When it expires.
    pub valid_until: Option<SystemTime>,
}

impl Identity {
    /// Knows the principals of `options`.
    ///
    /// # Errors
    /// The system policies have errors, or the keys of tokens cannot be read.
    pub fn new(options: IdentityOptions) -> Result<Self, IdentityError> {
        let administration = match &options.system_policies {
            Some(documents) => Administration::over(documents),
            None => Administration::embedded()?,
        };
        let own_uid = rustix::process::geteuid().as_raw();
        let principals = options.principals;
        let local = |kind, channel: Text| Arc::new(caller(&principals, kind, channel, true, Vouched::default()));
        Ok(Self {
            own_peer: local(CallerKind::UnixPeer, compact_str::format_compact!("uid:{own_uid}")),
            anonymous: local(CallerKind::Anonymous, Text::const_new(ANONYMOUS)),
            tokens: options.jwt.map(Tokens::open).transpose()?,
            administration,
            own_uid,
            dev: options.dev,
            principals,
        })
    }

    /// Whether asserted identities are believed.
    #[must_use]
    pub const fn is_dev(&self) -> bool {
        self.dev
    }

    /// The other end of a Unix socket, a process of the user `uid`.
    #[must_use]
    pub fn unix_peer(&self, uid: u32) -> Arc<Caller> {
        if uid == self.own_uid {
            return self.own_peer.clone();
        }
        let channel = compact_str::format_compact!("uid:{uid}");
        Arc::new(caller(&self.principals, CallerKind::UnixPeer, channel, false, Vouched::default()))
    }

    /// Somebody of whom nothing is known.
    #[must_use]
    pub fn anonymous(&self) -> Arc<Caller> {
        self.anonymous.clone()
    }

    /// Whom a client's certificate shows, which the handshake has verified.
    ///
    /// # Errors
    /// It shows nobody.
    pub fn certificate(&self, der: &[u8]) -> Result<Arc<Caller>, BadCertificate> {
        let (channel, until) = shown_by(der)?;
        let vouched = Vouched { valid_until: Some(until), ..Vouched::default() };
        Ok(Arc::new(caller(&self.principals, CallerKind::MutualTls, channel, false, vouched)))
    }

    /// Whom a call says to be from, where the server runs with `--dev`.
    ///
    /// # Errors
    /// It says what cannot be.
    pub fn asserted(&self, asserted: Asserted<'_>) -> Result<Arc<Caller>, BadAssertion> {
        dev::caller(asserted).map(Arc::new)
    }

    /// Whether tokens are accepted.
    #[must_use]
    pub const fn accepts_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Whom `token` shows. Verifying takes up to a millisecond of processor time.
    ///
    /// # Errors
    /// It is not one of our issuer's for us, or not valid now.
    pub fn token(&self, token: &str) -> Result<Arc<Caller>, BadToken> {
        let verified = self.tokens.as_ref().ok_or(BadToken::Malformed)?.verify(token)?;
        Ok(Arc::new(caller(&self.principals, CallerKind::Jwt, verified.channel, false, verified.vouched)))
    }

    /// Counts the changes of the issuer's keys. What was verified before the last one must be verified again.
    #[must_use]
    pub fn token_generation(&self) -> u64 {
        self.tokens.as_ref().map_or(0, Tokens::generation)
    }

    /// Reads the issuer's keys again; gives whether something has changed.
    ///
    /// # Errors
    /// They cannot be read or used, and stay as they are.
    pub fn refresh_keys(&self) -> Result<bool, JwksError> {
        self.tokens.as_ref().map_or(Ok(false), Tokens::refresh)
    }

    /// Whether `caller`, who may ask in `tenant`, may choose the snapshot that decides.
    ///
    /// # Errors
    /// It lacks the right.
    pub fn may_pin(&self, caller: &Caller, tenant: &str) -> Result<(), Denied> {
        self.may_in_question(caller, "lictor.decision.pin", tenant)
    }

    /// Whether `caller`, who may ask in `tenant`, may see which rules matched and why.
    ///
    /// # Errors
    /// It lacks the right.
    pub fn may_explain(&self, caller: &Caller, tenant: &str) -> Result<(), Denied> {
        self.may_in_question(caller, "lictor.decision.explain", tenant)
    }

    fn may_in_question(&self, caller: &Caller, right: &str, tenant: &str) -> Result<(), Denied> {
        self.administration.grants(caller, right, &Resource::default(), tenant, now())
    }

    /// Whether `caller` may do `action` (`lictor.approval.approve`, …) to `resource` in `tenant`, which is empty for the
    /// default one.
    ///
    /// # Errors
    /// It may not act in the tenant, or the system policies do not allow it.
    pub fn may_administer(
        &self,
        caller: &Caller,
        action: &str,
        resource: &Resource,
        tenant: &str,
    ) -> Result<(), Denied> {
        self.administration.decide(caller, action, resource, tenant, now())
    }
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

/// The caller that is `channel`. A `local` one is trusted with subjects, because it enforces the answers.
fn caller(principals: &[Principal], kind: CallerKind, channel: Text, local: bool, vouched: Vouched) -> Caller {
    let entry = principals.iter().find(|principal| principal.matches.matches(&channel));
    let principal = entry.and_then(|entry| entry.name.clone()).unwrap_or_else(|| channel.clone());
    let mut roles = vouched.roles;
    // Nobody in particular holds no role, whatever pattern an operator writes.
    if let Some(entry) = entry.filter(|_| kind != CallerKind::Anonymous) {
        roles.extend(entry.roles.iter().cloned());
        roles.sort_unstable();
        roles.dedup();
    }
    let level = entry.and_then(|entry| entry.level).or(vouched.level).filter(|_| kind.may_hold_level());
    let tenants = match (entry.and_then(|entry| entry.tenants.as_deref()), vouched.tenants) {
        (Some(patterns), _) => Names::matching(patterns),
        (None, Some(named)) => Names::exactly(named),
        (None, None) => Names::exactly([Text::const_new(default_tenant())]),
    };
    let may = entry.map(|entry| &entry.may_assert);
    let list = |patterns: Option<&[Pattern]>, itself: &dyn Fn() -> Names| match patterns {
        Some(patterns) => Assertable::of(Names::matching(patterns)),
        None if local => Assertable::Any,
        None => Assertable::Only(itself()),
    };
    let itself = || Names::exactly([principal.clone(), channel.clone()]);
    let may_assert = MayAssert {
        tenants: may.and_then(|may| may.tenants.as_deref()).map_or_else(|| tenants.clone(), Names::matching),
        subjects: list(may.and_then(|may| may.subjects.as_deref()), &itself),
        roles: list(may.and_then(|may| may.roles.as_deref()), &|| Names::exactly(roles.iter().cloned())),
        on_behalf_of: list(may.and_then(|may| may.on_behalf_of.as_deref()), &itself),
    };
    Caller { principal, kind, roles, level, tenants, may_assert, valid_until: vouched.valid_until }
}
