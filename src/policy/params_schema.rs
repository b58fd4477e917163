//! JSON Schemas of the parameters of an action, compiled at load.
//!
//! No schema is fetched from anywhere: references stay within the schema. Patterns run in linear time. `format` is a note
//! for readers, as the standard has it. What checking costs is known before it is done ([`SchemaPrice`]), and one that costs
//! too much is not loaded.

use std::fmt;

use jsonschema::error::{ValidationError, ValidationErrorKind};
use jsonschema::{PatternOptions, Retrieve, Uri, Validator};
use serde_json::Value;

use super::schema_price::{ParamsSize, SchemaPrice};

/// A compiled schema.
pub struct ParamsSchema {
    validator: Validator,
    price: SchemaPrice,
}

impl fmt::Debug for ParamsSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ParamsSchema")
    }
}

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadSchema {
    /// JSON Pointer to the part of the schema that is wrong.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What kind of mistake it is, for the remedy.
    pub kind: BadSchemaKind,
}

/// What kind of mistake makes a schema useless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadSchemaKind {
    /// It refers to something outside.
    Outside,
    /// A pattern is none.
    Pattern,
    /// Anything else.
    Other,
}

/// What to do about [`BadSchemaKind::Pattern`].
pub const BAD_PATTERN: &str = "write a regular expression without look-around (`(?=`, `(?!`, `(?<`) and back-references (`\\1`), which patterns of \
                               linear time do not have; a policy rule or a tier rule can say the rest";

/// A parameter that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadParam {
    /// JSON Pointer into the parameters; where one is missing, to where it should be.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

/// The keywords that refer to another schema.
pub(super) const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// The keywords below which schemas stand by name.
const NAMES: [&str; 3] = ["properties", "patternProperties", "dependentSchemas"];

/// Longest excerpt of a value in a message, in characters.
const MAX_MESSAGE: usize = 240;

/// Deepest nesting of a schema.
const MAX_DEPTH: usize = 64;

/// Most parts of a schema with its references followed. What checking costs grows with it.
const MAX_PARTS: usize = 10_000;

/// Most problems that are reported of one set of parameters.
const MAX_PROBLEMS: usize = 32;

/// Most that checking all parameters of a plan may cost, in the units of [`SchemaPrice`]: at most some tenths of a second.
pub const MAX_CHECK_COST: u64 = 10_000_000;

/// Most that a schema may cost for parameters of a usual size.
const MAX_USUAL_COST: u64 = MAX_CHECK_COST / 10;

/// What finding out what is wrong costs, over finding out that something is: each level of branches is looked at anew.
const PROBLEMS_COST: u64 = 16;

/// Most pairs of a part of the schema and a value for which it is said what is wrong: a problem may hold a copy of either.
const MAX_PAIRS: u64 = 1_000_000;

/// Checking would cost more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooCostly {
    /// Whether it is known that something does not fit, and only what it is would cost too much to find out.
    pub is_wrong: bool,
}

impl ParamsSchema {
    /// Compiles `schema`. Without `$schema` it is one of draft 2020-12.
    ///
    /// # Errors
    /// The references that lead out of the schema, else what the standard does not allow.
    pub fn compile(schema: &Value) -> Result<Self, Vec<BadSchema>> {
        let mut outside = Vec::new();
        references(schema, &mut String::new(), 0, &mut outside);
        if !outside.is_empty() {
            return Err(outside);
        }
        Expansion { root: schema, followed: Vec::new(), parts: 0 }.measure(schema, false, &mut String::new())?;
        let price = SchemaPrice::of(schema).map_err(|problem| vec![problem])?;
        let options = jsonschema::options()
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(false)
            .with_retriever(Nowhere);
        match options.build(schema) {
            Ok(_) if price.cost(ParamsSize::USUAL) > MAX_USUAL_COST => {
                Err(bad("", "checking parameters against the schema would cost too much; make it simpler".to_owned()))
            }
            Ok(validator) => Ok(Self { validator, price }),
            Err(error) => {
                let pointer = error.instance_path().as_str().to_owned();
                let is_pattern = pointer
                    .rsplit('/')
                    .take(2)
                    .enumerate()
                    .any(|(up, key)| key == ["pattern", "patternProperties"][up]);
                let kind = if is_pattern { BadSchemaKind::Pattern } else { BadSchemaKind::Other };
                let message = match (kind, error.instance().as_ref()) {
                    (BadSchemaKind::Pattern, Value::String(pattern)) => {
                        format!("`{}` is no regular expression that runs in linear time", excerpt(pattern))
                    }
                    _ => excerpt(&error.to_string()),
                };
                Err(vec![BadSchema { pointer, message, kind }])
            }
        }
    }

