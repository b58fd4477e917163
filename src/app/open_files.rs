//! How many files may be open: connections must not take what journal, policies and metrics need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are kept free for everything that is not a connection of the decision service: state directory, journal,
/// exporters, policy sources, HTTP side, runtimes.
const RESERVED: u64 = 256;

/// Makes room for `connections`, raising the soft limit where the hard one allows. Gives how many connections there is
/// room for.
pub fn room_for(connections: usize) -> usize {
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(RESERVED);
    let found = getrlimit(Resource::Nofile);
    let mut limit = found.current.unwrap_or(u64::MAX);
    if limit < wanted {
        let raised = found.maximum.unwrap_or(u64::MAX).min(wanted);
        match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: found.maximum }) {
            Ok(()) => limit = raised,
            Err(error) => tracing::debug!(%error, "the limit on open files could not be raised"),
        }
    }
    let room = connections_within(limit, connections);
    if room < connections {
        tracing::warn!(
            connections = room,
            configured = connections,
            open_files = limit,
            "the limit on open files leaves room for fewer connections than configured; raise it to {wanted} \
             (`ulimit -n`, LimitNOFILE in systemd), or lower `limits.connections`"
        );
    }
    room
}

/// How many of `connections` a process may have that may open `limit` files. At least half of the limit is for
/// connections, so that a small one does not keep the server from serving.
fn connections_within(limit: u64, connections: usize) -> usize {
    let room = limit.saturating_sub(RESERVED).max(limit / 2);
    usize::try_from(room).unwrap_or(usize::MAX).min(connections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_the_rest() {
        for (limit, connections, expected) in [
            (20_000, 16_384, 16_384),
            (16_640, 16_384, 16_384),
            (16_639, 16_384, 16_383),
            (1_024, 16_384, 768),
            (512, 16_384, 256),
            (256, 16_384, 128),
            (20_000, 10, 10),
            (u64::MAX, 16_384, 16_384),
        ] {
            assert_eq!(connections_within(limit, connections), expected, "{limit} files, {connections} connections");
        }
    }
}
