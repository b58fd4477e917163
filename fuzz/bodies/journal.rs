//! A journal that somebody changed: the audit reports it or finds every record as it was written, recovery keeps every
//! whole record, and what was forged does not become good by a restart.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use lictor::Engine;
use lictor::event::{
    ChainKey, ControlBody, ControlRecord, DecisionRecord, EventLog, EventOptions, JournalTail, SnapshotName,
    SnapshotPublished, audit, journal_dir,
};
use lictor::model::{Action, Layer, Request, Subject, Timestamp};
use lictor::policy::SourceText;
use sha2::{Digest, Sha256};

use super::bytes::Bytes;

/// A state directory in memory.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// How a journal came to be, as it was left and as it was earlier.
struct Journal {
    keyed: bool,
    files: Files,
    earlier: Files,
    records: Vec<Vec<u8>>,
}

const PATIENCE: Duration = Duration::from_secs(30);

static JOURNALS: LazyLock<Vec<Journal>> = LazyLock::new(|| {
    // Keyed in none, the second, or both of its two runs; closed in order or not.
    [(false, false, true), (false, false, false), (true, true, true), (true, true, false), (false, true, true)]
        .map(|(first, second, closed)| journal(first, second, closed))
        .into()
});

/// The property. The first byte chooses a journal, the rest says what happens to it.
pub fn check(input: &[u8]) {
    let mut input = Bytes(input);
    let journal = &JOURNALS[input.below(JOURNALS.len())];
    let mut files = journal.files.clone();
    let mut forged = false;
    for _ in 0..8 {
        if input.is_empty() {
            break;
        }
        forged |= change(&mut files, &journal.earlier, &mut input);
    }
    let directory = scratch();
    lay(directory.path(), &files);

    // Whoever does not have the key can compute plain hashes anew, which is why the key is there.
    let proves = journal.keyed || !forged;
    if is_good(directory.path(), journal.keyed) && proves {
        assert_is_run(&records(directory.path()), &journal.records);
    }
    let before = records(directory.path());
    let Ok(log) = EventLog::open(options(directory.path(), journal.keyed)) else { return };
    decide(&log);
    log.close(PATIENCE).expect("a recovered journal is closed");
    drop(log);
    let after = records(directory.path());
    // Only what is no record may be cut, as a torn tail.
    let lost = |record: &&Vec<u8>| journal.records.contains(record) && !after.contains(record);
    assert_eq!(before.iter().find(lost).map(|record| String::from_utf8_lossy(record)), None, "recovery lost a record");
    if is_good(directory.path(), journal.keyed) && proves {
        let old: Vec<Vec<u8>> = after.into_iter().filter(|record| before.contains(record)).collect();
        assert_is_run(&old, &journal.records);
    }
}

/// Every record is one that was written, and none between them is missing.
fn assert_is_run(records: &[Vec<u8>], written: &[Vec<u8>]) {
    let is_run = records.is_empty() || written.windows(records.len()).any(|run| run == records);
    assert!(is_run, "the audit calls good what was never written:\n{}", show(records));
}

fn show(records: &[Vec<u8>]) -> String {
    records.iter().map(|record| String::from_utf8_lossy(record) + "\n").collect()
}

/// One change, by somebody without the key. Gives `true` if hashes were computed anew.
fn change(files: &mut Files, earlier: &Files, input: &mut Bytes<'_>) -> bool {
    let names: Vec<PathBuf> = files.keys().cloned().collect();
    let Some(name) = names.get(input.below(names.len().max(1))) else { return false };
    let other = &names[input.below(names.len())];
    let content = files.get(name).cloned().unwrap_or_default();
    let lines: Vec<&[u8]> = content.split_inclusive(|byte| *byte == b'\n').collect();
    let at = input.below(content.len().max(1)).min(content.len());
    let changed = match input.below(12) {
        0 => [&content[..at], &[input.byte()], content.get(at + 1..).unwrap_or_default()].concat(),
        1 => content[..at].to_vec(),
        2 => [&content[..at], input.take(16), &content[at..]].concat(),
        3 => [&content[..at], content.get(at + input.below(600)..).unwrap_or_default()].concat(),
        4 => return files.remove(name).is_none(),
        5 => files.get(other).cloned().unwrap_or_default(),
        6 => match earlier.get(name) {
            Some(before) => before.clone(),
            None => return false,
        },
        7 if !lines.is_empty() => {
            let (one, two) = (input.below(lines.len()), input.below(lines.len()));
            let mut lines = lines.clone();
            lines.swap(one, two);
            lines.concat()
        }
        8 if !lines.is_empty() => {
            let mut lines = lines.clone();
            lines.remove(input.below(lines.len()));
            lines.concat()
        }
        9 => {
            files.remove(name);
            let number = input.take(3).iter().fold(0_u64, |number, byte| number.wrapping_mul(7_919) + u64::from(*byte));
            let number = if input.byte() == 255 { u64::MAX } else { number };
            files.insert(name.with_file_name(format!("{number:020}.jsonl")), content);
            return false;
        }
        10 if !lines.is_empty() => {
            let from = input.below(lines.len());
            let edited = edit(lines[from], input);
            files.insert(name.clone(), [lines[..from].concat(), rehash(&lines, from, edited)].concat());
            return true;
        }
        _ => input.take(usize::MAX).to_vec(),
    };
    files.insert(name.clone(), changed);
    false
}

