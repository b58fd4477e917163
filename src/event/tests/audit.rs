//! Damage of every kind is found, with its position; and nothing is found where there is none.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::support::*;
use crate::event::segment;
use crate::event::*;

/// A closed journal of several segments.
fn journal(directory: &Path) -> Vec<PathBuf> {
    let mut options = EventOptions::new(directory);
    options.segment_bytes = 8 * 1024;
    let log = EventLog::open(options).unwrap();
    let recorder = log.recorder(0);
    for number in 0..20 {
        decide(&recorder, number % 5).unwrap();
    }
    log.close(LONG).unwrap();
    segment::list(&journal_dir(directory)).unwrap().into_iter().map(|segment| segment.path).collect()
}

fn verify(directory: &Path) -> AuditReport {
    audit(&journal_dir(directory), None).unwrap()
}

fn line_starts(bytes: &[u8]) -> Vec<usize> {
    std::iter::once(0).chain(bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1)).collect()
}

#[test]
fn an_untouched_journal_is_good() {
    let directory = tempfile::tempdir().unwrap();
    let segments = journal(directory.path());
    assert!(segments.len() > 2);
    let report = verify(directory.path());
    assert_eq!(report.findings, []);
    assert_eq!(report.notes, Vec::<String>::new());
    assert_eq!((report.first_sequence, report.last_sequence), (Some(1), Some(36)));
    assert_eq!((report.records, report.segments), (36, segments.len() as u64));
    let last: serde_json::Value = events(directory.path()).pop().unwrap();
    assert_eq!(report.head.as_deref(), last["meta"]["hash"].as_str());
}

#[test]
fn files_that_are_not_the_journals_are_named() {
    let directory = tempfile::tempdir().unwrap();
    journal(directory.path());
    let journal = journal_dir(directory.path());
    fs::write(journal.join("00000000000000000001.jsonl.bak"), "x").unwrap();
    fs::create_dir(journal.join("sub\u{1b}[31m")).unwrap();
    fs::write(journal.join("watermark"), "x").unwrap();
    fs::write(directory.path().join("journal-end.json"), "{").unwrap();
    let report = verify(directory.path());
    assert_eq!(report.findings, []);
    let mut notes = report.notes;
    notes.sort();
    let names: Vec<&str> = notes.iter().map(|note| note.split('`').nth(1).unwrap()).collect();
    let expected = ["00000000000000000001.jsonl.bak", "journal-end.json", "sub\\u{1b}[31m", "watermark"];
    assert_eq!(names, expected, "{notes:?}");
    fs::write(journal.join("state.json"), "?").unwrap();
    assert!(verify(directory.path()).notes.iter().any(|note| note.starts_with("`state.json`")));
}

#[test]
fn removed_and_swapped_lines_are_found_where_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let segments = journal(directory.path());
    let original = fs::read(&segments[1]).unwrap();
    let starts = line_starts(&original);
    let first = segment::list(&journal_dir(directory.path())).unwrap()[1].first;

    // The second line of the second segment is gone.
    fs::write(&segments[1], [&original[..starts[1]], &original[starts[2]..]].concat()).unwrap();
    let report = verify(directory.path());
    assert_eq!(report.findings_total, 1, "{:?}", report.findings);
    let finding = &report.findings[0];
    assert_eq!((finding.code, finding.line, finding.offset), ("sequence", 2, starts[1] as u64));
    assert_eq!((finding.sequence, &finding.file), (Some(first + 2), &segments[1]));
    assert!(finding.message.contains(&format!("sequence {} was expected", first + 1)), "{}", finding.message);

    // The second and third line have changed places.
    let (second, third) = (&original[starts[1]..starts[2]], &original[starts[2]..starts[3]]);
    fs::write(&segments[1], [&original[..starts[1]], third, second, &original[starts[3]..]].concat()).unwrap();
    let found: Vec<_> = verify(directory.path()).findings.iter().map(|f| (f.code, f.line, f.sequence)).collect();
    assert_eq!(found, [("sequence", 2, Some(first + 2)), ("sequence", 3, Some(first + 1))]);

    // The last line of the segment is gone, which only the next segment shows.
    let last = starts[starts.len() - 2];
    fs::write(&segments[1], &original[..last]).unwrap();
    let report = verify(directory.path());
    assert_eq!(report.findings.iter().map(|f| f.code).collect::<Vec<_>>(), ["missing_segment"]);
    assert_eq!(report.findings[0].file, segments[2]);
}

