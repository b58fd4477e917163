//! From what a channel shows to a caller: the principals of the configuration, and what holds without any.

use std::sync::Arc;
use std::time::SystemTime;

use super::{Administration, Assertable, Caller, CallerKind, Denied, MayAssert, Names};
use crate::config::Principal;
use crate::engine::DocumentsRefused;
use crate::model::{Resource, Text, Timestamp, default_tenant};
use crate::policy::SourceText;

/// The principal of whoever is not known.
pub const ANONYMOUS: &str = "anonymous";

/// What callers are known by, and what follows from it.
#[derive(Debug, Clone, Default)]
pub struct IdentityOptions {
    /// Who is who; the first that matches counts.
    pub principals: Vec<Principal>,
    /// Documents over administration; `None` for those that come with the program.
    pub system_policies: Option<Vec<SourceText>>,
    /// Whether asserted identities are believed.
    pub dev: bool,
}

/// Knows callers, and decides what they may administer.
#[derive(Debug)]
pub struct Identity {
    principals: Vec<Principal>,
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
    /// The system policies have errors.
    pub fn new(options: IdentityOptions) -> Result<Self, DocumentsRefused> {
        let administration = match &options.system_policies {
            Some(documents) => Administration::over(documents)?,
            None => Administration::embedded()?,
        };
        let own_uid = rustix::process::geteuid().as_raw();
        let principals = options.principals;
        let local = |kind, channel: Text| Arc::new(caller(&principals, kind, channel, true, Vouched::default()));
        Ok(Self {
            own_peer: local(CallerKind::UnixPeer, compact_str::format_compact!("uid:{own_uid}")),
            anonymous: local(CallerKind::Anonymous, Text::const_new(ANONYMOUS)),
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

    /// Whoever proved to be `channel`.
    pub(super) fn proven(&self, kind: CallerKind, channel: Text, vouched: Vouched) -> Caller {
        caller(&self.principals, kind, channel, false, vouched)
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
        let now = Timestamp::from_system(SystemTime::now());
        self.administration.decide(caller, action, resource, tenant, now)
    }
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
    let list = |patterns: Option<&[crate::policy::Pattern]>, itself: &dyn Fn() -> Names| match patterns {
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
