//! `lictor import`: policies of the predecessor as documents.

use crate::cli::output;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::documents::{CommandError, print_findings};
use super::exit;
use super::style::{BOLD, GREEN, RED, RESET, YELLOW};
use crate::diag::{Severity, Sources};
use crate::model::Layer;
use crate::policy::{self, Imported, SourceText};

/// Arguments of `lictor import`.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// The predecessor's JSON: a policy, a list of policies, or a list of rules; `-` for standard input.
    file: PathBuf,
    /// Where to write the documents; standard output if not given. An existing file is not replaced.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write what can be imported although rules are left out: a missing rule may be one that denied.
    #[arg(long)]
    partial: bool,
}

/// Prints or writes the documents; says on standard error what could not be imported and what means something else.
/// 0 if all was imported, 1 if not (nothing is written then, unless `--partial` is given), 2 if a file cannot be read or
/// written.
pub fn run(args: &ImportArgs) -> ExitCode {
    let json = match read(&args.file) {
        Ok(json) => json,
        Err(error) => return error.report(),
    };
    let imported = policy::import(&json);
    let text =
        SourceText { name: "imported.yaml".into(), layer: Layer::Organisation, text: imported.yaml.as_str().into() };
    let checked = policy::load(&[text]);
    let errors = imported.findings.count(Severity::Error) + checked.findings.count(Severity::Error);
    let writes = !imported.yaml.is_empty() && (errors == 0 || args.partial);
    if writes && let Err(error) = write(args.output.as_deref(), &imported.yaml) {
        return error.report();
    }
    print_findings(&Sources::default(), &imported.findings);
    if !imported.yaml.is_empty() {
        print_findings(&checked.sources, &checked.findings);
    }
    if !writes {
        anstream::eprintln!("{BOLD}{RED}nothing is written{RESET}: {}", refusal(&imported, errors));
        return ExitCode::from(exit::FAILED);
    }
    let warnings = imported.findings.count(Severity::Warning) + checked.findings.count(Severity::Warning);
    let rules: usize = checked.documents.policies.iter().map(|policy| policy.rules.len()).sum();
    let (verdict, colour) = match (errors, warnings) {
        (0, 0) => ("imported", GREEN),
        (0, _) => ("imported, with notes", YELLOW),
        _ => ("imported in part", RED),
    };
    anstream::eprintln!(
        "{BOLD}{colour}{verdict}{RESET}; policies: {}, rules: {rules}, left out: {}, errors: {errors}, notes: {warnings}",
        checked.documents.policies.len(),
        imported.left_out
    );
    ExitCode::from(if errors == 0 { exit::OK } else { exit::FAILED })
}

/// Why nothing is written, and what would write the rest.
fn refusal(imported: &Imported, errors: usize) -> String {
    let left_out = match imported.left_out {
        1 => "1 rule is left out".to_owned(),
        number => format!("{number} rules are left out"),
    };
    let errors = format!("{errors} error{}", if errors == 1 { "" } else { "s" });
    let rest = if imported.yaml.is_empty() { "there is no other" } else { "`--partial` writes the rest" };
    if imported.left_out == 0 && imported.yaml.is_empty() { errors } else { format!("{left_out} ({errors}); {rest}") }
}

/// The text of a file, or of standard input for `-`.
pub(super) fn read(path: &Path) -> Result<String, CommandError> {
    let read = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    read.map_err(|error| CommandError::environment(format!("cannot read `{}`: {error}", path.display())))
}

/// Prints `yaml`, or writes it to a file that is not there yet.
pub(super) fn write(path: Option<&Path>, yaml: &str) -> Result<(), CommandError> {
    let Some(path) = path else {
        output::print(format_args!("{yaml}"));
        return Ok(());
    };
    let written = fs::File::create_new(path).and_then(|mut file| file.write_all(yaml.as_bytes()));
    written.map_err(|error| {
        CommandError::environment(match error.kind() {
            ErrorKind::AlreadyExists => format!("`{}` exists already and is not replaced", path.display()),
            _ => format!("cannot write `{}`: {error}", path.display()),
        })
    })
}
