//! Policy files named on a command line: reading them, and telling what is wrong with them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::exit;
use super::style::{BOLD, RED, RESET};
use crate::diag::{Finding, Findings, Severity, Sources, Span, render_json, render_text};
use crate::model::Layer;
use crate::policy::{self, Loaded, SourceText};
use crate::yaml::{NotText, text_of_bytes};

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
    pub fn read(&self) -> Result<Files, CommandError> {
        Files::read([(Layer::System, &self.system), (Layer::Organisation, &self.paths), (Layer::Tenant, &self.tenant)])
    }

    /// Reads and checks the files.
    ///
    /// # Errors
    /// Files that cannot be read, or documents with errors.
    pub fn load(&self) -> Result<Loaded, CommandError> {
        self.read()?.load()
    }
}

/// The files of a command line.
#[derive(Debug, Default)]
pub struct Files {
    texts: Vec<SourceText>,
    unreadable: Vec<Unreadable>,
}

/// A file that is no text, or that was found below a directory and cannot be read.
#[derive(Debug)]
struct Unreadable {
    path: PathBuf,
    why: String,
    /// The file's bytes, as nearly as they are text, and where in it the first is that is not.
    place: Option<(String, usize)>,
}

impl Files {
    /// Reads the files of each layer; of a directory, every `.yaml` and `.yml` file below it, in the order of their names.
    /// A file that is named twice in a layer is read once.
    ///
    /// # Errors
    /// A path that does not exist or cannot be read, or a directory without any document. A file below a directory that
    /// cannot be read is a finding of [`check`](Self::check), and so is one that is no text.
    pub fn read<'a>(layers: impl IntoIterator<Item = (Layer, &'a Vec<PathBuf>)>) -> Result<Self, CommandError> {
        let mut all = Self::default();
        for (layer, paths) in layers {
            let mut seen = BTreeSet::new();
            for path in paths {
                let mut found = Found::default();
                found.collect(path, true)?;
                if found.files.is_empty() && found.unreadable.is_empty() {
                    return Err(CommandError::environment(format!(
                        "`{}` holds no policy documents; they are files named `*.yaml` or `*.yml`",
                        path.display()
                    )));
                }
                all.unreadable.append(&mut found.unreadable);
                for (file, named) in found.files {
                    if seen.insert(std::fs::canonicalize(&file).unwrap_or_else(|_| file.clone())) {
                        all.add(&file, layer, named)?;
                    }
                }
            }
        }
        Ok(all)
    }

    fn add(&mut self, path: &Path, layer: Layer, named: bool) -> Result<(), CommandError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if named => return Err(cannot_read(path, &error)),
            Err(error) => {
                self.unreadable.push(Unreadable::new(path, &error));
                return Ok(());
            }
        };
        match text_of_bytes(&bytes) {
            Ok(text) => {
                let name = path.display().to_string().into();
                self.texts.push(SourceText { name, layer, text: text.into() });
            }
            Err(problem) => {
                let place = match problem {
                    NotText::NotUtf8(at) | NotText::Nul(at) => Some((String::from_utf8_lossy(&bytes).into_owned(), at)),
                    NotText::TooLarge(_) => None,
                };
                self.unreadable.push(Unreadable { path: path.to_owned(), why: problem.to_string(), place });
            }
        }
        Ok(())
    }

    /// How many files there are, also those that cannot be read.
    pub fn count(&self) -> usize {
        self.texts.len().saturating_add(self.unreadable.len())
    }

    /// Checks the documents. What cannot be read is an error among the findings.
    pub fn check(&self) -> Loaded {
        let mut loaded = policy::load(&self.texts);
        for file in &self.unreadable {
            let name = file.path.display().to_string();
            let finding = Finding::error("unreadable-file", format!("cannot read `{name}`: {}", file.why));
            loaded.findings.push(match &file.place {
                Some((text, at)) => {
                    let source = loaded.sources.add(name, text.as_str());
                    finding.at(Span::new(source, *at, *at))
                }
                None => finding,
            });
        }
        loaded.findings.sort();
        loaded
    }

    /// Checks the documents.
    ///
    /// # Errors
    /// Documents with errors, or files that cannot be read.
    pub fn load(&self) -> Result<Loaded, CommandError> {
        let loaded = self.check();
        if loaded.findings.has_errors() {
            return Err(CommandError::Refused { sources: loaded.sources, findings: loaded.findings });
        }
        Ok(loaded)
    }
}

