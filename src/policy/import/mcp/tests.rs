//! Answers of servers and the catalogues that come of them.

use serde_json::{Value, json};

use super::import_mcp;
use crate::diag::Severity;
use crate::model::Layer;
use crate::policy::{CatalogAction, Imported, SourceText, load};

fn tool(name: &str, annotations: Value) -> Value {
    json!({"name": name, "inputSchema": {"type": "object"}, "annotations": annotations})
}

fn actions(yaml: &str) -> Vec<CatalogAction> {
    let text = SourceText { name: "out.yaml".into(), layer: Layer::Organisation, text: yaml.into() };
    let loaded = load(&[text]);
    assert_eq!(loaded.findings.count(Severity::Error), 0, "{yaml}");
    loaded.documents.catalogs.into_iter().flat_map(|catalog| catalog.actions).collect()
}

fn codes(imported: &Imported) -> Vec<&'static str> {
    imported.findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn annotations_give_tier_and_labels() {
    for (annotations, tier, labels) in [
        (json!(null), 3, &["reads_untrusted", "side_effect", "irreversible"][..]),
        (json!({}), 3, &["reads_untrusted", "side_effect", "irreversible"]),
        (json!({"destructiveHint": true, "openWorldHint": false}), 3, &["side_effect", "irreversible"]),
        (json!({"readOnlyHint": true, "openWorldHint": false}), 0, &[]),
        (json!({"readOnlyHint": true}), 1, &["reads_untrusted"]),
        (json!({"readOnlyHint": false, "destructiveHint": false, "openWorldHint": false}), 2, &["side_effect"]),
        (json!({"destructiveHint": false}), 2, &["reads_untrusted", "side_effect"]),
        // What contradicts itself or is no truth value is not believed.
        (
            json!({"readOnlyHint": true, "destructiveHint": true, "openWorldHint": false}),
            3,
            &["side_effect", "irreversible"],
        ),
        (json!({"readOnlyHint": "true"}), 3, &["reads_untrusted", "side_effect", "irreversible"]),
    ] {
        let answer = json!({"tools": [tool("t", annotations.clone())]}).to_string();
        let imported = import_mcp(&answer, "mcp", None);
        let [action] = &actions(&imported.yaml)[..] else { panic!("one action: {}", imported.yaml) };
        assert_eq!(
            (action.tier, &action.labels[..]),
            (tier, &labels.iter().map(|l| (*l).into()).collect::<Vec<_>>()[..]),
            "{annotations}"
        );
    }
}

#[test]
fn the_answer_may_be_wrapped_and_in_any_order() {
    let (a, b) = (tool("b.two", json!({})), tool("a.one", json!({})));
    let plain = import_mcp(&json!([a, b]).to_string(), "mcp", None).yaml;
    for answer in [
        json!([b, a]),
        json!({"tools": [a, b]}),
        json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [b, a], "nextCursor": null}}),
    ] {
        assert_eq!(import_mcp(&answer.to_string(), "mcp", None).yaml, plain);
    }
    let names: Vec<_> = actions(&plain).into_iter().map(|action| action.name).collect();
    assert_eq!(names, ["a.one", "b.two"]);
}

