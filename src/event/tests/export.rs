//! Exporters: in order, at least once, from where they were, and never in the way.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::support::*;
use crate::event::*;

/// A destination that keeps sequence numbers, and fails when told to.
#[derive(Clone, Default)]
struct Sink {
    seen: Arc<Mutex<Vec<u64>>>,
    /// Outcomes of the next attempts: how many events to take before failing.
    failures: Arc<Mutex<Vec<usize>>>,
    stalled: Arc<Mutex<()>>,
}

impl Exporter for Sink {
    fn export(&mut self, batch: &Batch, skip: usize) -> Delivered {
        drop(self.stalled.lock());
        let failure = self.failures.lock().unwrap().pop();
        let taken = failure.unwrap_or(usize::MAX);
        let sequences: Vec<u64> = batch.lines(skip).map(|(sequence, _)| sequence).take(taken).collect();
        for ((sequence, line), seen) in batch.lines(skip).zip(&sequences) {
            assert_eq!((sequence, sequence_of(line), line.last()), (*seen, Some(*seen), Some(&b'\n')));
        }
        self.seen.lock().unwrap().extend(&sequences);
        match failure {
            Some(_) => Delivered::failed(sequences.len(), "not now"),
            None => Delivered::all(sequences.len()),
        }
    }
}

fn with(directory: &std::path::Path, sink: &Sink) -> EventOptions {
    let mut options = EventOptions::new(directory);
    options.exporters = vec![NamedExporter::new("sink", Box::new(sink.clone())).unwrap()];
    options.fsync_interval = Duration::from_millis(10);
    options
}

#[test]
fn each_start_goes_on_where_the_last_one_stopped_and_failures_are_made_good() {
    let directory = tempfile::tempdir().unwrap();
    let sink = Sink::default();
    sink.failures.lock().unwrap().extend([0, 1, 0]);
    for _ in 0..3 {
        let log = EventLog::open(with(directory.path(), &sink)).unwrap();
        let recorder = log.recorder(0);
        for rule in 0..5 {
            decide(&recorder, rule).unwrap();
        }
        log.close(LONG).unwrap();
        let stats = log.stats();
        assert_eq!(stats.exporter_lag(&stats.exporters()[0]), 0);
    }
    assert_eq!(*sink.seen.lock().unwrap(), (1..=27).collect::<Vec<u64>>());
}

#[test]
fn a_stalled_exporter_holds_up_nobody_and_its_losses_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let sink = Sink::default();
    let stalled = sink.stalled.clone();
    let guard = stalled.lock().unwrap();
    let mut options = with(directory.path(), &sink);
    options.segment_bytes = 8 * 1024;
    options.journal_bytes = 32 * 1024;
    let log = EventLog::open(options).unwrap();
    let recorder = log.recorder(0);
    for round in 0..30 {
        for rule in 0..5 {
            decide(&recorder, rule).unwrap();
        }
        log.publish(published(round)).unwrap().wait(LONG).unwrap();
    }
    drop(guard);
    log.close(LONG).unwrap();
    let stats = log.stats();
    let exporter = &stats.exporters()[0];
    let lost = exporter.lost.load(Relaxed);
    let seen = sink.seen.lock().unwrap();
    assert!(lost > 0);
    assert!(seen.is_sorted());
    assert_eq!(seen.len() as u64 + lost, stats.sequence.load(Relaxed));
    assert_eq!(exporter.sequence.load(Relaxed), stats.sequence.load(Relaxed));
}

#[test]
fn an_exporter_that_hangs_does_not_keep_the_log_from_closing() {
    let directory = tempfile::tempdir().unwrap();
    let sink = Sink::default();
    let stalled = sink.stalled.clone();
    let guard = stalled.lock().unwrap();
    let log = EventLog::open(with(directory.path(), &sink)).unwrap();
    decide(&log.recorder(0), 0).unwrap();
    log.close(Duration::from_millis(500)).unwrap();
    drop(log);
    drop(guard);
    assert!(audit(&journal_dir(directory.path()), None).unwrap().is_good());
}

#[test]
fn only_what_is_durable_is_exported() {
    let directory = tempfile::tempdir().unwrap();
    let sink = Sink::default();
    let mut options = with(directory.path(), &sink);
    options.fsync_interval = LONG;
    let log = EventLog::open(options).unwrap();
    log.publish(published(1)).unwrap().wait(LONG).unwrap();
    decide(&log.recorder(0), 0).unwrap();
    while log.stats().sequence.load(Relaxed) < 2 {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(*sink.seen.lock().unwrap(), [1]);
    log.close(LONG).unwrap();
    assert_eq!(*sink.seen.lock().unwrap(), [1, 2]);
}

#[test]
fn names_are_cursors() {
    for name in ["", "a/b", "..", "a b"] {
        assert!(NamedExporter::new(name, Box::new(Sink::default())).is_err(), "{name}");
    }
    let directory = tempfile::tempdir().unwrap();
    let mut options = EventOptions::new(directory.path());
    for _ in 0..2 {
        options.exporters.push(NamedExporter::new("same", Box::new(Sink::default())).unwrap());
    }
    assert!(matches!(EventLog::open(options), Err(EventError::ExporterName { .. })));
}

#[test]
fn the_stdout_exporter_writes_the_journals_own_lines() {
    #[derive(Clone, Default)]
    struct Stream(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Stream {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let stream = Stream::default();
    let mut options = EventOptions::new(directory.path());
    let exporter = StdoutExporter::to(stream.clone());
    options.exporters = vec![NamedExporter::new("stdout", Box::new(exporter)).unwrap()];
    let log = EventLog::open(options).unwrap();
    decide(&log.recorder(0), 1).unwrap();
    log.close(LONG).unwrap();
    let written = String::from_utf8(stream.0.lock().unwrap().clone()).unwrap();
    assert_eq!(written.lines().map(str::to_owned).collect::<Vec<_>>(), lines(directory.path()));
}
