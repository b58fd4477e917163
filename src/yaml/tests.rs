use proptest::prelude::*;

use crate::diag::{Findings, Sources};

use super::{Kind, NotText, Number, ScalarStyle, parse, parse_settings, place_in_scalar, text_of_bytes};

/// The documents of `text`, and `code: excerpt` of every finding.
fn read(text: &str) -> (Vec<super::Node>, Vec<String>) {
    let mut sources = Sources::default();
    let source = sources.add("test.yaml", text);
    let mut findings = Findings::default();
    let nodes = parse(source, text, &mut findings);
    let findings = findings.iter().map(|finding| {
        let excerpt = finding.span.and_then(|span| sources.excerpt(span)).unwrap_or("NO PLACE");
        format!("{}: {excerpt}", finding.code)
    });
    (nodes, findings.collect())
}

#[test]
fn scalars_mean_what_yaml_1_2_says() {
    let (nodes, findings) = read(
        "{a: 1, b: -7, c: 1.50, d: 'yes', e: true, f: ~, g: '1', h: 0o17, i: 0x1F, j: 1e3, k: 2026-01-01, l: 18446744073709551616}",
    );
    assert_eq!(findings, [""; 0]);
    let kind = |key: &str| nodes[0].get(key).unwrap().kind.clone();
    assert_eq!(kind("a"), Kind::Number(Number::Integer(1)));
    assert_eq!(kind("b"), Kind::Number(Number::Integer(-7)));
    assert_eq!(kind("c"), Kind::Number(Number::Float(1.5)));
    assert_eq!(kind("d"), Kind::String("yes".into(), ScalarStyle::SingleQuoted));
    assert_eq!(kind("e"), Kind::Bool(true));
    assert_eq!(kind("f"), Kind::Null);
    assert_eq!(kind("g"), Kind::String("1".into(), ScalarStyle::SingleQuoted));
    assert_eq!(kind("h"), Kind::Number(Number::Integer(15)));
    assert_eq!(kind("i"), Kind::Number(Number::Integer(31)));
    assert_eq!(kind("j"), Kind::Number(Number::Float(1000.0)));
    assert_eq!(kind("k"), Kind::String("2026-01-01".into(), ScalarStyle::Plain));
    assert_eq!(kind("l"), Kind::Number(Number::Huge));
}

#[test]
fn what_readers_disagree_about_is_refused_once_with_its_place() {
    let text = "a: 05\nb: [no, 1_000]\non: {c: 0b11, 07: x}\nd: 1e400\ne: \"off\"\nf: |\n  on\n";
    let (nodes, findings) = read(text);
    assert_eq!(
        findings,
        [
            "ambiguous-yaml: 05",
            "ambiguous-yaml: no",
            "ambiguous-yaml: 1_000",
            "ambiguous-yaml: on",
            "ambiguous-yaml: 0b11",
            "ambiguous-yaml: 07",
            "not-finite: 1e400"
        ]
    );
    assert_eq!(nodes[0].get("a").map(|node| &node.kind), Some(&Kind::Refused));
    assert!(nodes[0].get("e").unwrap().is_string("off") && nodes[0].get("f").unwrap().is_string("on\n"));

    let mut sources = Sources::default();
    let source = sources.add("lictor.yaml", "a: off\nb: 05\n");
    let mut findings = Findings::default();
    let nodes = parse_settings(source, "a: off\nb: 05\n", &mut findings);
    assert!(findings.is_empty() && nodes[0].get("a").unwrap().is_string("off"), "{findings:?}");
}

#[test]
fn documents_without_content_are_skipped() {
    for (text, count) in [
        ("", 0),
        ("# only a comment\n", 0),
        ("---\n---\na: 1\n---\n# nothing\n---\nb: 1\n", 2),
        ("a: 1\n...\n---\nb: 1\n", 2),
        ("\u{feff}a: 1\r\nb: 2\r\n", 1),
    ] {
        let (nodes, findings) = read(text);
        assert_eq!((nodes.len(), findings.len()), (count, 0), "{text:?}: {findings:?}");
    }
}

