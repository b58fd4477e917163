//! The `cel` crate's value of an expression, written as ours are.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use cel::objects::Key;
use cel::{Context, Env, Value};

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// The value of `text` where `context` is this JSON; `None` for an error.
pub fn value(text: &str, context: &str) -> Option<String> {
    let program = ENV.compile(text).unwrap_or_else(|error| panic!("the oracle cannot parse {text}: {error}"));
    let mut variables = Context::with_env(ENV.clone());
    let json: serde_json::Value = serde_json::from_str(context).unwrap();
    variables.add_variable_from_value("context", of_json(&json));
    let mut out = String::new();
    write(&mut out, &program.execute(&variables).ok()?);
    Some(out)
}

fn of_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Float(number.as_f64().unwrap()),
        serde_json::Value::String(text) => Value::String(Arc::new(text.clone())),
        serde_json::Value::Array(items) => Value::List(Arc::new(items.iter().map(of_json).collect())),
        serde_json::Value::Object(map) => {
            let entries: HashMap<Key, Value> =
                map.iter().map(|(key, value)| (Key::String(Arc::new(key.clone())), of_json(value))).collect();
            entries.into()
        }
    }
}

fn write(out: &mut String, value: &Value) {
    match value {
        Value::Int(value) => write!(out, "{value}").unwrap(),
        Value::UInt(value) => write!(out, "{value}u").unwrap(),
        Value::Float(value) if value.is_nan() => out.push_str("NaN"),
        Value::Float(value) if value.is_infinite() => out.push_str(if *value > 0.0 { "Infinity" } else { "-Infinity" }),
        Value::Float(value) => write!(out, "{value:?}").unwrap(),
        Value::String(text) => quote(out, text),
        Value::Bool(value) => write!(out, "{value}").unwrap(),
        Value::Null => out.push_str("null"),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write(out, item);
            }
            out.push(']');
        }
        other => write!(out, "{other:?}").unwrap(),
    }
}

/// The grammar has no other control characters.
fn quote(out: &mut String, text: &str) {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
    write!(out, "\"{escaped}\"").unwrap();
}
