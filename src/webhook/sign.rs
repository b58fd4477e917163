//! Signatures: the predecessor's over the body alone, and those of Standard Webhooks over id, time and body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::keys::Keys;

/// `sha256=` and the hexadecimal HMAC-SHA-256 of the body under the current key.
pub const BODY_SIGNATURE: &str = "x-webhook-signature";
/// The version of the current key.
pub const KEY_VERSION: &str = "x-webhook-key-version";
/// The id of the message, the same in every attempt: what a receiver de-duplicates by.
pub const ID: &str = "webhook-id";
/// When the attempt was made, in seconds since 1970: what a receiver refuses old messages by.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// `v1,` and the base64 HMAC-SHA-256 of `id.timestamp.body`, one for each key, separated by blanks.
pub const SIGNATURE: &str = "webhook-signature";

/// The values of the headers that vouch for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signatures {
    /// Of [`BODY_SIGNATURE`].
    pub body: String,
    /// Of [`KEY_VERSION`].
    pub key_version: String,
    /// Of [`TIMESTAMP`].
    pub timestamp: String,
    /// Of [`SIGNATURE`].
    pub standard: String,
}

/// Signs `body`, the message `id`, as sent at `seconds` since 1970.
#[must_use]
pub fn sign(keys: &Keys, id: &str, seconds: i64, body: &[u8]) -> Signatures {
    let timestamp = seconds.to_string();
    let hex: String = mac(keys.current.plain(), &[body]).iter().map(|byte| format!("{byte:02x}")).collect();
    let standard = std::iter::once(&keys.current).chain(&keys.grace).map(|key| {
        let mac = mac(&key.standard(), &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
        format!("v1,{}", STANDARD.encode(mac))
    });
    Signatures {
        body: format!("sha256={hex}"),
        key_version: keys.current.version.to_string(),
        standard: standard.collect::<Vec<_>>().join(" "),
        timestamp,
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::keys::Key;

    fn keys(current: (&str, &str), grace: &[(&str, &str)]) -> Keys {
        let key = |(version, secret): (&str, &str)| Key::new(version, secret);
        Keys { current: key(current), grace: grace.iter().copied().map(key).collect() }
    }

    #[test]
    fn the_body_is_signed_as_the_predecessor_did() {
        let body = br#"{"event":"approval_request_created","request_id":"apr_0123456789abcdef"}"#;
        let signed = sign(&keys(("v1", "whsec_test"), &[]), "m", 0, body);
        assert_eq!(signed.body, "sha256=a6ed3af216e99a938313bf59fec9b8bad2c6d8e38dc86fbd8d40d7817ab45f3f");
        assert_eq!(signed.key_version, "v1");
    }

    /// The example of the specification's reference libraries.
    #[test]
    fn messages_are_signed_as_standard_webhooks_says() {
        let keys = keys(("v1", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &[]);
        let signed = sign(&keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed.standard, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(signed.timestamp, "1614265330");
    }

    #[test]
    fn keys_in_grace_sign_besides() {
        let alone = |secret| sign(&keys(("v", secret), &[]), "m", 7, b"{}");
        let both = sign(&keys(("v2", "new"), &[("v1", "old")]), "m", 7, b"{}");
        assert_eq!(both.standard, format!("{} {}", alone("new").standard, alone("old").standard));
        assert_eq!((both.body.as_str(), both.key_version.as_str()), (alone("new").body.as_str(), "v2"));
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", Key::new("v", "hunter2")), "Key { version: \"v\", .. }");
    }
}
