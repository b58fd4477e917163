//! The reload thread and the handle to it.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::mailbox::{Mailbox, Wake, after};
use super::memory::{GiveBack, STACK_BYTES};
use super::reloader::Reloader;
use super::report::{Outcome, Trigger};
use super::status::{ReloadStatus, StatusReader};
use super::watch::Watch;

/// How far the thread gives way to those that decide: where processors are short, a load takes longer rather than a call.
const NICENESS: i32 = 10;

/// Shortest rest before looking again whether a retired snapshot is still read.
const RELEASE_PAUSE: Duration = Duration::from_millis(10);

/// How often the set of watched directories is made again when directories appear meanwhile.
const ARM_ATTEMPTS: usize = 5;

/// A way to the reload thread. Clones speak to the same thread, which ends with [`stop`](Self::stop) or when the last clone
/// is dropped.
#[derive(Clone)]
pub struct ReloadHandle {
    inner: Arc<Inner>,
}

struct Inner {
    mailbox: Arc<Mailbox>,
    status: StatusReader,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Reloader {
    /// Starts the thread that watches the sources and loads them when they change. Call [`first_load`](Self::first_load)
    /// before it. Former snapshots become resident again first, unless they are already.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn spawn(self) -> io::Result<ReloadHandle> {
        let mailbox = Arc::new(Mailbox::default());
        let status = self.status();
        let worker = Worker {
            reloader: self,
            mailbox: mailbox.clone(),
            watch: None,
            complaint: None,
            give_back: GiveBack::default(),
        };
        let thread =
            std::thread::Builder::new().name("lictor-reload".to_owned()).stack_size(STACK_BYTES).spawn(move || {
                give_way();
                worker.run();
            })?;
        let inner = Inner { mailbox, status, thread: Mutex::new(Some(thread)) };
        Ok(ReloadHandle { inner: Arc::new(inner) })
    }
}

/// Lowers the priority of the calling thread. On Linux the priority belongs to the thread, whatever the call's name says.
fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "loads run at the same priority as decisions");
    }
}

impl ReloadHandle {
    /// Asks for a load now, whether or not something seems to have changed. Does not wait. Requests that come before the
    /// load begins share it.
    pub fn trigger(&self) {
        self.inner.mailbox.request(None);
    }

    /// As [`trigger`](Self::trigger), and calls `reply` with the outcome on the reload thread. `reply` is dropped without
    /// being called if the thread ends before.
    pub fn trigger_with(&self, reply: impl FnOnce(Outcome) + Send + 'static) {
        self.inner.mailbox.request(Some(Box::new(reply)));
    }

    /// As [`trigger`](Self::trigger), and waits for the outcome. Blocks; not for use on a runtime's worker. `None` if there
    /// is none within `timeout`, or the thread has ended.
    #[must_use]
    pub fn reload(&self, timeout: Duration) -> Option<Outcome> {
        let (sender, receiver) = mpsc::channel();
        self.trigger_with(move |outcome| {
            // Whoever asked may have given up waiting.
            let _ = sender.send(outcome);
        });
        receiver.recv_timeout(timeout).ok()
    }

    /// How loading stands.
    #[must_use]
    pub fn status(&self) -> Arc<ReloadStatus> {
        self.inner.status.status()
    }

    /// Reads how loading stands, also after the thread has ended.
    #[must_use]
    pub fn status_reader(&self) -> StatusReader {
        self.inner.status.clone()
    }

    /// Ends the thread and waits for it. A load that has begun is finished first.
    pub fn stop(&self) {
        self.inner.stop();
    }
}

