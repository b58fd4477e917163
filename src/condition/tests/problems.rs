//! What is reported, and in which words.

use super::conditions::clause;
use crate::condition::{ConditionSource, ListClause, Place, Problem, compile};
use crate::model::Effect;

fn problems_of(when: Option<&str>, list: &[ListClause], effect: Effect) -> Vec<Problem> {
    compile(&ConditionSource { when, list }, effect).1
}

/// `code: message @ excerpt / help`
fn rendered(text: &str, effect: Effect) -> Vec<String> {
    problems_of(Some(text), &[], effect)
        .iter()
        .map(|problem| {
            let Place::When(range) = &problem.place else { panic!("a problem of `when` lies in its text") };
            let excerpt = text.get(range.clone()).unwrap();
            let help = problem.help.clone().unwrap_or_default();
            format!("{}: {} @ {excerpt} / {help}", problem.code, problem.message)
        })
        .collect()
}

#[test]
fn mistakes_are_explained() {
    for (text, expected) in [
        ("tenant = 'a'", "cel-syntax: a single `=` is not an operator @ = / write `==` to compare"),
        (
            "true and false",
            "cel-syntax: expected the end of the condition, found `and` @ and / write `&&` for a logical and",
        ),
        (
            "not has(context.a)",
            "cel-syntax: expected the end of the condition, found `has` @ has / write `!(…)` for a negation; `x not in y` is `!(x in y)`",
        ),
        ("1 <= = 2", "cel-syntax: expected a value, found `=` @ = / "),
        ("= 2", "cel-syntax: expected a value, found `=` @ = / "),
        ("(1 + = 2)", "cel-syntax: expected a value, found `=` @ = / "),
        ("tenant in = 2", "cel-syntax: expected a value, found `=` @ = / "),
        ("tenant === 'a'", "cel-syntax: `===` is not an operator @ === / write `==` to compare"),
        ("tenant !== 'a'", "cel-syntax: `!==` is not an operator @ !== / write `!=` to compare"),
        ("1 => 2", "cel-syntax: `=>` is not an operator @ => / write `>=` to compare"),
        ("1 =< 2", "cel-syntax: `=<` is not an operator @ =< / write `<=` to compare"),
        ("tenant =~ 'a'", "cel-syntax: `=~` is not an operator @ =~ / write it as a call: `text.matches(\"…\")`"),
        (
            "cel.bind(x, 1, x == 1)",
            "cel-syntax: `cel.bind` is not supported @ cel.bind / write the expression itself where its name would stand",
        ),
        (
            "has(context.a) && context.?a == 1",
            "cel-syntax: optional values (`.?`) are not supported @ .? / test with `has(…)` first",
        ),
        ("context?.a == 1", "cel-syntax: optional values (`?.`) are not supported @ ?. / test with `has(…)` first"),
        ("[tenant][?0] == 'a'", "cel-syntax: optional values (`[?`) are not supported @ [? / test with `has(…)` first"),
        ("[?tenant] == ['a']", "cel-syntax: optional values (`[?`) are not supported @ [? / test with `has(…)` first"),
        (
            "{?'a': tenant} == {}",
            "cel-syntax: optional values (`{?`) are not supported @ {? / test with `has(…)` first",
        ),
        (
            "optional.of(tenant).hasValue()",
            "cel-syntax: optional values (`optional.of`) are not supported @ optional.of / test with `has(…)` first",
        ),
        (
            "Foo{a: 1}.a == 1",
            "cel-syntax: messages (`Foo{…}`) are not supported @ Foo{ / a map is written without a name before it: {\"key\": value}",
        ),
        (
            "google.protobuf.Int32Value{value: 1} == 1",
            "cel-syntax: messages (`google.protobuf.Int32Value{…}`) are not supported @ google.protobuf.Int32Value{ / a map is written without a name before it: {\"key\": value}",
        ),
        ("tenant == 'a", "cel-syntax: the string is not closed @ 'a / close it with '"),
        ("(tenant == 'a'", "cel-syntax: expected `)` to close the bracket, found the end of the condition @  / "),
        ("contxt.a == 1", "unknown-variable: unknown variable `contxt` @ contxt / did you mean `context`?"),
        ("agent_id == 'a'", "unknown-variable: unknown variable `agent_id` @ agent_id / write `subject.id`"),
        (
            "subject.idd == 'a'",
            "unknown-field: unknown field `idd` of `subject` @ subject.idd / did you mean `subject.id`?",
        ),
        (
            "subject.department == 'a'",
            "unknown-field: unknown field `department` of `subject` @ subject.department / its fields are `subject.type`, `subject.id`, `subject.roles`, `subject.properties`, `subject.on_behalf_of`; other attributes are in `subject.properties.department`",
        ),
        (
            "tenant == 5",
            "type-mismatch: no matching overload for `==` on string and int @ tenant == 5 / compare values of one type; convert with `string(…)`, `double(…)` or `int(…)`",
        ),
        (
            "context.n + 1 > 2.0",
            "type-mismatch: no matching overload for `+` on attribute and int @ context.n + 1 / write `1.0` instead of `1`",
        ),
        (
            "context.n % 2 == 0",
            "type-mismatch: `%` takes integers, and attribute numbers are doubles @ context.n % 2 / convert first, for example `int(context.n) % 2 == 0`",
        ),
        (
            "context.at < now",
            "type-mismatch: no matching overload for `<` on attribute and timestamp @ context.at < now / convert the attribute: `timestamp(…)`",
        ),
        (
            "now - timestamp(context.at) < 300",
            "type-mismatch: no matching overload for `<` on duration and int @ now - timestamp(context.at) < 300 / write a duration: `duration(\"300s\")`",
        ),
        (
            "tenant.startswith('a')",
            "unknown-function: unknown function `startswith` @ startswith / did you mean `startsWith`?",
        ),
        (
            "tenant.startsWith(1)",
            "type-mismatch: no matching overload for `string.startsWith(int)` @ tenant.startsWith(1) / it exists as `string.startsWith(string)`",
        ),
        (
            "subject.roles.contains('a')",
            "type-mismatch: no matching overload for `list(string).contains(string)` @ subject.roles.contains('a') / write `\"element\" in list` to look into a list",
        ),
        (
            "'a' in tenant",
            "type-mismatch: `in` takes a list or a map on its right, found a string @ 'a' in tenant / write `text.contains(\"part\")` to look into a string",
        ),
        (
            "tenant",
            "type-mismatch: the condition is a string, not bool @ tenant / a condition compares or tests something, for example `context.amount > 50.0`",
        ),
        (
            "subject",
            "type-mismatch: `subject` is not a value by itself @ subject / a condition compares or tests something, for example `context.amount > 50.0`",
        ),
        (
            "tenant && true",
            "type-mismatch: `&&` takes bool, found a string @ tenant / compare it with something, for example `tenant == \"…\"`",
        ),
        (
            "tenant.matches('(')",
            "bad-regex: bad pattern: unclosed group @ '(' / patterns follow RE2: no look-around, no back-references; raw strings spare backslashes: r'\\d+'",
        ),
        (
            "for == 1",
            "cel-syntax: `for` is a reserved word @ for / CEL keeps it; as a key write it after a dot: `context.for`",
        ),
        ("1 == 1", "constant-condition: the condition is always true @ 1 == 1 / leave `when` out"),
        (
            "tenant == 'a' && false",
            "constant-condition: the condition is never true @ tenant == 'a' && false / set `enabled: false` to switch a rule off",
        ),
        (
            "context.n > 5.0",
            "unguarded-attribute: `context.n` may be missing, and then the condition is an error @ context.n / say what holds without it: `has(context.n) && …` or `!has(context.n) || …`",
        ),
    ] {
        assert_eq!(rendered(text, Effect::Deny), [expected], "{text}");
    }
}

