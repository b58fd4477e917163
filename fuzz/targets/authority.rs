#![no_main]

#[path = "../bodies/authority.rs"]
mod authority;

libfuzzer_sys::fuzz_target!(|input: &[u8]| authority::check(input));
