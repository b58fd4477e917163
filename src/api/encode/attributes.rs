//! The domain's attributes as `google.protobuf.Struct`.

use super::writer::Writer;
use crate::model::{Attributes, Value};

/// Writes the fields of a `Struct`.
pub fn attributes(out: &mut Writer<'_>, map: &Attributes) {
    for (key, content) in map {
        out.message(1, |out| {
            out.string(1, key);
            out.message(2, |out| value(out, content));
        });
    }
}

/// Writes the field of a `Value`. Its kind is written even if it holds zero, `false` or nothing.
pub fn value(out: &mut Writer<'_>, content: &Value) {
    match content {
        Value::Null => out.present_unsigned(1, 0),
        Value::Number(number) => out.present_double(2, *number),
        Value::String(text) => out.present_string(3, text),
        Value::Bool(truth) => out.present_unsigned(4, u64::from(*truth)),
        Value::Map(map) => out.message(5, |out| attributes(out, map)),
        Value::List(items) => out.message(6, |out| {
            for item in items {
                out.message(1, |out| value(out, item));
            }
        }),
    }
}
