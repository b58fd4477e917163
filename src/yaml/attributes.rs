//! Nodes as attribute values.

use crate::diag::{Finding, Findings};
use crate::model::{Attributes, Value};

use super::{Kind, Node, Number};

/// Largest whole number that a double holds exactly.
const EXACT: u64 = (1 << 53) - 1;

/// The attribute value that `node` is. Reports whole numbers that a double would round.
pub fn value(node: &Node, out: &mut Findings) -> Option<Value> {
    Some(match &node.kind {
        Kind::Null => Value::Null,
        Kind::Bool(value) => Value::Bool(*value),
        Kind::Number(Number::Float(value)) => Value::Number(*value),
        Kind::Number(Number::Integer(value)) if value.unsigned_abs() <= EXACT => Value::Number(*value as f64),
        Kind::Number(_) => {
            out.push(
                Finding::error("inexact-number", "this number is beyond 2^53 - 1 and would be rounded")
                    .at(node.span)
                    .help("write it as a string, in quotes"),
            );
            return None;
        }
        Kind::String(text, _) => Value::String(text.clone()),
        Kind::List(items) => {
            let values: Vec<_> = items.iter().map(|item| value(item, out)).collect();
            Value::List(values.into_iter().collect::<Option<_>>()?)
        }
        Kind::Map(_) => Value::Map(attributes(node, out)?),
        Kind::Refused => return None,
    })
}

/// The attributes that the map `node` is; empty where it is no map.
pub fn attributes(node: &Node, out: &mut Findings) -> Option<Attributes> {
    let Kind::Map(entries) = &node.kind else { return Some(Attributes::default()) };
    let pairs: Vec<_> = entries.iter().map(|entry| Some((entry.key.clone(), value(&entry.value, out)?))).collect();
    let pairs = pairs.into_iter().collect::<Option<Vec<_>>>()?;
    // Keys are unique in every tree.
    Attributes::from_entries(pairs).ok()
}
