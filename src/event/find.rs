//! Whether events are in the journal, by their ids.

use std::collections::HashSet;
use std::path::Path;

use uuid::Uuid;

use super::error::EventError;
use super::reader::JournalReader;

/// Which of `wanted` are in the journal in `directory` behind the event number `after`, up to number `last`.
///
/// # Errors
/// [`EventError::Io`] if a segment cannot be read.
pub fn find_events(
    directory: &Path,
    after: u64,
    last: u64,
    wanted: &HashSet<Uuid>,
) -> Result<HashSet<Uuid>, EventError> {
    let mut found = HashSet::new();
    let mut reader = JournalReader::after(directory, after);
    while found.len() < wanted.len() {
        let batch = reader.read(last)?;
        if batch.is_empty() {
            break;
        }
        found.extend(batch.lines(0).filter_map(|(_, line)| id_of(line)).filter(|id| wanted.contains(id)));
    }
    Ok(found)
}

/// The id of a line, which is its first member.
fn id_of(line: &[u8]) -> Option<Uuid> {
    let digits = line.strip_prefix(b"{\"id\":\"")?.get(..36)?;
    Uuid::try_parse_ascii(digits).ok()
}
