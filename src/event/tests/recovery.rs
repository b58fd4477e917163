//! What a start finds after an end that was not in order.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::support::*;
use crate::event::segment;
use crate::event::*;

#[test]
fn a_clean_stop_goes_on_where_it_stopped() {
    let directory = tempfile::tempdir().unwrap();
    for round in 1..=3_u64 {
        let log = open(directory.path());
        assert_eq!(log.recovery().gaps, 0);
        assert_eq!(log.recovery().sequence, (round - 1) * 2);
        let recorder = log.recorder(0);
        decide(&recorder, 1).unwrap();
        log.close(LONG).unwrap();
        log.close(LONG).unwrap();
    }
    assert_eq!(events(directory.path()).len(), 6);
}

#[test]
fn an_unclean_stop_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let (boot, recorder) = (log.boot(), log.recorder(5));
    for _ in 0..3 {
        decide(&recorder, 0).unwrap();
    }
    log.publish(published(1)).unwrap().wait(LONG).unwrap();
    // Two tickets whose records never come, of which the watermark knows.
    let _ = (recorder.ticket(), recorder.ticket());
    decide(&log.recorder(6), 0).unwrap();
    log.publish(published(2)).unwrap().wait(LONG).unwrap();
    log.crash();

    let log = open(directory.path());
    assert_ne!(log.boot(), boot);
    log.close(LONG).unwrap();
    let gaps = of_type(directory.path(), "events.gap");
    let payloads: Vec<_> = gaps.iter().map(|gap| gap["payload"].clone()).collect();
    let named = |worker: u8| payloads.iter().find(|payload| payload["worker"] == worker).unwrap();
    for (worker, first, count) in [(5, 4, 2), (6, 2, 0)] {
        let gap = named(worker);
        assert_eq!(gap["boot"], boot.to_string());
        assert_eq!(gap["reason"], "unclean_shutdown");
        assert_eq!(gap["first"], first);
        assert_eq!(gap["last"], serde_json::Value::Null);
        assert_eq!(gap["count"], count);
        assert_eq!(gap["exact"], false);
    }
    assert_eq!(gaps.len(), 2);
}

#[test]
fn a_torn_tail_is_cut() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let recorder = log.recorder(0);
    decide(&recorder, 0).unwrap();
    log.publish(published(1)).unwrap().wait(LONG).unwrap();
    let last = lines(directory.path()).len() as u64;
    log.crash();
    let segment = segment::list(&journal_dir(directory.path())).unwrap().remove(0);
    OpenOptions::new().append(true).open(&segment.path).unwrap().write_all(b"{\"id\":\"torn").unwrap();
    let log = open(directory.path());
    assert_eq!(log.recovery().cut_bytes, 11);
    assert_eq!(log.recovery().sequence, last);
    log.crash();
    let after = fs::read(&segment.path).unwrap();
    assert!(!String::from_utf8_lossy(&after).contains("\"torn"));
}

/// A journal that was closed in order ends where it was closed: nothing is cut then, and what was added is found for good.
#[test]
fn what_was_added_after_a_clean_stop_is_not_a_torn_tail() {
    for (added, code) in [(&b"{\"id\":\"torn"[..], "truncated"), (b"no record\n", "unreadable")] {
        let directory = tempfile::tempdir().unwrap();
        let log = open(directory.path());
        decide(&log.recorder(0), 0).unwrap();
        log.close(LONG).unwrap();
        let journal = journal_dir(directory.path());
        let segment = segment::list(&journal).unwrap().remove(0);
        OpenOptions::new().append(true).open(&segment.path).unwrap().write_all(added).unwrap();
        let of = |report: AuditReport| report.findings.iter().map(|finding| finding.code).collect::<Vec<_>>();
        assert_eq!(of(audit(&journal, None).unwrap()), [code], "before the next start");

        let log = open(directory.path());
        assert_eq!((log.recovery().cut_bytes, log.recovery().faults.len()), (0, 1), "{:?}", log.recovery().faults);
        assert!(log.recovery().faults[0].message.contains("was closed in order"));
        decide(&log.recorder(0), 0).unwrap();
        log.close(LONG).unwrap();
        assert!(fs::read(&segment.path).unwrap().ends_with(added));
        assert_eq!(of(audit(&journal, None).unwrap()), [code, "corrupt_journal"], "and ever after");
        // Once is enough.
        let log = open(directory.path());
        assert_eq!(log.recovery().faults, []);
        log.close(LONG).unwrap();
    }
}

