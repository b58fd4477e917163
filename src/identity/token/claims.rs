//! What a token says of the caller. A claim that is there and not what it must be refuses the token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::BadToken;
use crate::model::{Text, has_forbidden_character, level_of};

/// Longest subject, role and tenant, in bytes.
const MAX_NAME: usize = 256;
/// Most roles or tenants.
const MAX_NAMES: usize = 256;

type Claims = Map<String, Value>;

/// `sub`.
pub(super) fn subject(claims: &Claims) -> Result<&str, BadToken> {
    let subject = claims.get("sub").and_then(Value::as_str).filter(|text| is_name(text));
    subject.ok_or_else(|| BadToken::Claim("sub".into()))
}

/// Until when the token is accepted: `exp`, and as much later as clocks may differ.
pub(super) fn expiry(claims: &Claims, leeway: Duration) -> Result<SystemTime, BadToken> {
    let seconds = claims.get("exp").and_then(Value::as_f64).filter(|seconds| *seconds >= 0.0 && seconds.is_finite());
    let seconds = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let until = seconds.and_then(|seconds| UNIX_EPOCH.checked_add(seconds)?.checked_add(leeway));
    until.ok_or_else(|| BadToken::Claim("exp".into()))
}

/// The claim `name`, or the one at a JSON Pointer.
fn claim<'c>(claims: &'c Claims, name: &str) -> Option<&'c Value> {
    let found = match name.strip_prefix('/') {
        Some(path) => {
            let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
            let first = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
            match rest {
                Some(rest) => first.pointer(&format!("/{rest}")),
                None => Some(first),
            }
        }
        None => claims.get(name),
    };
    found.filter(|value| !value.is_null())
}

/// A list of texts, or texts separated by blanks.
pub(super) fn texts(claims: &Claims, name: &str) -> Result<Option<Vec<Text>>, BadToken> {
    let wrong = || BadToken::Claim(name.to_owned());
    let Some(value) = claim(claims, name) else { return Ok(None) };
    let texts: Option<Vec<&str>> = match value {
        Value::String(text) => Some(text.split_ascii_whitespace().collect()),
        Value::Array(entries) => entries.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let texts = texts.filter(|texts| texts.len() <= MAX_NAMES && texts.iter().all(|text| is_name(text)));
    Ok(Some(texts.ok_or_else(wrong)?.into_iter().map(Text::from).collect()))
}

/// A level, as a number or by name.
pub(super) fn level(claims: &Claims, name: &str) -> Result<Option<u8>, BadToken> {
    let Some(value) = claim(claims, name) else { return Ok(None) };
    let level = match value {
        Value::String(text) => level_of(text),
        Value::Number(number) => {
            number.as_u64().and_then(|level| u8::try_from(level).ok()).filter(|l| (1..=5).contains(l))
        }
        _ => None,
    };
    level.map(Some).ok_or_else(|| BadToken::Claim(name.to_owned()))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME && !has_forbidden_character(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn claims_are_found_by_name_or_pointer() {
        let claims = claims(json!({
            "roles": ["a", "b"], "scope": "read write", "realm_access": {"roles": ["c"]}, "https://x.example/roles": ["d"],
            "nothing": null, "number": 7, "mixed": ["a", 7], "blank": [""], "control": ["a\u{7}"],
        }));
        type Found = Result<Option<Vec<&'static str>>, ()>;
        let cases: [(&str, Found); 12] = [
            ("roles", Ok(Some(vec!["a", "b"]))),
            ("scope", Ok(Some(vec!["read", "write"]))),
            ("/realm_access/roles", Ok(Some(vec!["c"]))),
            ("/roles", Ok(Some(vec!["a", "b"]))),
            ("https://x.example/roles", Ok(Some(vec!["d"]))),
            ("/https:~1~1x.example~1roles", Ok(Some(vec!["d"]))),
            ("absent", Ok(None)),
            ("nothing", Ok(None)),
            ("number", Err(())),
            ("mixed", Err(())),
            ("blank", Err(())),
            ("control", Err(())),
        ];
        for (name, expected) in cases {
            let found = texts(&claims, name).map_err(|_| ());
            let expected =
                expected.map(|texts| texts.map(|texts| texts.into_iter().map(Text::from).collect::<Vec<_>>()));
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn levels_are_numbers_or_names() {
        for (value, expected) in [
            (json!(3), Ok(Some(3))),
            (json!("3"), Ok(Some(3))),
            (json!("team_lead"), Ok(Some(3))),
            (json!(null), Ok(None)),
            (json!(0), Err(())),
            (json!(6), Err(())),
            (json!(2.5), Err(())),
            (json!("boss"), Err(())),
            (json!([3]), Err(())),
        ] {
            let found = level(&claims(json!({"level": value})), "level").map_err(|_| ());
            assert_eq!(found, expected, "{value}");
        }
    }
}
