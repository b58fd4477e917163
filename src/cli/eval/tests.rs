use clap::Parser;

use super::*;
use crate::api::proto::v1;
use crate::model::{Attributes, Request, Value};

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    args: EvalArgs,
}

fn parse(args: &[&str]) -> Result<EvalArgs, String> {
    let args = ["eval"].iter().chain(args);
    Command::try_parse_from(args).map(|command| command.args).map_err(|error| error.to_string())
}

fn question(args: &[&str]) -> Request {
    parse(args).unwrap().question.read().unwrap()
}

fn attributes(json: serde_json::Value) -> Attributes {
    Attributes::try_from(json.as_object().unwrap()).unwrap()
}

#[test]
fn flags_make_a_question() {
    let request = question(&[
        "--subject=agent/support-7",
        "--role=support",
        "--role=night",
        "--action=payment.refund",
        "--resource=order/eu/4711",
        "--context-json={\"amount\": 1, \"params\": {\"a\": true}}",
        "--context=amount=20",
        "--context=params.note=all of it",
        "--context=params.ids=[1, \"x\"]",
        "--subject-property=level=3",
        "--tenant=acme",
        "--explain",
        "--request-id=r-1",
    ]);
    assert_eq!((request.subject.kind.as_str(), request.subject.id.as_str()), ("agent", "support-7"));
    assert_eq!(request.subject.roles, ["support", "night"]);
    assert_eq!((request.resource.kind.as_str(), request.resource.id.as_str()), ("order", "eu/4711"));
    let context = serde_json::json!({"params": {"a": true, "note": "all of it", "ids": [1, "x"]}, "amount": 20});
    assert_eq!(serde_json::to_value(&request.context).unwrap(), context);
    assert_eq!(request.subject.properties.get("level"), Some(&Value::Number(3.0)));
    assert_eq!((request.tenant(), request.request_id.as_str()), ("acme", "r-1"));
    assert!(request.explain && !request.want_action_hash);
}

#[test]
fn flags_are_laid_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("question.yaml");
    let text = "subject: {type: agent, id: support-7, roles: [support]}\naction: {name: file.read, properties: {dry: true}}\n\
                resource: {type: file, id: a}\ncontext: {amount: 1, other: 2}\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let request = question(&["-f", file, "--action=file.write", "--role=night", "--context=amount=5"]);
    assert_eq!(request.action.name, "file.write");
    assert_eq!(request.action.properties, attributes(serde_json::json!({"dry": true})));
    assert_eq!(request.subject.id, "support-7");
    assert_eq!(request.subject.roles, ["night"]);
    assert_eq!(serde_json::to_value(&request.context).unwrap(), serde_json::json!({"other": 2, "amount": 5}));
}