#[test]
fn only_one_writes() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    assert!(matches!(EventLog::open(EventOptions::new(directory.path())), Err(EventError::InUse { .. })));
    drop(log);
    open(directory.path());
}

/// A journal of a server that was killed: five decisions in one segment.
fn killed(directory: &Path) -> PathBuf {
    let log = open(directory);
    let recorder = log.recorder(0);
    for rule in 0..5 {
        decide(&recorder, rule).unwrap();
    }
    log.publish(published(1)).unwrap().wait(LONG).unwrap();
    log.crash();
    segment::list(&journal_dir(directory)).unwrap().remove(0).path
}

#[test]
fn wherever_the_tail_is_torn_whole_lines_stay_and_the_rest_goes() {
    let directory = tempfile::tempdir().unwrap();
    let path = killed(directory.path());
    let whole = fs::read(&path).unwrap();
    let ends: Vec<usize> = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    let start = ends[ends.len() - 3];
    for length in start..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let recovered = crate::event::recovery::recover(directory.path(), None).unwrap();
        let lines = ends.iter().filter(|end| **end <= length).count();
        let good = ends[lines - 1];
        assert_eq!(recovered.faults, [], "{length}");
        assert_eq!(recovered.next_sequence, lines as u64 + 1, "{length}");
        assert_eq!(recovered.cut_bytes, (length - good) as u64, "{length}");
        assert_eq!(fs::read(&path).unwrap(), &whole[..good], "{length}");
        let open_gap = recovered.gaps.last().unwrap();
        assert_eq!((open_gap.reason, open_gap.last, open_gap.exact), (GapReason::UncleanShutdown, None, false));
    }
}

#[test]
fn an_unreadable_last_line_is_cut_and_one_in_the_middle_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = killed(directory.path());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [&whole[..], b"{\"half a\n"].concat()).unwrap();
    let log = open(directory.path());
    assert_eq!((log.recovery().cut_bytes, log.recovery().faults.len()), (9, 0));
    log.crash();

    // The second line is damaged: it stays, is reported, and a new segment goes on behind what is there.
    let mut damaged = fs::read(&path).unwrap();
    let second = damaged.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    damaged[second] = b'x';
    fs::write(&path, &damaged).unwrap();
    let last = lines(directory.path()).len() as u64;
    let log = open(directory.path());
    let fault = &log.recovery().faults[0];
    assert_eq!((fault.line, fault.offset), (2, second as u64));
    assert_eq!(log.recovery().sequence, last);
    decide(&log.recorder(0), 0).unwrap();
    log.close(LONG).unwrap();
    assert_eq!(fs::read(&path).unwrap(), damaged);
    let segments = segment::list(&journal_dir(directory.path())).unwrap();
    assert_eq!((segments.len(), segments[1].first), (2, last + 1));
    let text = fs::read_to_string(&segments[1].path).unwrap();
    assert!(text.contains("\"reason\":\"corrupt_journal\"") && text.contains(":2 (byte "), "{text}");
    // The auditor goes on finding that line, and nothing else.
    let report = audit(&journal_dir(directory.path()), None).unwrap();
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.code, finding.line)).collect();
    assert_eq!(found, [("unreadable", 2), ("corrupt_journal", 2)]);
}

#[test]
fn records_removed_after_a_clean_stop_are_noticed_and_their_numbers_stay_used() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let recorder = log.recorder(0);
    for _ in 0..3 {
        decide(&recorder, 0).unwrap();
    }
    log.close(LONG).unwrap();
    let path = segment::list(&journal_dir(directory.path())).unwrap().remove(0).path;
    let text = fs::read_to_string(&path).unwrap();
    let kept: String = text.split_inclusive('\n').take(2).collect();
    fs::write(&path, kept).unwrap();
    let log = open(directory.path());
    assert_eq!(log.recovery().faults.len(), 1);
    log.close(LONG).unwrap();
    let sequences: Vec<_> = events(directory.path()).iter().map(|event| event["meta"]["sequence"].as_u64()).collect();
    assert_eq!(sequences, [Some(1), Some(2), Some(4)]);
    let report = audit(&journal_dir(directory.path()), None).unwrap();
    assert_eq!(
        report.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(),
        ["missing_segment", "corrupt_journal"]
    );
}

