//! `lictor audit verify`: is the journal what was written?

use std::io::{self, Write};
use std::process::ExitCode;

use super::{Output, StateArgs};
use crate::cli::documents::CommandError;
use crate::cli::exit;
use crate::cli::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW};
use crate::event::{AuditFinding, AuditReport, ChainKey, audit_keyed_from};

/// Most findings that are shown to people; for machines there are more.
const MAX_SHOWN: usize = 20;

/// Arguments of `lictor audit verify`.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    state: StateArgs,
    /// Key of the chain: a file, or `env:NAME` for an environment variable.
    #[arg(long, value_name = "FILE|env:NAME")]
    key: Option<String>,
    /// Sequence number from which on every record must be keyed, where you know it: also if the server's own mark is
    /// missing or says later.
    #[arg(long, value_name = "SEQUENCE", requires = "key")]
    keyed_from: Option<u64>,
    /// How the result is shown.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Audits the journal and shows what was found.
pub(super) fn run(args: &VerifyArgs) -> Result<ExitCode, CommandError> {
    let key = args.key.as_deref().map(read_key).transpose()?;
    let journal = args.state.journal()?;
    let report = audit_keyed_from(&journal, key.as_ref(), args.keyed_from)
        .map_err(|error| CommandError::environment(error.to_string()))?;
    let mut out = anstream::stdout().lock();
    let shown = match args.output {
        Output::Text => show(&mut out, &report, key.is_some()),
        Output::Json => show_json(&mut out, &report),
    };
    match shown.and_then(|()| out.flush()) {
        // Whoever closed the pipe has seen enough; the exit code still tells.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(CommandError::environment(format!("cannot write the result: {error}")));
        }
        Ok(()) | Err(_) => {}
    }
    Ok(ExitCode::from(if report.is_good() { exit::OK } else { exit::FAILED }))
}

fn read_key(reference: &str) -> Result<ChainKey, CommandError> {
    let text = match reference.strip_prefix("env:") {
        Some(name) => std::env::var(name).map(String::into_bytes).map_err(|error| {
            CommandError::environment(format!("cannot read the key from the environment variable `{name}`: {error}"))
        })?,
        None => std::fs::read(reference)
            .map_err(|error| CommandError::environment(format!("cannot read the key file `{reference}`: {error}")))?,
    };
    ChainKey::from_text(&text).map_err(|error| CommandError::environment(format!("`{reference}`: {error}")))
}

fn show_json(out: &mut impl Write, report: &AuditReport) -> io::Result<()> {
    let mut object = serde_json::to_value(report)?;
    if let Some(object) = object.as_object_mut() {
        object.insert("ok".to_owned(), report.is_good().into());
    }
    writeln!(out, "{object}")
}

fn show(out: &mut impl Write, report: &AuditReport, keyed: bool) -> io::Result<()> {
    for finding in report.findings.iter().take(MAX_SHOWN) {
        show_finding(out, finding)?;
    }
    let shown = u64::try_from(report.findings.len().min(MAX_SHOWN)).unwrap_or(u64::MAX);
    if report.findings_total > shown {
        writeln!(out, "{DIM}… and {} more{RESET}\n", report.findings_total.saturating_sub(shown))?;
    }
    let range = match (report.first_sequence, report.last_sequence) {
        (Some(first), Some(last)) => format!(", sequence {first} to {last}"),
        _ => String::new(),
    };
    writeln!(out, "{BOLD}records{RESET}   {} in {}{range}", report.records, counted(report.segments, "segment"))?;
    if let Some(head) = &report.head {
        writeln!(out, "{BOLD}head{RESET}      {head}")?;
    }
    if keyed {
        writeln!(out, "{BOLD}keyed{RESET}     {} of {}", report.keyed, report.records)?;
    }
    writeln!(out, "{BOLD}gaps{RESET}      {}", gaps(report))?;
    for note in &report.notes {
        writeln!(out, "{YELLOW}note{RESET}      {note}")?;
    }
    if report.is_good() {
        let claim = match report.not_covered {
            Some((first, last)) => format!("records {first} to {last} are not covered by the key"),
            None if keyed => "the journal is untouched, as far as the key is secret".to_owned(),
            None => "the journal is uncorrupted".to_owned(),
        };
        writeln!(out, "{GREEN}ok{RESET}        every record follows the one before it; {claim}")
    } else {
        writeln!(out, "{RED}damaged{RESET}   {}", counted(report.findings_total, "finding"))?;
        if !keyed && lacks_key(report) {
            writeln!(
                out,
                "{YELLOW}note{RESET}      the hashes do not verify without a key; was the journal written with one? pass --key FILE"
            )?;
        }
        Ok(())
    }
}

/// Whether the findings are those of a journal that was written with a key, seen without one: from some record on no hash
/// holds, although every record names the one before it.
fn lacks_key(report: &AuditReport) -> bool {
    let first = report.findings.first().and_then(|finding| finding.sequence);
    let (Some(first), Some(last)) = (first, report.last_sequence) else { return false };
    let since = last.saturating_sub(first).saturating_add(1);
    report.findings.iter().all(|finding| finding.code == "hash") && report.findings_total == since
}

fn show_finding(out: &mut impl Write, finding: &AuditFinding) -> io::Result<()> {
    write!(
        out,
        "{RED}error[{}]{RESET}: {}\n  {DIM}-->{RESET} {}",
        finding.code,
        finding.message,
        finding.file.display()
    )?;
    if finding.line > 0 {
        write!(out, ":{} {DIM}(byte {}){RESET}", finding.line, finding.offset)?;
    }
    match finding.sequence {
        Some(sequence) => writeln!(out, ", sequence {sequence}\n"),
        None => writeln!(out, "\n"),
    }
}

fn gaps(report: &AuditReport) -> String {
    let gaps = &report.gaps;
    if gaps.records == 0 {
        return "none".to_owned();
    }
    let reasons: Vec<_> = gaps.by_reason.iter().map(|(reason, tickets)| format!("{reason}: {tickets}")).collect();
    let at_least = if gaps.open > 0 { "at least " } else { "" };
    format!(
        "{}, {at_least}{} missing ({})",
        counted(gaps.records, "gap record"),
        counted(gaps.tickets, "ticket"),
        reasons.join(", ")
    )
}

fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(codes: &[&'static str], records: u64, keyed: bool) -> String {
        let findings: Vec<_> = (1..)
            .zip(codes)
            .map(|(line, code)| AuditFinding {
                code,
                file: "j".into(),
                line,
                offset: 0,
                sequence: Some(line),
                message: String::new(),
            })
            .collect();
        let findings_total = u64::try_from(findings.len()).unwrap();
        let report = AuditReport { findings, findings_total, last_sequence: Some(records), ..AuditReport::default() };
        let mut out = Vec::new();
        show(&mut out, &report, keyed).unwrap();
        anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string()
    }

    #[test]
    fn asks_for_the_key_where_no_hash_holds_and_shows_some_findings() {
        let text = shown(&["hash"; 50], 50, false);
        assert!(text.contains("pass --key FILE") && text.contains("… and 30 more"), "{text}");
        assert_eq!(text.matches("error[hash]").count(), 20);
        for (codes, records, keyed) in [
            (&["hash"][..], 50, false),
            (&["hash", "link"], 2, false),
            (&["hash"; 50], 50, true),
            (&["truncated"], 1, false),
        ] {
            assert!(!shown(codes, records, keyed).contains("--key"), "{codes:?}");
        }
    }
}