#[test]
fn missing_and_cut_files_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let segments = journal(directory.path());
    let codes = || verify(directory.path()).findings.iter().map(|finding| finding.code).collect::<Vec<_>>();
    let last = segments.last().unwrap();
    for (removed, expected) in
        [(&segments[0], "missing_segment"), (&segments[1], "missing_segment"), (last, "truncated")]
    {
        let content = fs::read(removed).unwrap();
        fs::remove_file(removed).unwrap();
        assert_eq!(codes(), [expected], "{}", removed.display());
        fs::write(removed, content).unwrap();
    }
    let content = fs::read(last).unwrap();
    // In the middle of a line, and at the end of one.
    fs::write(last, &content[..content.len() - 10]).unwrap();
    assert_eq!(codes(), ["truncated", "truncated"]);
    let starts = line_starts(&content);
    fs::write(last, &content[..starts[starts.len() - 2]]).unwrap();
    assert_eq!(codes(), ["truncated"]);
    fs::write(last, content).unwrap();
    assert_eq!(codes(), Vec::<&str>::new());
}

#[test]
fn a_key_shows_tampering_that_recomputes_the_hashes() {
    let directory = tempfile::tempdir().unwrap();
    // Two lines without the key, then two with it.
    for key in [None, Some(ChainKey::new(&[7; 32]).unwrap())] {
        let mut options = EventOptions::new(directory.path());
        options.key = key;
        let log = EventLog::open(options).unwrap();
        decide(&log.recorder(0), 1).unwrap();
        log.close(LONG).unwrap();
    }
    let journal = journal_dir(directory.path());
    let key = ChainKey::from_text(format!("{}\n", "07".repeat(32)).as_bytes()).unwrap();
    let report = audit(&journal, Some(&key)).unwrap();
    assert!(report.is_good(), "{:?}", report.findings);
    assert_eq!((report.records, report.keyed, report.not_covered), (4, 2, Some((1, 2))));
    let codes = |key: Option<&ChainKey>| -> Vec<&'static str> {
        audit(&journal, key).unwrap().findings.iter().map(|finding| finding.code).collect()
    };
    assert_eq!(codes(None), ["hash", "hash"]);
    assert_eq!(codes(Some(&ChainKey::new(&[8; 32]).unwrap())), ["keyed_since", "unkeyed", "unkeyed", "hash", "hash"]);

    // Someone without the key writes the third line anew, with a plain hash.
    let path = segment::list(&journal).unwrap().remove(0).path;
    let text = fs::read_to_string(&path).unwrap();
    let forged: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let line = if at == 3 { line.replace("support-7", "support-8") } else { line.to_owned() };
            let parsed = crate::event::line::Line::parse(line.as_bytes()).unwrap();
            let prefix = line.rsplit_once(",\"hash\":").unwrap().0.as_bytes().to_vec();
            let mut out = prefix.clone();
            let hash = if at == 3 { crate::event::chain::link(None, &parsed.prev, &prefix) } else { parsed.hash };
            crate::event::chain::close_line(&mut out, &crate::event::json::hex32(&hash));
            String::from_utf8(out).unwrap()
        })
        .collect();
    fs::write(&path, forged.concat()).unwrap();
    assert_eq!(codes(Some(&key)), ["unkeyed", "truncated"]);
}

/// Opens the journal under the key, decides once, and ends in order or not.
fn keyed_run(directory: &Path, kill: bool) -> Recovery {
    let mut options = EventOptions::new(directory);
    options.key = Some(ChainKey::new(&[7; 32]).unwrap());
    let log = EventLog::open(options).unwrap();
    decide(&log.recorder(0), 1).unwrap();
    log.publish(published(1)).unwrap().wait(LONG).unwrap();
    if kill {
        log.crash();
    } else {
        log.close(LONG).unwrap();
    }
    log.recovery().clone()
}

