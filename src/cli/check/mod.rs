//! `lictor check`: what is wrong with policy documents.

mod surroundings;

use crate::cli::output;
use std::process::ExitCode;

use crate::cli::documents::{DocumentArgs, findings_json, print_findings};
use crate::cli::exit;
use crate::cli::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW};
use crate::diag::{Findings, Severity};
use crate::policy::Loaded;
use crate::snapshot::Snapshot;

/// Arguments of `lictor check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    documents: DocumentArgs,
    /// How to write the findings.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Fail on warnings too.
    #[arg(long)]
    deny_warnings: bool,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people: findings with excerpts on standard error, a summary on standard output.
    Text,
    /// One JSON object on standard output.
    Json,
}

/// Reads and checks the documents and prints every finding.
pub fn run(args: &CheckArgs) -> ExitCode {
    let files = match args.documents.read() {
        Ok(files) => files,
        Err(error) => return error.report(),
    };
    let mut loaded = files.check();
    let digest = (!loaded.findings.has_errors()).then(|| Snapshot::digest_of(&loaded.documents));
    let denied = args.deny_warnings && !loaded.findings.is_empty();
    loaded.findings.extend(surroundings::missing(&loaded.documents));
    let failed = denied || loaded.findings.has_errors();
    loaded.findings.sort();
    match args.output {
        Output::Text => print_text(&loaded, files.count(), digest.as_deref(), failed),
        Output::Json => print_json(&loaded, files.count(), digest.as_deref(), failed),
    }
    ExitCode::from(if failed { exit::FAILED } else { exit::OK })
}

fn print_text(loaded: &Loaded, files: usize, digest: Option<&str>, failed: bool) {
    print_findings(&loaded.sources, &loaded.findings);
    let (verdict, colour) = match (failed, loaded.findings.is_empty()) {
        (true, _) => ("failed", RED),
        (false, false) => ("ok, with warnings", YELLOW),
        (false, true) => ("ok", GREEN),
    };
    output::print(format_args!("{BOLD}{colour}{verdict}{RESET}: {}\n", summary(loaded, files)));
    if let Some(digest) = digest {
        output::print(format_args!("{DIM}digest {digest}{RESET}\n"));
    }
}

fn print_json(loaded: &Loaded, files: usize, digest: Option<&str>, failed: bool) {
    let mut report = findings_json(&loaded.sources, &loaded.findings);
    report.extend([
        ("ok".to_owned(), (!failed).into()),
        ("files".to_owned(), files.into()),
        ("documents".to_owned(), loaded.document_count.into()),
        ("digest".to_owned(), digest.into()),
    ]);
    let report = serde_json::Value::Object(report);
    output::print(format_args!("{report:#}\n"));
}

/// For example "3 files, 12 documents, 2 errors, 1 warning".
fn summary(loaded: &Loaded, files: usize) -> String {
    let (errors, warnings) = counts(&loaded.findings);
    let parts = [(files, "file"), (loaded.document_count, "document"), (errors, "error"), (warnings, "warning")];
    let parts = parts.map(|(count, noun)| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }));
    parts.join(", ")
}

fn counts(findings: &Findings) -> (usize, usize) {
    (findings.count(Severity::Error), findings.count(Severity::Warning))
}
