mod rsa;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::config::{Algorithm as Pinned, Claims, Group};

const ISSUER: &str = "https://idp.example";

fn url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A key of the issuer: its id, what signs, and what it publishes.
struct Key {
    id: &'static str,
    algorithm: Algorithm,
    secret: EncodingKey,
    public: Value,
}

impl Key {
    fn ed(id: &'static str, seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let secret = EncodingKey::from_ed_der(key.to_pkcs8_der().unwrap().as_bytes());
        let public = json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": url(key.verifying_key().as_bytes())});
        Self { id, algorithm: Algorithm::EdDSA, secret, public }
    }

    fn ec(id: &'static str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let point = key.public_key_raw();
        let public = json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "alg": "ES256",
            "x": url(&point[1..33]), "y": url(&point[33..])});
        Self { id, algorithm: Algorithm::ES256, secret: EncodingKey::from_ec_der(key.serialized_der()), public }
    }

    fn rsa(id: &'static str) -> Self {
        let secret = EncodingKey::from_rsa_der(&BASE64_STANDARD.decode(rsa::PRIVATE).unwrap());
        let public = json!({"kty": "RSA", "kid": id, "n": rsa::MODULUS, "e": "AQAB"});
        Self { id, algorithm: Algorithm::RS256, secret, public }
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.secret).unwrap()
    }
}

fn options(folder: &std::path::Path, algorithms: &[Pinned]) -> Jwt {
    Jwt {
        issuer: ISSUER.into(),
        audience: "lictor".into(),
        jwks: folder.join("jwks.json"),
        algorithms: algorithms.to_vec(),
        leeway: Duration::from_secs(30),
        claims: Claims { roles: Some("roles".into()), tenants: Some("tenant".into()), level: Some("level".into()) },
        groups: [
            ("SEC".into(), Group { roles: vec!["admin".into(), "auditor".into()], level: Some(4) }),
            ("leads".into(), Group { roles: Vec::new(), level: Some(3) }),
        ]
        .into(),
    }
}

fn publish(folder: &std::path::Path, keys: &[&Key]) {
    let keys: Vec<_> = keys.iter().map(|key| &key.public).collect();
    std::fs::write(folder.join("jwks.json"), json!({"keys": keys}).to_string()).unwrap();
}

fn tokens(keys: &[&Key]) -> Tokens {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), keys);
    Tokens::open(options(folder.path(), &[Pinned::Rs256, Pinned::Es256, Pinned::EdDsa])).unwrap()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Good claims, with `change` laid over them; null takes a claim away.
fn claims(change: Value) -> Value {
    let mut claims = json!({"iss": ISSUER, "aud": "lictor", "sub": "alice", "exp": now() + 3_600});
    let all = claims.as_object_mut().unwrap();
    for (name, value) in change.as_object().unwrap() {
        all.insert(name.clone(), value.clone());
        if value.is_null() {
            all.remove(name);
        }
    }
    claims
}

#[test]
fn a_good_token_of_each_algorithm_shows_its_bearer() {
    let keys = [Key::ed("ed", 1), Key::ec("ec"), Key::rsa("rsa")];
    let tokens = tokens(&[&keys[0], &keys[1], &keys[2]]);
    for key in &keys {
        let said = claims(json!({"roles": ["auditor"], "tenant": "acme", "level": 3, "aud": ["x", "lictor"]}));
        let verified = tokens.verify(&key.sign(&said)).unwrap();
        assert_eq!(verified.channel, "jwt:https://idp.example#alice", "{}", key.id);
        assert_eq!(verified.vouched.roles, ["auditor"]);
        assert_eq!(verified.vouched.tenants.unwrap(), ["acme"]);
        assert_eq!(verified.vouched.level, Some(3));
        let until = UNIX_EPOCH + Duration::from_secs(said["exp"].as_u64().unwrap() + 30);
        assert_eq!(verified.vouched.valid_until, Some(until));
    }
}

#[test]
fn names_of_groups_stand_for_roles_and_levels() {
    let key = Key::ed("ed", 1);
    let tokens = tokens(&[&key]);
    for (change, roles, level) in [
        (json!({"roles": ["leads", "SEC", "other"]}), &["admin", "auditor", "other"][..], Some(4)),
        (json!({"roles": "leads"}), &[], Some(3)),
        (json!({"roles": ["SEC"], "level": 1}), &["admin", "auditor"], Some(1)),
        (json!({"roles": ["sec"]}), &["sec"], None),
        (json!({}), &[], None),
    ] {
        let vouched = tokens.verify(&key.sign(&claims(change.clone()))).unwrap().vouched;
        assert_eq!(
            (vouched.roles, vouched.level),
            (roles.iter().map(|role| Text::from(*role)).collect(), level),
            "{change}"
        );
    }
}

