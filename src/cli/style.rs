//! Escape sequences for terminals. Output goes through `anstream`, which leaves them out where there is no terminal.

/// Back to normal.
pub const RESET: &str = "\x1b[0m";
/// Headings.
pub const BOLD: &str = "\x1b[1m";
/// What matters less.
pub const DIM: &str = "\x1b[2m";
/// What went wrong.
pub const RED: &str = "\x1b[31m";
/// What went well.
pub const GREEN: &str = "\x1b[32m";
/// What deserves a look.
pub const YELLOW: &str = "\x1b[33m";