/// The line with some of its bytes replaced.
fn edit(line: &[u8], input: &mut Bytes<'_>) -> Vec<u8> {
    let mut line = line.to_vec();
    for _ in 0..=input.below(4) {
        let at = input.below(line.len());
        line[at] = input.byte();
    }
    line
}

/// `first` and the lines behind `from`, with plain hashes that lead from one to the next.
fn rehash(lines: &[&[u8]], from: usize, first: Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut previous: Option<[u8; 32]> = None;
    for line in std::iter::once(&*first).chain(lines[from + 1..].iter().copied()) {
        let text = String::from_utf8_lossy(line);
        let Some((body, _)) = text.rsplit_once(",\"hash\":\"") else { return [out, line.to_vec()].concat() };
        let Some((front, stated)) = body.rsplit_once("\"prev\":\"") else { return [out, line.to_vec()].concat() };
        let before = previous.map_or_else(|| stated.trim_end_matches('"').to_owned(), hex);
        let body = format!("{front}\"prev\":\"{before}\"");
        let hash = Sha256::new().chain_update(unhex(&before)).chain_update(&body).finalize().into();
        out.extend_from_slice(format!("{body},\"hash\":\"{}\"}}}}\n", hex(hash)).as_bytes());
        previous = Some(hash);
    }
    out
}

fn hex(hash: [u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).filter_map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()).collect()
}

fn journal(first_keyed: bool, second_keyed: bool, closed: bool) -> Journal {
    let directory = scratch();
    let log = EventLog::open(options(directory.path(), first_keyed)).expect("a journal");
    decide(&log);
    log.close(PATIENCE).expect("the journal is closed");
    let earlier = read(directory.path());
    drop(log);
    let log = EventLog::open(options(directory.path(), second_keyed)).expect("the journal");
    decide(&log);
    if closed {
        log.close(PATIENCE).expect("the journal is closed");
    }
    let files = read(directory.path());
    let journal = Journal { keyed: second_keyed, files, earlier, records: records(directory.path()) };
    assert!(is_good(directory.path(), second_keyed) && journal.records.len() > 8, "{} records", journal.records.len());
    journal
}

fn options(directory: &Path, keyed: bool) -> EventOptions {
    let mut options = EventOptions::new(directory);
    options.segment_bytes = 4 * 1024;
    options.ring_records = 64;
    options.poll_idle = options.poll_busy;
    options.key = keyed.then(|| ChainKey::new(&[7; 32]).expect("a key"));
    options
}

/// Records decisions of three kinds and a reload, and waits until all of it is in the journal.
fn decide(log: &EventLog) {
    let recorder = log.recorder(0);
    for action in ["read", "write", "look"] {
        let request = Request {
            subject: Subject { id: "support-7".into(), ..Subject::default() },
            action: Action { name: action.into(), ..Action::default() },
            ..Request::default()
        };
        let decided_at = Timestamp::from_micros(1_773_480_413_589_793);
        let decision = ENGINE.evaluate(&request, decided_at);
        let ticket = recorder.ticket();
        let record =
            DecisionRecord { ticket, decided_at, evaluation_nanos: 1, request, decision, actor: "uid:1".into() };
        assert!(recorder.record(Box::new(record)).is_ok(), "the ring has room");
    }
    let body = ControlBody::SnapshotPublished(SnapshotPublished {
        snapshot: SnapshotName { digest: format!("sha256:{}", "5a".repeat(32)), revision: 7 },
        version: String::new(),
        previous: None,
        source: "directory:policies".to_owned(),
        trigger: "start".to_owned(),
        documents: 1,
        rules: 3,
        added: vec!["Policy/p".to_owned()],
        changed: Vec::new(),
        removed: Vec::new(),
    });
    let at = Timestamp::from_micros(1_773_480_413_589_793);
    let record = ControlRecord { at, actor: "system".into(), tenant: None, correlation_id: None, body };
    log.publish(record).and_then(|ack| ack.wait(PATIENCE)).expect("the record is durable");
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let policy = "{apiVersion: lictor.dev/v1, kind: Policy, metadata: {name: p}, spec: {rules: [
        {name: r, effect: allow, actions: [read]}, {name: w, effect: deny, actions: [write]},
        {name: l, effect: audit, actions: [look]}]}}";
    let text = SourceText { name: "p.yaml".into(), layer: Layer::Organisation, text: policy.into() };
    Engine::from_documents(&[text]).unwrap_or_else(|refused| panic!("{refused}"))
});

fn is_good(state: &Path, keyed: bool) -> bool {
    let key = ChainKey::new(&[7; 32]).expect("a key");
    audit(&journal_dir(state), keyed.then_some(&key)).is_ok_and(|report| report.is_good())
}

/// Every whole line of the journal.
fn records(state: &Path) -> Vec<Vec<u8>> {
    JournalTail::open(&journal_dir(state), usize::MAX, |_| true).map(|mut tail| tail.take_newest()).unwrap_or_default()
}

/// A directory that costs no disk, where the machine has such.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary directory")
}

fn read(state: &Path) -> Files {
    let mut files = Files::new();
    for folder in ["", "journal", "keys", "cursors"] {
        let Ok(entries) = fs::read_dir(state.join(folder)) else { continue };
        for path in entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()) {
            let name = path.strip_prefix(state).expect("below the state directory").to_owned();
            if !name.ends_with("lock") {
                files.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    files
}

fn lay(state: &Path, files: &Files) {
    for (name, content) in files {
        let path = state.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
}
