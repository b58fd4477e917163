use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::config::Secret;
use crate::model::{Timestamp, ValidationStatus};

/// The private key of RFC 8037, appendix A.1, and its thumbprint of A.3.
const RFC_8037: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const RFC_8037_THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000 + 999_999)
}

fn options(directory: &Path) -> IssuerOptions {
    IssuerOptions {
        issuer: "lictor:test".to_owned(),
        audience: "executor".to_owned(),
        ttl_seconds: 300,
        grace_seconds: 3600,
        epoch: 1,
        key: None,
        previous_keys: Vec::new(),
        directory: directory.to_owned(),
        noted: Some(directory.join("noted")),
    }
}

fn content(status: ValidationStatus) -> ReceiptContent<'static> {
    ReceiptContent {
        id: "validation-1",
        audience: "",
        tenant: "acme",
        run_id: "",
        status,
        tier: 1,
        ir_hash: "sha256:aa",
        snapshot: "sha256:bb",
    }
}

fn issuer() -> (tempfile::TempDir, Issuer) {
    let directory = tempfile::tempdir().unwrap();
    let issuer = Issuer::new(options(directory.path()), at(NOW)).unwrap();
    (directory, issuer)
}

fn offline(issuer: &Issuer) -> Verifier {
    Verifier::new(public_keys("jwks", &issuer.jwks().to_string()).unwrap())
}

fn parts(token: &str) -> (Value, Value) {
    let json = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let mut parts = token.split('.');
    (json(parts.next().unwrap()), json(parts.next().unwrap()))
}

/// `token` with another header or other claims, and its old signature.
fn forged(token: &str, header: Option<Value>, claims: Option<Value>) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let encode = |value: Option<Value>, old: &str| {
        value.map_or(old.to_owned(), |value| URL_SAFE_NO_PAD.encode(value.to_string()))
    };
    format!("{}.{}.{}", encode(header, parts[0]), encode(claims, parts[1]), parts[2])
}

#[test]
fn a_receipt_is_verified_with_nothing_but_public_keys() {
    let (_directory, issuer) = issuer();
    let token = issuer.sign(&content(ValidationStatus::Pass), at(NOW));
    let (header, claims) = parts(&token);
    assert_eq!(header, json!({"alg": "EdDSA", "kid": issuer.key_id(), "typ": "lictor-receipt+jwt"}));
    assert_eq!(
        claims,
        json!({"iss": "lictor:test", "aud": "executor", "jti": "validation-1", "iat": NOW, "exp": NOW + 300, "tenant": "acme",
            "status": "PASS", "tier": 1, "ir_hash": "sha256:aa", "snapshot": "sha256:bb", "epoch": 1})
    );
    let verifier = offline(&issuer).issuer("lictor:test").audience("executor").epoch(1);
    let receipt = verifier.verify(&token, at(NOW + 100)).unwrap();
    assert!(receipt.authorises());
    assert_eq!((receipt.tenant.as_str(), receipt.ir_hash.as_str(), receipt.tier), ("acme", "sha256:aa", 1));
    assert_eq!(issuer.verify(&token, "executor", at(NOW)).unwrap(), receipt);
    let other = ReceiptContent { audience: "deployer", run_id: "run-1", ..content(ValidationStatus::Pass) };
    let receipt = offline(&issuer).verify(&issuer.sign(&other, at(NOW)), at(NOW)).unwrap();
    assert_eq!((receipt.aud.as_str(), receipt.run_id.as_str()), ("deployer", "run-1"));
}

#[test]
fn what_did_not_pass_is_genuine_and_authorises_nothing() {
    let (_directory, issuer) = issuer();
    for status in [ValidationStatus::Escalate, ValidationStatus::Reject] {
        let receipt = offline(&issuer).verify(&issuer.sign(&content(status), at(NOW)), at(NOW)).unwrap();
        assert_eq!(receipt.status(), status);
        assert!(!receipt.authorises());
    }
    let without_hash = ReceiptContent { ir_hash: "", ..content(ValidationStatus::Pass) };
    assert!(!offline(&issuer).verify(&issuer.sign(&without_hash, at(NOW)), at(NOW)).unwrap().authorises());
}

