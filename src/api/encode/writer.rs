//! Writes protobuf's wire format.

use crate::model::Timestamp;

/// Appends fields to a buffer. Empty strings, zeros and `false` are left out, as proto3 has it.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// A writer that appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// A string.
    #[inline]
    pub fn string(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.present_string(field, text);
        }
    }

    /// A string that is written even if it is empty: an element of a list, or a member of a `oneof`.
    #[inline]
    pub fn present_string(&mut self, field: u32, text: &str) {
        self.tag(field, 2);
        self.varint(text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    /// An unsigned integer or an enum.
    #[inline]
    pub fn unsigned(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.present_unsigned(field, value);
        }
    }

    /// An unsigned integer with presence.
    #[inline]
    pub fn present_unsigned(&mut self, field: u32, value: u64) {
        self.tag(field, 0);
        self.varint(value);
    }

    /// An `int32` or `int64`.
    pub fn signed(&mut self, field: u32, value: i64) {
        self.unsigned(field, value.cast_unsigned());
    }

    /// A point in time, as `google.protobuf.Timestamp`.
    pub fn timestamp(&mut self, field: u32, time: Timestamp) {
        let micros = time.as_micros();
        self.message(field, |out| {
            out.signed(1, micros.div_euclid(1_000_000));
            out.signed(2, micros.rem_euclid(1_000_000) * 1_000);
        });
    }

    /// A boolean.
    #[inline]
    pub fn boolean(&mut self, field: u32, value: bool) {
        if value {
            self.present_unsigned(field, 1);
        }
    }

    /// A double that is written even if it is zero.
    pub fn present_double(&mut self, field: u32, value: f64) {
        self.tag(field, 1);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// A message whose bytes are known.
    pub fn bytes(&mut self, field: u32, message: &[u8]) {
        self.tag(field, 2);
        self.varint(message.len() as u64);
        self.out.extend_from_slice(message);
    }

    /// A message, written by `content`.
    ///
    /// One byte is set aside for its length, which is enough for most; longer messages are moved to make room.
    #[inline]
    pub fn message(&mut self, field: u32, content: impl FnOnce(&mut Writer<'_>)) {
        self.nested(field, |out| content(&mut Writer { out }));
    }

    /// A message, whose encoded fields `content` appends to the buffer.
    #[inline]
    pub fn nested(&mut self, field: u32, content: impl FnOnce(&mut Vec<u8>)) {
        self.tag(field, 2);
        let start = self.out.len();
        self.out.push(0);
        content(self.out);
        let length = self.out.len() - start - 1;
        let extra = varint_length(length as u64) - 1;
        if extra > 0 {
            let end = self.out.len();
            self.out.resize(end + extra, 0);
            self.out.copy_within(start + 1..end, start + 1 + extra);
        }
        let mut rest = length as u64;
        for slot in self.out.iter_mut().skip(start).take(extra + 1) {
            *slot = (rest & 0x7f) as u8 | 0x80;
            rest >>= 7;
        }
        if let Some(last) = self.out.get_mut(start + extra) {
            *last &= 0x7f;
        }
    }

    #[inline]
    fn tag(&mut self, field: u32, wire: u8) {
        self.varint(u64::from(field << 3 | u32::from(wire)));
    }

    #[inline]
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}

/// Bytes that a varint of `value` takes: 1 to 10.
#[inline]
const fn varint_length(value: u64) -> usize {
    (63 - (value | 1).leading_zeros() as usize) / 7 + 1
}