#[test]
fn what_cannot_be_an_action_is_reported() {
    for (answer, code) in [
        ("not json", "import-no-json"),
        ("{}", "import-empty"),
        ("[]", "import-empty"),
        (r#"{"error": {"code": -32601, "message": "Method not found"}}"#, "import-empty"),
        (r#"[{"inputSchema": {}}]"#, "import-bad-name"),
        (r#"[{"name": " a", "inputSchema": {}}]"#, "import-bad-name"),
        (r#"[{"name": "a\u202eb", "inputSchema": {}}]"#, "import-bad-name"),
        (r#"[{"name": "lictor.stop", "inputSchema": {}}]"#, "import-bad-name"),
        (r#"[{"name": "a", "inputSchema": []}]"#, "import-bad-schema"),
        (r#"[{"name": "a", "inputSchema": {"$ref": "https://x.example/s"}}]"#, "import-bad-schema"),
        (r#"[{"name": "a", "inputSchema": {"properties": {"b": {"pattern": "(?=x)"}}}}]"#, "import-bad-schema"),
        (r#"[{"name": "a", "inputSchema": {}}, {"name": "a", "inputSchema": {}}]"#, "import-duplicate"),
    ] {
        let imported = import_mcp(answer, "mcp", None);
        assert_eq!(codes(&imported), [code], "{answer}");
        assert!(imported.findings.has_errors(), "{answer}");
    }
    // With its name and place, and the others go on without it.
    let answer =
        r#"[{"name": "a", "inputSchema": {}}, {"name": "b", "inputSchema": {"properties": {"c": {"type": 7}}}}]"#;
    let imported = import_mcp(answer, "mcp", None);
    let message = &imported.findings.iter().next().unwrap().message;
    assert!(message.starts_with("the tool `b` (`tools[1]`): `inputSchema/properties/c/type`"), "{message}");
    assert_eq!((imported.left_out, actions(&imported.yaml).len()), (1, 1));
    let page = import_mcp(r#"{"tools": [{"name": "a", "inputSchema": {}}], "nextCursor": "x"}"#, "mcp", None);
    assert_eq!(codes(&page), ["import-page"]);
}

#[test]
fn the_schema_is_kept_and_lists_are_counted() {
    let schema = json!({
        "type": "object",
        "properties": {"ids": {"type": "array"}, "a/b": {"type": ["array", "null"]}, "name": {"type": "string"}},
        "required": ["ids"],
    });
    let answer = json!([{"name": "t", "description": "\n First line. \nSecond.", "inputSchema": schema}]).to_string();
    let [action] = &actions(&import_mcp(&answer, "mcp", None).yaml)[..] else { panic!("one action") };
    assert_eq!(action.params_schema.as_deref(), Some(&schema));
    let paths: Vec<_> = action.count_paths.iter().map(|path| path.text.as_str()).collect();
    assert_eq!(paths, ["/a~1b", "/ids"]);
}

#[test]
fn a_catalogue_keeps_what_it_sets() {
    let kept = "apiVersion: lictor.dev/v1\nkind: ActionCatalog\nmetadata: {name: house, annotations: {owner: ann}}\n\
                spec:\n  actions:\n    - {name: gone, tier: 0}\n    - {name: low, tier: 1, labels: []}\n    \
                - {name: high, tier: 3, labels: [house]}\n";
    let answer = json!([
        tool("new", json!({"readOnlyHint": true, "openWorldHint": false})),
        tool("low", json!({})),
        tool("high", json!({"readOnlyHint": true, "openWorldHint": false})),
    ]);
    let imported = import_mcp(&answer.to_string(), "unused", Some(kept));
    assert!(imported.yaml.contains("name: house") && imported.yaml.contains("owner: ann"), "{}", imported.yaml);
    let all = actions(&imported.yaml);
    let of = |name: &str| all.iter().find(|action| action.name == name).map(|a| (a.tier, a.labels.len()));
    assert_eq!((of("gone"), of("new")), (Some((0, 0)), Some((0, 0))));
    assert_eq!((of("low"), of("high")), (Some((1, 0)), Some((3, 1))));
    assert!(all.iter().all(|action| action.name == "gone" || action.params_schema.is_some()), "filled in");
    assert_eq!(codes(&imported), ["import-lower", "import-gone"]);
    let again = import_mcp(&answer.to_string(), "unused", Some(&imported.yaml));
    assert_eq!(again.yaml, imported.yaml, "once is enough");
}

#[test]
fn only_a_catalogue_can_be_added_to() {
    let answer = json!([tool("a", json!({}))]).to_string();
    for over in ["kind: Nonsense", "", "apiVersion: lictor.dev/v1\nkind: PolicySet\nmetadata: {name: a}\nspec: {}\n"] {
        let imported = import_mcp(&answer, "mcp", Some(over));
        assert_eq!((codes(&imported), imported.yaml.as_str()), (vec!["import-bad-over"], ""), "{over}");
    }
}

#[test]
fn the_remedy_of_a_bad_schema_is_that_of_its_mistake() {
    for (schema, part) in [
        (r#"{"properties": {"b": {"pattern": "(?=x)"}}}"#, "without look-around"),
        (r#"{"patternProperties": {"^(a)\\1$": {}}}"#, "back-references"),
        (r#"{"properties": {"b": {"$ref": "https://x.example/s"}}}"#, "refers to nothing outside"),
        (r#"{"type": "text"}"#, "draft 2020-12"),
    ] {
        let answer = format!(r#"{{"tools": [{{"name": "a", "inputSchema": {schema}}}]}}"#);
        let imported = import_mcp(&answer, "mcp", None);
        let helps: Vec<_> = imported.findings.iter().filter_map(|finding| finding.help.as_deref()).collect();
        assert!(helps.iter().any(|help| help.contains(part)), "{schema}: {helps:?}");
    }
}

#[test]
fn words_of_a_schema_are_the_same_to_every_reader() {
    let answer =
        r#"{"tools": [{"name": "a", "inputSchema": {"properties": {"on": {"enum": ["off", "no", "1_000"]}}}}]}"#;
    let imported = import_mcp(answer, "mcp", None);
    for part in ["\"on\":", "- \"off\"", "- \"no\"", "- \"1_000\""] {
        assert!(imported.yaml.contains(part), "{part}: {}", imported.yaml);
    }
}

#[test]
fn lists_are_counted_however_the_schema_says_it() {
    let schema = r##"{"$defs": {"Names": {"type": "array"}}, "properties": {
        "optional": {"anyOf": [{"type": "array"}, {"type": "null"}]},
        "named": {"$ref": "#/$defs/Names"},
        "both": {"allOf": [{"maxItems": 3}]},
        "bare": {"items": {}},
        "deep": {"type": "object", "properties": {"to/cc": {"type": ["array", "null"]}}},
        "text": {"type": "string"}}}"##;
    let imported = import_mcp(&format!(r#"{{"tools": [{{"name": "a", "inputSchema": {schema}}}]}}"#), "mcp", None);
    let document: serde_json::Value = serde_yaml::from_str(&imported.yaml).expect("YAML");
    let expected = ["/bare", "/both", "/deep/to~1cc", "/named", "/optional"];
    assert_eq!(document["spec"]["actions"][0]["countPaths"], serde_json::json!(expected), "{}", imported.yaml);
}

#[test]
fn the_largest_number_of_64_bits_bounds_nothing_and_is_no_mistake() {
    let schema = r#"{"properties": {"n": {"type": "integer", "minimum": 0, "maximum": 18446744073709551615}}}"#;
    let imported = import_mcp(&format!(r#"{{"tools": [{{"name": "a", "inputSchema": {schema}}}]}}"#), "mcp", None);
    assert!(!imported.findings.has_errors() && imported.yaml.contains("name: a"), "{:?}", imported.findings);
}
