#![no_main]

#[path = "../bodies/bytes.rs"]
mod bytes;
#[path = "../bodies/condition.rs"]
mod condition;

libfuzzer_sys::fuzz_target!(|input: &[u8]| condition::check(input));
