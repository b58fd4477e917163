//! What is said of the findings of one attempt: in the log, and in the record of a refusal. Both are bounded, because a
//! generated set of documents may have thousands.

use super::report::{MAX_REPORTED, ReportedFinding};
use crate::diag::{Finding, Findings, Severity, Sources};

/// Most findings of one attempt that are logged; `lictor check` shows all.
const MAX_LOGGED: usize = 20;

/// The findings of the files themselves and of the texts in them, errors first.
pub(super) struct Found<'f> {
    sources: &'f Sources,
    findings: Vec<&'f Finding>,
}

impl<'f> Found<'f> {
    /// Those of both.
    pub(super) fn new(sources: &'f Sources, of_files: &'f [Finding], of_texts: &'f Findings) -> Self {
        let mut findings: Vec<_> = of_files.iter().chain(of_texts).collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Self { sources, findings }
    }

    /// How many there are.
    pub(super) fn total(&self) -> usize {
        self.findings.len()
    }

    /// Those that a record keeps.
    pub(super) fn reported(&self) -> Vec<ReportedFinding> {
        self.first(MAX_REPORTED).collect()
    }

    fn first(&self, count: usize) -> impl Iterator<Item = ReportedFinding> {
        self.findings.iter().take(count).map(|finding| ReportedFinding::new(self.sources, finding))
    }

    /// All errors in a sentence.
    pub(super) fn errors(&self) -> String {
        let errors = self.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        let first = self.first(1).next().map(|finding| finding.to_string()).unwrap_or_default();
        if errors == 1 { first } else { format!("{errors} errors; the first: {first}") }
    }

    /// Logs the first of them, and how many more there are.
    pub(super) fn log(&self) {
        for ReportedFinding { code, severity, message, help, place } in self.first(MAX_LOGGED) {
            match severity {
                Severity::Error => tracing::error!(code, place, help, "{message}"),
                Severity::Warning => tracing::warn!(code, place, help, "{message}"),
            }
        }
        let more = self.total().saturating_sub(MAX_LOGGED);
        if more > 0 {
            tracing::warn!("{more} more findings are not shown here; `lictor check` shows them");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::diag::Span;

    /// Lines that are logged meanwhile.
    fn logged(act: impl FnOnce()) -> Vec<String> {
        #[derive(Clone, Default)]
        struct Lines(Arc<Mutex<Vec<u8>>>);
        impl std::io::Write for Lines {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, act);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn thousands_are_counted_and_the_first_are_shown() {
        let mut sources = Sources::default();
        let source = sources.add("a.yaml", "x\n".repeat(10_000));
        let at = |line: usize| Span::new(source, 2 * line, 2 * line + 1);
        let mut findings: Findings = Findings::default();
        findings.extend((0..9_998).map(|line| Finding::warning("odd", format!("oddity {line}")).at(at(line))));
        findings.extend((9_998..10_000).map(|line| Finding::error("bad", format!("fault {line}")).at(at(line))));
        let found = Found::new(&sources, &[], &findings);
        assert_eq!(found.errors(), "2 errors; the first: a.yaml:9999:1: fault 9998");
        assert_eq!((found.total(), found.reported().len()), (10_000, MAX_REPORTED));
        let lines = logged(|| found.log());
        assert_eq!(lines.len(), MAX_LOGGED + 1, "{lines:#?}");
        assert!(lines[0].contains("ERROR") && lines[1].contains("fault 9999") && lines[2].contains("oddity 0"));
        assert!(lines[MAX_LOGGED].contains("9980 more findings"), "{}", lines[MAX_LOGGED]);

        let few = [Finding::warning("odd", "one oddity")];
        let (nothing, sources) = (Findings::default(), Sources::default());
        assert_eq!(logged(|| Found::new(&sources, &few, &nothing).log()).len(), 1);
    }
}
