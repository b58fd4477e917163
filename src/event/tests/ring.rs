//! The ring's bounds and reserve, and the gaps that name what did not fit.

use std::time::Duration;

use super::support::*;
use crate::event::*;

/// A log whose writer looks at the ring only when told to stop.
fn sleepy(directory: &std::path::Path, records: usize, bytes: u64) -> EventLog {
    let mut options = EventOptions::new(directory);
    options.ring_records = records;
    options.ring_bytes = bytes;
    options.poll_busy = Duration::from_secs(3_600);
    options.poll_idle = Duration::from_secs(3_600);
    let log = EventLog::open(options).unwrap();
    // The first turn of the writer is over once a published record is written.
    log.publish(published(1)).unwrap();
    while log.stats().sequence.load(std::sync::atomic::Ordering::Relaxed) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(20));
    log
}

#[test]
fn one_eighth_is_reserved_for_what_is_not_a_plain_allow() {
    let directory = tempfile::tempdir().unwrap();
    let log = sleepy(directory.path(), 16, 1 << 20);
    let recorder = log.recorder(3);
    assert!((0..8).all(|_| decide(&recorder, 0).is_ok()) && !recorder.is_crowded());
    let queued = 8 + (0..12).filter(|_| decide(&recorder, 0).is_ok()).count();
    assert_eq!(queued, 14);
    assert!(recorder.is_crowded());
    assert_eq!(decide(&recorder, 1).map(|ticket| ticket.number), Ok(21));
    assert_eq!(decide(&recorder, 4).map(|ticket| ticket.number), Ok(22));
    assert_eq!(decide(&recorder, 1), Err(NotQueued::Full));
    assert_eq!(log.stats().drops(DropReason::RingFull), 7);
    assert_eq!(log.stats().ring_depth(), 16);
    log.close(LONG).unwrap();
    assert_eq!(log.stats().ring_depth(), 0);
    assert_eq!(log.stats().ring_bytes(), 0);

    // Tickets 15 to 20 and 23 have no record, the last of them with no later record to show it.
    let gaps = of_type(directory.path(), "events.gap");
    assert_eq!(gaps.len(), 1);
    let payload = &gaps[0]["payload"];
    assert_eq!(payload["boot"], log.boot().to_string());
    assert_eq!(payload["worker"], 3);
    assert_eq!(payload["reason"], "ring_full");
    assert_eq!(payload["first"], 15);
    assert_eq!(payload["last"], 23);
    assert_eq!(payload["count"], 7);
    assert_eq!(payload["exact"], true);
    assert_eq!(payload["ranges"], serde_json::json!([[15, 20], [23, 23]]));
    assert_eq!(of_type(directory.path(), "policy.evaluated").len(), 16);
}

#[test]
fn bytes_are_bounded_too() {
    let directory = tempfile::tempdir().unwrap();
    let log = sleepy(directory.path(), 1_000, 16 * 1024);
    let recorder = log.recorder(0);
    let queued = (0..100).filter(|_| decide(&recorder, 0).is_ok()).count() as u64;
    assert!(queued > 5 && queued < 20, "{queued}");
    assert!(log.stats().ring_bytes() <= 14 * 1024);
    assert_eq!(log.stats().drops(DropReason::RingBytes), 100 - queued);
    assert!(decide(&recorder, 1).is_ok(), "the reserve is in bytes, too");
    log.close(LONG).unwrap();
    let gap = &of_type(directory.path(), "events.gap")[0]["payload"];
    assert_eq!((&gap["first"], &gap["last"]), (&(queued + 1).into(), &100.into()));
}

#[test]
fn a_refusal_is_recorded_past_a_full_ring_and_leaves_no_gap() {
    let directory = tempfile::tempdir().unwrap();
    let log = sleepy(directory.path(), 8, 1 << 20);
    let recorder = log.recorder(0);
    while decide(&recorder, 1).is_ok() {}
    let ticket = recorder.ticket();
    let (_, mut refused) = recorder.record(record(ticket, decision(4))).unwrap_err();
    refused.decision.outcome = crate::model::Outcome::Deny;
    refused.decision.effect = crate::model::Effect::Deny;
    refused.decision.reason_code = crate::model::ReasonCode::AuditUnavailable;
    recorder.record(refused).unwrap();
    log.close(LONG).unwrap();
    let denied = of_type(directory.path(), "policy.denied");
    let last = denied.last().unwrap();
    assert_eq!(last["payload"]["reason_code"], "AUDIT_UNAVAILABLE");
    assert_eq!(last["meta"]["severity"], "error");
    assert_eq!(last["meta"]["ticket"], ticket.to_string());
    // Only the record that found the ring full first is missing.
    let gap = &of_type(directory.path(), "events.gap")[0]["payload"];
    assert_eq!((&gap["first"], &gap["last"], &gap["count"]), (&9.into(), &9.into(), &1.into()));
}

#[test]
fn workers_keep_their_order_and_nothing_is_lost_or_doubled() {
    const WORKERS: u8 = 4;
    const EACH: u64 = 3_000;
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let recorder = log.recorder(worker);
            scope.spawn(move || {
                (0..EACH).for_each(|number| {
                    decide(&recorder, (number % 5) as u32).unwrap();
                })
            });
        }
    });
    log.close(LONG).unwrap();
    let mut next = [1_u64; WORKERS as usize];
    for event in of_type(directory.path(), "policy.evaluated") {
        let ticket = crate::event::line::parse_ticket(event["meta"]["ticket"].as_str().unwrap()).unwrap();
        assert_eq!(ticket.number, next[usize::from(ticket.worker)]);
        next[usize::from(ticket.worker)] += 1;
    }
    assert_eq!(next, [EACH + 1; WORKERS as usize]);
    assert!(of_type(directory.path(), "events.gap").is_empty());
    let sequences: Vec<u64> =
        events(directory.path()).iter().map(|e| e["meta"]["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_worker_that_is_made_while_the_writer_works_starts_without_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = EventOptions::new(directory.path());
    options.poll_busy = Duration::ZERO;
    options.poll_idle = Duration::ZERO;
    let log = EventLog::open(options).unwrap();
    for worker in 0..MAX_WORKERS {
        let recorder = log.recorder(worker);
        for _ in 0..3 {
            decide(&recorder, 0).unwrap();
        }
    }
    log.close(LONG).unwrap();
    assert_eq!(of_type(directory.path(), "policy.evaluated").len(), 3 * usize::from(MAX_WORKERS));
    assert_eq!(of_type(directory.path(), "events.gap"), Vec::<serde_json::Value>::new());
}

#[test]
fn where_decisions_are_not_recorded_those_that_must_be_audited_are_refused_and_no_gap_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = EventOptions::new(directory.path());
    options.decisions = false;
    options.gap_grace = Duration::ZERO;
    let log = EventLog::open(options).unwrap();
    let recorder = log.recorder(3);
    assert_eq!(decide(&recorder, 0).map(|ticket| ticket.number), Ok(1));
    assert_eq!(decide(&recorder, 4), Err(NotQueued::Off));
    log.publish(published(1)).unwrap().wait(LONG).unwrap();
    log.close(LONG).unwrap();
    assert_eq!(of_type(directory.path(), "policy.snapshot_published").len(), 1);
    assert_eq!(of_type(directory.path(), "policy.evaluated").len() + of_type(directory.path(), "events.gap").len(), 0);
}
