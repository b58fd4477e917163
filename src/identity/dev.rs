//! Callers that say themselves who they are, for development: `lictor serve --dev`.

use super::{Caller, CallerKind, MayAssert, Names};
use crate::model::{DEV_PREFIX, Text, has_forbidden_character, level_of};

/// Longest name and role, in bytes.
const MAX_NAME: usize = 128;
/// Most roles.
const MAX_ROLES: usize = 64;

/// What a call says of its caller, in metadata.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asserted<'a> {
    /// `x-lictor-principal`: a name.
    pub principal: &'a str,
    /// `x-lictor-roles`: names separated by commas.
    pub roles: Option<&'a str>,
    /// `x-lictor-level`: 1 to 5, or a name of a level.
    pub level: Option<&'a str>,
}

/// What a call says of its caller and cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAssertion {
    /// Not a name.
    #[error("`x-lictor-principal` must be a name of 1 to {MAX_NAME} printable bytes, for example `alice`")]
    Principal,
    /// Not names.
    #[error("`x-lictor-roles` must be at most {MAX_ROLES} names separated by commas, for example `admin,auditor`")]
    Roles,
    /// Not a level.
    #[error("`x-lictor-level` must be a number from 1 to 5, or the name of a level such as `manager`")]
    Level,
}

/// The caller that `asserted` says. It may assert anything and act in every tenant.
pub(super) fn caller(asserted: Asserted<'_>) -> Result<Caller, BadAssertion> {
    if !is_name(asserted.principal) {
        return Err(BadAssertion::Principal);
    }
    let roles: Vec<Text> = asserted.roles.map(split).unwrap_or_default();
    if roles.len() > MAX_ROLES || !roles.iter().all(|role| is_name(role)) {
        return Err(BadAssertion::Roles);
    }
    let level = asserted.level.map(|level| level_of(level.trim()).ok_or(BadAssertion::Level)).transpose()?;
    Ok(Caller {
        principal: compact_str::format_compact!("{DEV_PREFIX}{}", asserted.principal),
        kind: CallerKind::Dev,
        roles,
        level,
        tenants: Names::any(),
        may_assert: MayAssert::anything_in(Names::any()),
        valid_until: None,
    })
}

fn split(roles: &str) -> Vec<Text> {
    roles.split(',').map(str::trim).filter(|role| !role.is_empty()).map(Text::from).collect()
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_NAME && !has_forbidden_character(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asserted_callers_are_marked_and_may_do_what_they_say() {
        let alice =
            caller(Asserted { principal: "alice", roles: Some("admin, auditor,"), level: Some("manager") }).unwrap();
        assert_eq!((alice.principal.as_str(), alice.level, alice.is_asserted()), ("dev:alice", Some(4), true));
        assert_eq!(alice.roles, ["admin", "auditor"]);
        assert!(alice.may_act_in("acme"));
        let long = "x".repeat(129);
        for (asserted, expected) in [
            (Asserted::default(), BadAssertion::Principal),
            (Asserted { principal: &long, ..Asserted::default() }, BadAssertion::Principal),
            (Asserted { principal: "a\u{202e}", ..Asserted::default() }, BadAssertion::Principal),
            (Asserted { principal: "a", roles: Some("a\u{7}"), level: None }, BadAssertion::Roles),
            (Asserted { principal: "a", roles: None, level: Some("6") }, BadAssertion::Level),
            (Asserted { principal: "a", roles: None, level: Some("") }, BadAssertion::Level),
        ] {
            assert_eq!(caller(asserted), Err(expected), "{asserted:?}");
        }
    }
}
