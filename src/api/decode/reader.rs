//! Reads protobuf's wire format from a slice.

use super::Malformed;

/// Deepest nesting of groups in unknown fields; prost's limit as well.
const MAX_GROUP_DEPTH: usize = 100;

/// What one field holds, by its wire type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Raw<'a> {
    /// Integers, booleans and enums.
    Varint(u64),
    /// Doubles.
    Fixed64(u64),
    /// Strings, bytes and messages.
    Bytes(&'a [u8]),
    /// Floats.
    Fixed32(u32),
    /// A group, skipped.
    Group,
}

impl<'a> Raw<'a> {
    /// The bytes of a message field.
    pub fn message(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed::WireType),
        }
    }

    /// A string field.
    pub fn string(self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.message()?).map_err(|_| Malformed::Utf8)
    }

    /// A boolean field.
    pub fn boolean(self) -> Result<bool, Malformed> {
        self.varint().map(|value| value != 0)
    }

    /// An integer field.
    pub fn varint(self) -> Result<u64, Malformed> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(Malformed::WireType),
        }
    }

    /// An enum field. A number beyond 32 bits is cut, as protobuf has it.
    pub fn enumeration(self) -> Result<i32, Malformed> {
        self.varint().map(|value| (value as u32).cast_signed())
    }

    /// A double field.
    pub fn double(self) -> Result<f64, Malformed> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(Malformed::WireType),
        }
    }
}

/// Walks the fields of one message.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of `message`.
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field, `None` at the end.
    #[inline]
    pub fn next(&mut self) -> Result<Option<(u32, Raw<'a>)>, Malformed> {
        // Most fields by far: a string or message below 128 bytes, with a number below 16.
        if let [tag @ 8..0x80, length @ ..0x80, rest @ ..] = self.rest
            && tag & 7 == 2
            && let Some((content, rest)) = rest.split_at_checked(usize::from(*length))
        {
            self.rest = rest;
            return Ok(Some((u32::from(tag >> 3), Raw::Bytes(content))));
        }
        self.any()
    }

    /// The next field, whatever it is.
    #[inline(never)]
    fn any(&mut self) -> Result<Option<(u32, Raw<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, wire) = self.tag()?;
        self.raw(number, wire, 0).map(|raw| Some((number, raw)))
    }

    /// How often field `wanted` occurs up to the end of the message, at most `most` times, and without checking anything.
    pub fn count(&self, wanted: u32, most: usize) -> usize {
        let mut ahead = self.clone();
        let mut count = 0;
        while let Ok(Some((number, _))) = ahead.next() {
            if number == wanted {
                count += 1;
                if count >= most {
                    break;
                }
            }
        }
        count
    }

    #[inline]
    fn tag(&mut self) -> Result<(u32, u8), Malformed> {
        let tag = u32::try_from(self.varint()?).map_err(|_| Malformed::Tag)?;
        let number = tag >> 3;
        if number == 0 {
            return Err(Malformed::Tag);
        }
        Ok((number, (tag & 7) as u8))
    }

    #[inline]
    fn raw(&mut self, number: u32, wire: u8, depth: usize) -> Result<Raw<'a>, Malformed> {
        Ok(match wire {
            0 => Raw::Varint(self.varint()?),
            1 => Raw::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Truncated)?;
                Raw::Bytes(self.take(length)?)
            }
            3 => {
                self.skip_group(number, depth)?;
                Raw::Group
            }
            5 => Raw::Fixed32(u32::from_le_bytes(self.array()?)),
            4 => return Err(Malformed::Group),
            _ => return Err(Malformed::Tag),
        })
    }

    fn skip_group(&mut self, group: u32, depth: usize) -> Result<(), Malformed> {
        if depth >= MAX_GROUP_DEPTH {
            return Err(Malformed::Group);
        }
        loop {
            let (number, wire) = self.tag()?;
            if wire == 4 {
                return if number == group { Ok(()) } else { Err(Malformed::Group) };
            }
            self.raw(number, wire, depth + 1)?;
        }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        if let Some((&first, rest)) = self.rest.split_first()
            && first < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(first));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(Malformed::Truncated)?;
            self.rest = rest;
            // The tenth byte holds one bit only.
            if shift == 63 && byte > 1 {
                return Err(Malformed::Varint);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed::Varint)
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }
}

/// The bytes of a message field, put together if the field occurs more than once: protobuf merges the occurrences, which
/// is the same as reading them one after the other.
#[derive(Debug, Default)]
pub enum Merged<'a> {
    /// The field is absent.
    #[default]
    Absent,
    /// It occurs once.
    Once(&'a [u8]),
    /// It occurs several times.
    Joined(Vec<u8>),
}

impl<'a> Merged<'a> {
    /// Adds an occurrence.
    ///
    /// # Errors
    /// One of several occurrences ends in the middle of a field, which the next would complete.
    pub fn add(&mut self, more: &'a [u8]) -> Result<(), Malformed> {
        match self {
            Self::Absent => *self = Self::Once(more),
            Self::Once(first) => {
                check_whole(first)?;
                check_whole(more)?;
                *self = Self::Joined([*first, more].concat());
            }
            Self::Joined(bytes) => {
                check_whole(more)?;
                bytes.extend_from_slice(more);
            }
        }
        Ok(())
    }

    /// The message, `None` if the field is absent.
    pub fn get(&self) -> Option<&[u8]> {
        match self {
            Self::Absent => None,
            Self::Once(bytes) => Some(bytes),
            Self::Joined(bytes) => Some(bytes),
        }
    }
}

fn check_whole(message: &[u8]) -> Result<(), Malformed> {
    let mut reader = Reader::new(message);
    while reader.next()?.is_some() {}
    Ok(())
}