#[test]
fn says_what_is_wrong_with_the_question() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let misspelt = write("misspelt.yaml", "subject: {id: a}\nacton: b\n");
    let error = parse(&["-f", &misspelt]).unwrap().question.read().unwrap_err();
    let CommandError::Refused { sources, findings } = error else { panic!("{error:?}") };
    let text = crate::diag::render_text(&sources, findings.iter().next().unwrap(), false);
    assert!(text.contains("misspelt.yaml:2:1") && text.contains("did you mean `action`?"), "{text}");

    let huge = write("huge.json", "{\"subject\": {\"id\": \"a\"}, \"context\": {\"n\": -1e999}}");
    let error = parse(&["-f", &huge]).unwrap().question.read().unwrap_err();
    let CommandError::Refused { findings, .. } = error else { panic!("{error:?}") };
    assert!(findings.iter().any(|finding| finding.message.contains("beyond the range")), "{findings:?}");

    let several = write("several.yaml", "subject: {id: a}\n---\nsubject: {id: b}\n");
    assert!(matches!(parse(&["-f", &several]).unwrap().question.read(), Err(CommandError::Refused { .. })));

    for (args, expected) in [
        (&["--action=b"][..], "the question has no subject"),
        (&["--subject=a"], "the question has no action"),
        (&["-f", "/nowhere/q.yaml"], "cannot read `/nowhere/q.yaml`"),
        (&["--subject=a/", "--action=b"], "`--subject a/`: the id after `/` is empty"),
        (&["--subject=a", "--action=b", "--resource=/etc/passwd"], "the type before `/` is empty"),
        (
            &["--subject=a", "--action=b", "--context=a=1", "--context=a.b=2"],
            "`--context a=…` and `--context a.b=…` exclude each other",
        ),
        (&["--subject=a", "--action=b", "--context=a.b=1", "--context=c=1", "--context=a={}"], "exclude each other"),
        (&["--subject=a", "--action=b", "--context=a=1", "--context=a=2"], "`--context a=…` is given twice"),
    ] {
        let error = parse(args).unwrap().question.read().unwrap_err();
        let CommandError::Environment(message) = error else { panic!("{error:?}") };
        assert!(message.contains(expected), "{message}");
    }
    for (args, expected) in [
        (&["--context=amount"][..], "write `KEY=VALUE`"),
        (&["--context=.a=1"], "`.a` is not a key"),
        (&["--context=a=9007199254740993"], "beyond 2^53"),
        (&["--context=a=1e999"], "beyond the range of a double"),
        (&["--context=a={\"b\": [-1e999]}"], "beyond the range of a double"),
        (&["--context-json={\"a\": 1e999}"], "--context-json"),
        (&["--context-json=[1]"], "--context-json"),
        (&["--context-json={\"a\": 1, \"a\": 2}"], "--context-json"),
        (&["--now=today", "--policies=p"], "RFC 3339"),
        (&["--socket=s", "--address=a"], "cannot be used with"),
    ] {
        let error = parse(args).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_text_that_begins_like_a_number_is_a_text() {
    for text in ["1e999f", "\"1e999\"", "12e34567ab", "inf", "NaN"] {
        let request = question(&["--subject=a", "--action=b", &format!("--context=a={text}")]);
        assert_eq!(request.context.get("a"), Some(&Value::String(text.trim_matches('"').into())));
    }
}

#[test]
fn a_question_is_judged_in_process_as_by_a_server() {
    let roles: Vec<String> = (0..65).map(|number| format!("--role=r{number}")).collect();
    let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
    let deep = format!("--context={}=1", ["a"; 33].join("."));
    let deep_json = format!("--context-json={}1{}", "{\"a\":".repeat(33), "}".repeat(33));
    let long = format!("--tenant={}", "x".repeat(129));
    assert!(parse(&[&deep]).unwrap_err().contains("at most 32 levels"));
    for (args, expected) in [
        (&["--tenant=a\u{202e}b"][..], "tenant_id"),
        (&["--run-id=a\u{1b}[2J"], "run_id"),
        (&[&long], "tenant_id"),
        (&roles, "subject.roles"),
        (&[&deep_json], "context.a"),
    ] {
        let args = [&["--subject=a", "--action=b", "--policies=/nowhere"], args].concat();
        let args = parse(&args).unwrap();
        let error = ask::ask(&args.target, &args.question.read().unwrap()).unwrap_err();
        let CommandError::Environment(message) = error else { panic!("{error:?}") };
        assert!(message.starts_with("the question is refused: `") && message.contains(expected), "{message}");
    }
}

fn answer() -> v1::EvaluateResponse {
    let number = |number| prost_types::Value { kind: Some(prost_types::value::Kind::NumberValue(number)) };
    let rule = |name: &str, outcome: v1::RuleOutcome| v1::RuleExplanation {
        policy: "payments".into(),
        rule: name.into(),
        layer: "organisation".into(),
        effect: v1::Effect::RequireApproval.into(),
        priority: 110,
        outcome: outcome.into(),
        ..v1::RuleExplanation::default()
    };
    v1::EvaluateResponse {
        decision_id: "0190a6f0-0000-7000-8000-000000000001".into(),
        decision: v1::Decision::RequireApproval.into(),
        effect: v1::Effect::RequireApproval.into(),
        matched_policy: "payments".into(),
        matched_rule: "big-refunds".into(),
        reason_code: v1::ReasonCode::Policy.into(),
        reason: "big refunds need approval".into(),
        warnings: vec![v1::Warning { policy: "p".into(), rule: "w".into(), message: "watched".into() }],
        requires_audit: true,
        required_level: Some(3),
        obligations: vec![v1::Obligation {
            id: "notify".into(),
            policy: "payments".into(),
            rule: "big-refunds".into(),
            properties: Some(prost_types::Struct { fields: [("level".to_owned(), number(2.0))].into() }),
        }],
        action_hash: "sha256:1".into(),
        snapshot: Some(v1::SnapshotRef { digest: "sha256:2".into(), revision: 7 }),
        semantics: 1,
        evaluation_nanos: 1_250,
        explanation: Some(v1::Explanation {
            rules: vec![
                v1::RuleExplanation {
                    clause: "params.amount > 50".into(),
                    values: vec![
                        v1::ExplainedValue { path: "context.params.amount".into(), value: Some(number(900.0)) },
                        v1::ExplainedValue { path: "context.region".into(), value: None },
                    ],
                    ..rule("big-refunds", v1::RuleOutcome::Matched)
                },
                v1::RuleExplanation { error: "no such key".into(), ..rule("broken", v1::RuleOutcome::Error) },
                v1::RuleExplanation { clause: "roles [admin]".into(), ..rule("other", v1::RuleOutcome::NotMatched) },
            ],
            truncated: true,
        }),
        ..v1::EvaluateResponse::default()
    }
}

#[test]
fn shows_the_answer_to_people() {
    let request = question(&["--subject=agent/support-7", "--action=payment.refund", "--resource=order/eu/4711"]);
    let text = anstream::adapter::strip_str(&render::text(&request, &answer())).to_string();
    insta::assert_snapshot!(text);
}

#[test]
fn long_values_and_clauses_of_several_lines_take_one_line() {
    use prost_types::value::Kind;

    let request = question(&["--subject=a", "--action=b"]);
    let mut answer = answer();
    let value = |kind| prost_types::Value { kind: Some(kind) };
    let ids = (0..200).map(|id| value(Kind::NumberValue(f64::from(id)))).collect();
    let ids = value(Kind::ListValue(prost_types::ListValue { values: ids }));
    let note = value(Kind::StringValue("a  b\nc".to_owned()));
    let map = prost_types::Struct { fields: [("ids".to_owned(), ids), ("note".to_owned(), note)].into() };
    let rule = &mut answer.explanation.as_mut().unwrap().rules[0];
    rule.clause = "has(context.ids) &&\n    context.ids.size() > 5\n".into();
    rule.values = vec![v1::ExplainedValue { path: "context.x".into(), value: Some(value(Kind::StructValue(map))) }];
    let text = anstream::adapter::strip_str(&render::text(&request, &answer)).to_string();
    for expected in [
        "│  ├─ has(context.ids) && context.ids.size() > 5\n",
        "│  └─ context.x = {\"ids\":[0,1,2,3,4,5,6,7,8,9,… 190 more],\"note\":\"a  b\\nc\"}\n",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn shows_the_answer_to_machines() {
    insta::assert_json_snapshot!(json::answer(&answer()));
}

#[test]
fn decides_in_process_and_names_a_server_that_does_not_answer() {
    let folder = tempfile::tempdir().unwrap();
    let policy = "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: files}\nspec:\n  rules:\n    \
                  - {name: read, effect: allow, actions: [file.read]}\n";
    std::fs::write(folder.path().join("p.yaml"), policy).unwrap();
    let path = folder.path().to_str().unwrap();
    for (action, allowed) in [("file.read", true), ("file.write", false)] {
        let args = parse(&["--subject=a", "--action", action, "--policies", path]).unwrap();
        let answer = ask::ask(&args.target, &args.question.read().unwrap()).unwrap();
        assert_eq!(answer.allowed, allowed);
        assert_eq!(answer.decision_id, "", "there is no record that an id could name");
    }
    let system = folder.path().join("system");
    std::fs::create_dir(&system).unwrap();
    std::fs::write(system.join("s.yaml"), policy.replace("files", "wall").replace("allow", "deny")).unwrap();
    let layer = format!("--system-policies={}", system.display());
    let args = parse(&["--subject=a", "--action=file.read", "--policies", &format!("{path}/p.yaml"), &layer]).unwrap();
    assert!(!ask::ask(&args.target, &args.question.read().unwrap()).unwrap().allowed, "the system layer denies");
    for server in [&["--socket=s"][..], &["--address=a:1"], &["--timeout-ms=5"], &[]] {
        let args = [&["--subject=a", "--action=b", "--now=2026-01-01T00:00:00Z"], server].concat();
        let args = parse(&args).unwrap();
        let error = ask::ask(&args.target, &args.question.read().unwrap()).unwrap_err();
        let CommandError::Environment(message) = error else { panic!("{error:?}") };
        assert!(message.contains("`--now` needs `--policies`"), "{message}");
    }
    let socket = folder.path().join("none.sock");
    let args = parse(&["--subject=a", "--action=b", "--socket", socket.to_str().unwrap()]).unwrap();
    let error = ask::ask(&args.target, &args.question.read().unwrap()).unwrap_err();
    let CommandError::Environment(message) = error else { panic!("{error:?}") };
    assert!(message.contains("none.sock") && message.contains("lictor serve"), "{message}");
}
