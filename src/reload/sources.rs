//! Reads all sources as of one moment.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};

use crate::diag::Finding;
use crate::model::Layer;
use crate::policy::SourceText;

use super::options::{PolicySource, SourceLimits};
use super::scan::{self, FoundFile, Scan};
use super::trust;

/// How often files that change under the reader are read again before giving up until the next change.
const READ_ATTEMPTS: usize = 5;

/// Rest before reading again.
const READ_PAUSE: Duration = Duration::from_millis(20);

/// The texts of all sources as of one moment.
#[derive(Debug, Default)]
pub(super) struct SourceTexts {
    /// The texts: sources in configured order, files by path.
    pub(super) texts: Vec<SourceText>,
    /// What is wrong with the files themselves.
    pub(super) findings: Vec<Finding>,
    /// What the files look like from outside; `None` where an equal look would prove nothing.
    pub(super) fingerprint: Option<[u8; 32]>,
}

impl SourceTexts {
    /// Equal exactly where texts, names, layers and findings are.
    pub(super) fn identity(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for text in &self.texts {
            for part in [text.layer.as_str(), &text.name, &text.text] {
                hash.update(part.len().to_le_bytes());
                hash.update(part);
            }
        }
        for finding in &self.findings {
            hash.update(finding.message.as_bytes());
            hash.update([0]);
        }
        hash.finalize().into()
    }
}

/// What the sources look like from outside, without reading a file.
pub(super) fn look(sources: &[PolicySource], limits: &SourceLimits, excluded: &Path) -> Look {
    let mut total = Scan::default();
    let mut files = Vec::new();
    for source in sources {
        scan::scan(&source.path, limits, excluded, &mut total);
        let known = files.len();
        files.extend(total.files.iter().skip(known).cloned().map(|file| (file, source.layer)));
    }
    let fingerprint = total.fingerprint.finalize().into();
    Look { files, directories: total.directories, findings: total.findings, fingerprint, is_recent: total.is_recent }
}

/// The outside of all sources.
#[derive(Debug)]
pub(super) struct Look {
    files: Vec<(FoundFile, Layer)>,
    /// Every directory that takes part.
    pub(super) directories: BTreeSet<PathBuf>,
    findings: Vec<Finding>,
    fingerprint: [u8; 32],
    is_recent: bool,
}

impl Look {
    /// The fingerprint, unless something changed so recently that an equal one would prove nothing.
    pub(super) fn trusted_fingerprint(&self) -> Option<[u8; 32]> {
        (!self.is_recent).then_some(self.fingerprint)
    }
}

/// Reads all sources. Looks before and after, and reads again where something changed in between, so that the result is
/// what was there at one moment: never a file of one ConfigMap generation beside one of the next.
pub(super) fn read(sources: &[PolicySource], limits: &SourceLimits, excluded: &Path) -> SourceTexts {
    let mut before = look(sources, limits, excluded);
    for attempt in 1.. {
        let (texts, mut findings) = read_files(&before.files, limits);
        let after = look(sources, limits, excluded);
        if after.fingerprint != before.fingerprint && attempt < READ_ATTEMPTS {
            std::thread::sleep(READ_PAUSE);
            before = look(sources, limits, excluded);
            continue;
        }
        if after.fingerprint != before.fingerprint {
            findings.push(
                Finding::error("source-changing", "the policy sources change faster than they can be read")
                    .help("write to a directory beside the source and rename it into place"),
            );
        }
        let fingerprint = after.trusted_fingerprint();
        let findings = after.findings.into_iter().chain(findings).collect();
        return SourceTexts { texts, findings, fingerprint };
    }
    SourceTexts::default()
}

fn read_files(files: &[(FoundFile, Layer)], limits: &SourceLimits) -> (Vec<SourceText>, Vec<Finding>) {
    let mut texts = Vec::new();
    let mut findings = Vec::new();
    let mut seen = HashSet::new();
    let mut left = limits.total_bytes;
    for (file, layer) in files {
        if !seen.insert(&file.real) {
            let message = format!("`{}` belongs to two policy sources", file.shown);
            findings.push(Finding::error("overlapping-sources", message).help("let no source contain another"));
            continue;
        }
        match read_file(file, limits.file_bytes) {
            Err(finding) => findings.push(*finding),
            Ok(text) => {
                let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
                let Some(rest) = left.checked_sub(size) else {
                    let message = format!("the policy sources hold more than {} bytes", limits.total_bytes);
                    findings.push(Finding::error("source-too-large", message));
                    break;
                };
                left = rest;
                texts.push(SourceText { name: file.shown.as_str().into(), layer: *layer, text });
            }
        }
    }
    (texts, findings)
}

fn read_file(file: &FoundFile, most_bytes: u64) -> Result<Arc<str>, Box<Finding>> {
    let FoundFile { real, shown } = file;
    let unreadable =
        |error: io::Error| Box::new(Finding::error("source-unreadable", format!("cannot read `{shown}`: {error}")));
    // What was looked at is what is opened: no link put in its place, no pipe to wait on. The opened file is checked.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(real, flags, Mode::empty()).map_err(|error| unreadable(error.into()))?;
    let opened = File::from(opened);
    let metadata = opened.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        let message = format!("`{shown}` is neither a file nor a directory");
        return Err(Box::new(Finding::error("not-a-file", message)));
    }
    if let Some(finding) = trust::check_file(Path::new(shown), metadata.mode()) {
        return Err(Box::new(finding));
    }
    let mut bytes = Vec::new();
    opened.take(most_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most_bytes {
        let message = format!("`{shown}` is larger than {most_bytes} bytes");
        return Err(Box::new(Finding::error("file-too-large", message).help("split it into several files")));
    }
    String::from_utf8(bytes).map(Arc::from).map_err(|error| Box::new(not_utf8(shown, &error)))
}

fn not_utf8(shown: &str, error: &std::string::FromUtf8Error) -> Finding {
    let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
    let line = valid.iter().filter(|byte| **byte == b'\n').count().saturating_add(1);
    let message = format!("`{shown}` is not UTF-8 text: line {line} holds a byte that is not part of a character");
    Finding::error("not-utf8", message).help("save the file as UTF-8")
}
