//! What a start finds after an end that was not in order.

use std::fs::{self, OpenOptions};
use std::io::Write;

use super::support::*;
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
    log.close(LONG).unwrap();
    let segment = crate::event::segment::list(&journal_dir(directory.path())).unwrap().remove(0);
    OpenOptions::new().append(true).open(&segment.path).unwrap().write_all(b"{\"id\":\"torn").unwrap();
    let log = open(directory.path());
    assert_eq!(log.recovery().cut_bytes, 11);
    assert_eq!(log.recovery().sequence, 1);
    drop(log);
    assert_eq!(fs::read(&segment.path).unwrap().len() as u64, segment.bytes);
}

#[test]
fn only_one_writes() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    assert!(matches!(EventLog::open(EventOptions::new(directory.path())), Err(EventError::InUse { .. })));
    drop(log);
    open(directory.path());
}
