//! Lets clients of a Unix socket in that put the socket's path where HTTP/2 wants a host name.
//!
//! gRPC's C core (and with it Python, Ruby, PHP and C++), Java and Swift send the path of the socket, percent-encoded or
//! plain, as `:authority`. The HTTP/2 library refuses such a request before anybody can look at it. [`Mender`] reads the
//! bytes on their way in and replaces, in that one value, every character that a host name cannot have by `-`. The length
//! stays the same, so that framing and header compression agree with what the client counted on. On a Unix socket the
//! value says nothing; TCP connections are left alone.
//!
//! A value in the Huffman code is not mended, and shows that the client is none of those: they encode no value of this
//! length. What follows on its connection is not looked at.

/// What a client sends first.
const PREFACE_BYTES: usize = 24;
const FRAME_HEADER_BYTES: usize = 9;

const HEADERS: u8 = 0x1;
const CONTINUATION: u8 = 0x9;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// Number of `:authority` in HPACK's static table.
const AUTHORITY: u8 = 1;
/// The same spelt out, as the C core sends it.
const AUTHORITY_NAME: &[u8] = b":authority";

/// Mends what one client sends. Works on whatever pieces the bytes arrive in.
#[derive(Debug)]
pub struct Mender {
    part: Part,
    fields: Fields,
}

/// The part of the connection that the next byte belongs to.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// So many bytes that do not matter.
    Skip(usize),
    FrameHeader {
        have: usize,
        bytes: [u8; FRAME_HEADER_BYTES],
    },
    /// The length of the padding, before the fields.
    PadLength {
        payload: usize,
        priority: bool,
    },
    /// The priority, before the fields.
    Priority {
        left: usize,
        payload: usize,
        padding: usize,
    },
    Fields {
        left: usize,
        padding: usize,
    },
    /// The client's authority needs no mending.
    Done,
}

/// Where in a block of compressed fields the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fields {
    Start,
    /// In an integer of several bytes, with what follows it.
    Integer(After),
    Length(Text),
    LongLength {
        of: Text,
        length: usize,
        shift: u32,
    },
    String {
        of: Text,
        left: usize,
        mended: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Field,
    Value,
}

/// What a string is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Name,
    /// A name that is `:authority` so far.
    AuthorityName,
    Value,
    Authority,
}

impl Default for Mender {
    fn default() -> Self {
        Self { part: Part::Skip(PREFACE_BYTES), fields: Fields::Start }
    }
}

