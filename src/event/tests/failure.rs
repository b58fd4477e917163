//! A journal that cannot be written, and then can be again.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::support::*;
use crate::event::*;

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn small_ring(directory: &Path) -> EventOptions {
    let mut options = EventOptions::new(directory);
    options.ring_records = 64;
    options.segment_bytes = 16 * 1024;
    options.audit_grace = Duration::from_millis(20);
    options
}

/// Decides until the ring is full, makes room with `relieve`, and checks that all is as it should be afterwards.
fn fill_and_relieve(directory: &Path, log: &EventLog, relieve: impl FnOnce()) {
    let recorder = log.recorder(0);
    let before = decide(&recorder, 0).unwrap().number;
    let mut lost = 0_u64;
    eventually("the ring fills", || {
        lost += u64::from(decide(&recorder, 0).is_err());
        lost > 20
    });
    let stats = log.stats();
    assert!(log.is_failing() && stats.write_failures.load(Relaxed) > 0);
    eventually("what must be audited is refused", || decide(&recorder, 4) == Err(NotQueued::JournalFailing));
    assert!(stats.drops(DropReason::RingFull) >= lost);
    // So is the refusal itself, but that one waits in memory.
    let mut refused = record(recorder.ticket(), decision(4));
    refused.decision.reason_code = crate::model::ReasonCode::AuditUnavailable;
    recorder.record(refused).unwrap();

    relieve();
    eventually("the journal is written again", || !log.is_failing() && stats.pending_events.load(Relaxed) == 0);
    eventually("and relied on", || decide(&recorder, 4).is_ok());
    let last = recorder.ticket().number;
    log.close(LONG).unwrap();

    let report = audit(&journal_dir(directory), None).unwrap();
    assert!(report.is_good(), "{:?}", report.findings);
    // Every ticket has a record or is named by a gap.
    let recorded = of_type(directory, "policy.evaluated").len() as u64;
    assert_eq!(recorded + report.gaps.tickets, last, "from {before}");
    assert!(report.gaps.by_reason.contains_key("ring_full"));
}

#[test]
fn a_segment_that_cannot_be_created() {
    let directory = tempfile::tempdir().unwrap();
    let log = EventLog::open(small_ring(directory.path())).unwrap();
    let (journal, aside) = (journal_dir(directory.path()), directory.path().join("aside"));
    // The open segment goes on; the next one has nowhere to be.
    fs::rename(&journal, &aside).unwrap();
    fs::write(&journal, b"in the way").unwrap();
    fill_and_relieve(directory.path(), &log, || {
        fs::remove_file(&journal).unwrap();
        fs::rename(&aside, &journal).unwrap();
    });
}

/// A file system of 192 KiB; needs root. Unmounted when dropped.
struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=192k", "tmpfs"];
        let mounted =
            Command::new("mount").args(mount).arg(directory.path()).output().is_ok_and(|run| run.status.success());
        mounted.then_some(Self(directory))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn a_full_disk() {
    let Some(disk) = TinyDisk::mount() else {
        assert!(std::env::var_os("CI").is_none(), "a small file system must be mountable in CI: run it as root");
        eprintln!("not tried: mounting a small file system needs root");
        return;
    };
    let directory = disk.0.path();
    let log = EventLog::open(small_ring(directory)).unwrap();
    fs::write(directory.join("ballast"), vec![0; 120 * 1024]).unwrap();
    fill_and_relieve(directory, &log, || fs::remove_file(directory.join("ballast")).unwrap());
}

#[test]
fn a_published_record_fails_if_the_journal_never_takes_it() {
    let directory = tempfile::tempdir().unwrap();
    let log = EventLog::open(small_ring(directory.path())).unwrap();
    let journal = journal_dir(directory.path());
    fs::rename(&journal, directory.path().join("aside")).unwrap();
    fs::write(&journal, b"in the way").unwrap();
    let ack = log.publish(published(1)).unwrap();
    assert!(matches!(ack.wait(Duration::from_millis(100)), Err(EventError::Timeout { .. })));
    assert!(matches!(log.close(Duration::from_millis(100)), Err(EventError::Timeout { .. })));
    assert!(matches!(ack.wait(LONG), Err(EventError::Closed)));
    assert!(matches!(log.publish(published(2)), Err(EventError::Closed)));
}

#[test]
fn a_segment_that_is_deleted_while_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = EventOptions::new(directory.path());
    options.fsync_interval = Duration::from_millis(10);
    let log = EventLog::open(options).unwrap();
    let recorder = log.recorder(0);
    decide(&recorder, 0).unwrap();
    log.publish(published(1)).unwrap().wait(LONG).unwrap();
    fs::remove_dir_all(journal_dir(directory.path())).unwrap();
    decide(&recorder, 0).unwrap();
    eventually("the loss is noticed", || log.stats().gaps.load(Relaxed) == 1);
    log.close(LONG).unwrap();
    let left = events(directory.path());
    assert_eq!(left[0]["payload"]["reason"], "corrupt_journal");
    let report = audit(&journal_dir(directory.path()), None).unwrap();
    assert_eq!(
        report.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(),
        ["corrupt_journal", "missing_segment"]
    );
}
