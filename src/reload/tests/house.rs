//! What the tests share: a place with policies and state, a recorder of events, documents, waiting.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::model::Layer;
use crate::reload::*;
use crate::snapshot::Holder;
use crate::state_dir::StateDir;

/// How long a test waits for what must happen. Only a failing test waits this long.
const DEADLINE: Duration = Duration::from_secs(20);

/// Everything that was recorded, in order.
#[derive(Debug, Clone, Default)]
pub struct Recorded(Arc<Mutex<Vec<Event>>>);

#[derive(Debug, Clone)]
pub enum Event {
    Published(Publication),
    Refused(Refusal),
}

impl ReloadEvents for Recorded {
    fn published(&mut self, publication: &Publication) {
        self.0.lock().unwrap().push(Event::Published(publication.clone()));
    }

    fn refused(&mut self, refusal: &Refusal) {
        self.0.lock().unwrap().push(Event::Refused(refusal.clone()));
    }
}

impl Recorded {
    pub fn published(&self) -> Vec<Publication> {
        let events = self.0.lock().unwrap();
        events
            .iter()
            .filter_map(|event| if let Event::Published(it) = event { Some(it.clone()) } else { None })
            .collect()
    }

    pub fn refused(&self) -> Vec<Refusal> {
        let events = self.0.lock().unwrap();
        events.iter().filter_map(|event| if let Event::Refused(it) = event { Some(it.clone()) } else { None }).collect()
    }
}

/// A temporary place with `policies/` and `state/`.
pub struct House {
    place: TempDir,
    pub holder: Arc<Holder>,
    pub events: Recorded,
}

impl House {
    pub fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let house = Self { place, holder: Arc::default(), events: Recorded::default() };
        make_directory(&house.policies());
        house
    }

    pub fn path(&self) -> &Path {
        self.place.path()
    }

    pub fn policies(&self) -> PathBuf {
        self.path().join("policies")
    }

    pub fn state(&self) -> StateDir {
        StateDir::open(&self.path().join("state")).unwrap()
    }

    pub fn snapshots(&self) -> PathBuf {
        self.path().join("state/snapshots")
    }

    /// Options over `policies/` with waits as short as a test wants them; polls only when told to.
    pub fn options(&self) -> ReloadOptions {
        ReloadOptions {
            sources: vec![PolicySource { path: self.policies(), layer: Layer::Organisation }],
            poll: Duration::from_secs(3600),
            settle: Duration::from_millis(20),
            settle_max: Duration::from_millis(200),
            ..ReloadOptions::default()
        }
    }

    pub fn reloader(&self) -> Reloader {
        self.reloader_with(self.options())
    }

    pub fn reloader_with(&self, options: ReloadOptions) -> Reloader {
        Reloader::new(options, &self.state(), self.holder.clone(), Box::new(self.events.clone())).unwrap()
    }

    /// A reloader that has loaded for the first time and watches.
    pub fn watch(&self) -> ReloadHandle {
        self.watch_with(self.options())
    }

    pub fn watch_with(&self, options: ReloadOptions) -> ReloadHandle {
        let should_watch = options.watch;
        let mut reloader = self.reloader_with(options);
        reloader.first_load();
        let handle = reloader.spawn().unwrap();
        eventually("the sources are watched", || handle.status().is_watching == should_watch);
        handle
    }

    pub fn write(&self, name: &str, text: &str) {
        write(&self.policies().join(name), text);
    }

    /// Names of the live snapshot's rules, sorted.
    pub fn live_rules(&self) -> Vec<String> {
        let residents = self.holder.load();
        let Some(live) = residents.live() else { return Vec::new() };
        let mut rules: Vec<_> = live.label().rules.iter().map(|rule| rule.rule.to_string()).collect();
        rules.sort();
        rules
    }

    pub fn live_revision(&self) -> Option<u64> {
        self.holder.load().live().map(|live| live.revision())
    }

    pub fn live_digest(&self) -> String {
        self.holder.load().live().unwrap().digest().to_owned()
    }

    /// Waits until the live snapshot has exactly these rules.
    pub fn wait_for_rules(&self, expected: &[&str]) {
        eventually(&format!("{expected:?} are live"), || self.live_rules() == expected);
    }

    /// Waits for a refusal after the first `known` ones that says `part`.
    pub fn wait_for_refusal(&self, known: usize, part: &str) {
        let says = |refusal: &Refusal| refusal.message.contains(part);
        eventually(&format!("a refusal says {part:?}"), || self.events.refused().iter().skip(known).any(says));
    }
}

/// Waits until `condition` holds.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub fn make_directory(path: &Path) {
    fs::create_dir_all(path).unwrap();
    chmod(path, 0o755);
}

/// Writes a file whole: a reader sees the old or the new one.
pub fn write(path: &Path, text: impl AsRef<[u8]>) {
    let beside = path.with_file_name(".beside");
    fs::write(&beside, text).unwrap();
    chmod(&beside, 0o644);
    fs::rename(beside, path).unwrap();
}

/// A policy of one rule of the same name.
pub fn policy(name: &str) -> String {
    format!(
        "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: {name}}}\nspec:\n  rules:\n    - {{name: {name}, effect: \
         allow, actions: [{name}.read]}}\n"
    )
}

/// As [`policy`], with an error.
pub fn bad_policy(name: &str) -> String {
    policy(name).replace("effect: allow", "effect: alow")
}

/// Fills a directory as the kubelet fills a volume.
pub struct Volume {
    root: PathBuf,
    generation: u32,
}

impl Volume {
    pub fn new(root: &Path) -> Self {
        make_directory(root);
        Self { root: root.to_owned(), generation: 0 }
    }

    /// Publishes a new generation: writes it beside the old one, exchanges `..data` by renaming, then makes the links that
    /// users see and removes the old generation.
    pub fn publish(&mut self, files: &[(&str, &str)]) {
        let old = fs::read_link(self.root.join("..data")).ok();
        self.generation += 1;
        let name = format!("..2026_11_22_03_00_00.{}", self.generation);
        let generation = self.root.join(&name);
        make_directory(&generation);
        for (file, text) in files {
            write(&generation.join(file), text);
        }
        symlink(&name, self.root.join("..data_tmp")).unwrap();
        fs::rename(self.root.join("..data_tmp"), self.root.join("..data")).unwrap();
        for (file, _) in files {
            let link = self.root.join(file);
            if fs::symlink_metadata(&link).is_err() {
                symlink(Path::new("..data").join(file), link).unwrap();
            }
        }
        for entry in fs::read_dir(&self.root).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with("..") && files.iter().all(|(file, _)| *file != name) {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        if let Some(old) = old {
            fs::remove_dir_all(self.root.join(old)).unwrap();
        }
    }
}