impl Unreadable {
    fn new(path: &Path, error: &std::io::Error) -> Self {
        Self { path: path.to_owned(), why: error.to_string(), place: None }
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

/// Most findings that are shown: the rest would only be noise until these are seen to.
const MAX_SHOWN: usize = 200;

/// The findings that are shown: errors before warnings, so that no error is hidden by many warnings.
pub fn first(all: &Findings) -> Findings {
    let of = |severity: Severity| all.iter().filter(move |finding| finding.severity == severity);
    let mut findings = Findings::default();
    findings.extend(of(Severity::Error).chain(of(Severity::Warning)).take(MAX_SHOWN).cloned());
    findings.sort();
    findings
}

/// What every report for machines says of findings: `errors`, `warnings`, `findings`, and whether they are all
/// (`truncated`).
pub fn findings_json(sources: &Sources, all: &Findings) -> serde_json::Map<String, serde_json::Value> {
    let findings: Vec<_> = first(all).iter().map(|finding| render_json(sources, finding)).collect();
    [
        ("errors".to_owned(), all.count(Severity::Error).into()),
        ("warnings".to_owned(), all.count(Severity::Warning).into()),
        ("findings".to_owned(), findings.into()),
        ("truncated".to_owned(), (all.iter().count() > MAX_SHOWN).into()),
    ]
    .into_iter()
    .collect()
}

/// Prints the [`first`] findings to standard error, each with its excerpt, and how many more there are.
pub fn print_findings(sources: &Sources, findings: &Findings) {
    for finding in &first(findings) {
        anstream::eprintln!("{}\n", render_text(sources, finding, true));
    }
    if let Some(more) = findings.iter().count().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
        anstream::eprintln!("{BOLD}and {more} more{RESET}\n");
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::environment(format!("cannot read `{}`: {error}", path.display()))
}

/// The files below one path of the command line.
#[derive(Debug, Default)]
struct Found {
    /// Each with whether it is the path itself.
    files: Vec<(PathBuf, bool)>,
    unreadable: Vec<Unreadable>,
    /// Directories that were gone through, so that links cannot lead around in a circle.
    directories: BTreeSet<PathBuf>,
}

impl Found {
    fn collect(&mut self, path: &Path, named: bool) -> Result<(), CommandError> {
        match self.try_collect(path, named) {
            Err(error) if named => Err(cannot_read(path, &error)),
            Err(error) => {
                self.unreadable.push(Unreadable::new(path, &error));
                Ok(())
            }
            Ok(below) => below.iter().try_for_each(|path| self.collect(path, false)),
        }
    }

    /// Takes a file; of a directory, gives what is in it.
    fn try_collect(&mut self, path: &Path, named: bool) -> std::io::Result<Vec<PathBuf>> {
        let is_document = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        let kind = match std::fs::metadata(path) {
            Ok(kind) => kind,
            // A link that leads nowhere, and would not be read if it did not.
            Err(_) if !named && !is_document => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        if !kind.is_dir() {
            if named || is_document {
                self.files.push((path.to_owned(), named));
            }
            return Ok(Vec::new());
        }
        if !self.directories.insert(std::fs::canonicalize(path)?) {
            return Ok(Vec::new());
        }
        let mut below = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                below.push(entry.path());
            }
        }
        below.sort_unstable();
        Ok(below)
    }
}
