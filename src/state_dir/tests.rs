use std::os::unix::fs::symlink;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn is_created_private_and_keeps_its_identity() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("deep/er/state");
    let first = StateDir::open(&path).unwrap();
    let id = first.instance_id();
    assert_eq!(mode(&path), 0o700);
    for name in SUB_DIRECTORIES {
        assert_eq!(mode(&path.join(name)), 0o700, "{name}");
    }
    assert_eq!(fs::read_to_string(path.join(VERSION_FILE)).unwrap(), "1\n");
    drop(first);
    assert_eq!(StateDir::open(&path).unwrap().instance_id(), id);
}

#[test]
fn a_second_process_is_told_who_has_it() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("state");
    let held = StateDir::open(&path).unwrap();
    let error = StateDir::open(&path).unwrap_err();
    assert!(error.to_string().contains(&format!("in use by process {}", std::process::id())), "{error}");
    drop(held);
    StateDir::open(&path).unwrap();
}

#[test]
fn an_own_directory_that_others_may_read_is_made_private() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("state");
    fs::create_dir(&path).unwrap();
    chmod(&path, 0o755);
    StateDir::open(&path).unwrap();
    assert_eq!(mode(&path), 0o700);
}

/// How to spoil a directory, and a part of the message that must follow.
type Spoiling = (&'static str, fn(&Path), &'static str);

#[test]
fn what_cannot_be_trusted_or_understood_is_refused() {
    let cases: [Spoiling; 8] = [
        ("world-writable", |path| chmod(path, 0o757), "has mode 0757"),
        ("group-writable", |path| chmod(path, 0o770), "has mode 0770"),
        ("writable inside", |path| chmod(&path.join("keys"), 0o720), "has mode 0720"),
        ("newer", |path| fs::write(path.join(VERSION_FILE), "2\n").unwrap(), "layout version 2"),
        ("no version", |path| fs::write(path.join(VERSION_FILE), "one\n").unwrap(), "does not hold the version"),
        ("no id", |path| fs::write(path.join(INSTANCE_FILE), "x\n").unwrap(), "does not hold a UUID"),
        (
            "link for a version",
            |path| {
                fs::rename(path.join(VERSION_FILE), path.join("other")).unwrap();
                symlink("other", path.join(VERSION_FILE)).unwrap();
            },
            "cannot open",
        ),
        (
            "file for a directory",
            |path| {
                fs::remove_dir(path.join("cursors")).unwrap();
                fs::write(path.join("cursors"), "").unwrap();
            },
            "is not a directory",
        ),
    ];
    for (name, spoil, expected) in cases {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        drop(StateDir::open(&path).unwrap());
        spoil(&path);
        let error = StateDir::open(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
    let error = check_owner(Path::new("/state"), 1000, 65532).unwrap_err().to_string();
    assert!(error.contains("belongs to user 1000 and not to user 65532"), "{error}");
}

#[test]
fn a_directory_of_other_things_is_left_alone() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("home");
    fs::create_dir(&path).unwrap();
    chmod(&path, 0o755);
    fs::write(path.join("letter.txt"), "dear").unwrap();
    let error = StateDir::open(&path).unwrap_err().to_string();
    assert!(error.contains("`letter.txt`"), "{error}");
    assert_eq!(mode(&path), 0o755);
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
}

#[test]
fn durable_writes_replace_whole_files_and_ignore_what_a_crash_left() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("HEAD");
    fs::write(directory.path().join(".HEAD.tmp"), "half of it").unwrap();
    write_durably(&path, b"one").unwrap();
    write_durably(&path, b"two").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn many_files_are_written_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let names = (0..MOST_SYNCS * 2).map(|number| format!("{number}.yaml"));
    let files: Vec<_> = names.map(|name| (OsString::from(&name), name)).collect();
    let borrowed: Vec<_> = files.iter().map(|(name, text)| (name.clone(), text.as_bytes())).collect();
    write_all_durably(directory.path(), &borrowed).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), files.len());
    for (name, text) in &files {
        assert_eq!(fs::read_to_string(directory.path().join(name)).unwrap(), *text);
    }
    // One that cannot be written leaves no halves of the others.
    fs::create_dir(directory.path().join("taken")).unwrap();
    let error = write_all_durably(directory.path(), &[("new".into(), b"1"), ("taken".into(), b"2")]);
    assert!(error.is_err());
    let left = fs::read_dir(directory.path()).unwrap().flatten();
    assert!(left.into_iter().all(|entry| !entry.file_name().to_string_lossy().ends_with(TEMPORARY_SUFFIX)));
}
