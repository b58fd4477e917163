//! What a line of the journal says of itself, and whether it can be believed.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::chain::{self, ChainKey, Hash};
use super::json;
use crate::model::{BootId, Ticket};

/// The members that the chain, recovery and the auditor need.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) kind: Cow<'a, str>,
    pub(super) sequence: u64,
    pub(super) ticket: Option<Ticket>,
    pub(super) prev: Hash,
    pub(super) hash: Hash,
    /// The bytes that the hash covers.
    prefix: &'a [u8],
}

/// Whether a line's hash is that of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verified {
    /// Yes, under the key.
    Keyed,
    /// Yes, without a key.
    Plain,
    /// No.
    No,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "id")]
    _id: IgnoredAny,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(rename = "source")]
    _source: IgnoredAny,
    #[serde(rename = "target")]
    _target: IgnoredAny,
    #[serde(rename = "timestamp")]
    _timestamp: IgnoredAny,
    #[serde(rename = "payload")]
    _payload: IgnoredAny,
    #[serde(borrow)]
    meta: Meta<'a>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(deserialize_with = "super::sequence::read")]
    sequence: u64,
    #[serde(borrow)]
    ticket: Option<Cow<'a, str>>,
    prev: &'a str,
    hash: &'a str,
}

impl<'a> Line<'a> {
    /// Reads a line, without its newline.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let text =
            std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8 from byte {} on", error.valid_up_to()))?;
        let envelope: Envelope<'a> =
            serde_json::from_str(text).map_err(|error| format!("not a record of the journal: {error}"))?;
        let (prefix, hash) = chain::split_line(bytes).ok_or("the hash is not the last member of the line")?;
        let prev = json::unhex32(envelope.meta.prev.as_bytes()).ok_or("`prev` is not 64 hexadecimal digits")?;
        if json::unhex32(envelope.meta.hash.as_bytes()) != Some(hash) {
            return Err("`hash` is not the last member of `meta`".to_owned());
        }
        let ticket = match envelope.meta.ticket {
            Some(text) => Some(parse_ticket(&text).ok_or_else(|| format!("`{text}` is not a ticket"))?),
            None => None,
        };
        Ok(Self { kind: envelope.kind, sequence: envelope.meta.sequence, ticket, prev, hash, prefix })
    }

    /// Checks the hash against the line's bytes and the previous hash that the line itself names.
    pub(super) fn verify(&self, key: Option<&ChainKey>) -> Verified {
        if key.is_some() && chain::link(key, &self.prev, self.prefix) == self.hash {
            Verified::Keyed
        } else if chain::link(None, &self.prev, self.prefix) == self.hash {
            Verified::Plain
        } else {
            Verified::No
        }
    }
}

/// Reads `boot/worker/number`.
pub(super) fn parse_ticket(text: &str) -> Option<Ticket> {
    let mut parts = text.split('/');
    let boot = parse_boot(parts.next()?)?;
    let worker = parts.next()?.parse().ok()?;
    let number = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some(Ticket { boot, worker, number })
}

/// Reads the seven hexadecimal digits of a boot id.
pub(super) fn parse_boot(text: &str) -> Option<BootId> {
    if text.len() != 7 {
        return None;
    }
    u32::from_str_radix(text, 16).ok().filter(|bits| *bits < (1 << BootId::BITS)).map(BootId::from_bits)
}

/// The missing tickets that a line of type `events.gap` names.
#[derive(Debug, Deserialize)]
pub(super) struct GapLine {
    pub(super) payload: GapPayload,
}

/// See [`GapLine`].
#[derive(Debug, Deserialize)]
pub(super) struct GapPayload {
    pub(super) boot: Option<String>,
    pub(super) worker: Option<u8>,
    pub(super) first: Option<u64>,
    pub(super) last: Option<u64>,
    pub(super) count: u64,
    pub(super) exact: bool,
    pub(super) reason: String,
    #[serde(default)]
    pub(super) ranges: Vec<(u64, u64)>,
    #[serde(default)]
    pub(super) detail: String,
}

/// The sequence number of a complete line, without reading all of it: what follows the number is of fixed form, so that
/// the last occurrence is the member of `meta`.
pub(super) fn quick_sequence(line: &[u8]) -> Option<u64> {
    const MEMBER: &[u8] = b",\"sequence\":";
    let at = line.windows(MEMBER.len()).rposition(|window| window == MEMBER)?;
    let digits = line.get(at.checked_add(MEMBER.len())?..)?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
}