#[test]
fn refuses_all_but_plain_yaml() {
    let deep = format!("{}1{}", "[".repeat(65), "]".repeat(65));
    let very_deep = "[".repeat(20_000);
    let block_deep: String = (0..70).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    for (text, expected) in [
        ("a: &x 1\nb: *x\nc: !t 1\n", &["anchor: &x", "alias: *x", "tag: !t"][..]),
        ("a: {b: 1, c: 2, b: 3}", &["duplicate-key: b"]),
        ("a: 1\n\"a\": 2", &["duplicate-key: \"a\""]),
        ("<<: {a: 1}", &["merge-key: <<"]),
        ("1: a\ntrue: b\n[x]: c\n", &["bad-key: 1", "bad-key: true", "bad-key: x"]),
        ("a: .nan\nb: [-.inf]", &["not-finite: .nan", "not-finite: -.inf"]),
        ("a:\n\tb: 1", &["tab-indentation: \t"]),
        ("a:\n  b: 1\n\tc: 2\n", &["tab-indentation: \t"]),
        ("%YAML 1.1\n---\na: 1", &["yaml-syntax: %"]),
        ("a: [*]", &["alias: *"]),
        ("a: [**.x, b]", &["alias: **.x"]),
        ("a: \"x\" == y", &["yaml-syntax: ="]),
        ("a: @b", &["yaml-syntax: @"]),
        ("a: [1, 2", &["yaml-syntax: ["]),
        ("a: 'b", &["yaml-syntax: '"]),
        ("a: b: c", &["yaml-syntax: :"]),
        ("a: \"\\d+\"", &["yaml-syntax: \\d"]),
        ("a: b\0", &["control-character: "]),
        (&deep, &["too-deep: "]),
        (&very_deep, &["too-deep: ["]),
        (&block_deep, &["too-deep: "]),
    ] {
        assert_eq!(read(text).1, expected, "{:?}", text.get(..40).unwrap_or(text));
    }
    let large = format!("a: {}", "x".repeat(super::MAX_BYTES));
    assert_eq!(read(&large).1, ["file-too-large: "]);
}

#[test]
fn places_in_strings_lead_to_the_file() {
    for (text, part, expected) in [
        ("when: a && bad", "bad", "bad"),
        ("when: a &&\n  bad && c", "bad", "bad"),
        ("when: 'it''s bad'", "bad", "bad"),
        ("when: 'it''s bad'", "it's", "it''s"),
        ("when: \"a \\\"b\\\" bad\"", "bad", "bad"),
        ("when: \"\\u0041 \\\n   bad\"", "A", "\\u0041"),
        ("when: \"\\u0041 \\\n   bad\"", "bad", "bad"),
        ("when: \"a\n  bad\"", "bad", "bad"),
        ("when: >-\n  a &&\n    bad\n\n  c\nx: 1", "bad", "bad"),
        ("when: >-\n  a &&\n    bad\n\n  c\nx: 1", "c", "c"),
        ("when: |\n  größe &&\n  bad\n", "bad", "bad"),
        ("when: |\r\n  a &&\r\n  bad\r\n", "bad", "bad"),
        ("when: >-\n  has(a) &&\n  has(bad)\n", "has(a) && has(bad)", "has(a) &&\n  has(bad)"),
    ] {
        let (nodes, findings) = read(text);
        assert_eq!(findings, [""; 0], "{text:?}");
        let node = nodes[0].get("when").unwrap();
        let Kind::String(value, _) = &node.kind else { panic!("a string") };
        let start = value.find(part).unwrap();
        let span = place_in_scalar(text, node, &(start..start + part.len()));
        assert_eq!(&text[span.start as usize..span.end as usize], expected, "{text:?}");
        let end = place_in_scalar(text, node, &(value.len()..value.len()));
        assert!(end.start >= node.span.start && end.end <= node.span.end && end.start == end.end, "{text:?}");
    }
}

#[test]
fn bytes_must_be_text() {
    assert_eq!(text_of_bytes("\u{feff}a".as_bytes()), Ok("a"));
    assert_eq!(text_of_bytes(b"ab\xff"), Err(NotText::NotUtf8(2)));
    assert_eq!(text_of_bytes(b"a\0"), Err(NotText::Nul(1)));
    assert!(matches!(text_of_bytes(&vec![b' '; super::MAX_BYTES + 1]), Err(NotText::TooLarge(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Whatever the text, there are documents or findings, and never a panic.
    #[test]
    fn any_text_is_read_or_refused(text in "[ab:&*!?#'\"\\[\\]{}|>,%@\\-\\\\ \t\n1.~é]{0,40}") {
        let (_, findings) = read(&text);
        for finding in findings {
            prop_assert!(!finding.ends_with("NO PLACE"), "{}: a place in the file", finding);
        }
    }

    /// A quoted string comes back as it was, and each of its characters is found where it stands.
    #[test]
    fn every_character_is_found(value in "[a-c'\"\\\\ é\n]{1,20}") {
        let text = format!("when: {}\n", serde_json::to_string(&value).unwrap());
        let (nodes, findings) = read(&text);
        prop_assert!(findings.is_empty());
        let node = nodes[0].get("when").unwrap();
        prop_assert!(node.is_string(&value));
        for (at, c) in value.char_indices() {
            let span = place_in_scalar(&text, node, &(at..at + c.len_utf8()));
            let raw = &text[span.start as usize..span.end as usize];
            let unescaped: String = serde_json::from_str(&format!("\"{raw}\"")).unwrap();
            prop_assert_eq!(unescaped, c.to_string());
        }
    }
}
