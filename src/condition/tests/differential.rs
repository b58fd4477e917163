//! Random expressions must have the same value here and in the `cel` crate, or be an error in both.
//!
//! Known differences, which the generator leaves out:
//! - `cel` compares integers and doubles through a rounded double, we by mathematical value: no integers beyond 2^53
//!   are compared with doubles.
//! - the order of entries in its maps is random: macros over maps and rendered maps are left out.
//! - `cel` takes the calendar fields of a timestamp in the offset that it was written with, the specification in UTC: all
//!   timestamps are written in UTC.
//! - doubles are only built from small numbers, so that both print them alike.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use cel::objects::Key;
use cel::{Context, Env};
use proptest::prelude::*;

use super::{bindings, budget, request};
use crate::condition::eval_expression;

const CONTEXT: &str = r#"{"n": 4, "half": 0.5, "s": "héllo", "b": true, "z": null, "l": [1, 2, 3], "w": ["a", "bb"], "m": {"k": "v", "d": {"x": 1}}}"#;

fn oracle_value(json: &serde_json::Value) -> cel::Value {
    match json {
        serde_json::Value::Null => cel::Value::Null,
        serde_json::Value::Bool(value) => cel::Value::Bool(*value),
        serde_json::Value::Number(number) => cel::Value::Float(number.as_f64().unwrap()),
        serde_json::Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        serde_json::Value::Array(items) => cel::Value::List(Arc::new(items.iter().map(oracle_value).collect())),
        serde_json::Value::Object(map) => {
            let entries: HashMap<Key, cel::Value> =
                map.iter().map(|(key, value)| (Key::String(Arc::new(key.clone())), oracle_value(value))).collect();
            entries.into()
        }
    }
}

/// The oracle's value, as we would display it; `None` for an error.
fn oracle(env: &Arc<Env>, text: &str) -> Option<String> {
    let program = env.compile(text).unwrap_or_else(|error| panic!("the oracle cannot parse {text}: {error}"));
    let mut context = Context::with_env(env.clone());
    let json: serde_json::Value = serde_json::from_str(CONTEXT).unwrap();
    context.add_variable_from_value("context", oracle_value(&json));
    let value = program.execute(&context).ok()?;
    let mut out = String::new();
    write_value(&mut out, &value);
    Some(out)
}

fn write_value(out: &mut String, value: &cel::Value) {
    match value {
        cel::Value::Int(value) => write!(out, "{value}").unwrap(),
        cel::Value::UInt(value) => write!(out, "{value}u").unwrap(),
        cel::Value::Float(value) if value.is_nan() => out.push_str("NaN"),
        cel::Value::Float(value) if value.is_infinite() => {
            out.push_str(if *value > 0.0 { "Infinity" } else { "-Infinity" });
        }
        cel::Value::Float(value) => write!(out, "{value:?}").unwrap(),
        cel::Value::String(text) => out.push_str(&crate::condition::strings::quote(text)),
        cel::Value::Bool(value) => write!(out, "{value}").unwrap(),
        cel::Value::Null => out.push_str("null"),
        cel::Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write_value(out, item);
            }
            out.push(']');
        }
        other => write!(out, "{other:?}").unwrap(),
    }
}

fn int() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        (-5_i64..20).prop_map(|n| n.to_string()),
        Just("9223372036854775807".to_owned()),
        Just("size(context.l)".to_owned()),
        Just("context.s.size()".to_owned()),
        Just("int(context.n)".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), prop::sample::select(vec!["+", "-", "*", "/", "%"]), inner.clone())
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (boolean_leaf(), inner.clone(), inner.clone()).prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
            inner.prop_map(|a| format!("[7, 8, 9][{a}]")),
        ]
    })
    .boxed()
}

fn double() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        (0_u8..9).prop_map(|n| format!("{n}.5")),
        Just("context.n".to_owned()),
        Just("context.half".to_owned()),
        Just("context.l[0]".to_owned()),
        Just("context.missing".to_owned()),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        (inner.clone(), prop::sample::select(vec!["+", "-", "*"]), inner)
            .prop_map(|(a, op, b)| format!("({a} {op} {b})"))
    })
    .boxed()
}

fn text() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["''", "'a'", "'h'", "'ll'", "'héllo'", "\"x\\ty\"", "r'\\n'"])
            .prop_map(str::to_owned),
        Just("context.s".to_owned()),
        Just("context.m.k".to_owned()),
        Just("context.w[1]".to_owned()),
        Just("context.m['gone']".to_owned()),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} + {b})")),
            int_leaf().prop_map(|n| format!("string({n})")),
            inner,
        ]
    })
    .boxed()
}

fn int_leaf() -> BoxedStrategy<String> {
    (-5_i64..20).prop_map(|n| n.to_string()).boxed()
}

fn boolean_leaf() -> BoxedStrategy<String> {
    prop::sample::select(vec![
        "true",
        "false",
        "context.b",
        "has(context.s)",
        "has(context.nope)",
        "has(context.m.d)",
        "has(context.nope.x)",
        "context.z == null",
        "context.gone",
        "1 / 0 == 1",
        "'k' in context.m",
        "2.0 in context.l",
        "'a' in context.w",
    ])
    .prop_map(str::to_owned)
    .boxed()
}