#[test]
fn times_are_held_to_with_some_leeway() {
    let (_directory, issuer) = issuer();
    let token = issuer.sign(&content(ValidationStatus::Pass), at(NOW));
    let verify = |leeway: u32, now: i64| offline(&issuer).leeway_seconds(leeway).verify(&token, at(now));
    assert!(verify(0, NOW + 299).is_ok() && verify(30, NOW + 329).is_ok());
    assert_eq!(verify(0, NOW + 300), Err(ReceiptError::Expired { seconds: 0 }));
    assert_eq!(verify(30, NOW + 330), Err(ReceiptError::Expired { seconds: 30 }));
    assert!(verify(0, NOW).is_ok() && verify(30, NOW - 30).is_ok());
    assert_eq!(verify(30, NOW - 31), Err(ReceiptError::NotYet { seconds: 31 }));
    assert!(issuer.recognise(&token).is_ok());
}

#[test]
fn issuer_audience_and_epoch_are_pinned() {
    let (directory, issuer) = issuer();
    let token = issuer.sign(&content(ValidationStatus::Pass), at(NOW));
    let verify = |verifier: Verifier| verifier.verify(&token, at(NOW)).unwrap_err();
    assert!(matches!(verify(offline(&issuer).issuer("lictor:other")), ReceiptError::Issuer { .. }));
    assert!(matches!(verify(offline(&issuer).audience("deployer")), ReceiptError::Audience { .. }));
    assert_eq!(verify(offline(&issuer).epoch(2)), ReceiptError::Epoch { found: 1, current: 2 });
    assert!(matches!(issuer.verify(&token, "deployer", at(NOW)), Err(ReceiptError::Audience { .. })));
    assert!(issuer.recognise(&token).is_ok());
    issuer.raise_epoch(2);
    let over = ReceiptError::Epoch { found: 1, current: 2 };
    assert_eq!(issuer.recognise(&token), Err(over.clone()), "also for an audit");
    assert_eq!(issuer.verify(&token, "executor", at(NOW)), Err(over));
    let fresh = issuer.sign(&content(ValidationStatus::Pass), at(NOW));
    assert!(issuer.recognise(&fresh).is_ok());
    // The same keys beside a store that begins again.
    let again = Issuer::new(options(directory.path()), at(NOW)).unwrap();
    assert_eq!(again.recognise(&fresh), Err(ReceiptError::Epoch { found: 2, current: 1 }));
}

#[test]
fn anything_that_was_changed_is_refused() {
    let (_directory, issuer) = issuer();
    let verifier = offline(&issuer);
    let verify = |token: &str| verifier.verify(token, at(NOW)).unwrap_err();
    let token = issuer.sign(&content(ValidationStatus::Reject), at(NOW));
    let (header, claims) = parts(&token);
    let with = |object: &Value, name: &str, value: Value| {
        let mut object = object.clone();
        object[name] = value;
        Some(object)
    };
    assert_eq!(verify(&forged(&token, None, with(&claims, "status", json!("PASS")))), ReceiptError::Signature);
    assert_eq!(verify(&forged(&token, None, with(&claims, "exp", json!(NOW + 9999)))), ReceiptError::Signature);
    assert_eq!(verify(&forged(&token, with(&header, "x", json!(1)), None)), ReceiptError::Signature);
    for algorithm in ["none", "None", "", "HS256", "ES256", "eddsa", "Ed25519"] {
        let forged = forged(&token, with(&header, "alg", json!(algorithm)), None);
        assert_eq!(verify(&forged), ReceiptError::Algorithm(algorithm.to_owned()));
        let unsigned = forged.rsplit_once('.').unwrap().0.to_owned() + ".";
        assert_eq!(verify(&unsigned), ReceiptError::Algorithm(algorithm.to_owned()));
    }
    let kid = "other".to_owned();
    assert_eq!(verify(&forged(&token, with(&header, "kid", json!(kid)), None)), ReceiptError::UnknownKey(kid));
    assert_eq!(verify(&forged(&token, with(&header, "crit", json!(["exp"])), None)), ReceiptError::Critical);
    assert_eq!(verify(&forged(&token, with(&header, "typ", json!("JWT")), None)), ReceiptError::Type("JWT".to_owned()));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(verify(&format!("{signed}.")), ReceiptError::Signature);
    assert!(matches!(verify(&format!("{token}=")), ReceiptError::Unreadable { part: "signature", .. }));
    assert_eq!(verify(&format!("{token}.{signature}")), ReceiptError::NotCompact);
    assert_eq!(verify(signature), ReceiptError::NotCompact);
    assert_eq!(verify(&"a.".repeat(MAX_RECEIPT_BYTES)), ReceiptError::TooLong(2 * MAX_RECEIPT_BYTES));
    // Every single character counts, also the last ones of each part, whose spare bits must be zero.
    for (i, c) in token.char_indices() {
        let other = if c == 'A' { 'B' } else { 'A' };
        let changed = format!("{}{other}{}", &token[..i], &token[i + c.len_utf8()..]);
        assert!(verifier.verify(&changed, at(NOW)).is_err(), "character {i}");
    }
}

