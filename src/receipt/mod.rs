//! Receipts: signed statements of what was answered to a plan, which anyone can check offline.
//!
//! A receipt is a compact JWS (RFC 7515) of JWT claims, signed with Ed25519 (`EdDSA`, RFC 8037). Its key is configured, or
//! made once and kept in `keys/` of the state directory; keys are named by their thumbprint (RFC 7638) and published as a
//! JWKS. A receipt that says ESCALATE or REJECT is genuine and authorises nothing.

mod claims;
mod error;
mod issuer;
mod jwk;
mod key;
mod memory;
mod ring;
mod store;
#[cfg(test)]
mod tests;
mod verify;

pub use claims::{GrantContent, Receipt, ReceiptContent};
pub use error::{KeyError, ReceiptError};
pub use issuer::{Issuer, IssuerOptions};
pub use jwk::public_keys;
pub use key::{PrivateKey, PublicKey};
pub use ring::KeyRing;
pub use store::{KeyFile, key_files, rotate};
pub use verify::{DEFAULT_LEEWAY_SECONDS, MAX_RECEIPT_BYTES, Verifier, check_signature};
