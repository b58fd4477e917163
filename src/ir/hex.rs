//! Hexadecimal.

/// The lower-case hexadecimal digits of `bytes`, in ASCII.
pub(crate) fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    let mut digits = [0; 64];
    for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 0x0f)];
    }
    digits
}

/// Computed and not looked up, so that many are made at once.
const fn digit(value: u8) -> u8 {
    const LETTERS: u8 = b'a' - b'9' - 1;
    value.wrapping_add(b'0').wrapping_add(if value > 9 { LETTERS } else { 0 })
}
