//! Policy files named on a command line: reading them, and telling what is wrong with them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::exit;
use super::style::{RED, RESET};
use crate::diag::{Findings, Severity, Sources, render_text};
use crate::model::Layer;
use crate::policy::{self, Loaded, SourceText};

/// The policy files of a command line, by layer.
#[derive(Debug, clap::Args)]
pub struct DocumentArgs {
    /// Files and directories with policy documents; of a directory, every `*.yaml` and `*.yml` file below it.
    #[arg(required_unless_present_any = ["system", "tenant"])]
    paths: Vec<PathBuf>,
    /// Files and directories of the system layer, which no other can overrule.
    #[arg(long, value_name = "PATH")]
    system: Vec<PathBuf>,
    /// Files and directories of the tenant layer, which may narrow the others.
    #[arg(long, value_name = "PATH")]
    tenant: Vec<PathBuf>,
}

impl DocumentArgs {
    /// Reads the files.
    ///
    /// # Errors
    /// A path that does not exist or cannot be read, or a directory without any document.
    pub fn read(&self) -> Result<Vec<SourceText>, CommandError> {
        let mut texts = read(&self.system, Layer::System)?;
        texts.extend(read(&self.paths, Layer::Organisation)?);
        texts.extend(read(&self.tenant, Layer::Tenant)?);
        Ok(texts)
    }

    /// Reads and checks the files.
    ///
    /// # Errors
    /// Files that cannot be read, or documents with errors.
    pub fn load(&self) -> Result<Loaded, CommandError> {
        load(&self.read()?)
    }
}

/// Why a command stopped.
#[derive(Debug)]
pub enum CommandError {
    /// Documents that were refused.
    Refused {
        /// The texts that the findings point into.
        sources: Sources,
        /// What is wrong.
        findings: Findings,
    },
    /// Something about the environment or the usage.
    Environment(String),
}

impl CommandError {
    /// An error of the environment.
    pub fn environment(message: impl Into<String>) -> Self {
        Self::Environment(message.into())
    }

    /// Prints an error of something that was to be run rather than checked: the exit code is always that of the
    /// environment.
    pub fn report_environment(&self) -> ExitCode {
        self.report();
        ExitCode::from(exit::USAGE)
    }

    /// Prints the error and gives the exit code.
    pub fn report(&self) -> ExitCode {
        match self {
            Self::Refused { sources, findings } => {
                print_findings(sources, findings);
                let errors = findings.count(Severity::Error);
                anstream::eprintln!("{RED}{errors} error{}{RESET}", if errors == 1 { "" } else { "s" });
                ExitCode::from(exit::FAILED)
            }
            Self::Environment(message) => {
                anstream::eprintln!("{RED}error:{RESET} {message}");
                ExitCode::from(exit::USAGE)
            }
        }
    }
}

/// Prints findings to standard error, each with its excerpt.
pub fn print_findings(sources: &Sources, findings: &Findings) {
    for finding in findings {
        anstream::eprintln!("{}\n", render_text(sources, finding, true));
    }
}

/// Checks documents.
///
/// # Errors
/// Documents with errors.
pub fn load(texts: &[SourceText]) -> Result<Loaded, CommandError> {
    let loaded = policy::load(texts);
    if loaded.findings.has_errors() {
        return Err(CommandError::Refused { sources: loaded.sources, findings: loaded.findings });
    }
    Ok(loaded)
}

/// Reads the files of `paths`; of a directory, every `.yaml` and `.yml` file below it, in the order of their names.
///
/// # Errors
/// A path that does not exist or cannot be read, or a directory without any document.
pub fn read(paths: &[PathBuf], layer: Layer) -> Result<Vec<SourceText>, CommandError> {
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        collect(path, true, &mut files)?;
        if files.len() == before {
            return Err(CommandError::environment(format!(
                "`{}` holds no policy documents; they are files named `*.yaml` or `*.yml`",
                path.display()
            )));
        }
    }
    files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).map_err(|error| cannot_read(&path, &error))?;
            Ok(SourceText { name: path.display().to_string().into(), layer, text: text.into() })
        })
        .collect()
}

fn cannot_read(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::environment(format!("cannot read `{}`: {error}", path.display()))
}

fn collect(path: &Path, named: bool, files: &mut Vec<PathBuf>) -> Result<(), CommandError> {
    let kind = std::fs::metadata(path).map_err(|error| cannot_read(path, &error))?;
    if !kind.is_dir() {
        let is_document = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if named || is_document {
            files.push(path.to_owned());
        }
        return Ok(());
    }
    let entries = std::fs::read_dir(path).map_err(|error| cannot_read(path, &error))?;
    let mut below = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| cannot_read(path, &error))?;
    below.sort_unstable();
    let is_hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    below.iter().filter(|path| !is_hidden(path)).try_for_each(|path| collect(path, false, files))
}
