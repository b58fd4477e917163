//! The section `identity`: who is who, and what they may assert and administer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fields::{duration, path};
use super::spec::{ClaimsSpec, GroupSpec, JwtSpec, MayAssertSpec, PrincipalSpec};
use crate::diag::{Finding, Findings};
use crate::model::{LEVEL_NAMES, Limits, Text, has_forbidden_character, level_of};
use crate::policy::{Pattern, patterns};
use crate::yaml::{Field, Fields, Kind};

/// Longest name, issuer, audience and claim, in bytes.
const MAX_NAME: usize = 256;

/// Who is who, and what they may assert and administer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Identity {
    /// The first that matches counts.
    pub principals: Vec<Principal>,
    /// Tokens that callers may show.
    pub jwt: Option<Jwt>,
    /// Directory or file of the documents over administration; `None` for those that come with the program.
    pub system_policies: Option<PathBuf>,
}

/// Whom a channel shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// Over `uid:…`, `spiffe://…`, `cn:…`, `jwt:<issuer>#<subject>` and `anonymous`.
    pub matches: Pattern,
    /// The one name of this person or service.
    pub name: Option<Text>,
    /// Roles for administration.
    pub roles: Vec<Text>,
    /// Level of approver, 1–5.
    pub level: Option<u8>,
    /// Tenants that it may act in.
    pub tenants: Option<Box<[Pattern]>>,
    /// Whom and what it may speak of in questions.
    pub may_assert: PrincipalAsserts,
}

/// Whom and what a principal may speak of in questions. `None` where nothing is said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PrincipalAsserts {
    /// Ids of subjects.
    pub subjects: Option<Box<[Pattern]>>,
    /// Roles of subjects.
    pub roles: Option<Box<[Pattern]>>,
    /// Tenants.
    pub tenants: Option<Box<[Pattern]>>,
    /// Whom subjects may act for.
    pub on_behalf_of: Option<Box<[Pattern]>>,
}

/// Tokens that callers may show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must be or hold.
    pub audience: String,
    /// File with the issuer's public keys.
    pub jwks: PathBuf,
    /// Algorithms that are accepted; not empty.
    pub algorithms: Vec<Algorithm>,
    /// How far clocks may differ.
    pub leeway: Duration,
    /// Claims that say more.
    pub claims: Claims,
    /// What names in the claim of roles stand for.
    pub groups: BTreeMap<Text, Group>,
}

/// What a name in the claim of roles stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Roles for administration.
    pub roles: Vec<Text>,
    /// Level of approver, 1–5.
    pub level: Option<u8>,
}

/// An algorithm of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with SHA-256.
    Rs256,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// Claims by name, or by JSON Pointer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// Roles.
    pub roles: Option<String>,
    /// Tenants.
    pub tenants: Option<String>,
    /// Level of approver.
    pub level: Option<String>,
}

const ALGORITHMS: [(&str, Algorithm); 3] =
    [("RS256", Algorithm::Rs256), ("ES256", Algorithm::Es256), ("EdDSA", Algorithm::EdDsa)];

/// What the forms of principals start with, which a name must not be taken for.
const FORMS: [&str; 5] = ["uid:", "spiffe:", "cn:", "jwt:", "dev:"];
/// Principals that are nobody's name.
const RESERVED: [&str; 2] = ["anonymous", "system"];

/// Reads the section.
pub(super) fn identity<'n>(
    fields: &Fields<'n>,
    base_of: &dyn Fn(&Field<'n>) -> &'n Path,
    out: &mut Findings,
) -> Identity {
    let principals = fields.get("principals").and_then(|field| field.list("principals", out)).unwrap_or_default();
    Identity {
        principals: principals.into_iter().filter_map(|entry| principal(entry, out)).collect(),
        jwt: fields.get("jwt").and_then(|field| jwt(field, base_of, out)),
        system_policies: fields.get("systemPolicies").and_then(|field| path(field, base_of(&field), out)),
    }
}

fn principal(entry: Field<'_>, out: &mut Findings) -> Option<Principal> {
    let fields = entry.fields("a principal", PrincipalSpec::FIELDS, out)?;
    let matches = fields.require("match", out).and_then(|field| pattern(field, out));
    let name = fields.get("name").and_then(|field| own_name(field, out));
    let roles = fields.get("roles").map(|field| roles(field, out)).unwrap_or_default();
    let level = fields.get("level").and_then(|field| level(field, out));
    let id_bytes = Limits::default().id_bytes;
    let tenants = patterns(fields.get("tenants"), id_bytes, out);
    let asserts = fields.get("mayAssert").and_then(|field| field.fields("`mayAssert`", MayAssertSpec::FIELDS, out));
    let may_assert = asserts.map(|fields| PrincipalAsserts {
        subjects: patterns(fields.get("subjects"), Limits::default().name_bytes, out),
        roles: patterns(fields.get("roles"), id_bytes, out),
        tenants: patterns(fields.get("tenants"), id_bytes, out),
        on_behalf_of: patterns(fields.get("onBehalfOf"), Limits::default().name_bytes, out),
    });
    let matches = matches?;
    let nobody = matches.as_str() == "anonymous";
    if level.is_some() && (nobody || matches.literal_prefix().starts_with("uid:")) {
        let finding = Finding::error("bad-value", "Unix peers and anonymous callers never have a level");
        out.extend(fields.get("level").map(|field| {
            finding.at(field.key_span).help(
                "tools run as the same user as the agent that calls them; let approvers show a client certificate or a \
                 token, and remove `level` here",
            )
        }));
    }
    if nobody && !roles.is_empty() {
        let finding = Finding::error("bad-value", "anonymous callers have no roles");
        out.extend(fields.get("roles").map(|field| {
            finding
                .at(field.key_span)
                .help("anybody could use them; remove `roles` here and let callers identify themselves")
        }));
    }
    Some(Principal { matches, name, roles, level, tenants, may_assert: may_assert.unwrap_or_default() })
}

