//! Figures of approvals and of the store, which programs of their own take down.

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use super::table::heading;

/// Times are in milliseconds.
#[derive(Debug, Deserialize)]
struct Load {
    callers: u64,
    call_p50: f64,
    call_p95: f64,
    way_p50: f64,
    way_p95: f64,
    rate: f64,
    processor: f64,
    failed: u64,
}

/// Times are in milliseconds.
#[derive(Debug, Deserialize)]
struct Commits {
    what: String,
    rate: f64,
    p50: f64,
    p95: f64,
    of_floor: Option<f64>,
}

/// What is known of both.
#[derive(Debug, Default)]
pub struct Approvals {
    loads: Vec<Load>,
    commits: Vec<Commits>,
}

impl Approvals {
    /// The figures that lie in `folder`.
    pub fn read(folder: &Path) -> Self {
        fn rows<T: for<'de> Deserialize<'de>>(path: &Path) -> Vec<T> {
            let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
            serde_json::from_str(&text).expect("figures as they were written")
        }
        Self { loads: rows(&folder.join("approvals.json")), commits: rows(&folder.join("store.json")) }
    }

    /// The rows of the budget: what, target, measured.
    pub fn budget(&self) -> Vec<[String; 3]> {
        let commits = |what: &str| self.commits.iter().find(|commits| commits.what == what);
        let mut rows = Vec::new();
        for (what, title, target) in [
            ("changes by 1 callers", "approvals on the embedded store, one change after the other", "≥ 0.8×"),
            ("changes by 16 callers", "– by 16 callers", "≥ 5×"),
        ] {
            if let Some(Commits { rate, of_floor: Some(of_floor), .. }) = commits(what) {
                let target = format!("{target} of the disk's fdatasync rate");
                rows.push([title.to_owned(), target, format!("{of_floor:.2}× ({rate:.0} a second)")]);
            }
        }
        if let Some(load) = self.loads.iter().find(|load| load.callers == 50) {
            let Load { call_p95, way_p95, failed, .. } = load;
            rows.push([
                "– create, approve, consume, 50 at once".to_owned(),
                "p95 ≤ 10 ms, none fails".to_owned(),
                format!("p95 {way_p95:.1} ms for all three, {call_p95:.1} ms for one; {failed} failed"),
            ]);
        }
        rows
    }

    /// The tables.
    pub fn write(&self, out: &mut String) {
        if !self.loads.is_empty() {
            heading(
                out,
                "Approvals",
                "callers at once | p50 of a call | p95 | p50 of a way | p95 | changes a second | processor time a change | failed",
                "--:|--:|--:|--:|--:|--:|--:|--:",
            );
        }
        for load in &self.loads {
            let Load { callers, call_p50, call_p95, way_p50, way_p95, rate, processor, failed } = load;
            let _ = writeln!(
                out,
                "| {callers} | {call_p50:.2} ms | {call_p95:.2} ms | {way_p50:.2} ms | {way_p95:.2} ms | {rate:.0} | \
                 {processor:.0} µs | {failed} |"
            );
        }
        if !self.commits.is_empty() {
            heading(out, "The embedded store", "what | a second | median | p95 | of the floor", "---|--:|--:|--:|--:");
        }
        for Commits { what, rate, p50, p95, of_floor } in &self.commits {
            let of_floor = of_floor.map_or_else(String::new, |of_floor| format!("{of_floor:.2}"));
            let _ = writeln!(out, "| {what} | {rate:.0} | {p50:.2} ms | {p95:.2} ms | {of_floor} |");
        }
    }
}
