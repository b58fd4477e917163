//! Paths of a step's params that are bound to the output of another step.

use smallvec::SmallVec;

use crate::model::{Origin, Step, Value};

/// JSON Pointers, relative to one value, of what is bound to a step's output. What stands there before the plan has run is
/// a preview and no content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoundPaths<'a>(SmallVec<[&'a str; 4]>);

/// The bound paths of `step`, relative to its params.
#[must_use]
pub fn bound_paths(step: &Step) -> BoundPaths<'_> {
    let bound = step.inputs.iter().filter(|input| matches!(input.origin, Origin::Step { .. }));
    BoundPaths(bound.map(|input| input.path.as_str()).filter(|path| path.is_empty() || path.starts_with('/')).collect())
}

impl<'a> BoundPaths<'a> {
    /// Whether nothing at or below the value is bound.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the value itself is bound, and with it all below.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.0.iter().any(|pointer| pointer.is_empty())
    }

    /// The bound paths relative to the value at `key` of a map.
    #[must_use]
    pub fn at_key(&self, key: &str) -> BoundPaths<'a> {
        self.below(|token| token_is(token, key))
    }

    /// The bound paths relative to the item at `index` of a list.
    #[must_use]
    pub fn at_index(&self, index: usize) -> BoundPaths<'a> {
        let mut buffer = itoa::Buffer::new();
        let index = buffer.format(index);
        self.below(|token| token == index)
    }

    fn below(&self, matches: impl Fn(&str) -> bool) -> BoundPaths<'a> {
        let mut below = SmallVec::new();
        for pointer in &self.0 {
            let Some(rest) = pointer.strip_prefix('/') else { continue };
            let end = rest.find('/').unwrap_or(rest.len());
            if matches(&rest[..end]) {
                below.push(&rest[end..]);
            }
        }
        BoundPaths(below)
    }

    /// Whether `value`, which these paths are relative to, holds no content: it is bound, or is a container on the way to
    /// bound paths that holds nothing else.
    #[must_use]
    pub fn leave_nothing_of(&self, value: &Value) -> bool {
        if self.is_empty() {
            return false;
        }
        self.is_bound()
            || match value {
                Value::Map(map) => map.iter().all(|(key, value)| self.at_key(key).leave_nothing_of(value)),
                Value::List(items) => items.iter().enumerate().all(|(i, item)| self.at_index(i).leave_nothing_of(item)),
                _ => false,
            }
    }
}

/// Whether `token`, escaped as in a JSON Pointer, names `key`.
fn token_is(token: &str, key: &str) -> bool {
    if !token.contains('~') {
        return token == key;
    }
    let mut rest = key;
    let mut parts = token.split('~');
    let matches_start = parts.next().is_some_and(|part| {
        rest.strip_prefix(part).is_some_and(|after| {
            rest = after;
            true
        })
    });
    matches_start
        && parts.all(|part| {
            let unescaped = match part.as_bytes().first() {
                Some(b'0') => '~',
                Some(b'1') => '/',
                _ => return false,
            };
            let after = rest.strip_prefix(unescaped).and_then(|after| after.strip_prefix(&part[1..]));
            after.is_some_and(|after| {
                rest = after;
                true
            })
        })
        && rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attributes, Input};

    fn bound<'a>(step: &'a mut Step, paths: &[&str]) -> BoundPaths<'a> {
        step.inputs = paths
            .iter()
            .map(|path| Input {
                path: (*path).into(),
                origin: Origin::Step { step_id: "a".into(), output_path: "".into() },
            })
            .collect();
        bound_paths(step)
    }

    #[test]
    fn tokens_are_unescaped() {
        for (token, key, same) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a~1b", "a/b", true),
            ("a~0b", "a~b", true),
            ("~01", "~1", true),
            ("~0~1~", "~/~", false),
            ("a~2", "a~2", false),
            ("~1", "~1", false),
            ("~0x~1y", "~x/y", true),
            ("~0x~1y", "~x/yz", false),
            ("~0é", "~é", true),
        ] {
            assert_eq!(token_is(token, key), same, "{token} {key}");
        }
    }

    #[test]
    fn paths_are_followed() {
        let mut step = Step::default();
        let paths = bound(&mut step, &["/a/0/b", "/c", "nonsense"]);
        assert!(!paths.is_bound() && !paths.is_empty());
        assert!(paths.at_key("c").is_bound());
        assert!(paths.at_key("a").at_index(0).at_key("b").is_bound());
        assert!(paths.at_key("a").at_index(1).is_empty());
        assert!(paths.at_key("nonsense").is_empty());
    }

    #[test]
    fn containers_of_bound_values_only_are_no_content() {
        let value = |json: &str| {
            Value::Map(Attributes::try_from(&serde_json::from_str(json).expect("JSON")).expect("attributes"))
        };
        let mut step = Step::default();
        let paths = bound(&mut step, &["/a/b"]);
        for (json, nothing) in [
            (r#"{}"#, true),
            (r#"{"a": {}}"#, true),
            (r#"{"a": {"b": 1}}"#, true),
            (r#"{"a": {"b": 1, "c": 1}}"#, false),
            (r#"{"a": 1}"#, false),
            (r#"{"d": {}}"#, false),
        ] {
            assert_eq!(paths.leave_nothing_of(&value(json)), nothing, "{json}");
        }
    }
}
