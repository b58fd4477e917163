//! Any bytes on a Unix socket: mending `:authority` changes nothing but the characters of that one value.

#[path = "../../src/api/authority.rs"]
mod mender;

use loona_hpack::Decoder;
use mender::Mender;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The property. The first byte says in which pieces the rest arrives; the preface need not be found.
pub fn check(input: &[u8]) {
    let Some((pieces, rest)) = input.split_first() else { return };
    let bytes = [PREFACE, rest].concat();
    let whole = mended(&bytes, bytes.len());
    assert_eq!(mended(&bytes, usize::from(*pieces).max(1)), whole, "pieces of {pieces} bytes");
    assert_eq!(whole.len(), bytes.len());
    assert_eq!(whole[..PREFACE.len()], *PREFACE);
    let (mut before, mut after) = (Decoder::new(), Decoder::new());
    for (sent, mended) in blocks(&bytes).into_iter().zip(blocks(&whole)) {
        // A block that is not valid ends the connection: what comes behind it is never read.
        let Ok(sent) = before.decode(&sent) else { return };
        let mended = after.decode(&mended).unwrap_or_else(|error| panic!("mending broke a block: {error:?}"));
        assert_eq!(sent.len(), mended.len());
        for ((name, sent), (other_name, mended)) in sent.iter().zip(&mended) {
            assert_eq!(name, other_name);
            assert!(
                sent == mended || (name == b":authority" && *mended == host_name(sent)),
                "{name:?} {sent:?} {mended:?}"
            );
        }
    }
}

fn mended(bytes: &[u8], pieces: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut mender = Mender::default();
    bytes.chunks_mut(pieces).for_each(|piece| mender.mend(piece));
    bytes
}

fn host_name(sent: &[u8]) -> Vec<u8> {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    sent.iter().map(|&byte| if kept(byte) { byte } else { b'-' }).collect()
}

/// The blocks of compressed fields, up to the first frame that breaks the protocol.
fn blocks(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    let mut open: Option<Vec<u8>> = None;
    let mut rest = &bytes[PREFACE.len()..];
    while let Some((&[a, b, c, kind, flags, ..], after)) = rest.split_first_chunk::<9>() {
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let Some((payload, next)) = after.split_at_checked(length) else { break };
        rest = next;
        let mut block = match (kind, open.take()) {
            (1, None) => match fields(payload, flags) {
                Some(fields) => fields.to_vec(),
                None => break,
            },
            (9, Some(begun)) => [&begun, payload].concat(),
            (1, Some(_)) | (9, None) | (_, Some(_)) => break,
            (_, None) => continue,
        };
        if flags & 0x4 != 0 {
            blocks.push(std::mem::take(&mut block));
        } else {
            open = Some(block);
        }
    }
    blocks
}

/// What stands between length of padding, priority and padding.
fn fields(payload: &[u8], flags: u8) -> Option<&[u8]> {
    let (padding, payload) = if flags & 0x8 != 0 {
        payload.split_first().map(|(&padding, rest)| (padding.into(), rest))?
    } else {
        (0, payload)
    };
    let payload = if flags & 0x20 != 0 { payload.get(5..)? } else { payload };
    payload.get(..payload.len().checked_sub(padding)?)
}
