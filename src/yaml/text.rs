//! Bytes to text.

use super::MAX_BYTES;

/// Why bytes are not a text that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// Too many bytes.
    #[error("the file has {0} bytes, more than the {MAX_BYTES} that are read; split it")]
    TooLarge(usize),
    /// Not UTF-8.
    #[error("byte {0} of the file is not UTF-8; save it as UTF-8")]
    NotUtf8(usize),
    /// A NUL byte.
    #[error("byte {0} of the file is NUL, which no text holds")]
    Nul(usize),
}

/// The text of a file, without a byte order mark.
///
/// # Errors
/// Where it is larger than [`MAX_BYTES`], is not UTF-8 or holds a NUL byte.
pub fn text_of_bytes(bytes: &[u8]) -> Result<&str, NotText> {
    if bytes.len() > MAX_BYTES {
        return Err(NotText::TooLarge(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| NotText::NotUtf8(error.valid_up_to()))?;
    if let Some(at) = text.find('\0') {
        return Err(NotText::Nul(at));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}
