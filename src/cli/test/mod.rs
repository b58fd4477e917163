//! `lictor test`: decides the cases of `Tests` documents and reports what is not as expected, and which rules no case hits.

mod plans;
mod refused;
mod render;
mod run;

use crate::cli::output;
use std::process::ExitCode;
use std::time::SystemTime;

use super::documents::{CommandError, DocumentArgs};
use super::exit;
use crate::model::Timestamp;
use crate::snapshot::Snapshot;

/// Arguments of `lictor test`.
#[derive(Debug, clap::Args)]
pub struct TestArgs {
    #[command(flatten)]
    documents: DocumentArgs,
    /// How to report.
    #[arg(long, value_enum, default_value_t = Format::Tree)]
    output: Format,
    /// Fail if fewer per cent of the rules take part in a case.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// A tree for people.
    Tree,
    /// One JSON object.
    Json,
    /// JUnit XML.
    Junit,
}

/// Runs `lictor test`: 0 if every case is as expected, 1 if one is not, 2 if there is nothing to run.
pub fn run(args: &TestArgs) -> ExitCode {
    match test(args) {
        Ok(code) => code,
        Err(error) => error.report(),
    }
}

fn test(args: &TestArgs) -> Result<ExitCode, CommandError> {
    let loaded = match args.documents.load() {
        Ok(loaded) => loaded,
        Err(CommandError::Refused { sources, findings }) if !matches!(args.output, Format::Tree) => {
            match args.output {
                Format::Junit => output::print(format_args!("{}", refused::junit(&sources, &findings))),
                _ => output::print(format_args!("{:#}\n", refused::json(&sources, &findings))),
            }
            return Ok(ExitCode::from(exit::FAILED));
        }
        Err(error) => return Err(error),
    };
    let snapshot = Snapshot::build(&loaded.documents, 0);
    let tests = &loaded.documents.tests;
    if tests.iter().all(|suite| suite.cases.is_empty()) {
        return Err(CommandError::environment("there is no test case in these files; add a document of kind `Tests`"));
    }
    let report = run::run(&snapshot, tests, Timestamp::from_system(SystemTime::now()));
    let covered = report.coverage.percent() >= f64::from(args.min_coverage.unwrap_or(0));
    let good = report.failed() == 0 && covered;
    match args.output {
        Format::Tree => output::print(format_args!("{}", render::tree(&report, &loaded.sources))),
        Format::Json => output::print(format_args!("{:#}\n", render::json(&report, &loaded.sources, good))),
        Format::Junit => output::print(format_args!("{}", render::junit(&report, &loaded.sources))),
    }
    if !covered {
        anstream::eprintln!("rule coverage is below {} %", args.min_coverage.unwrap_or(0));
    }
    Ok(if good { ExitCode::from(exit::OK) } else { ExitCode::from(exit::FAILED) })
}