#[test]
fn holes_that_no_gap_named_yet_are_named_after_a_kill() {
    // With the watermark; and, as after the end of the machine, without one or with one that is ahead of the lines.
    for hint in ["kept", "gone", "ahead"] {
        let directory = tempfile::tempdir().unwrap();
        let mut options = EventOptions::new(directory.path());
        options.gap_grace = LONG;
        // Holes far back, in another segment than the end.
        options.segment_bytes = 4 * 1024;
        let log = EventLog::open(options).unwrap();
        let recorder = log.recorder(2);
        for number in 1..=40 {
            let ticket = recorder.ticket();
            if ![1, 3, 4, 17].contains(&number) {
                recorder.record(record(ticket, decision(0))).unwrap();
            }
        }
        log.publish(published(1)).unwrap().wait(LONG).unwrap();
        log.crash();
        let watermark = journal_dir(directory.path()).join("watermark");
        let text = fs::read_to_string(&watermark).unwrap();
        match hint {
            "gone" => fs::remove_file(&watermark).unwrap(),
            "ahead" => fs::write(&watermark, text.replace("\"sequence\":37,", "\"sequence\":90,")).unwrap(),
            _ => {}
        }
        open(directory.path()).close(LONG).unwrap();
        let gaps = of_type(directory.path(), "events.gap");
        assert_eq!(gaps.len(), 2, "{hint}");
        assert_eq!(gaps[0]["payload"]["ranges"], serde_json::json!([[1, 1], [3, 4], [17, 17]]), "{hint}");
        assert_eq!(gaps[0]["payload"]["count"], 4);
        assert_eq!((&gaps[1]["payload"]["first"], &gaps[1]["payload"]["count"]), (&41.into(), &0.into()));
        // What was named is not named again.
        open(directory.path()).crash();
        open(directory.path()).close(LONG).unwrap();
        let exact =
            of_type(directory.path(), "events.gap").iter().filter(|gap| gap["payload"]["exact"] == true).count();
        assert_eq!(exact, 1);
    }
}

#[test]
fn a_journal_that_is_gone_is_noticed_and_its_numbers_stay_used() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    decide(&log.recorder(0), 1).unwrap();
    log.close(LONG).unwrap();
    fs::remove_dir_all(journal_dir(directory.path())).unwrap();
    let log = open(directory.path());
    assert_eq!((log.recovery().sequence, log.recovery().faults.len()), (2, 1));
    log.close(LONG).unwrap();
    let first = events(directory.path()).remove(0);
    assert_eq!((&first["payload"]["reason"], &first["meta"]["sequence"]), (&"journal_lost".into(), &3.into()));
    let report = audit(&journal_dir(directory.path()), None).unwrap();
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["journal_lost", "missing_segment"]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

    #[test]
    fn after_any_torn_tail_the_journal_verifies_and_no_number_is_used_twice(
        at in proptest::prelude::any::<proptest::sample::Index>(),
        again in proptest::prelude::any::<proptest::sample::Index>(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = killed(directory.path());
        for at in [at, again] {
            let whole = fs::read(&path).unwrap();
            fs::write(&path, &whole[..at.index(whole.len() + 1)]).unwrap();
            let log = open(directory.path());
            decide(&log.recorder(1), 1).unwrap();
            log.publish(published(2)).unwrap().wait(LONG).unwrap();
            log.crash();
        }
        let log = open(directory.path());
        log.close(LONG).unwrap();
        let report = audit(&journal_dir(directory.path()), None).unwrap();
        proptest::prop_assert!(report.is_good(), "{:?}", report.findings);
        let sequences: Vec<_> = events(directory.path()).iter().map(|event| event["meta"]["sequence"].as_u64().unwrap()).collect();
        proptest::prop_assert_eq!(&sequences, &(1..=sequences.len() as u64).collect::<Vec<_>>());
    }
}
