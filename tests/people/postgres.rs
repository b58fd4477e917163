//! A private PostgreSQL server: in a folder of its own, on a Unix socket, gone when the test process is.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::wait_for;

/// Runs the server until its standard input is closed, which the end of this process does too; then ends it at once, and
/// removes its folder if told to.
const WRAPPER: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=200 >>"$2/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
[ "$3" = keep ] || rm -rf "$2"
"#;

/// A server and its data.
pub struct Cluster {
    folder: PathBuf,
    wrapper: Option<Child>,
    /// Removes the folder; `None` where the wrapper does.
    _owned: Option<tempfile::TempDir>,
}

/// The server that tests share which do not stop it.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::start(false))
}

impl Cluster {
    /// A server of the test's own, which it may stop.
    pub fn own() -> Self {
        Self::start(true)
    }

    fn start(own: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("lictor-pg").tempdir().expect("a temporary folder");
        if let Some((uid, gid)) = other_user() {
            chown(folder.path(), Some(uid), Some(gid)).expect("the folder given to another user");
        }
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("permissions");
        let path = folder.path().to_owned();
        let output = as_user(&mut Command::new(binaries().join("initdb")))
            .args(["--username", "lictor", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"])
            .arg("--pgdata")
            .arg(path.join("data"))
            .current_dir(&path)
            .output()
            .expect("initdb runs");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        let owned = if own {
            Some(folder)
        } else {
            _ = folder.keep();
            None
        };
        let mut cluster = Self { folder: path, wrapper: None, _owned: owned };
        cluster.run();
        cluster
    }

    /// Starts the server, which must not run, and waits until it answers.
    pub fn run(&mut self) {
        let end = if self._owned.is_some() { "keep" } else { "remove" };
        let wrapper = as_user(&mut Command::new("sh"))
            .args(["-c", WRAPPER, "sh"])
            .arg(binaries())
            .arg(&self.folder)
            .arg(end)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh runs");
        self.wrapper = Some(wrapper);
        wait_for("answer of PostgreSQL", || {
            let ready = Command::new(binaries().join("pg_isready")).arg("-q").arg("-h").arg(&self.folder).status();
            ready.is_ok_and(|status| status.success())
        });
    }

    /// Ends the server at once, as a crash would.
    pub fn stop(&mut self) {
        if let Some(mut wrapper) = self.wrapper.take() {
            drop(wrapper.stdin.take());
            wrapper.wait().expect("the server ends");
        }
    }

    /// The folder with all that the server keeps.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The URL of a new database.
    pub fn database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://lictor@localhost/{database}?host={}", self.folder.display())
    }

    /// Runs a statement and gives what it prints.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let output = Command::new(binaries().join("psql"))
            .args(["-X", "-A", "-t", "-U", "lictor", "-d", database, "-v", "ON_ERROR_STOP=1", "-c", sql, "-h"])
            .arg(&self.folder)
            .output()
            .expect("psql runs");
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where the programs of PostgreSQL are.
pub fn binaries() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        // Debian keeps them out of the PATH, by version.
        let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
            .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect())
            .unwrap_or_default();
        debian.sort();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places = debian.into_iter().rev().chain(std::env::split_paths(&path));
        places
            .find(|place| ["initdb", "postgres", "pg_isready", "psql"].iter().all(|name| place.join(name).exists()))
            .expect("these tests need PostgreSQL: `apt-get install postgresql`")
    })
}

/// PostgreSQL refuses to run as root: then somebody else runs it.
fn other_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(ids("postgres").or_else(|| ids("nobody")).expect("a user `postgres` or `nobody`"))
}

fn as_user(command: &mut Command) -> &mut Command {
    if let Some((uid, gid)) = other_user() {
        command.uid(uid).gid(gid);
    }
    command
}