fn pattern(field: Field<'_>, out: &mut Findings) -> Option<Pattern> {
    let text = field.string(out)?;
    match Pattern::parse(text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            out.push(Finding::error("bad-pattern", error.to_string()).at(field.node.span).help(error.help()));
            None
        }
    }
}

/// The name of a person or service, which no channel could show by itself.
fn own_name(field: Field<'_>, out: &mut Findings) -> Option<Text> {
    let text = name(field, out)?;
    let taken = FORMS.iter().find(|form| text.starts_with(**form)).or(RESERVED.iter().find(|word| **word == text));
    if let Some(taken) = taken {
        let finding = Finding::error("bad-name", format!("a name cannot be `{text}`, which a channel might show"));
        out.push(finding.at(field.node.span).help(format!("choose a name that does not start with `{taken}`")));
        return None;
    }
    Some(text.into())
}

fn roles(field: Field<'_>, out: &mut Findings) -> Vec<Text> {
    let entries = field.list("roles", out).unwrap_or_default();
    entries.into_iter().filter_map(|entry| name(entry, out).map(Text::from)).collect()
}

fn level(field: Field<'_>, out: &mut Findings) -> Option<u8> {
    let Kind::String(text, _) = &field.node.kind else {
        return field.integer(1..=5, out).and_then(|level| u8::try_from(level).ok());
    };
    let level = level_of(text);
    if level.is_none() {
        let names: Vec<_> = LEVEL_NAMES.iter().map(|(name, _)| format!("`{name}`")).collect();
        out.push(
            Finding::error("unknown-value", format!("`{text}` is not a level"))
                .at(field.node.span)
                .help(format!("write a number from 1 to 5, or one of {}", names.join(", "))),
        );
    }
    level
}

fn jwt<'n>(field: Field<'n>, base_of: &dyn Fn(&Field<'n>) -> &'n Path, out: &mut Findings) -> Option<Jwt> {
    let fields = field.fields("`jwt`", JwtSpec::FIELDS, out)?;
    let issuer = fields.require("issuer", out).and_then(|field| issuer(field, out));
    let audience = fields.require("audience", out).and_then(|field| name(field, out));
    let jwks = fields.require("jwks", out).and_then(|field| path(field, base_of(&field), out));
    let algorithms = fields.require("algorithms", out).and_then(|field| algorithms(field, out));
    let leeway = duration(&fields, "leewaySeconds", Duration::from_secs(1), 0..=300, out);
    let claims = fields.get("claims").and_then(|field| field.fields("`claims`", ClaimsSpec::FIELDS, out));
    let mut claim = |key| Some(name(claims?.get(key)?, out)?.to_owned());
    let claims = Claims { roles: claim("roles"), tenants: claim("tenants"), level: claim("level") };
    let groups = fields.get("groups").map(|field| groups(field, out)).unwrap_or_default();
    Some(Jwt {
        issuer: issuer?.to_owned(),
        audience: audience?.to_owned(),
        jwks: jwks?,
        algorithms: algorithms?,
        leeway: leeway.unwrap_or(Duration::from_secs(30)),
        claims,
        groups,
    })
}

fn groups(field: Field<'_>, out: &mut Findings) -> BTreeMap<Text, Group> {
    let mut groups = BTreeMap::new();
    for entry in field.entries(out).unwrap_or_default() {
        let value = Field { node: &entry.value, key_span: entry.key_span, is_entry: true, ..field };
        let Some(fields) = value.fields("a group", GroupSpec::FIELDS, out) else { continue };
        let roles = fields.get("roles").map(|field| roles(field, out)).unwrap_or_default();
        let level = fields.get("level").and_then(|field| level(field, out));
        groups.insert(entry.key.as_str().into(), Group { roles, level });
    }
    groups
}

/// An issuer. Its end shows where the subject begins: `jwt:<issuer>#<subject>`.
fn issuer<'n>(field: Field<'n>, out: &mut Findings) -> Option<&'n str> {
    let text = name(field, out)?;
    if text.contains('#') {
        out.push(Finding::error("bad-value", "an issuer holds no `#`").at(field.node.span));
        return None;
    }
    Some(text)
}

fn algorithms(field: Field<'_>, out: &mut Findings) -> Option<Vec<Algorithm>> {
    let entries = field.list("algorithms", out)?;
    if entries.is_empty() {
        out.push(Finding::error("empty-list", "no algorithm would be accepted").at(field.node.span));
        return None;
    }
    let algorithm = |entry: Field<'_>| entry.one_of("an algorithm that is accepted", &ALGORITHMS, out);
    let algorithms: Vec<_> = entries.into_iter().filter_map(algorithm).collect();
    (!algorithms.is_empty()).then_some(algorithms)
}

/// A short text that can be printed.
fn name<'n>(field: Field<'n>, out: &mut Findings) -> Option<&'n str> {
    let text = field.string(out)?;
    if text.trim().is_empty() || text.len() > MAX_NAME || has_forbidden_character(text) {
        let finding = Finding::error("bad-value", format!("`{}` is empty, too long or not printable", field.name));
        out.push(finding.at(field.node.span).help(format!("write at most {MAX_NAME} bytes")));
        return None;
    }
    Some(text)
}
