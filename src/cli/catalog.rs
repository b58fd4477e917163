//! `lictor catalog`: catalogues of actions made from what is there already.

use std::path::PathBuf;
use std::process::ExitCode;

use super::documents::{CommandError, print_findings};
use super::exit;
use super::import::{read, write};
use super::style::{BOLD, GREEN, RED, RESET, YELLOW};
use crate::diag::{Severity, Sources};
use crate::model::Layer;
use crate::policy::{self, SourceText};

/// Arguments of `lictor catalog`.
#[derive(Debug, clap::Args)]
pub struct CatalogArgs {
    #[command(subcommand)]
    command: CatalogCommand,
}

#[derive(Debug, clap::Subcommand)]
enum CatalogCommand {
    /// Make an ActionCatalog of the tools of an MCP server.
    ///
    /// Exit code 0: every tool was imported; 1: a tool was left out, or the answer is not one, and nothing is written unless
    /// `--partial` is given; 2: a file cannot be read or written.
    Import(CatalogImportArgs),
}

/// Arguments of `lictor catalog import`.
#[derive(Debug, clap::Args)]
pub struct CatalogImportArgs {
    /// What the server answers to `tools/list`, as JSON; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    mcp: PathBuf,
    /// A file with one ActionCatalog to add to. What its entries set is kept; comments are not.
    #[arg(long, value_name = "FILE", conflicts_with = "name")]
    over: Option<PathBuf>,
    /// Name of the catalogue.
    #[arg(long, default_value = "mcp")]
    name: String,
    /// Where to write the catalogue; standard output if not given. An existing file is not replaced.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write what can be imported although tools are left out: no plan may name those.
    #[arg(long)]
    partial: bool,
}

/// Runs the sub-command.
pub fn run(args: &CatalogArgs) -> ExitCode {
    match &args.command {
        CatalogCommand::Import(args) => import(args).unwrap_or_else(|error| error.report()),
    }
}

/// Prints or writes the catalogue; says on standard error what could not be imported and what to look at. 0 if all was
/// imported, 1 if not (nothing is written then, unless `--partial` is given), 2 if a file cannot be read or written.
fn import(args: &CatalogImportArgs) -> Result<ExitCode, CommandError> {
    let answer = read(&args.mcp)?;
    let over = args.over.as_deref().map(read).transpose()?;
    let imported = policy::import_mcp(&answer, &args.name, over.as_deref());
    let name = args.output.as_ref().map_or_else(|| "the catalogue".to_owned(), |path| path.display().to_string());
    let text = SourceText { name: name.into(), layer: Layer::Organisation, text: imported.yaml.as_str().into() };
    // Of an answer without tools nothing is made that could be checked.
    let texts = if imported.yaml.is_empty() { Vec::new() } else { vec![text] };
    let checked = policy::load(&texts);
    let errors = imported.findings.count(Severity::Error);
    let unusable = checked.findings.count(Severity::Error);
    let writes = !imported.yaml.is_empty() && unusable == 0 && (errors == 0 || args.partial);
    if writes {
        write(args.output.as_deref(), &imported.yaml)?;
    }
    print_findings(&Sources::default(), &imported.findings);
    print_findings(&checked.sources, &checked.findings);
    let errors = errors + unusable;
    let actions: usize = checked.documents.catalogs.iter().map(|catalog| catalog.actions.len()).sum();
    if !writes {
        let rest = match (imported.yaml.is_empty(), unusable) {
            (false, 0) => "; `--partial` writes the others",
            _ => "",
        };
        anstream::eprintln!(
            "{BOLD}{RED}nothing is written{RESET}; actions: {actions}, left out: {}, errors: {errors}{rest}",
            imported.left_out
        );
        return Ok(ExitCode::from(exit::FAILED));
    }
    let warnings = imported.findings.count(Severity::Warning) + checked.findings.count(Severity::Warning);
    let (verdict, colour) = match (errors, warnings) {
        (0, 0) => ("imported", GREEN),
        (0, _) => ("imported, with notes", YELLOW),
        _ => ("imported in part", RED),
    };
    anstream::eprintln!(
        "{BOLD}{colour}{verdict}{RESET}; actions: {actions}, left out: {}, errors: {errors}, notes: {warnings}",
        imported.left_out
    );
    anstream::eprintln!(
        "Next: label what is sensitive among the parameters, and the output fields that may be copied."
    );
    Ok(ExitCode::from(if errors == 0 { exit::OK } else { exit::FAILED }))
}
