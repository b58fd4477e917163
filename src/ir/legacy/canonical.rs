//! The predecessor's canonical form: keys by code point, no fractions, no control characters but CR, LF and TAB.

use serde_json::Value;

use super::LegacyRefusal;
use crate::ir::canonical::write_string;
use crate::ir::refusal::Place;

/// Deepest nesting that is walked. The predecessor's JSON reader had a limit of its own; this one protects the stack.
const MAX_DEPTH: usize = 128;

/// Writes values and collects what has no canonical form.
pub(super) struct Writer<'a> {
    /// The canonical form.
    pub(super) out: Vec<u8>,
    /// What was refused.
    pub(super) refusals: &'a mut Vec<LegacyRefusal>,
}

impl Writer<'_> {
    /// Appends `value`.
    pub(super) fn write(&mut self, value: &Value) {
        self.write_at(value, Place::Root);
    }

    fn write_at(&mut self, value: &Value, place: Place<'_>) {
        if place.depth() > MAX_DEPTH {
            return self.refuse(place, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        match value {
            Value::Null => self.out.extend_from_slice(b"null"),
            Value::Bool(value) => self.out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Value::Number(number) if number.is_f64() => {
                self.refuse(
                    place,
                    format!("{number} is no whole number of 64 bits, and the predecessor hashed no other"),
                );
            }
            Value::Number(number) => self.out.extend_from_slice(number.to_string().as_bytes()),
            Value::String(text) => self.text(text, place),
            Value::Array(items) => {
                self.out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        self.out.push(b',');
                    }
                    self.write_at(item, Place::Item(&place, i));
                }
                self.out.push(b']');
            }
            Value::Object(map) => {
                let mut entries: Vec<(&String, &Value)> = map.iter().collect();
                // The order of bytes in UTF-8 is that of code points.
                entries.sort_unstable_by_key(|(key, _)| *key);
                self.out.push(b'{');
                for (i, (key, value)) in entries.into_iter().enumerate() {
                    if i > 0 {
                        self.out.push(b',');
                    }
                    let place = Place::Key(&place, key);
                    self.text(key, place);
                    self.out.push(b':');
                    self.write_at(value, place);
                }
                self.out.push(b'}');
            }
        }
    }

    fn text(&mut self, text: &str, place: Place<'_>) {
        if let Some(c) = text.chars().find(|c| *c < ' ' && !matches!(c, '\r' | '\n' | '\t')) {
            self.refuse(place, format!("holds the control character U+{:04X}", u32::from(c)));
        }
        write_string(&mut self.out, text);
    }

    fn refuse(&mut self, place: Place<'_>, message: String) {
        let mut pointer = String::new();
        place.pointer(&mut pointer);
        self.refusals.push(LegacyRefusal { path: path_of(&pointer), message });
    }
}

/// `steps[1].params/a` for `/steps/1/params/a`, and `params/a` for `/params/a`.
fn path_of(pointer: &str) -> String {
    let path = pointer.trim_start_matches('/');
    let Some((index, field)) = path.strip_prefix("steps/").and_then(|rest| rest.split_once('/')) else {
        return path.to_owned();
    };
    format!("steps[{index}].{field}")
}
