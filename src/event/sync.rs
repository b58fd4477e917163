//! The thread that makes segments durable, so that a slow disk holds up neither the ring nor the writer.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use super::end_mark::EndMark;
use super::error::EventError;
use super::files;
use super::journal::ToSync;
use super::segment;
use super::stats::Stats;

/// Wait between attempts to sync after a failure.
const RETRY: Duration = Duration::from_millis(200);

/// What the writer and the syncing thread share.
#[derive(Debug, Default)]
struct Shared {
    /// The last fsync failed and none has succeeded since.
    failing: AtomicBool,
    /// Do not try again after a failure.
    giving_up: AtomicBool,
}

/// The writer's handle to the thread. Dropping it lets the thread finish what was asked for.
#[derive(Debug)]
pub(super) struct Syncer {
    requests: Option<Sender<ToSync>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

impl Syncer {
    /// Starts the thread. `wake` is unparked each time that something became durable.
    pub(super) fn start(stats: Arc<Stats>, wake: Thread, end: EndMark) -> Result<Self, EventError> {
        let (requests, inbox) = channel();
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let thread = thread::Builder::new()
            .name("lictor-fsync".to_owned())
            .spawn(move || run(&inbox, &theirs, &stats, &wake, &end))
            .map_err(|error| EventError::Thread { thread: "lictor-fsync".to_owned(), reason: error.to_string() })?;
        Ok(Self { requests: Some(requests), thread: Some(thread), shared })
    }

    /// Asks for a file to be synced, after those that were asked for before.
    pub(super) fn ask(&self, request: ToSync) {
        if let Some(requests) = &self.requests {
            // The thread ends only after this handle is gone.
            let _ = requests.send(request);
        }
    }

    /// Whether the last fsync failed.
    pub(super) fn failing(&self) -> bool {
        self.shared.failing.load(Acquire)
    }

    /// From now on a failed sync is not tried again.
    pub(super) fn give_up(&self) {
        self.shared.giving_up.store(true, Release);
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.give_up();
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(inbox: &Receiver<ToSync>, shared: &Shared, stats: &Stats, wake: &Thread, end: &EndMark) {
    let mut synced_directory_for = None;
    let mut marked = end.load().map_or(0, |(sequence, _)| sequence);
    while let Ok(request) = inbox.recv() {
        loop {
            match sync(&request, &mut synced_directory_for) {
                Ok(()) => {
                    stats.fsyncs.fetch_add(1, Relaxed);
                    shared.failing.store(false, Release);
                    // Once a segment: when it begins, all before it is durable.
                    let before = segment::first_of(&request.path).unwrap_or(0).saturating_sub(1);
                    if before > marked {
                        match end.save(before) {
                            Ok(()) => marked = before,
                            Err(error) => tracing::warn!(%error, "cannot note how far the journal is durable"),
                        }
                    }
                    stats.durable_sequence.fetch_max(request.sequence, Release);
                    break;
                }
                Err(error) => {
                    stats.fsync_failures.fetch_add(1, Relaxed);
                    if !shared.failing.swap(true, Release) {
                        tracing::error!(%error, "the journal cannot be made durable");
                    }
                    // What follows must not be called durable when this is not.
                    if shared.giving_up.load(Acquire) {
                        return;
                    }
                    thread::sleep(RETRY);
                }
            }
        }
        wake.unpark();
    }
}

/// Syncs the file, and once for each file its directory.
fn sync(request: &ToSync, synced: &mut Option<std::path::PathBuf>) -> Result<(), EventError> {
    request.file.sync_data().map_err(|error| EventError::io("sync", &request.path, &error))?;
    if let Some(directory) = &request.directory
        && synced.as_ref() != Some(&request.path)
    {
        files::sync_directory(directory)?;
        *synced = Some(request.path.clone());
    }
    Ok(())
}
