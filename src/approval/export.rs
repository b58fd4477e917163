//! Approvals as CSV.

use std::borrow::Cow;

use crate::model::{Approval, Timestamp, without_control_characters};

/// The columns.
const COLUMNS: [&str; 25] = [
    "id",
    "tenant_id",
    "status",
    "target_kind",
    "target_hash",
    "tier",
    "required_level",
    "subject_id",
    "actions",
    "requested_by",
    "on_behalf_of",
    "created_by",
    "approvers",
    "resolved_by",
    "resolution",
    "consumed_by",
    "justification",
    "cost_cents",
    "correlation_id",
    "run_id",
    "created_at",
    "expires_at",
    "resolved_at",
    "consumed_at",
    "snapshot",
];

/// A CSV file (RFC 4180) in the making, taken away piece by piece.
#[derive(Debug)]
pub struct Sheet {
    writer: csv::Writer<Vec<u8>>,
}

impl Sheet {
    /// One that begins with the header.
    ///
    /// # Errors
    /// None that could happen: it is written to memory.
    pub fn new() -> Result<Self, csv::Error> {
        let mut sheet = Self { writer: writer() };
        sheet.writer.write_record(COLUMNS)?;
        Ok(sheet)
    }

    /// Adds a row.
    ///
    /// # Errors
    /// None that could happen: it is written to memory.
    pub fn add(&mut self, approval: &Approval) -> Result<(), csv::Error> {
        let progress = &approval.progress;
        let votes = progress.stages.iter().flat_map(|stage| &stage.approvals);
        let approvers: Vec<String> = votes.map(|vote| format!("{} ({})", vote.principal, vote.level)).collect();
        let consumed_by = progress.redemption.as_ref().and_then(|redemption| redemption.redeemed.last());
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        let cells: [&str; COLUMNS.len()] = [
            &approval.id,
            &approval.tenant_id,
            approval.status.as_str(),
            approval.target_kind.as_str(),
            &approval.target_hash,
            &approval.tier.to_string(),
            &approval.required_level.to_string(),
            &progress.settled.subject_id,
            &progress.settled.actions.join(" "),
            &approval.requested_by,
            &approval.on_behalf_of,
            &approval.created_by,
            &approvers.join(" "),
            &progress.resolved_by,
            &progress.resolution,
            consumed_by.map_or("", |redeemed| redeemed.principal.as_str()),
            &approval.justification,
            &approval.cost_cents.map(|cents| cents.to_string()).unwrap_or_default(),
            &approval.correlation_id,
            &progress.settled.run_id,
            &time(Some(approval.created_at)),
            &time(Some(approval.expires_at)),
            &time(approval.resolved_at),
            &time(approval.consumed_at),
            &approval.snapshot,
        ];
        self.writer.write_record(cells.map(|cell| neutral(cell).into_owned()))
    }

    /// Takes away what was written so far.
    ///
    /// # Errors
    /// None that could happen: it is written to memory.
    pub fn take(&mut self) -> Result<Vec<u8>, csv::Error> {
        let full = std::mem::replace(&mut self.writer, writer());
        full.into_inner().map_err(|error| csv::Error::from(std::io::Error::other(error.to_string())))
    }
}

fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new())
}

/// A cell that no spreadsheet runs: an apostrophe before whatever would begin a formula, also behind blanks. Nor does it
/// steer a terminal: control characters are replaced.
fn neutral(cell: &str) -> Cow<'_, str> {
    let cell = without_control_characters(cell);
    let begins = |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠');
    if cell.starts_with(begins) || cell.trim_start().starts_with(begins) {
        Cow::Owned(format!("'{cell}"))
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text() {
        for (cell, expected) in [
            ("=1+1", "'=1+1"),
            ("+49", "'+49"),
            ("-3", "'-3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("  =1", "'  =1"),
            ("＝1", "'＝1"),
            ("plain = text", "plain = text"),
            ("", ""),
            ("a\u{1b}[2Jb\0", "a\u{fffd}[2Jb\u{fffd}"),
            ("\u{1b}=1", "\u{fffd}=1"),
            ("two\nlines", "two\nlines"),
            ("a,b\"c", "a,b\"c"),
        ] {
            assert_eq!(neutral(cell), expected);
        }
    }
}