#[test]
fn another_key_of_the_same_id_does_not_verify() {
    let (_directory, mine) = issuer();
    let (_other_directory, other) = issuer();
    let mut jwks = other.jwks();
    jwks["keys"][0]["kid"] = json!(mine.key_id());
    let verifier = Verifier::new(public_keys("jwks", &jwks.to_string()).unwrap());
    let token = mine.sign(&content(ValidationStatus::Pass), at(NOW));
    assert_eq!(verifier.verify(&token, at(NOW)), Err(ReceiptError::Signature));
    assert!(matches!(offline(&other).verify(&token, at(NOW)), Err(ReceiptError::UnknownKey(_))));
    assert!(matches!(other.recognise(&token), Err(ReceiptError::UnknownKey(_))));
}

#[test]
fn keys_are_read_as_pem_and_as_jwk() {
    let key = PrivateKey::read("a JWK", RFC_8037.as_bytes()).unwrap();
    assert_eq!(key.public().id(), RFC_8037_THUMBPRINT);
    let again = PrivateKey::read("a PEM", key.to_pem().unwrap().as_bytes()).unwrap();
    assert_eq!(again.public(), key.public());
    // openssl genpkey -algorithm ed25519; openssl pkey -pubout
    let private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
    let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
    assert_eq!(PrivateKey::read("openssl", private.as_bytes()).unwrap().public(), key.public());
    assert_eq!(public_keys("openssl", public).unwrap(), std::slice::from_ref(key.public()));
    assert_eq!(public_keys("a JWK", &key.public().jwk().to_string()).unwrap(), std::slice::from_ref(key.public()));
    assert!(!format!("{key:?}").contains("nWGx"));
}

#[test]
fn what_is_no_key_is_refused_and_not_quoted() {
    let jwk: Value = serde_json::from_str(RFC_8037).unwrap();
    let with = |name: &str, value: &str| {
        let mut jwk = jwk.clone();
        jwk[name] = json!(value);
        jwk.to_string()
    };
    let secret = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    for bad in [
        with("crv", "X25519"),
        with("crv", "P-256"),
        with("kty", "EC"),
        with("use", "enc"),
        with("alg", "RS256"),
        with("d", "AAAA"),
        with("x", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"),
        secret.to_owned(),
        format!("{{{secret}}}"),
        String::new(),
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----".to_owned(),
    ] {
        let error = PrivateKey::read("a key", bad.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("a key is no Ed25519 private key") && !error.contains(secret), "{error}");
    }
    // The neutral element would verify signatures that anybody can make.
    let weak = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for bad in [with("x", weak), with("x", "AAAA"), with("crv", "X25519"), "{}".to_owned(), "{\"keys\": []}".to_owned()]
    {
        assert!(public_keys("keys", &bad).is_err(), "{bad}");
    }
    let jwks = |keys: Vec<Value>| json!({"keys": keys}).to_string();
    assert!(matches!(public_keys("keys", &jwks(vec![jwk.clone(), jwk.clone()])), Err(KeyError::Duplicate(_))));
    let rsa = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
    assert_eq!(public_keys("keys", &jwks(vec![rsa, jwk])).unwrap().len(), 1);
}

#[test]
fn a_key_is_made_once_and_kept_private() {
    let (directory, first) = issuer();
    let mut files: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap()).collect();
    files.retain(|entry| entry.file_name() != "noted");
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = Issuer::new(options(directory.path()), at(NOW)).unwrap();
    assert_eq!(again.key_id(), first.key_id());
    fs::set_permissions(files[0].path(), fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Issuer::new(options(directory.path()), at(NOW)), Err(KeyError::Readable { mode: 0o640, .. })));
    fs::set_permissions(files[0].path(), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(files[0].path(), "no key").unwrap();
    // Not replaced by another: receipts that are out would no longer verify.
    assert!(matches!(Issuer::new(options(directory.path()), at(NOW)), Err(KeyError::NotPrivate { .. })));
}