    /// What of `params`, which are of `size`, does not fit. What is not known yet is taken to fit: that is asked by the JSON
    /// Pointer to the value, and whether it is missing. What it costs is taken from `work`.
    ///
    /// # Errors
    /// Where that is not enough.
    pub fn check(
        &self,
        params: &Value,
        size: ParamsSize,
        is_open: &IsOpen<'_>,
        work: &mut u64,
    ) -> Result<Vec<BadParam>, TooCostly> {
        let cost = self.price.cost(size);
        *work = work.checked_sub(cost).ok_or(TooCostly { is_wrong: false })?;
        if self.validator.is_valid(params) {
            return Ok(Vec::new());
        }
        let pairs = self.price.parts().saturating_mul(size.values());
        let left = work.checked_sub(cost.saturating_mul(PROBLEMS_COST)).filter(|_| pairs <= MAX_PAIRS);
        *work = left.ok_or(TooCostly { is_wrong: true })?;
        let errors = self.validator.iter_errors(params).filter(|error| !is_excused(error, is_open));
        Ok(errors.take(MAX_PROBLEMS).map(|error| bad_param(&error)).collect())
    }
}

/// Whether the value at a JSON Pointer is not known yet; the second argument says that something is missing there, so that
/// what is not known below it counts too.
pub type IsOpen<'a> = dyn Fn(&str, bool) -> bool + 'a;

/// Whether a value that is not known yet could make `error` go away.
fn is_excused(error: &ValidationError<'_>, is_open: &IsOpen<'_>) -> bool {
    if is_open(error.instance_path().as_str(), false) {
        return true;
    }
    let some_branch = |branches: &[Vec<ValidationError<'static>>]| {
        branches.iter().any(|errors| !errors.is_empty() && errors.iter().all(|error| is_excused(error, is_open)))
    };
    match error.kind() {
        ValidationErrorKind::Required { .. }
        | ValidationErrorKind::MinItems { .. }
        | ValidationErrorKind::MinProperties { .. }
        | ValidationErrorKind::Contains => is_open(&place(error), true),
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => some_branch(context),
        _ => false,
    }
}

/// Values are left out of messages: they may be long, and they are not for every log.
fn bad_param(error: &ValidationError<'_>) -> BadParam {
    BadParam { pointer: place(error), message: excerpt(&error.masked_with("the value").to_string()) }
}

/// Where the error is: for a member that is missing, where it should be.
fn place(error: &ValidationError<'_>) -> String {
    let path = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::Required { property: Value::String(name) } => {
            format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
        }
        _ => path.to_owned(),
    }
}

fn excerpt(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}

