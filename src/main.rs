//! The `lictor` program.

use std::process::ExitCode;

/// Decoding a request allocates a few short-lived values; this allocator makes that cheaper than the system's does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    lictor::cli::main()
}
