//! Records that answers wait for: durable when they are told so, and corrected where the answer was a denial.

use std::fs;
use std::path::Path;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::support::*;
use crate::event::*;

fn open_guaranteed(directory: &Path) -> EventLog {
    let mut options = EventOptions::new(directory);
    options.guaranteed = Some(LONG);
    // Each record needs a file of its own, so that a journal whose folder is gone cannot be written.
    options.segment_bytes = 1;
    // The writer comes when it is woken, and an fsync when somebody waits for it.
    (options.poll_busy, options.poll_idle) = (Duration::from_millis(20), Duration::from_secs(3_600));
    options.fsync_interval = Duration::from_secs(3_600);
    options.audit_grace = Duration::from_secs(3_600);
    EventLog::open(options).unwrap()
}

fn submit(recorder: &Recorder, matched: u32) -> Pending<DecisionRecord> {
    let ticket = recorder.ticket();
    recorder.submit(record(ticket, decision(matched))).unwrap().expect("something to wait for")
}

fn wait(pending: &Pending<DecisionRecord>) {
    let start = Instant::now();
    while pending.poll_settled(&mut Context::from_waker(Waker::noop())).is_pending() {
        assert!(start.elapsed() < LONG, "it is never settled");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What the journal says became of a decision: the reason codes of its records, in their order.
fn outcomes(directory: &Path, pending: &Pending<DecisionRecord>) -> Vec<String> {
    let ticket = pending.record().ticket.to_string();
    let evaluated =
        of_type(directory, "policy.evaluated").into_iter().filter(|event| event["meta"]["ticket"] == ticket);
    evaluated.map(|event| event["payload"]["result"]["reason_code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_answered_survives_the_end_of_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let log = open_guaranteed(directory.path());
    let recorder = log.recorder(0);
    let all: Vec<_> = (0..50).map(|number| submit(&recorder, number % 5)).collect();
    wait(all.last().unwrap());
    assert!(all.iter().all(Pending::holds));
    // Nobody waits for this one.
    drop(submit(&recorder, 0));
    log.crash();
    assert!(all.iter().all(|pending| outcomes(directory.path(), pending) == ["POLICY"]));
}

#[test]
fn what_cannot_be_written_in_time_is_corrected() {
    let directory = tempfile::tempdir().unwrap();
    let log = open_guaranteed(directory.path());
    let recorder = log.recorder(0);
    let before = submit(&recorder, 0);
    wait(&before);
    let (journal, aside) = (journal_dir(directory.path()), directory.path().join("aside"));
    fs::rename(&journal, &aside).unwrap();
    fs::write(&journal, b"in the way").unwrap();
    // The first is taken from the ring and cannot be written; the second stays in the ring.
    let encoded = submit(&recorder, 0);
    let start = Instant::now();
    while !log.is_failing() {
        assert!(start.elapsed() < LONG, "the journal is written");
        std::thread::sleep(Duration::from_millis(1));
    }
    let queued = submit(&recorder, 2);
    let patient = submit(&recorder, 0);
    assert!(!encoded.holds() && !queued.holds());
    fs::remove_file(&journal).unwrap();
    fs::rename(&aside, &journal).unwrap();
    wait(&patient);
    assert!(patient.holds());
    log.close(LONG).unwrap();

    let of = |pending| outcomes(directory.path(), pending);
    assert_eq!(of(&before), ["POLICY"]);
    assert_eq!(of(&encoded), ["POLICY", "AUDIT_UNAVAILABLE"], "the later one tells what was answered");
    assert_eq!(of(&queued), ["AUDIT_UNAVAILABLE"]);
    assert_eq!(of(&patient), ["POLICY"]);
    let denied = of_type(directory.path(), "policy.denied");
    assert_eq!(denied.len(), 2);
    assert!(denied.iter().all(|event| event["payload"]["matched_rule"].is_null()), "{denied:?}");
    let report = audit(&journal_dir(directory.path()), None).unwrap();
    assert!(report.is_good() && report.gaps.tickets == 0, "{report:?}");
}

#[test]
fn what_was_written_to_a_deleted_file_does_not_hold() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = EventOptions::new(directory.path());
    options.guaranteed = Some(LONG);
    let log = EventLog::open(options).unwrap();
    let recorder = log.recorder(0);
    wait(&submit(&recorder, 0));
    fs::remove_dir_all(journal_dir(directory.path())).unwrap();
    let lost = submit(&recorder, 0);
    wait(&lost);
    assert!(!lost.holds());
    let kept = submit(&recorder, 0);
    wait(&kept);
    assert!(kept.holds());
    log.close(LONG).unwrap();
    assert_eq!(outcomes(directory.path(), &lost), ["AUDIT_UNAVAILABLE"]);
    assert_eq!(outcomes(directory.path(), &kept), ["POLICY"]);
}

#[test]
fn masks_hold_for_records_and_corrections() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = EventOptions::new(directory.path());
    options.guaranteed = Some(LONG);
    options.mask = vec!["context.params.card".to_owned()];
    let log = EventLog::open(options).unwrap();
    let recorder = log.recorder(0);
    let kept = submit(&recorder, 0);
    wait(&kept);
    let given_up = submit(&recorder, 0);
    let _ = given_up.holds();
    log.close(LONG).unwrap();
    assert!(lines(directory.path()).iter().all(|line| !line.contains("4111")));
    assert!(outcomes(directory.path(), &kept) == ["POLICY"] && !outcomes(directory.path(), &given_up).is_empty());
}
