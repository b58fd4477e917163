//! Reading a question from a file or from standard input.

use std::io::Read;
use std::path::Path;

use super::documents::CommandError;
use crate::diag::{Findings, SourceId, Sources};

/// Reads the file, `-` for standard input, and makes of it what `parse` makes of a text.
///
/// # Errors
/// It cannot be read, or is not what it should be.
pub fn read<T>(path: &Path, parse: impl FnOnce(SourceId, &str, &mut Findings) -> Option<T>) -> Result<T, CommandError> {
    let from_stdin = path.as_os_str() == "-";
    let name = if from_stdin { "standard input".into() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let most = crate::yaml::MAX_BYTES as u64 + 1;
    let outcome = if from_stdin {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    outcome.map_err(|error| CommandError::environment(format!("cannot read `{name}`: {error}")))?;
    let text =
        String::from_utf8(bytes).map_err(|_| CommandError::environment(format!("`{name}` is not UTF-8 text")))?;
    check_range(&text).map_err(|why| CommandError::environment(format!("cannot read `{name}`: {why}")))?;
    let mut sources = Sources::default();
    let mut findings = Findings::default();
    let source = sources.add(name, text.as_str());
    match parse(source, &text, &mut findings) {
        Some(parsed) if !findings.has_errors() => Ok(parsed),
        _ => Err(CommandError::Refused { sources, findings }),
    }
}

/// Refuses JSON with a number that YAML, which everything else is read as, would take for text.
pub fn check_range(text: &str) -> Result<(), String> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Err(error) if is_beyond_range(text, &error) => {
            Err(format!("a number is beyond the range of a double (line {}, column {})", error.line(), error.column()))
        }
        _ => Ok(()),
    }
}

/// Whether `text` is JSON but for a number that is too large. A text such as `1e999f`, which only begins like one, is not.
pub fn is_beyond_range(text: &str, error: &serde_json::Error) -> bool {
    let text = text.trim();
    error.to_string().starts_with("number out of range")
        && (text.starts_with(['[', '{']) || text.parse::<f64>().is_ok_and(f64::is_infinite))
}