impl Inner {
    fn stop(&self) {
        self.mailbox.stop();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let is_own = thread.as_ref().is_some_and(|thread| thread.thread().id() == std::thread::current().id());
        if let Some(thread) = thread.filter(|_| !is_own) {
            // It catches its panics; there is nothing more to tell.
            let _ = thread.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Worker {
    reloader: Reloader,
    mailbox: Arc<Mailbox>,
    watch: Option<Watch>,
    /// Why watching does not work, as last logged.
    complaint: Option<String>,
    give_back: GiveBack,
}

impl Worker {
    fn run(mut self) {
        self.reloader.restore_residents();
        // What changed between the first load and the first watch.
        self.arm();
        self.load(Trigger::Watch);
        let mut next_poll = self.next_poll();
        loop {
            self.give_back.run(Instant::now());
            let is_waiting = self.release_retired();
            let grace = after(Instant::now(), self.reloader.options.grace.max(RELEASE_PAUSE));
            let deadline = if is_waiting { next_poll.min(grace) } else { next_poll };
            let deadline = self.give_back.due().map_or(deadline, |due| due.min(deadline));
            let options = &self.reloader.options;
            match self.mailbox.wait(deadline, options.settle, options.settle_max) {
                Wake::Stop => return,
                Wake::Changed => {
                    self.arm();
                    self.load(Trigger::Watch);
                }
                Wake::Requested(replies) => {
                    self.arm();
                    let outcome = self.load(Trigger::Request);
                    for reply in replies {
                        reply(outcome.clone());
                    }
                }
                Wake::Elapsed if Instant::now() >= next_poll => self.poll(),
                Wake::Elapsed => continue,
            }
            next_poll = self.next_poll();
        }
    }

    fn load(&mut self, trigger: Trigger) -> Outcome {
        let outcome = self.reloader.attempt(trigger);
        self.give_back.was_freed(Instant::now());
        outcome
    }

    /// Frees snapshots that no request can hold any more. Gives whether some are still waiting.
    fn release_retired(&mut self) -> bool {
        let (freed, is_waiting) = self.reloader.release_retired();
        if freed {
            self.give_back.was_freed(Instant::now());
        }
        is_waiting
    }

    fn next_poll(&self) -> Instant {
        let options = &self.reloader.options;
        let is_blind = options.watch && self.watch.is_none();
        after(Instant::now(), if is_blind { options.poll.min(options.poll_unwatched) } else { options.poll })
    }

    /// Compares the files with those of the last attempt, and loads only where they may differ.
    fn poll(&mut self) {
        let look = self.reloader.look();
        let is_covered = self.watch.as_ref().is_some_and(|watch| watch.covers(&look.directories));
        let may_differ = self.reloader.may_differ(&look);
        if !is_covered || may_differ {
            self.arm();
        }
        if may_differ {
            self.load(Trigger::Poll);
        }
    }

    /// Watches the directories that there are now. Goes before every load, so that what changes later is told of.
    fn arm(&mut self) {
        if !self.reloader.options.watch {
            return;
        }
        for _ in 0..ARM_ATTEMPTS {
            let seen = self.reloader.look().directories;
            let Reloader { options, excluded, status, .. } = &self.reloader;
            let made = Watch::new(&options.sources, &seen, excluded, &self.mailbox);
            status.note_watching(made.is_ok());
            match made {
                Ok(watch) => {
                    self.watch = Some(watch);
                    self.complaint = None;
                }
                Err(error) => {
                    self.watch = None;
                    return self.complain(&error);
                }
            }
            // A directory that appeared while the watches were set is not watched yet.
            if self.watch.as_ref().is_some_and(|watch| watch.covers(&self.reloader.look().directories)) {
                return;
            }
        }
    }

    fn complain(&mut self, error: &notify::Error) {
        let text = error.to_string();
        if self.complaint.as_ref() == Some(&text) {
            return;
        }
        let paths: Vec<&PathBuf> = error.paths.iter().collect();
        tracing::warn!(
            ?paths,
            poll_seconds = self.reloader.options.poll.min(self.reloader.options.poll_unwatched).as_secs_f64(),
            "cannot watch the policy sources, comparing them from time to time instead: {text}; \
             raise fs.inotify.max_user_watches and fs.inotify.max_user_instances"
        );
        self.complaint = Some(text);
    }
}