impl Mender {
    /// Mends the next bytes of the connection in place.
    pub fn mend(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            match self.part {
                Part::Done => return,
                Part::Skip(left) => {
                    let skipped = left.min(bytes.len());
                    bytes = bytes.get_mut(skipped..).unwrap_or_default();
                    self.part = if left > skipped { Part::Skip(left - skipped) } else { Part::next_frame() };
                }
                Part::Fields { left, padding } => {
                    let here = left.min(bytes.len());
                    let (fields, rest) = bytes.split_at_mut(here);
                    bytes = rest;
                    if fields.iter_mut().any(|byte| self.field_byte(byte)) {
                        self.part = Part::Done;
                        return;
                    }
                    self.part =
                        if left > here { Part::Fields { left: left - here, padding } } else { Part::skip(padding) };
                }
                part => {
                    let Some((byte, rest)) = bytes.split_first_mut() else { return };
                    self.part = self.other_byte(part, *byte);
                    bytes = rest;
                }
            }
        }
    }

    /// Takes a byte of a part whose bytes are few.
    fn other_byte(&mut self, part: Part, byte: u8) -> Part {
        match part {
            Part::FrameHeader { have, mut bytes } => {
                if let Some(slot) = bytes.get_mut(have) {
                    *slot = byte;
                }
                if have + 1 < FRAME_HEADER_BYTES {
                    Part::FrameHeader { have: have + 1, bytes }
                } else {
                    self.frame(bytes)
                }
            }
            Part::PadLength { payload, priority } => {
                let padding = usize::from(byte).min(payload);
                let payload = payload - padding;
                if priority { Part::Priority { left: 5, payload, padding } } else { Part::fields(payload, padding) }
            }
            Part::Priority { left, payload, padding } => {
                let payload = payload.saturating_sub(1);
                if left > 1 {
                    Part::Priority { left: left - 1, payload, padding }
                } else {
                    Part::fields(payload, padding)
                }
            }
            Part::Skip(_) | Part::Fields { .. } | Part::Done => part,
        }
    }

    /// The part that follows a frame's header.
    fn frame(&mut self, header: [u8; FRAME_HEADER_BYTES]) -> Part {
        let [high, middle, low, kind, flags, ..] = header;
        let payload = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        match kind {
            HEADERS => {
                self.fields = Fields::Start;
                let priority = flags & PRIORITY != 0;
                if payload == 0 {
                    Part::next_frame()
                } else if flags & PADDED != 0 {
                    Part::PadLength { payload: payload - 1, priority }
                } else if priority {
                    Part::Priority { left: 5, payload, padding: 0 }
                } else {
                    Part::fields(payload, 0)
                }
            }
            CONTINUATION => Part::fields(payload, 0),
            _ => Part::skip(payload),
        }
    }

    /// Takes a byte of compressed fields, mending it. Gives `true` once it knows that the authority needs no mending.
    fn field_byte(&mut self, byte: &mut u8) -> bool {
        self.fields = match self.fields {
            Fields::Start => start_of_field(*byte),
            Fields::Integer(after) if *byte & 0x80 != 0 => Fields::Integer(after),
            Fields::Integer(After::Field) => Fields::Start,
            Fields::Integer(After::Value) => Fields::Length(Text::Value),
            // In the Huffman code.
            Fields::Length(Text::Authority) if *byte & 0x80 != 0 => return true,
            Fields::Length(of) => {
                let of = match of {
                    Text::Name if usize::from(*byte) == AUTHORITY_NAME.len() => Text::AuthorityName,
                    of => of,
                };
                match *byte & 0x7f {
                    0x7f => Fields::LongLength { of, length: 0x7f, shift: 0 },
                    length => string(of, usize::from(length)),
                }
            }
            Fields::LongLength { of, length, shift } => {
                let more = usize::from(*byte & 0x7f).checked_shl(shift).unwrap_or(0);
                let length = length.saturating_add(more);
                if *byte & 0x80 != 0 {
                    Fields::LongLength { of, length, shift: shift.saturating_add(7) }
                } else {
                    string(of, length)
                }
            }
            Fields::String { mut of, left, mut mended } => {
                let from_end = |name: &[u8]| name.len().checked_sub(left).and_then(|at| name.get(at)).copied();
                if of == Text::AuthorityName && from_end(AUTHORITY_NAME) != Some(*byte) {
                    of = Text::Name;
                }
                if of == Text::Authority && !is_of_host_name(*byte) {
                    *byte = b'-';
                    mended = true;
                }
                match left {
                    0 | 1 if of == Text::Authority && !mended => return true,
                    0 | 1 => after_string(of),
                    left => Fields::String { of, left: left - 1, mended },
                }
            }
        };
        false
    }
}

impl Part {
    const fn next_frame() -> Self {
        Self::FrameHeader { have: 0, bytes: [0; FRAME_HEADER_BYTES] }
    }

    const fn skip(bytes: usize) -> Self {
        if bytes == 0 { Self::next_frame() } else { Self::Skip(bytes) }
    }

    const fn fields(left: usize, padding: usize) -> Self {
        if left == 0 { Self::skip(padding) } else { Self::Fields { left, padding } }
    }
}

