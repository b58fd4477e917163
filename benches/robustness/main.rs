//! Robustness measured on the real program: `hostile` runs the attacks of the tests harder and compares what other callers
//! notice with an undisturbed run; `soak` runs load, reloads and a stalling exporter for long and watches memory.
//!
//! `cargo bench --bench robustness -- hostile [--scale N] [--only WORD] | soak [--minutes N]`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot go on has no figures"
)]

#[path = "../../tests/system/hostile/attacks.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod attacks;
#[path = "../../tests/system/harness.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod harness;
mod hostile;
mod soak;

const USAGE: &str = "cargo bench --bench robustness -- hostile [--scale N] [--only WORD] | soak [--minutes N]";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["hostile", ref rest @ ..] => {
            let (mut scale, mut only) = (20, None);
            for pair in rest.chunks(2) {
                match *pair {
                    ["--scale", value] => scale = number(value),
                    ["--only", word] => only = Some(word),
                    _ => usage(),
                }
            }
            hostile::run(scale, only);
        }
        ["soak"] => soak::run(30),
        ["soak", "--minutes", minutes] => soak::run(number(minutes)),
        // Run as a test: there is nothing to test, and nobody wants to wait.
        [] => println!("{USAGE}"),
        _ => usage(),
    }
}

fn number<N: std::str::FromStr>(text: &str) -> N {
    text.parse().unwrap_or_else(|_| usage())
}

fn usage() -> ! {
    eprintln!("{USAGE}");
    std::process::exit(2)
}
