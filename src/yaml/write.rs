//! A value as YAML text.

use serde::Serialize;

use crate::diag::{Findings, Sources};

use super::{Kind, Node, ScalarStyle, ambiguous, parse_settings};

/// `value` as YAML that every reader takes for the same: [`parse`](super::parse) reads it.
///
/// # Errors
/// It has no form in YAML.
pub fn write(value: &impl Serialize) -> Result<String, serde_yaml::Error> {
    let text = serde_yaml::to_string(value)?;
    let mut sources = Sources::default();
    let source = sources.add("written", text.as_str());
    let mut places = Vec::new();
    for node in parse_settings(source, &text, &mut Findings::default()) {
        doubtful(&node, &text, &mut places);
    }
    places.sort_unstable();
    let (mut quoted, mut copied) = (String::with_capacity(text.len() + 2 * places.len()), 0);
    for (start, end) in places {
        for part in [copied..start, start..end] {
            quoted.push_str(text.get(part).unwrap_or_default());
            quoted.push('"');
        }
        copied = end;
    }
    quoted.push_str(text.get(copied..).unwrap_or_default());
    Ok(quoted)
}

/// Where plain texts stand that are something else to other readers. None of them holds a quote.
fn doubtful(node: &Node, text: &str, out: &mut Vec<(usize, usize)>) {
    let mut look = |span: crate::diag::Span, meant: &str| {
        let place = (span.start as usize, span.end as usize);
        if text.get(place.0..place.1) == Some(meant) && ambiguous::text(meant).is_some() {
            out.push(place);
        }
    };
    match &node.kind {
        Kind::String(meant, ScalarStyle::Plain) => look(node.span, meant),
        Kind::List(items) => items.iter().for_each(|item| doubtful(item, text, out)),
        Kind::Map(entries) => {
            entries.iter().for_each(|entry| look(entry.key_span, &entry.key));
            entries.iter().for_each(|entry| doubtful(&entry.value, text, out));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse;

    #[test]
    fn what_is_written_is_read_the_same() {
        let words =
            ["off", "No", "1_000", "05", "0b11", "1e400", "-0x1F", "12:30", "~", "null", "a: b", "é", "x\ny", ""];
        let mut value = serde_json::Map::new();
        for word in words {
            value.insert(word.to_owned(), serde_json::json!([word, {"on": word, "n": 5}]));
        }
        let text = write(&value).unwrap();
        let mut sources = Sources::default();
        let source = sources.add("a.yaml", text.as_str());
        let mut findings = Findings::default();
        let nodes = parse(source, &text, &mut findings);
        assert!(findings.is_empty(), "{findings:?}\n{text}");
        for word in words {
            let Some(Kind::List(items)) = nodes[0].get(word).map(|node| &node.kind) else { panic!("{word}: {text}") };
            assert!(items[0].is_string(word) && items[1].get("on").unwrap().is_string(word), "{word}: {text}");
        }
        assert!(text.contains("- \"off\"\n") && text.contains("\"1_000\":\n") && text.contains("n: 5\n"), "{text}");
    }
}
