//! What figures were taken on, and of what.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// A few lines that say so, as a list.
pub fn describe() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(root).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let information = read("/proc/cpuinfo");
    let model = information.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let changed = if said("git", &["status", "--porcelain", "src", "Cargo.toml", "Cargo.lock"]).is_empty() {
        ""
    } else {
        " with changes"
    };
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    let version = |name: &str| {
        let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("\nname = \"{name}\"\n")));
        let line = entry.and_then(|entry| entry.lines().find_map(|line| line.strip_prefix("version = ")));
        format!("{name} {}", line.unwrap_or("?").trim_matches('"'))
    };
    let versions: Vec<String> = ["tonic", "prost", "tokio", "hyper", "h2", "mimalloc"].map(version).into();

    let mut text = String::new();
    let _ = writeln!(
        text,
        "- {cores} cores of {} (virtual), Linux {}",
        model.trim_matches([' ', '\t', ':']),
        read("/proc/sys/kernel/osrelease").trim()
    );
    let _ = writeln!(text, "- {}; {}; {}", said("rustc", &["--version"]), versions.join(", "), profile());
    let _ = writeln!(
        text,
        "- commit {}{changed}, {}",
        said("git", &["rev-parse", "--short", "HEAD"]),
        jiff::Timestamp::now().strftime("%Y-%m-%d")
    );
    text
}

/// The profile, and what the environment changed of it.
fn profile() -> String {
    let changed: Vec<String> = std::env::vars()
        .filter(|(name, _)| name.starts_with("CARGO_PROFILE_RELEASE_"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if changed.is_empty() {
        "release profile (fat LTO, one codegen unit)".to_owned()
    } else {
        format!("release profile changed by {}", changed.join(" "))
    }
}