#[test]
fn what_always_fails_is_reported() {
    for (text, expected) in [
        (
            "now < timestamp(\"2026-01-01\")",
            "always-fails: `timestamp(\"2026-01-01\")` always fails: not an RFC 3339 time @ timestamp(\"2026-01-01\") / write `2026-01-01T00:00:00Z`",
        ),
        (
            "now < timestamp('2026-13-01T00:00:00Z')",
            "always-fails: `timestamp('2026-13-01T00:00:00Z')` always fails: not an RFC 3339 time @ timestamp('2026-13-01T00:00:00Z') / a time is written like `2026-01-31T23:59:59Z` or `2026-01-31T23:59:59+02:00`",
        ),
        (
            "now - timestamp(0) > duration('1 day')",
            "always-fails: `duration('1 day')` always fails: not a duration @ duration('1 day') / write `24h`; the units are `h`, `m`, `s`, `ms`, `us` and `ns`",
        ),
        (
            "tenant == 'a' && int('x') == 1",
            "always-fails: `int('x')` always fails: \"x\" does not spell an int @ int('x') / ",
        ),
        (
            "size(tenant) == int('1.5')",
            "always-fails: `int('1.5')` always fails: \"1.5\" does not spell an int @ int('1.5') / convert it to a double first: `double(\"1.5\")`",
        ),
        ("1/0 == size(tenant)", "always-fails: `1/0` always fails: division by zero @ 1/0 / "),
        ("[1, 2].map(x, 1 % 0) == []", "always-fails: `1 % 0` always fails: modulus by zero @ 1 % 0 / "),
        (
            "[1].exists(x, [x][x] == 1)",
            "always-fails: `[1].exists(x, [x][x] == 1)` always fails: index 1 is out of bounds @ [1].exists(x, [x][x] == 1) / ",
        ),
        (
            "now.getHours('Europe/Berln') < 8",
            "always-fails: `now.getHours('Europe/Berln')` always fails: unknown time zone `Europe/Berln` @ 'Europe/Berln' / did you mean `Europe/Berlin`? Write an IANA name or an offset such as `+02:00`",
        ),
        (
            "now.getHours('+25:00') < 8",
            "always-fails: `now.getHours('+25:00')` always fails: unknown time zone `+25:00` @ '+25:00' / write an IANA name such as `Europe/Berlin`, or an offset such as `+02:00`",
        ),
    ] {
        assert_eq!(rendered(text, Effect::Deny), [expected], "{text}");
    }
    for text in
        ["now.getHours('Europe/Berlin') < 8", "now.getHours('-02:30') < 8", "now < timestamp('2026-01-01T00:00:00Z')"]
    {
        assert_eq!(rendered(text, Effect::Deny), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_condition_that_is_always_an_error_is_told_from_one_that_may_be() {
    let list = [clause("tenant", "==", "\"x\"")];
    for (text, list, whole) in [
        ("1/0 == 1", &[][..], true),
        ("!(1/0 == size(tenant))", &[], true),
        ("true && 1/0 == 1", &[], true),
        ("1/0 == 1 || int('x') == 1", &[], true),
        ("tenant == 'a' ? 1/0 == 1 : int('x') == 1", &[], true),
        ("[1/0].exists(x, x == 1)", &[], true),
        ("1/0 == 1", &list, false),
        ("tenant == 'a' && 1/0 == 1", &[], false),
        ("tenant == 'a' || 1/0 == 1", &[], false),
        ("tenant == 'a' ? 1/0 == 1 : true", &[], false),
        ("subject.roles.exists(x, 1/0 == 1)", &[], false),
        ("false && 1/0 == 1", &[], false),
    ] {
        let (condition, problems) = compile(&ConditionSource { when: Some(text), list }, Effect::Deny);
        let found = problems.iter().find(|problem| problem.code == "always-fails").unwrap();
        assert_eq!(found.label.contains("for every request"), whole, "{text}: {}", found.label);
        if whole {
            let request = super::request("{}");
            assert!(condition.unwrap().evaluate(&super::bindings(&request), &mut super::budget()).is_err(), "{text}");
        }
    }
}

#[test]
fn every_error_is_reported_at_once() {
    let found = rendered("subjet.id == 'a' && tenant.foo() && context.n % 2 == 0", Effect::Deny);
    assert_eq!(found.len(), 3, "{found:?}");
    let list = [clause("subjet.id", "==", "1"), clause("context.a", "=", "1"), clause("context.a", "in", "1")];
    let problems = problems_of(Some("tenant ="), &list, Effect::Deny);
    let codes: Vec<_> = problems.iter().map(|problem| (problem.code, problem.place.clone())).collect();
    assert_eq!(
        codes,
        [
            ("unknown-variable", Place::Field(0)),
            ("unknown-operator", Place::Operator(1)),
            ("type-mismatch", Place::Value(2)),
            ("cel-syntax", Place::When(7..8)),
        ]
    );
}

#[test]
fn list_mistakes_are_explained() {
    for (entry, code, help) in [
        (clause("subject.role", "==", "1"), "unknown-field", "did you mean `subject.roles`?"),
        (clause("enviroment.name", "==", "1"), "unknown-variable", "did you mean `environment.name`?"),
        (clause("subject", "==", "1"), "unknown-field", "choose one of its fields"),
        (clause("a..b", "==", "1"), "unknown-field", "separated by dots"),
        (clause("now", ">", "1"), "unknown-field", "write it as CEL"),
        (clause("tenant", "not in", "[]"), "unknown-operator", "did you mean `not_in`?"),
        (clause("tenant", "xyz", "[]"), "unknown-operator", "the operators are `==`, `!=`"),
        (clause("tenant", "in", "\"a\""), "type-mismatch", "write `value: [\"a\"]`"),
        (clause("tenant", "matches", "\"(\""), "bad-regex", "RE2"),
    ] {
        let problems = problems_of(None, std::slice::from_ref(&entry), Effect::Allow);
        assert_eq!(problems.len(), 1, "{entry:?}: {problems:?}");
        assert_eq!(problems[0].code, code, "{entry:?}");
        let found = problems[0].help.clone().unwrap_or_default();
        assert!(found.contains(help), "{entry:?}: {found}");
    }
}

#[test]
fn guards_are_understood() {
    let unguarded = |text: &str| -> Vec<String> {
        rendered(text, Effect::Allow).into_iter().filter(|line| line.starts_with("unguarded")).collect()
    };
    for text in [
        "has(context.a) && context.a == 1",
        "context.a == 1 && has(context.a)",
        "!has(context.a) || context.a == 1",
        "has(context.a) ? context.a == 1 : false",
        "!has(context.a) ? false : context.a == 1",
        "'a' in context && context.a == 1",
        "has(context.a) && has(context.a.b) && context.a.b == 1",
        "has(context.a) && (tenant == 'x' || context.a == 1)",
        "!(has(context.a) && context.a == 1)",
        "!(!has(context.a) || tenant == 'x') && context.a == 1",
        "has(subject.properties.x) && subject.properties['x'] == 1",
        "subject.id == 'a' && subject.roles.exists(r, r == 'b')",
        "tenant == 'a' && (has(context.l) && context.l.all(x, x.price > 1.0))",
    ] {
        assert_eq!(unguarded(text), Vec::<String>::new(), "{text}");
    }
    for (text, count) in [
        ("context.a == 1", 1),
        ("context.a == 1 || context.a == 2", 1),
        ("has(context.a) || context.a == 1", 1),
        ("has(context.b) && context.a == 1", 1),
        ("has(context.a.b)", 1),
        ("has(context.a) && context.a.b == 1", 1),
        ("context.a == 1 && context.b == 2", 2),
        ("has(context.a) ? false : context.a == 1", 1),
        ("[1].exists(x, x == context.a)", 1),
        ("context['a'] == 1", 1),
    ] {
        assert_eq!(unguarded(text).len(), count, "{text}");
    }
}

#[test]
fn rules_that_can_be_dodged_or_match_too_much_are_reported() {
    let codes = |when: Option<&str>, list: &[ListClause], effect| -> Vec<&'static str> {
        problems_of(when, list, effect).iter().map(|problem| problem.code).collect()
    };
    let dodged = [clause("context.env", "!=", "\"test\"")];
    assert_eq!(codes(None, &dodged, Effect::Deny), ["fail-open-condition"]);
    assert_eq!(codes(None, &dodged, Effect::RequireApproval), ["fail-open-condition"]);
    assert!(codes(None, &dodged, Effect::Allow).is_empty());
    assert!(codes(None, &[clause("subject.id", "!=", "\"root\"")], Effect::Deny).is_empty());
    assert!(codes(None, &[clause("context.env", "==", "\"prod\"")], Effect::Deny).is_empty());
    let problem = &problems_of(None, &[clause("params.n", ">", "5")], Effect::Deny)[0];
    assert_eq!(
        problem.help.as_deref(),
        Some(
            "write it as CEL, where missing counts: `when: '!has(context.params) || !has(context.params.n) || context.params.n > 5'`"
        )
    );

    for (pattern, anchored) in [
        ("^a$", true),
        ("\\Aa\\z", true),
        ("a$", false),
        ("^a", false),
        ("^a|b$", false),
        ("^a$|^b$", true),
        ("^(a|b)$", true),
        ("^a\\$", false),
        ("^[|]$", true),
        ("(?i)^a$", true),
    ] {
        let quoted = serde_json::to_string(pattern).unwrap();
        let list = [clause("tenant", "matches", &quoted)];
        let cel = format!("tenant.matches({quoted})");
        let expected: &[&str] = if anchored { &[] } else { &["unanchored-pattern"] };
        assert_eq!(codes(None, &list, Effect::Allow), expected, "{pattern}");
        assert_eq!(codes(Some(&cel), &[], Effect::Allow), expected, "{pattern}");
        assert!(codes(Some(&cel), &list, Effect::Deny).is_empty());
    }
}

#[test]
fn list_entries_of_a_type_that_the_field_never_has_are_reported() {
    for (field, operator, value, expected) in [
        (
            "agent_id",
            "==",
            "5",
            "never-matches: `agent_id == 5` is never true: `agent_id` is a string / write text in quotation marks: `value: \"5\"`",
        ),
        (
            "agent_id",
            "!=",
            "5",
            "never-matches: `agent_id != 5` is never true: `agent_id` is a string / write text in quotation marks: `value: \"5\"`",
        ),
        (
            "agent_id",
            "!=",
            "null",
            "constant-condition: `agent_id != null` is always true: `agent_id` is a string / `operator: exists` tells whether it is empty",
        ),
        (
            "agent_id",
            "in",
            "[5, true]",
            "never-matches: `agent_id in [5,true]` is never true: `agent_id` is a string / write text in quotation marks: `value: [\"5\", \"true\"]`",
        ),
        (
            "tenant",
            "not_in",
            "[5]",
            "never-matches: `tenant not_in [5]` is never true: `tenant` is a string / write text in quotation marks: `value: [\"5\"]`",
        ),
        (
            "tenant",
            "<",
            "5",
            "never-matches: `tenant < 5` is never true: `tenant` is a string / `<` compares a string with text in quotation marks only",
        ),
        (
            "agent_role",
            ">",
            "5",
            "never-matches: `agent_role > 5` is never true: `agent_role` is a list of strings / look into the list with `==`, `in`, `contains` or `matches`",
        ),
        (
            "agent_role",
            ">",
            "\"a\"",
            "never-matches: `agent_role > \"a\"` is never true: `agent_role` is a list of strings / look into the list with `==`, `in`, `contains` or `matches`",
        ),
        (
            "agent_role",
            "!=",
            "5",
            "constant-condition: `agent_role != 5` is always true: `agent_role` is a list of strings / write text in quotation marks: `value: \"5\"`",
        ),
        (
            "agent_role",
            "contains",
            "5",
            "never-matches: `agent_role contains 5` is never true: `agent_role` is a list of strings / write text in quotation marks: `value: \"5\"`",
        ),
        (
            "subject.properties",
            "==",
            "5",
            "never-matches: `subject.properties == 5` is never true: `subject.properties` is a map / name one of its keys: `subject.properties.…`",
        ),
        (
            "params.a",
            "in",
            "[]",
            "never-matches: the entry is never true: the list is empty / list the values that the field may have",
        ),
    ] {
        let list = [clause(field, operator, value)];
        let (condition, problems) = compile(&ConditionSource { when: None, list: &list }, Effect::Deny);
        let found: Vec<String> = problems
            .iter()
            .map(|problem| {
                format!("{}: {} / {}", problem.code, problem.message, problem.help.clone().unwrap_or_default())
            })
            .collect();
        assert_eq!(found, [expected]);
        let request = super::request(r#"{"a": "5"}"#);
        let outcome = condition.unwrap().evaluate(&super::bindings(&request), &mut super::budget());
        assert_eq!(outcome, Ok(expected.contains("always true")), "{field} {operator} {value}");
    }
    for (field, operator, value) in [
        ("agent_id", "==", "\"a\""),
        ("agent_id", "in", "[5, \"a\"]"),
        ("agent_role", "==", "[\"a\", \"b\"]"),
        ("agent_role", "not_in", "[\"a\"]"),
        ("agent_role", "exists", "true"),
        ("params.a", "==", "5"),
        ("context", "==", "{}"),
    ] {
        let list = [clause(field, operator, value)];
        assert!(problems_of(None, &list, Effect::Deny).is_empty(), "{field} {operator} {value}");
    }
}