#[test]
fn keys_succeed_each_other_with_an_overlap() {
    let (directory, issuer) = issuer();
    let old = issuer.key_id();
    let token = issuer.sign(&content(ValidationStatus::Pass), at(NOW));
    let (_, new) = rotate(directory.path()).unwrap();
    let made_at = key_files(directory.path()).unwrap()[1].made_at;
    assert_eq!(issuer.key_id(), old);
    issuer.refresh(at(made_at)).unwrap();
    assert_eq!(issuer.key_id(), new);
    let ids = |issuer: &Issuer| -> Vec<String> {
        let jwks = issuer.jwks();
        jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&issuer), [new.clone(), old.clone()]);
    assert!(offline(&issuer).verify(&token, at(NOW)).is_ok() && issuer.recognise(&token).is_ok());
    issuer.refresh(at(made_at + 3599)).unwrap();
    assert_eq!(ids(&issuer), [new.clone(), old]);
    issuer.refresh(at(made_at + 3600)).unwrap();
    assert_eq!(ids(&issuer), std::slice::from_ref(&new));
    assert!(matches!(issuer.recognise(&token), Err(ReceiptError::UnknownKey(_))));
    // A refresh that fails changes nothing.
    fs::write(directory.path().join("receipt-ffffffff-ffff-7fff-bfff-ffffffffffff.pem"), "no key").unwrap();
    assert!(issuer.refresh(at(NOW)).is_err());
    assert_eq!(issuer.key_id(), new);
}

#[test]
fn a_clock_that_went_back_does_not_leave_the_old_key_in_charge() {
    let directory = tempfile::tempdir().unwrap();
    let later = directory.path().join("receipt-ffffffff-ffff-7fff-bfff-ffffffffffff.pem");
    fs::write(&later, PrivateKey::generate().unwrap().to_pem().unwrap()).unwrap();
    assert!(matches!(rotate(directory.path()), Err(KeyError::ClockBehind(path)) if path == later));
}

#[test]
fn configured_keys_take_the_place_of_kept_ones() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        Secret::File(path)
    };
    let (old, older) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
    let options = IssuerOptions {
        key: Some(path("key.jwk", RFC_8037)),
        previous_keys: vec![
            path("old.pem", &old.to_pem().unwrap()),
            path("older.json", &json!({"keys": [older.public().jwk()]}).to_string()),
        ],
        ..options(directory.path())
    };
    let issuer = Issuer::new(options.clone(), at(NOW)).unwrap();
    assert_eq!(issuer.key_id(), RFC_8037_THUMBPRINT);
    assert_eq!(issuer.jwks()["keys"].as_array().unwrap().len(), 3);
    assert!(!issuer.jwks().to_string().contains("\"d\""));
    assert!(key_files(directory.path()).unwrap().is_empty());
    let missing = IssuerOptions { key: Some(Secret::File("/nonexistent".into())), ..options.clone() };
    assert!(matches!(Issuer::new(missing, at(NOW)), Err(KeyError::Secret(_))));
    // A key that others could exchange is none, be it one that only verifies.
    for (name, mode) in [("key.jwk", 0o620), ("old.pem", 0o602), ("older.json", 0o666)] {
        fs::set_permissions(directory.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        let refused = Issuer::new(options.clone(), at(NOW)).unwrap_err().to_string();
        assert!(refused.contains(&format!("has mode {mode:04o}")) && refused.contains("chmod go-w"), "{refused}");
        fs::set_permissions(directory.path().join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert!(Issuer::new(options, at(NOW)).is_ok());
}

#[test]
fn keys_that_are_gone_are_noticed() {
    let (directory, issuer) = issuer();
    let noted = || fs::read_to_string(directory.path().join("noted")).unwrap();
    assert_eq!(noted(), format!("{}\n", issuer.key_id()));
    fs::remove_file(&key_files(directory.path()).unwrap()[0].path).unwrap();
    let other = Issuer::new(options(directory.path()), at(NOW)).unwrap();
    assert_ne!(other.key_id(), issuer.key_id());
    assert_eq!(noted(), format!("{}\n", other.key_id()));
}
