//! gRPC's framing of messages: a flag for compression, four bytes of length, the message.

use bytes::{Buf, Bytes, BytesMut};

/// Bytes before each message.
pub const HEADER_BYTES: usize = 5;

/// What stands next in the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A whole message.
    Message(Bytes),
    /// A message of so many bytes, which is more than allowed. It is skipped.
    TooLarge(usize),
    /// A compressed message, or a flag that gRPC does not have. Nothing after it can be read.
    Compressed,
    /// More input is needed.
    Incomplete,
}

/// Cuts input into messages. Holds at most one message of allowed size and the frame that came with it, and copies only
/// where a message spans frames.
#[derive(Debug)]
pub struct Frames {
    limit: usize,
    whole: Bytes,
    joined: BytesMut,
    skip: usize,
}

impl Frames {
    /// Accepts messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, whole: Bytes::new(), joined: BytesMut::new(), skip: 0 }
    }

    /// Most bytes that a message may have.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Adds input.
    pub fn push(&mut self, mut data: Bytes) {
        let skipped = self.skip.min(data.len());
        data.advance(skipped);
        self.skip -= skipped;
        if self.is_empty() {
            self.whole = data;
        } else {
            if self.joined.is_empty() {
                self.joined.extend_from_slice(&std::mem::take(&mut self.whole));
            }
            self.joined.extend_from_slice(&data);
        }
    }

    /// Whether no input is left over.
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.joined.is_empty()
    }

    /// Whether a message has begun that is not yet complete.
    pub fn is_amid_message(&self) -> bool {
        self.skip > 0 || !self.is_empty()
    }

    /// The size of the message that has begun, once it is known.
    pub fn announced(&self) -> Option<usize> {
        let input: &[u8] = if self.joined.is_empty() { &self.whole } else { &self.joined };
        let (&[_, a, b, c, d], _) = input.split_first_chunk::<HEADER_BYTES>()?;
        Some(u32::from_be_bytes([a, b, c, d]) as usize)
    }

    /// Takes what stands next.
    pub fn next(&mut self) -> Next {
        let input: &[u8] = if self.joined.is_empty() { &self.whole } else { &self.joined };
        let Some((&[flag, a, b, c, d], rest)) = input.split_first_chunk::<HEADER_BYTES>() else {
            return Next::Incomplete;
        };
        if flag != 0 {
            return Next::Compressed;
        }
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > self.limit {
            let present = rest.len().min(length);
            self.skip = length - present;
            drop(self.take(HEADER_BYTES + present));
            return Next::TooLarge(length);
        }
        if rest.len() < length {
            return Next::Incomplete;
        }
        let mut framed = self.take(HEADER_BYTES + length);
        framed.advance(HEADER_BYTES);
        Next::Message(framed)
    }

    fn take(&mut self, length: usize) -> Bytes {
        if self.joined.is_empty() { self.whole.split_to(length) } else { self.joined.split_to(length).freeze() }
    }
}

/// Writes a frame whose message is written by `content`.
pub fn write_frame(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    content(out);
    let length = u32::try_from(out.len() - start - HEADER_BYTES).unwrap_or(u32::MAX);
    if let Some(slot) = out.get_mut(start + 1..start + HEADER_BYTES) {
        slot.copy_from_slice(&length.to_be_bytes());
    }
}