fn boolean() -> BoxedStrategy<String> {
    let relation = || prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        boolean_leaf(),
        (int(), relation(), int()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (double(), relation(), double()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (double(), relation(), int_leaf()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (text(), relation(), text()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (text(), prop::sample::select(vec!["startsWith", "endsWith", "contains"]), text())
            .prop_map(|(a, f, b)| format!("{a}.{f}({b})")),
        (int(), list()).prop_map(|(a, l)| format!("{a} in {l}")),
        (unsigned(), relation(), unsigned()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (time(), relation(), time()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (int_leaf(), prop::sample::select(vec!["==", "!=", "<", ">="]), unsigned())
            .prop_map(|(a, op, b)| format!("dyn({a}) {op} {b}")),
        (list(), prop::sample::select(vec!["all", "exists", "exists_one"]), int_leaf())
            .prop_map(|(l, f, n)| format!("{l}.{f}(x, 6 / x > {n})")),
        prop::sample::select(vec!["all", "exists", "exists_one"])
            .prop_map(|f| format!("context.l.{f}(x, context.l.exists(y, y > x) || x == 2.0)")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} && {b} && {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
        ]
    })
    .boxed()
}

fn unsigned() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        (0_u64..9).prop_map(|n| format!("{n}u")),
        Just("18446744073709551615u".to_owned()),
        int_leaf().prop_map(|n| format!("uint({n})")),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        (inner.clone(), prop::sample::select(vec!["+", "-", "*", "/", "%"]), inner)
            .prop_map(|(a, op, b)| format!("({a} {op} {b})"))
    })
    .boxed()
}

fn time() -> BoxedStrategy<String> {
    let leaf = prop::sample::select(vec![
        "timestamp('2009-02-13T23:31:30Z')",
        "timestamp('2009-02-14T00:31:30.25Z')",
        "timestamp('2000-02-29T12:00:00Z')",
        "timestamp('1969-12-31T23:59:59Z')",
        "timestamp('not a time')",
    ])
    .prop_map(str::to_owned);
    (leaf, prop::collection::vec((prop::sample::select(vec!["+", "-"]), span()), 0..3))
        .prop_map(|(first, rest)| {
            let rest: String = rest.iter().map(|(op, span)| format!(" {op} {span}")).collect();
            format!("({first}{rest})")
        })
        .boxed()
}

fn span() -> BoxedStrategy<String> {
    prop::sample::select(vec!["1h", "90m", "-1.5s", "250ms", "36h15m", "0s", "1x"])
        .prop_map(|text| format!("duration('{text}')"))
        .boxed()
}

/// Numbers made of values of other types.
fn converted() -> BoxedStrategy<String> {
    const FIELDS: &[&str] = &[
        "getFullYear",
        "getMonth",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
    ];
    prop_oneof![
        (time(), prop::sample::select(FIELDS)).prop_map(|(t, f)| format!("{t}.{f}()")),
        (time(), prop::sample::select(FIELDS)).prop_map(|(t, f)| format!("{t}.{f}('Europe/Berlin')")),
        (span(), prop::sample::select(vec!["getHours", "getMinutes", "getSeconds"]))
            .prop_map(|(t, f)| format!("{t}.{f}()")),
        time().prop_map(|t| format!("int({t})")),
        (time(), time()).prop_map(|(a, b)| format!("({a} - {b}).getSeconds()")),
        text().prop_map(|t| format!("int({t})")),
        int_leaf().prop_map(|n| format!("int('{n}')")),
        unsigned().prop_map(|n| format!("int({n})")),
        double().prop_map(|n| format!("int({n})")),
        int().prop_map(|n| format!("uint({n})")),
        unsigned(),
    ]
    .boxed()
}

fn list() -> BoxedStrategy<String> {
    let leaf = prop::collection::vec(int(), 0..4).prop_map(|items| format!("[{}]", items.join(", ")));
    leaf.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} + {b})")),
            inner.clone().prop_map(|l| format!("{l}.map(x, x * 2)")),
            inner.clone().prop_map(|l| format!("{l}.filter(x, x % 2 == 0)")),
            inner.prop_map(|l| format!("{l}.map(x, x > 1, x - 1)")),
        ]
    })
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_expressions_have_the_oracles_value(text in prop_oneof![4 => boolean(), 1 => int(), 1 => double(), 1 => text(), 1 => list(), 2 => converted()]) {
        let env = Arc::new(Env::stdlib());
        let request = request(CONTEXT);
        let ours = eval_expression(&text, &bindings(&request), &mut budget());
        let theirs = oracle(&env, &text);
        match (&ours, &theirs) {
            (Ok(ours), Some(theirs)) => prop_assert_eq!(ours.to_string(), theirs.as_str(), "{}", text),
            (Err(_), None) => {}
            _ => prop_assert!(false, "{}\n ours {:?}\n theirs {:?}", text, ours, theirs),
        }
    }
}
