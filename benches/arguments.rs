//! What the benches of the store are asked for.

use std::path::PathBuf;

use serde_json::Value;

/// `[--json FILE] [DIRECTORY]`
pub struct Arguments {
    /// A folder on the disk to be measured.
    pub parent: PathBuf,
    json: Option<PathBuf>,
}

impl Arguments {
    /// Of this process.
    pub fn read() -> Self {
        let (mut parent, mut json) = (std::env::temp_dir(), None);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--json" => json = arguments.next().map(PathBuf::from),
                // Cargo passes flags of its own.
                flag if flag.starts_with('-') => {}
                folder => parent = folder.into(),
            }
        }
        Self { parent, json }
    }

    /// Keeps the figures where they are wanted.
    pub fn keep(&self, rows: &[Value]) {
        if let Some(path) = &self.json {
            std::fs::write(path, serde_json::to_string_pretty(rows).expect("JSON")).expect("the file of figures");
        }
    }
}
