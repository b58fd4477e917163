//! Paths of a step's params that are bound to the output of another step.

use smallvec::SmallVec;

use super::{Attributes, Input, Origin, Step, Value};

/// JSON Pointers, relative to one value, of what is bound to a step's output. What stands there before the plan has run is
/// a preview and no content.
///
/// INVARIANT: each is empty or begins with a slash; sorted by [`tokens`], each once, so that those of one key lie side by
/// side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoundPaths<'a>(SmallVec<[&'a str; 4]>);

/// The bound paths of `step`, relative to its params.
#[must_use]
pub fn bound_paths(step: &Step) -> BoundPaths<'_> {
    let is_bound = |input: &&Input| matches!(input.origin, Origin::Step { .. });
    if !step.inputs.iter().any(|input| is_bound(&input)) {
        return BoundPaths::default();
    }
    let bound = step.inputs.iter().filter(is_bound);
    let mut paths: SmallVec<[&str; 4]> =
        bound.map(|input| input.path.as_str()).filter(|path| path.is_empty() || path.starts_with('/')).collect();
    paths.sort_unstable_by(|a, b| tokens(a).cmp(tokens(b)));
    paths.dedup();
    BoundPaths(paths)
}

/// The reference tokens of a JSON Pointer, escaped as they are; none for the empty one.
fn tokens(pointer: &str) -> impl Iterator<Item = &str> {
    pointer.split('/').skip(1)
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
        self.0.first().is_some_and(|pointer| pointer.is_empty())
    }

    /// The first tokens of the paths, escaped as they are, each once.
    #[must_use]
    pub fn heads(&self) -> Vec<&'a str> {
        let mut heads: Vec<&str> = self.0.iter().filter_map(|pointer| tokens(pointer).next()).collect();
        heads.dedup();
        heads
    }

    /// The paths, by their tokens: what is above stands before what is below, and those of one key side by side.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().copied()
    }

    /// The bound paths relative to the value at `key` of a map.
    #[must_use]
    pub fn at_key(&self, key: &str) -> BoundPaths<'a> {
        if self.is_empty() {
            BoundPaths::default()
        } else if key.contains(['~', '/']) {
            self.below(&key.replace('~', "~0").replace('/', "~1"))
        } else {
            self.below(key)
        }
    }

    /// The bound paths relative to the item at `index` of a list.
    #[must_use]
    pub fn at_index(&self, index: usize) -> BoundPaths<'a> {
        if self.is_empty() { BoundPaths::default() } else { self.below(itoa::Buffer::new().format(index)) }
    }

    fn below(&self, token: &str) -> BoundPaths<'a> {
        let first = |pointer: &&'a str| tokens(pointer).next();
        let start = self.0.partition_point(|pointer| first(pointer) < Some(token));
        let same = self.0[start..].iter().take_while(|pointer| first(pointer) == Some(token));
        BoundPaths(same.map(|pointer| &pointer[1 + token.len()..]).collect())
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

/// `params` without what stands at `bound`; `None` where nothing does. What is left is what the canonical form holds: items
/// of lists keep their places, as null, unless nothing comes after them.
#[must_use]
pub fn without_previews(params: &Attributes, bound: &BoundPaths<'_>) -> Option<Attributes> {
    if bound.is_empty() || !holds_preview_in_map(params, bound) {
        return None;
    }
    Some(stripped_map(params, bound))
}

fn holds_preview_in_map(map: &Attributes, bound: &BoundPaths<'_>) -> bool {
    bound.is_bound() || map.iter().any(|(key, value)| holds_preview(value, &bound.at_key(key)))
}

fn holds_preview(value: &Value, bound: &BoundPaths<'_>) -> bool {
    bound.leave_nothing_of(value)
        || match value {
            Value::Map(map) if !bound.is_empty() => holds_preview_in_map(map, bound),
            Value::List(items) if !bound.is_empty() => {
                items.iter().enumerate().any(|(i, item)| holds_preview(item, &bound.at_index(i)))
            }
            _ => false,
        }
}

fn stripped_map(map: &Attributes, bound: &BoundPaths<'_>) -> Attributes {
    if bound.is_bound() {
        return Attributes::default();
    }
    let kept = map.iter().filter_map(|(key, value)| Some((key.clone(), stripped(value, &bound.at_key(key))?)));
    // The keys differ, so that this cannot fail.
    Attributes::from_entries(kept.collect()).unwrap_or_default()
}

/// What is left of a value, if anything is.
fn stripped(value: &Value, bound: &BoundPaths<'_>) -> Option<Value> {
    if bound.leave_nothing_of(value) {
        return None;
    }
    Some(match value {
        Value::Map(map) if !bound.is_empty() => Value::Map(stripped_map(map, bound)),
        Value::List(items) if !bound.is_empty() => {
            let items = items.iter().enumerate().map(|(i, item)| stripped(item, &bound.at_index(i)));
            let mut items: Vec<Option<Value>> = items.collect();
            let kept = items.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
            items.truncate(kept);
            Value::List(items.into_iter().map(|item| item.unwrap_or(Value::Null)).collect())
        }
        _ => value.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn keys_are_matched_escaped() {
        for (path, key, same) in [
            ("/a", "a", true),
            ("/a", "ab", false),
            ("/ab", "a", false),
            ("/a~1b", "a/b", true),
            ("/a~0b", "a~b", true),
            ("/~01", "~1", true),
            ("/~1", "~1", false),
            ("/a~2", "a~2", false),
            ("/~0é", "~é", true),
            ("/", "", true),
            ("", "", false),
        ] {
            let mut step = Step::default();
            assert_eq!(bound(&mut step, &[path]).at_key(key).is_bound(), same, "{path} {key}");
        }
    }

    #[test]
    fn neighbours_are_told_apart() {
        let mut step = Step::default();
        let paths = bound(&mut step, &["/a/c", "/a-b", "/a", "/a/b", "/b/a", "/a"]);
        assert!(paths.at_key("a").is_bound());
        assert!(paths.at_key("a").at_key("b").is_bound() && paths.at_key("a").at_key("c").is_bound());
        assert!(paths.at_key("a-b").is_bound());
        assert!(!paths.at_key("b").is_bound() && paths.at_key("b").at_key("a").is_bound());
        assert!(paths.at_key("").is_empty());
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
