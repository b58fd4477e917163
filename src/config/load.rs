//! Reading file and environment.

use std::io::ErrorKind;
use std::path::Path;

use schemars::generate::SchemaSettings;

use crate::diag::{Finding, Findings, Sources, Span};
use crate::yaml::{self, Kind, Node};

use super::spec::ConfigSpec;
use super::{Config, decode, environment};

/// The JSON Schema (2020-12) of the configuration file.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut root = generator.root_schema_for::<ConfigSpec>().to_value();
    if let Some(root) = root.as_object_mut() {
        root.insert("title".to_owned(), "lictor.yaml".into());
        root.shift_remove("$schema");
    }
    yaml::complete_schema(&mut root, generator);
    root
}

/// The file that is read where none is named, if it is there.
pub const DEFAULT_FILE: &str = "lictor.yaml";

impl Config {
    /// Reads the file at `path`, or [`DEFAULT_FILE`] in the working directory if it is there, and lays the environment
    /// `variables` over it. Relative paths in the file are below the file's directory, those in variables below the
    /// working directory.
    ///
    /// # Errors
    /// Everything that is wrong, with the texts that the findings point into.
    pub fn load(
        path: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, (Sources, Findings)> {
        let mut sources = Sources::default();
        let mut findings = Findings::default();
        let mut root = read(path, &mut sources, &mut findings);
        environment::overlay(&mut root, variables, &mut sources, &mut findings);
        let base = path.and_then(Path::parent).unwrap_or(Path::new(""));
        let config = decode::config(&root, base, &sources, &mut findings);
        if findings.has_errors() {
            findings.sort();
            return Err((sources, findings));
        }
        Ok(config)
    }
}

/// The file as a tree; an empty map where there is none.
fn read(path: Option<&Path>, sources: &mut Sources, out: &mut Findings) -> Node {
    let file = path.unwrap_or(Path::new(DEFAULT_FILE));
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_none() => Vec::new(),
        Err(error) => {
            out.push(Finding::error("unreadable-file", format!("cannot read `{}`: {error}", file.display())));
            Vec::new()
        }
    };
    let text = match yaml::text_of_bytes(&bytes) {
        Ok(text) => text,
        Err(error) => {
            out.push(Finding::error("unreadable-file", format!("cannot read `{}`: {error}", file.display())));
            ""
        }
    };
    let source = sources.add(file.display().to_string(), text);
    let mut documents = yaml::parse_settings(source, text, out).into_iter();
    let nothing = Node { span: Span::new(source, 0, 0), kind: Kind::Map(Vec::new()) };
    let root = documents.next().unwrap_or(nothing);
    if let Some(second) = documents.next() {
        out.push(
            Finding::error("second-document", "the configuration is one document")
                .at(second.head())
                .help("put everything into one document and remove the `---`"),
        );
    }
    root
}