#[test]
fn claims_that_are_not_what_they_must_be_refuse_the_token() {
    let key = Key::ed("ed", 1);
    let tokens = tokens(&[&key]);
    let cases = [
        (json!({"exp": now() - 3_600}), BadToken::Expired),
        (json!({"nbf": now() + 3_600}), BadToken::NotYetValid),
        (json!({"iss": "https://other.example"}), BadToken::WrongIssuer),
        (json!({"aud": "somebody"}), BadToken::WrongAudience),
        (json!({"aud": ["a", "b"]}), BadToken::WrongAudience),
        (json!({"exp": null}), BadToken::Claim("exp".into())),
        (json!({"exp": "soon"}), BadToken::Claim("exp".into())),
        (json!({"nbf": "soon"}), BadToken::Claim("nbf".into())),
        (json!({"iss": null}), BadToken::Claim("iss".into())),
        (json!({"aud": null}), BadToken::Claim("aud".into())),
        (json!({"sub": null}), BadToken::Claim("sub".into())),
        (json!({"sub": 7}), BadToken::Claim("sub".into())),
        (json!({"sub": ""}), BadToken::Claim("sub".into())),
        (json!({"sub": "a\u{202e}b"}), BadToken::Claim("sub".into())),
        (json!({"roles": 7}), BadToken::Claim("roles".into())),
        (json!({"level": 6}), BadToken::Claim("level".into())),
    ];
    for (change, expected) in cases {
        let refused = tokens.verify(&key.sign(&claims(change.clone()))).unwrap_err();
        assert_eq!(refused, expected, "{change}");
    }
    // Clocks may differ.
    tokens.verify(&key.sign(&claims(json!({"exp": now() - 5, "nbf": now() + 5})))).unwrap();
}

/// A token of these parts, the signature as given.
fn assembled(header: &Value, claims: &Value, signature: &str) -> String {
    format!("{}.{}.{signature}", url(header.to_string().as_bytes()), url(claims.to_string().as_bytes()))
}

#[test]
fn the_token_has_no_say_in_how_it_is_verified() {
    let (key, other, rsa) = (Key::ed("ed", 1), Key::ed("ed", 2), Key::rsa("rsa"));
    let tokens = tokens(&[&key, &rsa]);
    let good = key.sign(&claims(json!({})));
    let signature = good.rsplit('.').next().unwrap();
    let with_secret = |secret: &[u8], kid: &str| {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims(json!({})), &EncodingKey::from_secret(secret)).unwrap()
    };
    let mut changed = claims(json!({}));
    changed["sub"] = "mallory".into();
    let crit = json!({"alg": "EdDSA", "kid": "ed", "crit": ["b64"], "b64": false});
    let cases = [
        ("none", assembled(&json!({"alg": "none", "kid": "ed"}), &claims(json!({})), ""), BadToken::Malformed),
        ("NONE", assembled(&json!({"alg": "NONE", "kid": "ed"}), &claims(json!({})), signature), BadToken::Malformed),
        ("shared secret", with_secret(rsa::MODULUS.as_bytes(), "rsa"), BadToken::AlgorithmNotAccepted),
        (
            "another kind of key",
            assembled(&json!({"alg": "RS256", "kid": "ed"}), &claims(json!({})), signature),
            BadToken::UnknownKey,
        ),
        (
            "another hash",
            assembled(&json!({"alg": "RS384", "kid": "rsa"}), &claims(json!({})), signature),
            BadToken::AlgorithmNotAccepted,
        ),
        ("another's key", other.sign(&claims(json!({}))), BadToken::BadSignature),
        (
            "changed claims",
            assembled(&json!({"alg": "EdDSA", "kid": "ed"}), &changed, signature),
            BadToken::BadSignature,
        ),
        ("unknown key", Key::ed("new", 1).sign(&claims(json!({}))), BadToken::UnknownKey),
        ("an extension", assembled(&crit, &claims(json!({})), signature), BadToken::Malformed),
        ("no token", "a.b.c".into(), BadToken::Malformed),
        ("nothing", String::new(), BadToken::Malformed),
        ("much", "a".repeat(MAX_TOKEN_BYTES + 1), BadToken::TooLarge),
    ];
    for (what, token, expected) in cases {
        assert_eq!(tokens.verify(&token).unwrap_err(), expected, "{what}");
    }
    tokens.verify(&good).unwrap();
}

