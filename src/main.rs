//! The `lictor` program.

fn main() {}
