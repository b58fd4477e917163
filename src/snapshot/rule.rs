//! One rule, ready to be matched.

use std::sync::Arc;

use super::dimension::Dimension;
use crate::condition::Condition;
use crate::model::{Effect, Layer, Request};
use crate::policy::{Pattern, Policy, Rule, Target};

/// One rule, ready to be matched.
#[derive(Debug)]
pub struct CompiledRule {
    /// What it does.
    pub effect: Effect,
    /// Its layer.
    pub layer: Layer,
    /// Patterns of the request's tenant; `None` means all. Shared by the rules of a policy.
    tenants: Option<Arc<[Pattern]>>,
    /// Its other patterns, those of one dimension side by side.
    patterns: Box<[(Dimension, Pattern)]>,
    /// What must hold besides.
    pub condition: Option<Arc<Condition>>,
}

impl CompiledRule {
    /// The rule of `policy`, whose tenants are `tenants`.
    pub(super) fn new(policy: &Policy, tenants: Option<Arc<[Pattern]>>, rule: &Rule) -> Self {
        let Target { subject_types, subject_ids, roles, actions, resource_types, resource_ids } = &rule.target;
        let lists = [
            (Dimension::Action, actions),
            (Dimension::SubjectType, subject_types),
            (Dimension::SubjectId, subject_ids),
            (Dimension::ResourceType, resource_types),
            (Dimension::ResourceId, resource_ids),
            (Dimension::Role, roles),
        ];
        let patterns = lists.into_iter().flat_map(|(dimension, patterns)| {
            patterns.iter().flatten().map(move |pattern| (dimension, pattern.clone()))
        });
        Self {
            effect: rule.effect,
            layer: policy.layer,
            tenants,
            patterns: patterns.collect(),
            condition: rule.condition.clone(),
        }
    }

    /// Whether every pattern matches `request`. Adds to `work` what it took: one for each pattern compared with an id, and
    /// for globs the places of the id that were tried.
    #[inline]
    #[must_use]
    pub fn concerns(&self, request: &Request, work: &mut usize) -> bool {
        let mut matches = |dimension: Dimension, pattern: &Pattern| dimension.matches(request, pattern, work);
        self.groups().all(|(dimension, group)| group.iter().any(|(_, pattern)| matches(dimension, pattern)))
            && self
                .tenants
                .as_ref()
                .is_none_or(|tenants| tenants.iter().any(|pattern| matches(Dimension::Tenant, pattern)))
    }

    /// Whether it restricts, and names its resources by type and by id, so that it is about those of the id whose type
    /// nobody knows.
    pub(super) fn guards_untyped(&self) -> bool {
        let all = |pattern: &Pattern| matches!(pattern.as_str(), "*" | "**");
        let mut ids = self.patterns(Dimension::ResourceId).peekable();
        self.effect != Effect::Allow
            && self.patterns(Dimension::ResourceType).next().is_some()
            && ids.peek().is_some()
            && !ids.any(all)
    }

    /// Whether it allows, and only what is of a type.
    #[must_use]
    pub fn allows_a_type(&self) -> bool {
        self.effect == Effect::Allow && self.patterns(Dimension::ResourceType).next().is_some()
    }

    /// Whether it [guards](Self::guards_untyped) what has no type, and every other pattern matches `request`, whose resource
    /// has none. The id may begin with a type and a colon.
    #[must_use]
    pub fn concerns_untyped(&self, request: &Request, work: &mut usize) -> bool {
        let id = request.resource.id.as_str();
        let bare = id.split_once(':').map_or("", |(_, bare)| bare);
        let mut matches = |dimension: Dimension, pattern: &Pattern| match dimension {
            Dimension::ResourceType => true,
            Dimension::ResourceId => {
                pattern.matches_counting(id, work) || (!bare.is_empty() && pattern.matches_counting(bare, work))
            }
            _ => dimension.matches(request, pattern, work),
        };
        let tenants = self.tenants.as_deref().unwrap_or_default();
        self.guards_untyped()
            && self.groups().all(|(dimension, group)| group.iter().any(|(_, pattern)| matches(dimension, pattern)))
            && (tenants.is_empty() || tenants.iter().any(|pattern| matches(Dimension::Tenant, pattern)))
    }

    /// The first pattern list that does not match `request`, as words for an explanation. Adds to `work` what it took.
    #[must_use]
    pub fn first_mismatch(&self, request: &Request, work: &mut usize) -> Option<String> {
        let tenants = self.tenants.as_deref().map(|tenants| (Dimension::Tenant, tenants.iter().collect::<Vec<_>>()));
        let others = self.groups().map(|(dimension, group)| (dimension, group.iter().map(|(_, one)| one).collect()));
        let mut lists = tenants.into_iter().chain(others);
        let (dimension, patterns) = lists
            .find(|(dimension, patterns)| !patterns.iter().any(|pattern| dimension.matches(request, pattern, work)))?;
        let (field, patterns) = (dimension.field(), list(&patterns));
        Some(match dimension.id(request) {
            Some(id) => format!("{field} {patterns} does not match `{id}`"),
            None => format!("{field} {patterns} matches none of {:?}", request.subject.roles),
        })
    }

    /// The patterns of one dimension; none where the rule has none there.
    pub(super) fn patterns(&self, dimension: Dimension) -> impl Iterator<Item = &Pattern> {
        let tenants = self.tenants.as_deref().filter(|_| dimension == Dimension::Tenant).unwrap_or_default();
        let others = self.patterns.iter().filter(move |(of, _)| *of == dimension).map(|(_, pattern)| pattern);
        tenants.iter().chain(others)
    }

    /// The patterns dimension by dimension, tenants left out.
    #[inline]
    fn groups(&self) -> impl Iterator<Item = (Dimension, &[(Dimension, Pattern)])> {
        let groups = self.patterns.chunk_by(|(one, _), (other, _)| one == other);
        groups.filter_map(|group| Some((group.first()?.0, group)))
    }
}

/// Most patterns that an explanation shows of a list.
const SHOWN_PATTERNS: usize = 5;

fn list(patterns: &[&Pattern]) -> String {
    let shown: Vec<&str> = patterns.iter().take(SHOWN_PATTERNS).map(|pattern| pattern.as_str()).collect();
    let more = if patterns.len() > SHOWN_PATTERNS { ", …" } else { "" };
    format!("[{}{more}]", shown.join(", "))
}
