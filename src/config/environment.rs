//! Environment variables that override settings.

use crate::diag::{Finding, Findings, SourceId, Sources, Span, did_you_mean};
use crate::yaml::{self, Entry, Kind, Node};

use super::spec::keys_of;

const PREFIX: &str = "LICTOR_";

/// Lays the variables that name settings over `root`. Each becomes a source of its own, so that an error in its value
/// shows the value.
pub(super) fn overlay(
    root: &mut Node,
    variables: impl IntoIterator<Item = (String, String)>,
    sources: &mut Sources,
    out: &mut Findings,
) {
    let mut variables: Vec<_> = variables.into_iter().filter(|(name, _)| is_setting(name)).collect();
    variables.sort();
    for (name, value) in variables {
        let source = sources.add(format!("environment variable {name}"), value.as_str());
        let whole = Span::new(source, 0, value.len());
        match path_of(&name) {
            Ok(path) => {
                if let Some(node) = value_of(source, &value, whole, out) {
                    set(root, &path, whole, node);
                }
            }
            Err(problem) => out.push(problem.at(whole)),
        }
    }
}

/// Whether a variable is meant as a setting: `LICTOR_` and a section, `__`, a key.
fn is_setting(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| !rest.starts_with('_') && rest.contains("__"))
}

/// The path of the setting that a variable names.
fn path_of(name: &str) -> Result<Vec<&'static str>, Box<Finding>> {
    let mut path: Vec<&'static str> = Vec::new();
    let mut segments = name.strip_prefix(PREFIX).unwrap_or(name).split("__");
    while let Some(segment) = segments.next() {
        let Some(keys) = keys_of(&path) else {
            let message = format!("the environment variable `{name}` names nothing: `{}` has no parts", path.join("."));
            return Err(Box::new(Finding::error("unknown-setting", message)));
        };
        match keys.iter().find(|key| fold(key) == fold(segment)) {
            Some(key) => path.push(key),
            None => return Err(Box::new(unknown(name, &path, segment, segments, keys))),
        }
    }
    Ok(path)
}

/// That `segment` is none of the `keys` below `path`. `rest` are the segments after it.
fn unknown<'n>(
    name: &str,
    path: &[&'static str],
    segment: &str,
    rest: impl Iterator<Item = &'n str>,
    keys: &[&'static str],
) -> Finding {
    let finding = Finding::error("unknown-setting", format!("the environment variable `{name}` names no setting"));
    let variables: Vec<_> = keys.iter().map(|key| variable(path, key)).collect();
    match did_you_mean(segment, keys.iter().copied()) {
        Some(known) => {
            let mut meant: Vec<&str> = path.iter().copied().chain([known]).collect();
            for segment in rest {
                let below = keys_of(&meant).unwrap_or_default();
                meant.extend(did_you_mean(segment, below.iter().copied()));
            }
            let last = meant.pop().unwrap_or(known);
            finding.help(format!("did you mean `{}`?", variable(&meant, last)))
        }
        None => finding.help(format!("there are {}", variables.join(", "))),
    }
}

/// The variable of the setting `key` below `path`.
fn variable(path: &[&str], key: &str) -> String {
    let mut name = String::from("LICTOR");
    for (number, part) in path.iter().chain([&key]).enumerate() {
        name.push_str(if number == 0 { "_" } else { "__" });
        for c in part.chars() {
            if c.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(c.to_ascii_uppercase());
        }
    }
    name
}

fn fold(word: &str) -> String {
    word.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

fn value_of(source: SourceId, text: &str, whole: Span, out: &mut Findings) -> Option<Node> {
    let mut problems = Findings::default();
    let mut nodes = yaml::parse_settings(source, text, &mut problems).into_iter();
    let first = nodes.next();
    if first.is_none() && !problems.has_errors() {
        problems.push(
            Finding::error("empty-setting", "the environment variable is empty")
                .at(whole)
                .help("give it a value, or unset it"),
        );
    }
    out.extend(problems);
    first
}

fn set(root: &mut Node, path: &[&'static str], whole: Span, value: Node) {
    let Some((key, rest)) = path.split_first() else {
        *root = value;
        return;
    };
    if !matches!(root.kind, Kind::Map(_)) {
        root.kind = Kind::Map(Vec::new());
    }
    let Kind::Map(entries) = &mut root.kind else { return };
    let place = match entries.iter().position(|entry| entry.key == *key) {
        Some(place) => place,
        None => {
            let nothing = Node { span: whole, kind: Kind::Map(Vec::new()) };
            entries.push(Entry { key: (*key).into(), key_span: whole, value: nothing });
            entries.len() - 1
        }
    };
    if let Some(entry) = entries.get_mut(place) {
        entry.key_span = whole;
        set(&mut entry.value, rest, whole, value);
    }
}
