#![no_main]

#[path = "../bodies/bytes.rs"]
mod bytes;
#[path = "../bodies/journal.rs"]
mod journal;

libfuzzer_sys::fuzz_target!(|input: &[u8]| journal::check(input));
