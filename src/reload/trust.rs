//! Which files and directories may be believed: those that nobody but their owner can write to.
//!
//! Kubernetes mounts ConfigMaps, Secrets and projected volumes with a root of mode 0777 (1777 for Secrets), whatever
//! `defaultMode` says, and mounts them read-only. So the directories of such a volume (known by its `..data` link) are
//! exempt where the mount is read-only as this process sees it; files never are. A volume without that layout is not
//! exempt even when it is mounted read-only, because another container of the pod may have it mounted writable.

use std::path::Path;

use rustix::fs::StatVfsMountFlags;

use crate::diag::Finding;

const GROUP_OR_WORLD_WRITABLE: u32 = 0o022;

/// Whether the directories of a source are exempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Volume {
    /// They are not.
    Ordinary,
    /// They are: a read-only mount that the kubelet fills.
    ReadOnlyAtomic,
}

impl Volume {
    /// The volume of a source's directory.
    pub(super) fn of(root: &Path, has_data_link: bool) -> Self {
        let is_read_only =
            || rustix::fs::statvfs(root).is_ok_and(|volume| volume.f_flag.contains(StatVfsMountFlags::RDONLY));
        if has_data_link && is_read_only() { Self::ReadOnlyAtomic } else { Self::Ordinary }
    }
}

/// What is wrong with a directory of mode `mode`.
pub(super) fn check_directory(path: &Path, mode: u32, volume: Volume) -> Option<Finding> {
    if mode & GROUP_OR_WORLD_WRITABLE == 0 || volume == Volume::ReadOnlyAtomic {
        return None;
    }
    let path = path.display();
    let finding = Finding::error(
        "writable-by-others",
        format!("directory `{path}` has mode {:04o}: users other than its owner may exchange its files", mode & 0o7777),
    );
    Some(finding.help(format!(
        "run `chmod go-w {path}`; on a shared volume put the documents into a sub-directory that only its owner may \
         write to, or mount them from a ConfigMap"
    )))
}

/// What is wrong with a file of mode `mode`.
pub(super) fn check_file(path: &Path, mode: u32) -> Option<Finding> {
    if mode & GROUP_OR_WORLD_WRITABLE == 0 {
        return None;
    }
    let path = path.display();
    let finding = Finding::error(
        "writable-by-others",
        format!("file `{path}` has mode {:04o}: users other than its owner may change it", mode & 0o7777),
    );
    Some(finding.help(format!("run `chmod go-w {path}`; for a ConfigMap set `defaultMode: 0444`")))
}
