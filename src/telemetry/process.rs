//! What the operating system says of the process.

use std::fs;

/// Memory, processor time and open files; `None` where the system does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Process {
    /// Resident memory, in bytes.
    pub resident_bytes: Option<f64>,
    /// Processor time used, in whole seconds.
    pub cpu_seconds: Option<u64>,
    /// Open file descriptors.
    pub open_fds: Option<f64>,
}

impl Process {
    /// Looks at `/proc/self`.
    #[must_use]
    pub fn now() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").ok();
        Self {
            resident_bytes: fs::read_to_string("/proc/self/statm").ok().as_deref().and_then(resident_bytes),
            cpu_seconds: stat.as_deref().and_then(cpu_seconds),
            open_fds: fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64),
        }
    }
}

fn resident_bytes(statm: &str) -> Option<f64> {
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages as f64 * rustix::param::page_size() as f64)
}

fn cpu_seconds(stat: &str) -> Option<u64> {
    // The name of the process stands in parentheses and may hold blanks; fields 14 and 15 count ticks.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)?.checked_div(rustix::param::clock_ticks_per_second())
}
