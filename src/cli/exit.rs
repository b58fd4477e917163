//! Exit codes, the same for every command.

/// All is well; for `eval`, the action may happen.
pub const OK: u8 = 0;
/// The thing that was checked failed.
pub const FAILED: u8 = 1;
/// Wrong usage, or the environment does not let the command do its work.
pub const USAGE: u8 = 2;