#[test]
fn a_journal_whose_key_was_stripped_is_noticed_at_start_and_by_the_auditor() {
    let key = ChainKey::new(&[7; 32]).unwrap();
    for (kill, forge_state, forge_mark) in
        [(false, false, false), (false, true, false), (true, false, false), (false, true, true)]
    {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(keyed_run(directory.path(), kill).faults, []);
        let journal = journal_dir(directory.path());
        let good = audit(&journal, Some(&key)).unwrap();
        assert!(good.is_good() && good.not_covered.is_none() && good.keyed_since == Some(1), "{good:?}");
        // Everything anew without the key.
        let path = segment::list(&journal).unwrap().remove(0).path;
        let (mut previous, mut forged) = (crate::event::chain::GENESIS, Vec::new());
        for line in fs::read_to_string(&path).unwrap().lines() {
            let old = crate::event::line::Line::parse(line.as_bytes()).unwrap().prev;
            let line = line.replace("support-7", "support-8");
            let line = line.replace(&crate::event::chain::hex(&old), &crate::event::chain::hex(&previous));
            let prefix = line.rsplit_once(",\"hash\":").unwrap().0.as_bytes();
            previous = crate::event::chain::link(None, &previous, prefix);
            forged.extend_from_slice(prefix);
            crate::event::chain::close_line(&mut forged, &crate::event::json::hex32(&previous));
        }
        fs::write(&path, &forged).unwrap();
        if forge_state {
            let path = journal.join("state.json");
            let mut state: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            state["head"] = crate::event::chain::hex(&previous).into();
            fs::write(&path, state.to_string()).unwrap();
        }
        if forge_mark {
            let text = "{\"sequence\":1000,\"prev\":\"00\"}";
            fs::write(directory.path().join("keys/keyed-since.json"), text).unwrap();
        }
        assert!(!audit(&journal, Some(&key)).unwrap().is_good());
        let recovery = keyed_run(directory.path(), false);
        assert!(recovery.faults.iter().any(|fault| fault.message.contains("not protected by the key")), "{recovery:?}");
        let report = audit(&journal, Some(&key)).unwrap();
        let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
        assert!(codes.contains(&"unkeyed") && codes.contains(&"corrupt_journal"), "{codes:?}");
        assert_eq!(codes.contains(&"keyed_since"), forge_mark);
    }
    // Without the mark nothing is taken on trust, unless the caller says since when.
    let directory = tempfile::tempdir().unwrap();
    keyed_run(directory.path(), false);
    fs::remove_file(directory.path().join("keys/keyed-since.json")).unwrap();
    let journal = journal_dir(directory.path());
    assert_eq!(audit(&journal, Some(&key)).unwrap().findings[0].code, "keyed_since");
    assert!(audit_keyed_from(&journal, Some(&key), Some(1)).unwrap().is_good());
}

#[test]
fn beside_a_running_server_a_line_being_written_is_no_finding() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    decide(&log.recorder(0), 0).unwrap();
    log.publish(published(1)).unwrap().wait(LONG).unwrap();
    let path = segment::list(&journal_dir(directory.path())).unwrap().remove(0).path;
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [&whole[..], b"{\"id\":\"01"].concat()).unwrap();
    let report = verify(directory.path());
    assert!(report.is_good(), "{:?}", report.findings);
    assert!(report.notes[0].contains("it is being written"), "{:?}", report.notes);
    // What the writer is known to have written is missed, though.
    fs::write(&path, &whole[..line_starts(&whole)[1]]).unwrap();
    assert_eq!(verify(directory.path()).findings[0].code, "truncated");
}

#[test]
fn the_cap_leaves_a_journal_that_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = EventOptions::new(directory.path());
    options.segment_bytes = 8 * 1024;
    options.journal_bytes = 40 * 1024;
    options.poll_idle = Duration::from_micros(200);
    let log = EventLog::open(options).unwrap();
    let recorder = log.recorder(0);
    for round in 0..40 {
        for number in 0..5 {
            decide(&recorder, number).unwrap();
        }
        log.publish(published(round)).unwrap().wait(LONG).unwrap();
    }
    let size: u64 = segment::list(&journal_dir(directory.path())).unwrap().iter().map(|segment| segment.bytes).sum();
    assert!(size <= 40 * 1024, "{size}");
    assert!(verify(directory.path()).is_good(), "while running");
    log.close(LONG).unwrap();
    assert!(log.stats().segments_deleted.load(std::sync::atomic::Ordering::Relaxed) > 0);
    let report = verify(directory.path());
    assert!(report.is_good(), "{:?}", report.findings);
    assert!(report.first_sequence > Some(1));
    assert!(report.notes[0].contains("deleted by the journal's cap"));
    // But not one segment more than the cap has deleted.
    fs::remove_file(&segment::list(&journal_dir(directory.path())).unwrap()[0].path).unwrap();
    assert_eq!(verify(directory.path()).findings[0].code, "missing_segment");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_anywhere_is_found_in_its_line(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let directory = tempfile::tempdir().unwrap();
        let log = open(directory.path());
        let recorder = log.recorder(0);
        for rule in 0..5 {
            decide(&recorder, rule).unwrap();
        }
        log.close(LONG).unwrap();
        let path = segment::list(&journal_dir(directory.path())).unwrap().remove(0).path;
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let starts = line_starts(&fs::read(&path).unwrap());
        let line = starts.iter().filter(|start| **start <= at).count();
        fs::write(&path, &bytes).unwrap();
        let report = verify(directory.path());
        prop_assert!(!report.is_good());
        let first = &report.findings[0];
        prop_assert_eq!((first.line as usize, first.offset as usize), (line, starts[line - 1]), "{:?}", first);
    }
}
