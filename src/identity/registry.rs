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

    /// The one name of whoever is known as `name`: that of the first entry that it matches, as it is written or, failing
    /// that, whatever the case of its ASCII letters; `name` without blanks around it where no entry names it.
    #[must_use]
    pub fn one_name(&self, name: &str) -> Text {
        let name = name.trim();
        let small = name.to_ascii_lowercase();
        let alike = |pattern: &Pattern| {
            pattern.matches(&small) || (pattern.is_exact() && pattern.as_str().eq_ignore_ascii_case(name))
        };
        let entries = || self.principals.iter();
        let entry = entries().find(|entry| entry.matches.matches(name));
        let entry = entry.or_else(|| entries().find(|entry| alike(&entry.matches)));
        entry.and_then(|entry| entry.name.clone()).unwrap_or_else(|| name.into())
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
    let itself = || {
        let also = (principal != channel).then(|| channel.clone());
        Names::exactly([principal.clone()].into_iter().chain(also))
    };
    let may_assert = MayAssert {
        tenants: may.and_then(|may| may.tenants.as_deref()).map_or_else(|| tenants.clone(), Names::matching),
        subjects: list(may.and_then(|may| may.subjects.as_deref()), &itself),
        roles: list(may.and_then(|may| may.roles.as_deref()), &|| Names::exactly(roles.iter().cloned())),
        on_behalf_of: list(may.and_then(|may| may.on_behalf_of.as_deref()), &itself),
    };
    Caller { principal, kind, roles, level, tenants, may_assert, valid_until: vouched.valid_until }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PrincipalAsserts;
    use crate::identity::DeniedReason;
    use crate::model::Subject;

    fn principal(matches: &str) -> Principal {
        Principal {
            matches: Pattern::parse(matches).unwrap(),
            name: None,
            roles: Vec::new(),
            level: None,
            tenants: None,
            may_assert: PrincipalAsserts::default(),
        }
    }

    fn patterns(texts: &[&str]) -> Option<Box<[Pattern]>> {
        Some(texts.iter().map(|text| Pattern::parse(text).unwrap()).collect())
    }

    fn identity(principals: Vec<Principal>) -> Identity {
        Identity::new(IdentityOptions { principals, ..IdentityOptions::default() }).unwrap()
    }

    fn about(id: &str, roles: &[&str]) -> Subject {
        Subject { id: id.into(), roles: roles.iter().map(|role| Text::from(*role)).collect(), ..Subject::default() }
    }

    #[test]
    fn without_configuration_the_own_user_speaks_for_anybody_and_others_for_themselves() {
        let identity = identity(Vec::new());
        let own = identity.unix_peer(identity.own_uid);
        let other = identity.unix_peer(identity.own_uid + 1);
        let anonymous = identity.anonymous();
        assert_eq!(own.principal, format!("uid:{}", identity.own_uid));
        assert_eq!((anonymous.principal.as_str(), anonymous.is_asserted()), ("anonymous", true));
        assert!(own.may_ask("", &about("anyone", &["admin"])).is_ok());
        assert!(anonymous.may_ask("default", &about("anyone", &["admin"])).is_ok());
        assert!(other.may_ask("", &about(&other.principal, &[])).is_ok());
        for (caller, tenant, subject, expected) in [
            (&own, "acme", about("anyone", &[]), DeniedReason::TenantNotAllowed),
            (&anonymous, "acme", about("anyone", &[]), DeniedReason::TenantNotAllowed),
            (&other, "", about("anyone", &[]), DeniedReason::SubjectNotAllowed),
            (&other, "", about(&other.principal, &["admin"]), DeniedReason::RoleNotAllowed),
        ] {
            assert_eq!(caller.may_ask(tenant, &subject).unwrap_err().reason, expected, "{}", caller.principal);
        }
    }

    #[test]
    fn the_first_principal_that_matches_says_who_it_is() {
        let identity = identity(vec![
            Principal {
                name: Some("alice".into()),
                roles: vec!["auditor".into()],
                level: Some(4),
                tenants: patterns(&["acme", "default"]),
                ..principal("cn:alice")
            },
            Principal { roles: vec!["late".into()], ..principal("cn:*") },
        ]);
        let known = |channel: &str, vouched| {
            caller(&identity.principals, CallerKind::MutualTls, channel.into(), false, vouched)
        };
        let alice = known("cn:alice", Vouched::default());
        assert_eq!((alice.principal.as_str(), alice.level), ("alice", Some(4)));
        assert_eq!(alice.roles, ["auditor"]);
        assert!(alice.may_act_in("acme") && !alice.may_act_in("other"));
        assert!(alice.may_ask("acme", &about("alice", &["auditor"])).is_ok());
        assert!(alice.may_ask("acme", &about("cn:alice", &[])).is_ok());
        assert!(alice.may_ask("acme", &about("bob", &[])).is_err());
        let bob = known("cn:bob", Vouched { level: Some(2), ..Vouched::default() });
        assert_eq!((bob.principal.as_str(), bob.level), ("cn:bob", Some(2)));
        assert_eq!(bob.roles, ["late"]);
        assert!(bob.may_act_in("default") && !bob.may_act_in("acme"));
    }

    #[test]
    fn a_person_has_one_name_by_whatever_they_are_known() {
        let named = |matches: &str, name: &str| Principal { name: Some(name.into()), ..principal(matches) };
        let identity = identity(vec![
            named("cn:alice@example.org", "alice"),
            named("jwt:https://idp.example#00u1*", "alice"),
            principal("cn:bob"),
            named("cn:*", "staff"),
            named("CN:Carol", "carol"),
        ]);
        for (name, one) in [
            ("cn:alice@example.org", "alice"),
            (" CN:Alice@Example.org ", "alice"),
            ("jwt:https://idp.example#00u1a2b3", "alice"),
            ("JWT:https://idp.example#00U1a2b3", "alice"),
            ("jwt:https://other.example#00u1a2b3", "jwt:https://other.example#00u1a2b3"),
            ("alice", "alice"),
            ("cn:bob", "cn:bob"),
            ("cn:eve", "staff"),
            ("CN:Carol", "carol"),
            ("", ""),
        ] {
            assert_eq!(identity.one_name(name), one, "{name}");
        }
    }

    #[test]
    fn what_an_issuer_vouches_for_stands_where_the_configuration_is_silent() {
        let identity =
            identity(vec![Principal { level: Some(5), tenants: patterns(&["a"]), ..principal("jwt:**#boss") }]);
        let vouched = || Vouched {
            roles: vec!["b".into(), "a".into(), "b".into()],
            tenants: Some(vec!["*".into(), "acme".into()]),
            level: Some(3),
            valid_until: None,
        };
        let known = |channel: &str| caller(&identity.principals, CallerKind::Jwt, channel.into(), false, vouched());
        let boss = known("jwt:https://idp.example#boss");
        assert_eq!(boss.level, Some(5));
        assert!(boss.may_act_in("a") && !boss.may_act_in("acme"));
        let other = known("jwt:https://idp.example#other");
        assert_eq!(other.level, Some(3));
        // A claim names tenants, never patterns.
        assert!(other.may_act_in("acme") && !other.may_act_in("b"));
    }

    #[test]
    fn no_pattern_gives_unix_peers_a_level_or_strangers_a_role() {
        let everybody = Principal { roles: vec!["admin".into()], level: Some(5), ..principal("**") };
        let identity = identity(vec![everybody]);
        assert_eq!(identity.unix_peer(identity.own_uid).level, None);
        assert_eq!(identity.unix_peer(identity.own_uid + 1).level, None);
        assert_eq!(identity.unix_peer(identity.own_uid).roles, ["admin"]);
        let anonymous = identity.anonymous();
        assert_eq!((anonymous.level, anonymous.roles.len()), (None, 0));
    }
}
