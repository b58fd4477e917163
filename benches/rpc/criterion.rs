//! What criterion left behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Medians in nanoseconds, by group and name.
#[derive(Debug, Default)]
pub struct Medians {
    groups: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Medians {
    /// Of all benches whose results lie in the target folder of this program.
    pub fn read() -> Self {
        let mut medians = Self::default();
        if let Some(folder) = folder() {
            medians.collect(&folder);
        }
        medians
    }

    fn collect(&mut self, folder: &Path) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()) {
            if path.file_name().is_some_and(|name| name == "new") {
                self.add(&path);
            } else {
                self.collect(&path);
            }
        }
    }

    fn add(&mut self, results: &Path) -> Option<()> {
        let json = |name: &str| -> Option<Value> {
            serde_json::from_str(&std::fs::read_to_string(results.join(name)).ok()?).ok()
        };
        let (bench, estimates) = (json("benchmark.json")?, json("estimates.json")?);
        let group = bench["group_id"].as_str()?.to_owned();
        let name = bench["function_id"].as_str().or(bench["value_str"].as_str())?.to_owned();
        let median = estimates["median"]["point_estimate"].as_f64()?;
        self.groups.entry(group).or_default().insert(name, median);
        Some(())
    }

    /// The benches of one group.
    pub fn group(&self, name: &str) -> impl Iterator<Item = (&str, f64)> {
        self.groups.get(name).into_iter().flatten().map(|(name, median)| (name.as_str(), *median))
    }

    /// One bench.
    pub fn get(&self, group: &str, name: &str) -> Option<f64> {
        self.groups.get(group)?.get(name).copied()
    }

    /// The groups whose names begin with `prefix`, without it.
    pub fn groups<'m>(&'m self, prefix: &'m str) -> impl Iterator<Item = &'m str> {
        self.groups.keys().filter_map(move |name| name.strip_prefix(prefix))
    }
}

/// `target/criterion`, as seen from `target/release/deps/rpc`.
fn folder() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.parent()?.parent()?.parent()?.join("criterion"))
}
