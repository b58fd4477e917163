//! Printing what a command has to say.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};

use super::exit;
use crate::model::changes_the_display;

/// `text` without characters that change what a terminal shows; line breaks stay.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c != '\n' && changes_the_display(c) { '\u{fffd}' } else { c }).collect()
}

/// Prints `text` to standard output. If it cannot be written the program ends with the exit code of the environment: a
/// report that nobody could read must not look like one that was read. A reader that left early is no news.
pub fn print(text: Arguments<'_>) {
    let mut out = anstream::stdout().lock();
    if let Err(error) = out.write_fmt(text).and_then(|()| out.flush()) {
        if error.kind() != ErrorKind::BrokenPipe {
            anstream::eprintln!("cannot write to standard output: {error}");
        }
        std::process::exit(i32::from(exit::USAGE));
    }
}
