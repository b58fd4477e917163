//! Copies of an embedded store, and putting one back in its place.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{blocking, errors, open, ready};
use crate::store::error::StoreError;
use crate::store::options::StoreOptions;
use crate::store::sql::{Conn, SqlError};
use crate::store::verbs::{figures, meta};
use crate::store::{Backup, Restored};

/// Copies the store in `path`, as it is committed now, to the new file `to`. A server may use the store meanwhile.
pub(in crate::store) async fn backup(path: &Path, to: &Path) -> Result<Backup, StoreError> {
    let (path, to) = (path.to_owned(), to.to_owned());
    blocking(move || copy_out(&path, &to)).await
}

fn copy_out(path: &Path, to: &Path) -> Result<Backup, StoreError> {
    if !path.exists() {
        return Err(StoreError::unavailable(format!("there is no `{}`; name the state directory", path.display())));
    }
    let name = to.to_str().ok_or_else(|| StoreError::invalid(format!("`{}` is not UTF-8", to.display())))?;
    // SQLite writes into an empty file as into a new one, and this one is the owner's only.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(|error| at("create", to, &error))?;
    let made = || {
        let failed = |error: SqlError| errors::classify(to, &error);
        let conn = open::plain(path)?;
        conn.execute("VACUUM INTO ?1", [name]).map_err(|error| failed(error.into()))?;
        drop(conn);
        sync(to)?;
        let mut copy = open::plain(to)?;
        open::check(to, &copy)?;
        let epoch = ready(meta::epoch(&mut Conn::Sqlite(&mut copy))).map_err(failed)?;
        let figures = ready(figures::figures(&mut Conn::Sqlite(&mut copy))).map_err(failed)?;
        Ok(Backup { epoch, open_approvals: figures.open_approvals, outbox: figures.outbox })
    };
    let made = made();
    if made.is_err() {
        // Half a backup must not look like one.
        let _ = fs::remove_file(to);
    }
    made
}

/// Puts the backup `from` in the place of the store in `path`, which nobody uses, and ends its epoch. The file that was
/// there is kept beside it.
pub(in crate::store) async fn restore(
    path: &Path,
    from: &Path,
    floor: u64,
    owner: &str,
    options: &StoreOptions,
) -> Result<Restored, StoreError> {
    let (path, from, owner, options) = (path.to_owned(), from.to_owned(), owner.to_owned(), options.clone());
    blocking(move || put_back(&path, &from, floor, &owner, &options)).await
}

fn put_back(path: &Path, from: &Path, floor: u64, owner: &str, options: &StoreOptions) -> Result<Restored, StoreError> {
    if beside(from, "-wal").exists() {
        return Err(StoreError::invalid(format!(
            "`{}` is a store in use, not a backup: there is a write-ahead log beside it; make a backup with `lictor backup --to FILE`",
            from.display()
        )));
    }
    let copy = beside(path, ".restoring");
    for leftover in [copy.clone(), beside(&copy, "-wal"), beside(&copy, "-shm")] {
        remove(&leftover)?;
    }
    let mut reader = File::open(from).map_err(|error| at("read", from, &error))?;
    let mut writer = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&copy)
        .map_err(|error| at("create", &copy, &error))?;
    std::io::copy(&mut reader, &mut writer).map_err(|error| at("write", &copy, &error))?;
    drop(writer);
    let prepared = prepare(path, &copy, floor, owner, options);
    let (epoch, open_approvals) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            let _ = fs::remove_file(&copy);
            return Err(of_backup(error, from));
        }
    };
    sync(&copy)?;
    let kept = set_aside(path)?;
    fs::rename(&copy, path).map_err(|error| at("replace", path, &error))?;
    sync_directory(path)?;
    Ok(Restored { epoch, open_approvals, kept })
}

/// Checks the copy, brings its schema up to date and ends its epoch.
fn prepare(
    path: &Path,
    copy: &Path,
    floor: u64,
    owner: &str,
    options: &StoreOptions,
) -> Result<(u64, u64), StoreError> {
    let failed = |error: SqlError| errors::classify(copy, &error);
    let conn = open::plain(copy)?;
    open::check(copy, &conn)?;
    let sql = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'store_meta'";
    let tables = conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|error| failed(error.into()))?;
    if tables == 0 {
        return Err(StoreError::invalid("is no backup of a store of lictor"));
    }
    drop(conn);
    let mut conn = open::prepare(copy, options)?;
    // What is in place may have seen later epochs than the backup.
    let floor = floor.max(epoch_of(path).unwrap_or(0));
    let epoch = in_transaction(&mut conn, floor, owner).map_err(failed)?;
    let figures = ready(figures::figures(&mut Conn::Sqlite(&mut conn))).map_err(failed)?;
    // One file again, without a log beside it.
    conn.pragma_update(None, "journal_mode", "DELETE").map_err(|error| failed(error.into()))?;
    conn.close().map_err(|(_, error)| failed(error.into()))?;
    Ok((epoch, figures.open_approvals))
}

/// What is wrong with the copy is wrong with the backup that it was made of.
fn of_backup(error: StoreError, from: &Path) -> StoreError {
    match error {
        StoreError::Corrupt { reason, .. } => StoreError::Corrupt { path: from.to_owned(), reason },
        StoreError::NewerSchema { found, known, .. } => {
            StoreError::NewerSchema { place: from.display().to_string(), found, known }
        }
        StoreError::Invalid { reason } => StoreError::Invalid { reason: format!("`{}` {reason}", from.display()) },
        other => other,
    }
}

/// A connection that is dropped in between rolls back.
fn in_transaction(conn: &mut Connection, floor: u64, owner: &str) -> Result<u64, SqlError> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let epoch = ready(meta::raise_epoch(&mut Conn::Sqlite(conn), floor, owner))?;
    conn.execute_batch("COMMIT")?;
    Ok(epoch)
}

fn epoch_of(path: &Path) -> Option<u64> {
    if !path.exists() {
        return None;
    }
    // The last connection, when it is dropped, takes the log into the database.
    let mut conn = open::plain(path).ok()?;
    ready(meta::epoch(&mut Conn::Sqlite(&mut conn))).ok()
}

/// Keeps the file in `path`, and the log of one that was not closed, under another name. The name `path` stays in use all
/// the time, so that an end in between never leaves a server without its store.
fn set_aside(path: &Path) -> Result<Option<PathBuf>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let names = (0_u32..).map(|number| match number {
        0 => beside(path, ".before-restore"),
        number => beside(path, &format!(".before-restore-{number}")),
    });
    let Some(aside) = names.into_iter().find(|name| !name.exists()) else { return Ok(None) };
    // First: the log belongs to the old file, and would be taken for that of the new one.
    for log in ["-wal", "-shm"] {
        let log_path = beside(path, log);
        if log_path.exists() {
            fs::rename(&log_path, beside(&aside, log)).map_err(|error| at("rename", &log_path, &error))?;
        }
    }
    fs::hard_link(path, &aside).map_err(|error| at("keep", path, &error))?;
    sync_directory(path)?;
    Ok(Some(aside))
}

/// `path` with something behind its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at("remove", path, &error)),
        _ => Ok(()),
    }
}

fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| at("sync", path, &error))?;
    sync_directory(path)
}

/// Makes names in the directory of `path` durable.
fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| at("sync", directory, &error))
}

fn at(action: &str, path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::unavailable(format!("cannot {action} `{}`: {error}", path.display()))
}
