//! A set of names: patterns that an operator wrote, names that an issuer vouches for, or both.

use crate::model::{Text, default_tenant, same_text};
use crate::policy::Pattern;

/// A set of names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Names {
    any: bool,
    /// Whether the default tenant is one of them, which most questions ask.
    default_tenant: bool,
    exact: Box<[Text]>,
    patterns: Box<[Pattern]>,
}

impl Names {
    /// Every name.
    #[must_use]
    pub fn any() -> Self {
        Self { any: true, default_tenant: true, ..Self::default() }
    }

    /// No name.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Exactly these names; nothing in them is special.
    #[must_use]
    pub fn exactly(names: impl IntoIterator<Item = Text>) -> Self {
        Self { exact: names.into_iter().collect(), ..Self::default() }.looked_at()
    }

    /// The names that match one of `patterns`.
    #[must_use]
    pub fn matching(patterns: &[Pattern]) -> Self {
        let (exact, globs): (Vec<_>, Vec<_>) = patterns.iter().cloned().partition(Pattern::is_exact);
        Self {
            any: globs.iter().any(|pattern| pattern.as_str() == "**"),
            exact: exact.iter().map(|pattern| Text::from(pattern.as_str())).collect(),
            patterns: globs.into(),
            default_tenant: false,
        }
        .looked_at()
    }

    fn looked_at(self) -> Self {
        Self { default_tenant: self.contains(default_tenant()), ..self }
    }

    /// Whether `tenant` is one of them, which is empty for the default one.
    #[inline]
    #[must_use]
    pub fn contains_tenant(&self, tenant: &str) -> bool {
        if tenant.is_empty() { self.default_tenant } else { self.contains(tenant) }
    }

    /// Whether `name` is one of them.
    #[inline]
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.any
            || self.exact.iter().any(|exact| same_text(exact, name))
            || self.patterns.iter().any(|pattern| pattern.matches(name))
    }

    /// Whether it is every name.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.any
    }

    /// The names as one would write them, for messages and system policies.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let written = self.exact.iter().map(Text::as_str).chain(self.patterns.iter().map(Pattern::as_str));
        let any = (self.any && self.exact.is_empty() && self.patterns.is_empty()).then_some("**");
        written.chain(any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contains_what_it_says() {
        let patterns = |texts: &[&str]| {
            let patterns: Vec<_> = texts.iter().map(|text| Pattern::parse(text).unwrap()).collect();
            Names::matching(&patterns)
        };
        let cases = [
            (Names::any(), "x", true),
            (Names::none(), "x", false),
            (Names::none(), "", false),
            (Names::exactly(["*".into()]), "x", false),
            (Names::exactly(["*".into()]), "*", true),
            (patterns(&["agent-*", "tool"]), "agent-7", true),
            (patterns(&["agent-*", "tool"]), "tool", true),
            (patterns(&["agent-*", "tool"]), "tools", false),
            (patterns(&["**"]), "any/thing", true),
        ];
        for (names, name, expected) in cases {
            assert_eq!(names.contains(name), expected, "{names:?} {name}");
        }
        for (names, default) in [
            (Names::any(), true),
            (Names::none(), false),
            (Names::exactly(["default".into()]), true),
            (Names::exactly(["acme".into()]), false),
            (patterns(&["def*"]), true),
            (patterns(&["**"]), true),
            (patterns(&["acme"]), false),
        ] {
            assert_eq!(names.contains_tenant(""), default, "{names:?}");
            assert_eq!(names.contains_tenant("default"), default, "{names:?}");
        }
        assert_eq!(patterns(&["agent-*", "tool"]).iter().collect::<Vec<_>>(), ["tool", "agent-*"]);
        assert_eq!(Names::any().iter().collect::<Vec<_>>(), ["**"]);
    }
}