/// Finds references that lead out of the schema, and nesting beyond what can be compiled.
fn references(schema: &Value, pointer: &mut String, depth: usize, out: &mut Vec<BadSchema>) {
    if depth > MAX_DEPTH {
        let message = format!("the schema is nested deeper than {MAX_DEPTH} levels");
        return out.push(BadSchema { pointer: pointer.clone(), message, kind: BadSchemaKind::Other });
    }
    let length = pointer.len();
    match schema {
        Value::Object(members) => {
            for (key, member) in members {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                match member {
                    Value::String(target) if REFERENCES.contains(&key.as_str()) && !target.starts_with('#') => {
                        let message = format!("`{key}` leads to `{}`, outside of the schema", excerpt(target));
                        out.push(BadSchema { pointer: pointer.clone(), message, kind: BadSchemaKind::Outside });
                    }
                    member => references(member, pointer, depth + 1, out),
                }
                pointer.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointer.push('/');
                pointer.push_str(&index.to_string());
                references(item, pointer, depth + 1, out);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

/// How large a schema is with its references followed. A schema that leads back to itself has no bound: where branches of
/// `oneOf` or `anyOf` do, checking takes twice as long for each level of the value.
struct Expansion<'a> {
    root: &'a Value,
    /// The references that lead here.
    followed: Vec<&'a str>,
    parts: usize,
}

impl<'a> Expansion<'a> {
    /// `named` says that the members are schemas by name, so that their keys are no keywords.
    fn measure(&mut self, schema: &'a Value, named: bool, pointer: &mut String) -> Result<(), Vec<BadSchema>> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(bad(
                pointer,
                format!("with its references followed, the schema has more than {MAX_PARTS} parts"),
            ));
        }
        let length = pointer.len();
        match schema {
            Value::Object(members) => {
                for (key, member) in members {
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                    match (key.as_str(), member) {
                        _ if named => self.measure(member, false, pointer)?,
                        (key, Value::String(target)) if REFERENCES.contains(&key) => self.follow(target, pointer)?,
                        // Counted where they are referred to.
                        ("$defs" | "definitions", _) => {}
                        // Values, not schemas.
                        ("enum" | "const" | "default" | "examples", _) => self.parts += 1,
                        (key, member) => self.measure(member, NAMES.contains(&key), pointer)?,
                    }
                    pointer.truncate(length);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    pointer.push('/');
                    pointer.push_str(&index.to_string());
                    self.measure(item, false, pointer)?;
                    pointer.truncate(length);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn follow(&mut self, target: &'a str, pointer: &mut String) -> Result<(), Vec<BadSchema>> {
        if self.followed.len() >= MAX_DEPTH || self.followed.contains(&target) || target == "#" {
            let problem = "which leads back to itself: a schema must have an end; write its levels out";
            return Err(bad(pointer, format!("the reference leads to `{}`, {problem}", excerpt(target))));
        }
        let found = target.strip_prefix('#').and_then(|path| self.root.pointer(path));
        let Some(found) = found else {
            let problem = "which is no JSON Pointer to a part of the schema, such as `#/$defs/name`";
            return Err(bad(pointer, format!("the reference leads to `{}`, {problem}", excerpt(target))));
        };
        self.followed.push(target);
        self.measure(found, false, pointer)?;
        self.followed.pop();
        Ok(())
    }
}

fn bad(pointer: &str, message: String) -> Vec<BadSchema> {
    vec![BadSchema { pointer: pointer.to_owned(), message, kind: BadSchemaKind::Other }]
}

/// Fetches nothing.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("`{uri}` is not part of the schema, and schemas are not fetched").into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_has_an_end() {
        let message = |schema: Value| ParamsSchema::compile(&schema).map(|_| ()).map_err(|bad| bad[0].message.clone());
        let filter = json!({"oneOf": [
            {"type": "object", "properties": {"or": {"type": "array", "items": {"$ref": "#/$defs/f"}}}},
            {"type": "object", "properties": {"default": {"$ref": "#/$defs/f"}}},
        ]});
        let recursive = json!({"properties": {"filter": {"$ref": "#/$defs/f"}}, "$defs": {"f": filter}});
        assert!(message(recursive).unwrap_err().contains("leads back to itself"));
        assert!(message(json!({"properties": {"default": {"$ref": "#"}}})).unwrap_err().contains("leads back"));
        assert!(message(json!({"$ref": "#/$defs/none"})).unwrap_err().contains("no JSON Pointer"));

        let doubling = |levels: usize| {
            let mut defs = serde_json::Map::new();
            for level in 0..levels {
                let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
                defs.insert(format!("d{level}"), json!({"anyOf": [next, next]}));
            }
            defs.insert(format!("d{levels}"), json!({"type": "string"}));
            json!({"$ref": "#/$defs/d0", "$defs": defs})
        };
        assert!(message(doubling(20)).unwrap_err().contains("parts"));
        assert_eq!(message(doubling(3)), Ok(()));
        let shared = json!({"properties": {"a": {"$ref": "#/$defs/s"}, "b": {"$ref": "#/$defs/s"}},
            "$defs": {"s": {"type": "string", "enum": ["x"]}}});
        assert_eq!(message(shared), Ok(()));
    }
}