#[test]
fn only_pinned_algorithms_are_accepted() {
    let (ed, ec) = (Key::ed("ed", 1), Key::ec("ec"));
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), &[&ed, &ec]);
    let tokens = Tokens::open(options(folder.path(), &[Pinned::Es256])).unwrap();
    assert_eq!(tokens.verify(&ed.sign(&claims(json!({})))).unwrap_err(), BadToken::AlgorithmNotAccepted);
    tokens.verify(&ec.sign(&claims(json!({})))).unwrap();
    let error = Tokens::open(options(folder.path(), &[Pinned::Rs256])).unwrap_err().to_string();
    assert!(error.contains("holds no key") && error.contains("jwks.json"), "{error}");
}

#[test]
fn a_token_without_a_key_id_is_verified_with_the_only_key_of_its_kind() {
    let (ed, other, ec) = (Key::ed("ed", 1), Key::ed("other", 2), Key::ec("ec"));
    let unnamed = encode(&Header::new(Algorithm::EdDSA), &claims(json!({})), &ed.secret).unwrap();
    tokens(&[&ed, &ec]).verify(&unnamed).unwrap();
    assert_eq!(tokens(&[&ed, &other]).verify(&unnamed).unwrap_err(), BadToken::UnknownKey);
}

#[test]
fn keys_are_taken_up_when_the_file_changes_and_kept_when_it_breaks() {
    let (old, new) = (Key::ed("old", 1), Key::ed("new", 2));
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), &[&old]);
    let tokens = Tokens::open(options(folder.path(), &[Pinned::EdDsa])).unwrap();
    let token = |key: &Key| key.sign(&claims(json!({})));
    tokens.verify(&token(&old)).unwrap();
    assert!(!tokens.refresh().unwrap());

    publish(folder.path(), &[&old, &new]);
    assert!(tokens.refresh().unwrap());
    assert_eq!(tokens.generation(), 1);
    tokens.verify(&token(&old)).unwrap();
    tokens.verify(&token(&new)).unwrap();

    std::fs::write(folder.path().join("jwks.json"), "{").unwrap();
    assert!(tokens.refresh().is_err());
    std::fs::remove_file(folder.path().join("jwks.json")).unwrap();
    assert!(tokens.refresh().is_err());
    tokens.verify(&token(&new)).unwrap();

    publish(folder.path(), &[&new]);
    assert!(tokens.refresh().unwrap());
    assert_eq!(tokens.verify(&token(&old)).unwrap_err(), BadToken::UnknownKey);
}

#[test]
fn a_file_of_keys_that_cannot_be_used_says_why() {
    let ed = Key::ed("ed", 1);
    let short = json!({"kty": "OKP", "crv": "Ed25519", "kid": "s", "x": url(&[1; 31])});
    let weak = json!({"kty": "RSA", "kid": "w", "n": url(&[0xff; 128]), "e": "AQAB"});
    let secret = json!({"kty": "oct", "kid": "o", "k": url(b"secret")});
    let to_encrypt = json!({"kty": "OKP", "crv": "Ed25519", "kid": "e", "use": "enc", "x": url(&[1; 32])});
    let unknown = json!({"kty": "later", "kid": "u"});
    let read = |keys: &[&Value]| {
        let bytes = json!({"keys": keys}).to_string();
        KeySet::read(bytes.as_bytes(), &[Pinned::EdDsa, Pinned::Rs256]).map(drop)
    };
    for (keys, expected) in [
        (&[&ed.public, &ed.public][..], Err("same `kid`")),
        (&[&short], Err("no Ed25519 key")),
        (&[&weak], Err("less than 2048")),
        (&[&secret, &to_encrypt, &unknown], Err("holds no key")),
        (&[], Err("holds no key")),
        (&[&secret, &to_encrypt, &unknown, &ed.public], Ok(())),
    ] {
        match (read(keys), expected) {
            (Ok(()), Ok(())) => {}
            (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }
    assert!(KeySet::read(b"[]", &[Pinned::EdDsa]).unwrap_err().contains("not a JSON Web Key Set"));
}