/// What follows the first byte of a field (RFC 7541, section 6).
fn start_of_field(byte: u8) -> Fields {
    let (number, greatest) = match byte {
        0x80.. => return if byte == 0xff { Fields::Integer(After::Field) } else { Fields::Start },
        0x40.. => (byte & 0x3f, 0x3f),
        0x20.. => return if byte == 0x3f { Fields::Integer(After::Field) } else { Fields::Start },
        _ => (byte & 0x0f, 0x0f),
    };
    match number {
        0 => Fields::Length(Text::Name),
        AUTHORITY => Fields::Length(Text::Authority),
        number if number == greatest => Fields::Integer(After::Value),
        _ => Fields::Length(Text::Value),
    }
}

fn string(of: Text, length: usize) -> Fields {
    if length == 0 { after_string(of) } else { Fields::String { of, left: length, mended: false } }
}

fn after_string(of: Text) -> Fields {
    match of {
        Text::Name => Fields::Length(Text::Value),
        Text::AuthorityName => Fields::Length(Text::Authority),
        Text::Value | Text::Authority => Fields::Start,
    }
}

fn is_of_host_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A connection of the preface, settings, and one request with this authority, padded and with priority if told so.
    fn connection(authority: &[u8], padded: bool, spelt_out: bool) -> Vec<u8> {
        let mut block = vec![0x3f, 0x81, 0x1f, 0x83, 0x86]; // a size update, `:method`, `:scheme`
        block.extend([0x44, 3]);
        block.extend(b"/%2"); // `:path`, which is never touched
        block.extend(b"\x40\x0a:authoritx\x03%/%"); // a name that is nearly the one
        block.extend(if spelt_out { &b"\x40\x0a:authority"[..] } else { b"\x41" });
        let length = authority.len();
        if length < 0x7f {
            block.push(length as u8);
        } else {
            block.extend([0x7f, ((length - 0x7f) & 0x7f) as u8 | 0x80, ((length - 0x7f) >> 7) as u8]);
        }
        block.extend(authority);
        block.extend([0x40, 2]);
        block.extend(b"te");
        block.push(8);
        block.extend(b"trailers");
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
        let front: &[u8] = if padded { &[4, 0, 0, 0, 0, 16] } else { &[] };
        let back: &[u8] = if padded { b"%%%%" } else { b"" };
        let payload = front.len() + block.len() + back.len();
        bytes.extend([0, (payload >> 8) as u8, payload as u8, 1, if padded { 0x2c } else { 4 }, 0, 0, 0, 1]);
        bytes.extend(front);
        bytes.extend(&block);
        bytes.extend(back);
        bytes.extend([0, 0, 3, 0, 1, 0, 0, 0, 1]);
        bytes.extend(b"%/%");
        bytes
    }

    fn mended(bytes: &[u8], pieces: usize) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let mut mender = Mender::default();
        bytes.chunks_mut(pieces).for_each(|piece| mender.mend(piece));
        bytes
    }

    #[test]
    fn a_path_becomes_a_host_name_of_the_same_length() {
        let long = "%2Fvar".repeat(60);
        let cases = [
            ("%2Ftmp%2Flictor.sock", "-2Ftmp-2Flictor.sock"),
            ("/run/lictor.sock", "-run-lictor.sock"),
            ("localhost", "localhost"),
            (long.as_str(), &"-2Fvar".repeat(60)),
        ];
        for (sent, expected) in cases {
            for (padded, spelt_out) in [(false, false), (true, false), (false, true), (true, true)] {
                let [bytes, expected] =
                    [sent, expected].map(|authority| connection(authority.as_bytes(), padded, spelt_out));
                for pieces in [1, 2, 7, 64, 4096] {
                    assert_eq!(mended(&bytes, pieces), expected, "{sent} in pieces of {pieces}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..400), pieces in 1..50usize) {
            prop_assert_eq!(mended(&bytes, pieces).len(), bytes.len());
            let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x01\x90\x01\x04\x00\x00\x00\x01"[..], &bytes].concat();
            prop_assert_eq!(mended(&preface, pieces), mended(&preface, 1));
        }
    }
}
