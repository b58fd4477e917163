//! The rooms of the house and which may use which (`docs/architecture.md`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rooms and the rooms that each may use. `config` and `telemetry` may be used by any room outside the pure core.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("diag", &[]),
    ("yaml", &["model", "diag"]),
    ("condition", &["model", "diag"]),
    ("policy", &["model", "diag", "yaml", "condition"]),
    ("snapshot", &["policy", "condition", "model"]),
    ("decide", &["snapshot", "condition", "model"]),
    ("ir", &["snapshot", "decide", "condition", "policy", "diag", "model"]),
    ("engine", &["ir", "decide", "snapshot", "policy", "diag", "model"]),
    ("event", &["model"]),
    ("state_dir", &["model"]),
    ("receipt", &["state_dir", "model"]),
    ("store", &["event", "model"]),
    ("reload", &["policy", "snapshot", "event", "state_dir", "diag", "model"]),
    ("identity", &["decide", "snapshot", "policy", "model"]),
    ("webhook", &["store", "snapshot", "policy", "model"]),
    ("approval", &["webhook", "store", "receipt", "event", "ir", "decide", "snapshot", "policy", "model"]),
    (
        "api",
        &[
            "approval", "webhook", "store", "identity", "ir", "receipt", "decide", "snapshot", "event", "reload",
            "policy", "model",
        ],
    ),
    ("config", &["model", "diag", "yaml", "policy"]),
    ("telemetry", &["model"]),
];

/// Rooms of the pure core: they know neither sockets nor clocks nor files.
const PURE: &[&str] = &["model", "diag", "yaml", "condition", "policy", "snapshot", "decide", "ir", "engine"];

/// Words that stand for what the pure core must not know.
const IMPURE: &[&str] =
    &["tokio", "tonic", "prost", "std::fs", "std::net", "std::thread", "SystemTime::now", "Instant::now", "tracing::"];

#[test]
fn rooms_use_only_what_they_may() {
    let mut offences = Vec::new();
    for (room, files) in rooms() {
        if matches!(room.as_str(), "lib" | "main" | "app" | "cli") {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == room) else {
            offences.push(format!("room `{room}` is not in the table"));
            continue;
        };
        let shared = !PURE.contains(&room.as_str());
        for (file, text) in files {
            for used in rooms_used(&text) {
                let fine = used == room
                    || allowed.contains(&used.as_str())
                    || (shared && matches!(used.as_str(), "config" | "telemetry"));
                if !fine {
                    offences.push(format!("{} uses `{used}`", file.display()));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn the_core_is_pure() {
    let mut offences = Vec::new();
    for (room, files) in rooms() {
        if !PURE.contains(&room.as_str()) {
            continue;
        }
        for (file, text) in files {
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                if let Some(word) = IMPURE.iter().find(|word| line.contains(*word)) {
                    offences.push(format!("{} mentions `{word}`: {}", file.display(), line.trim()));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn the_page_names_every_room() {
    let page = std::fs::read_to_string(root().join("docs/architecture.md")).expect("docs/architecture.md");
    let missing: Vec<String> = rooms()
        .into_keys()
        .filter(|room| !matches!(room.as_str(), "lib" | "main"))
        .filter(|room| !page.contains(&format!("`{room}")))
        .collect();
    assert!(missing.is_empty(), "docs/architecture.md does not mention {missing:?}");
}

#[test]
fn no_file_is_too_long_to_read() {
    let long: Vec<String> = rooms()
        .into_values()
        .flatten()
        .filter(|(_, text)| text.lines().count() > 600)
        .map(|(file, text)| format!("{}: {} lines", file.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "split by concept: {long:?}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Source files by room, tests left out.
fn rooms() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let mut rooms = BTreeMap::<String, Vec<(PathBuf, String)>>::new();
    let src = root().join("src");
    let mut open = vec![src.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("source folder") {
            let path = entry.expect("entry").path();
            let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
            if path.is_dir() {
                if !is_test {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
                let below = path.strip_prefix(&src).expect("below src");
                let first = below.components().next().expect("a component").as_os_str().to_string_lossy();
                let room = first.trim_end_matches(".rs").to_owned();
                let text = std::fs::read_to_string(&path).expect("source file");
                rooms.entry(room).or_default().push((below.to_owned(), text));
            }
        }
    }
    rooms
}

/// Names after `crate::`, also inside `use crate::{a, b::c}`.
fn rooms_used(text: &str) -> Vec<String> {
    let mut used = Vec::new();
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    for rest in code.split("crate::").skip(1) {
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 1;
            let mut name = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => used.push(std::mem::take(&mut name)),
                    c if depth == 1 => name.push(c),
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            used.push(name);
        } else {
            used.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    used.into_iter()
        .map(|name| name.trim().split("::").next().unwrap_or_default().to_owned())
        .filter(|name| name.chars().next().is_some_and(char::is_lowercase))
        .collect()
}
