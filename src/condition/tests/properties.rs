//! Whatever is written, nothing panics, overflows a stack or runs without bound.

use proptest::prelude::*;

use super::conditions::cel;
use super::{bindings, budget, request};
use crate::condition::{Budget, Condition, ConditionError, ConditionSource, compile};
use crate::model::Effect;

fn try_compile(text: &str) -> Option<Condition> {
    compile(&ConditionSource { when: Some(text), list: &[] }, Effect::Allow).0
}

fn evaluate(text: &str, context: &str) {
    if let Some(condition) = try_compile(text) {
        let request = request(context);
        let value = condition.evaluate(&bindings(&request), &mut budget());
        let explained = condition.explain(&bindings(&request), &mut budget());
        assert_eq!(value, explained.result, "{text}");
        if let (Some(constant), Ok(value)) = (condition.constant(), &value) {
            assert_eq!(constant, *value, "{text}");
        }
    }
}

const TOKENS: &[&str] = &[
    "context",
    "subject",
    "resource",
    "action",
    "tenant",
    "now",
    ".a",
    ".b",
    ".id",
    ".roles",
    ".name",
    ".properties",
    "has",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "?",
    "&&",
    "||",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "true",
    "false",
    "null",
    "1",
    "0",
    "2u",
    "1.5",
    "-9223372036854775808",
    "'a'",
    "\"b\"",
    "b'c'",
    "r'^x'",
    "size(",
    ".size()",
    ".all(x,",
    ".exists(x,",
    ".map(x,",
    ".filter(y,",
    "x",
    "y",
    "string(",
    "int(",
    "double(",
    "timestamp(",
    "duration(",
    "'1h'",
    ".matches('a')",
    ".startsWith('a')",
    ".split(',')",
    ".join()",
    "dyn(",
    "type(",
    "int",
    " ",
    "\n",
    "// c\n",
    "é",
    "\\",
    "`a-b`",
    "=",
    "and",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_compiled_or_refused(text in "\\PC{0,80}") {
        evaluate(&text, "{}");
    }

    #[test]
    fn any_bytes_are_compiled_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        evaluate(&String::from_utf8_lossy(&bytes), "{}");
    }

    #[test]
    fn any_row_of_tokens_is_compiled_or_refused(tokens in prop::collection::vec(prop::sample::select(TOKENS), 0..24)) {
        evaluate(&tokens.concat(), r#"{"a": {"b": 1}, "b": ["x", 2]}"#);
    }
}

#[test]
fn nested_macros_are_stopped_by_the_budget() {
    let items: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let context = format!(r#"{{"l": [{}]}}"#, items.join(", "));
    let condition = cel("context.l.all(a, context.l.all(b, context.l.all(c, context.l.all(d, a + b + c + d >= 0.0))))");
    let request = request(&context);
    let mut budget = budget();
    assert_eq!(condition.evaluate(&bindings(&request), &mut budget), Err(ConditionError::Limit));
    assert_eq!(budget.remaining, 0);
    // Nothing hides the limit, not even a term that settles the value.
    let condition = cel("context.l.all(a, context.l.all(b, context.l.all(c, a + b + c >= 0.0))) && false == context.f");
    assert_eq!(condition.evaluate(&bindings(&request), &mut Budget { remaining: 100 }), Err(ConditionError::Limit));
}

#[test]
fn computed_texts_and_lists_are_bounded() {
    let long = "x".repeat(60_000);
    let context = format!(r#"{{"s": "{long}", "l": ["a"]}}"#);
    let request = request(&context);
    for text in [
        "context.s.replace('', context.s).size() > 0",
        "context.s.replace('x', context.s).size() > 0",
        "context.s.split('').map(a, context.s.split('')).size() > 0",
        "context.s.split('').map(a, context.s + context.s).size() > 0",
        "context.s.split('').join(context.s).size() > 0",
        "context.s.split('').all(a, !context.s.matches('y$'))",
    ] {
        assert_eq!(cel(text).evaluate(&bindings(&request), &mut budget()), Err(ConditionError::Limit), "{text}");
    }
}

#[test]
fn long_and_deep_texts_need_little_stack() {
    let texts = vec![
        format!("{}1 == 1", "1 + ".repeat(1_900)),
        format!("{}1 == 1", "context.a + ".repeat(650)),
        format!("{}true", "true && ".repeat(1_000)),
        format!("{}true", "context.a || ".repeat(600)),
        format!("context{} == 1", ".a".repeat(4_000)),
        format!("has(context{})", ".a".repeat(4_000)),
        format!("{}true", "has(context.a) && ".repeat(450)),
        format!("context.l{} == 1", "[0]".repeat(2_600)),
        format!("context.l{}.size() == 0", ".map(x, x)".repeat(780)),
        format!("context.s{} == ''", ".trim()".repeat(1_100)),
        format!("{}true", "!".repeat(8_000)),
        format!("{}1 < 2", "-".repeat(8_000)),
        format!("{}true{}", "(".repeat(62), ")".repeat(62)),
        format!("{}1{} == 1", "(1 + 1 * -".repeat(60), ")".repeat(60)),
        format!("{}true{}", "(true || false && 1 == 1 + 2 * size([".repeat(30), "]) ? true : false)".repeat(30)),
        format!("{}[]{} == []", "[1].map(x, ".repeat(60), ")".repeat(60)),
        format!("{}true", "context.a ? false : ".repeat(60)),
        "(".repeat(8_000),
        "[".repeat(8_000),
        "{1:".repeat(2_000),
        "a?b:".repeat(2_000),
        "f(".repeat(4_000),
    ];
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(move || texts.iter().for_each(|text| evaluate(text, r#"{"a": false, "s": "x", "l": [1]}"#)))
        .unwrap()
        .join()
        .unwrap();
}
