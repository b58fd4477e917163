//! Pieces of CEL.

use serde_json::Value;

/// Words that cannot follow a dot.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// A value as a literal. Numbers are doubles, as in every request.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Number(number) => format!("{:?}", number.as_f64().unwrap_or_default()),
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), literal(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// The attribute `context.<keys>`.
pub(super) fn attribute(keys: &[&str]) -> String {
    let mut path = String::from("context");
    for key in keys {
        path = step(&path, key);
    }
    path
}

/// That the attribute `context.<keys>`, or something on the way to it, is missing.
pub(super) fn missing(keys: &[&str]) -> String {
    tests(keys).map(|test| format!("!{test}")).collect::<Vec<_>>().join(" || ")
}

/// That the attribute `context.<keys>` is there.
pub(super) fn present(keys: &[&str]) -> String {
    tests(keys).collect::<Vec<_>>().join(" && ")
}

/// Tests for each key on the way to `context.<keys>`.
fn tests(keys: &[&str]) -> impl Iterator<Item = String> {
    let mut path = String::from("context");
    keys.iter().map(move |key| {
        let next = step(&path, key);
        let test = if is_plain(key) { format!("has({next})") } else { format!("({} in {path})", Value::from(*key)) };
        path = next;
        test
    })
}

fn step(path: &str, key: &str) -> String {
    if is_plain(key) { format!("{path}.{key}") } else { format!("{path}[{}]", Value::from(key)) }
}

fn is_plain(key: &str) -> bool {
    let mut chars = key.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !RESERVED.contains(&key)
}
