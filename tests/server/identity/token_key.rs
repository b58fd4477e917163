//! Somebody who issues tokens, for tests.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// Who issues tokens.
pub const ISSUER: &str = "https://idp.example";

/// A key of the issuer.
pub struct TokenKey {
    id: &'static str,
    secret: EncodingKey,
    public: Value,
}

impl TokenKey {
    pub fn new(id: &'static str, seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let x = BASE64_URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        Self {
            id,
            secret: EncodingKey::from_ed_der(key.to_pkcs8_der().unwrap().as_bytes()),
            public: json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x}),
        }
    }

    /// A token for `subject` in `tenant`, valid for an hour or `seconds` from now.
    pub fn token(&self, subject: &str, tenant: &str, seconds: i64) -> String {
        let now = jiff::Timestamp::now().as_second();
        let claims = json!({"iss": ISSUER, "aud": "lictor", "sub": subject, "exp": now + seconds, "tenant": tenant});
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(Algorithm::EdDSA) };
        encode(&header, &claims, &self.secret).unwrap()
    }
}

/// The file of public keys.
pub fn key_set(keys: &[&TokenKey]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| &key.public).collect();
    json!({"keys": keys}).to_string()
}
