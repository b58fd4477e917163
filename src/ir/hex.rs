//! Hexadecimal.

/// Gives `push` the lower-case hexadecimal digits of `bytes`.
pub(crate) fn hex(bytes: &[u8; 32], mut push: impl FnMut(char)) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        push(char::from(DIGITS[usize::from(byte >> 4)]));
        push(char::from(DIGITS[usize::from(byte & 0x0f)]));
    }
}
