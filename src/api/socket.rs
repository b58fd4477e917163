//! The Unix socket: who may replace whose, and its permissions.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::server::ServerError;

/// A bound socket. Its file is removed when it is dropped, unless another has taken its place.
#[derive(Debug)]
pub struct BoundSocket {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl BoundSocket {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for BoundSocket {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|found| {
            found.file_type().is_socket() && (found.dev(), found.ino()) == (self.device, self.inode)
        });
        if is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Most bytes of a socket's path, for the kernel and for every client.
const MAX_PATH_BYTES: usize = 107;
/// Bytes of the path of the private folder and the socket in it, beyond the folder that they are in: `/.l` with eight
/// digits, and `/s`.
const PRIVATE_BYTES: usize = 13;

/// Listens at `path` with permissions `mode`.
///
/// The socket is bound in a private folder beside `path` and moved there once its permissions are set, so that nobody can
/// connect before. A socket file that nobody listens on is replaced.
///
/// # Errors
/// Somebody listens there, something else than a socket is there, or the folder cannot be written.
pub fn bind(path: &Path, mode: u32) -> Result<(UnixListener, BoundSocket), ServerError> {
    refuse_long(path)?;
    refuse_occupied(path)?;
    let failed = |source| ServerError::Socket { path: path.to_owned(), source };
    let private = PrivateFolder::create(folder_of(path)).map_err(failed)?;
    let hidden = private.path.join("s");
    let listener = UnixListener::bind(&hidden).map_err(failed)?;
    fs::set_permissions(&hidden, Permissions::from_mode(mode)).map_err(failed)?;
    let found = fs::symlink_metadata(&hidden).map_err(failed)?;
    fs::rename(&hidden, path).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok((listener, BoundSocket { path: path.to_owned(), device: found.dev(), inode: found.ino() }))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn refuse_long(path: &Path) -> Result<(), ServerError> {
    let bytes = path.as_os_str().len();
    let most_of_folder = MAX_PATH_BYTES - PRIVATE_BYTES;
    if bytes <= MAX_PATH_BYTES && folder_of(path).as_os_str().len() <= most_of_folder {
        return Ok(());
    }
    Err(ServerError::SocketPathTooLong { path: path.to_owned(), bytes, most: MAX_PATH_BYTES, most_of_folder })
}

fn refuse_occupied(path: &Path) -> Result<(), ServerError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Err(ServerError::NotASocket { path: path.to_owned() }),
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => Err(ServerError::SocketInUse { path: path.to_owned() }),
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => Ok(()),
            // Somebody listens whom we may not or cannot reach now; it is not ours to remove.
            Err(_) => Err(ServerError::SocketInUse { path: path.to_owned() }),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(ServerError::Socket { path: path.to_owned(), source }),
    }
}

/// A folder that only this user can enter; removed when dropped.
struct PrivateFolder {
    path: PathBuf,
}

impl PrivateFolder {
    /// A short name, because the path of a socket may have 107 bytes only.
    fn create(parent: &Path) -> io::Result<Self> {
        for attempt in 0..100_u32 {
            let path = parent.join(format!(".l{:x}", std::process::id().wrapping_add(attempt << 22)));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.path.join("s"));
        let _ = fs::remove_dir(&self.path);
    }
}
