//! Which rules may concern a request, without looking at the others.
//!
//! Every rule is filed under one of its dimensions (tenant, action, role …), the one that tells it best from other rules:
//! under each of its patterns there, by exact text, literal prefix or literal suffix. A request probes each table with its
//! own ids and gets short sorted lists of rule numbers, which are merged in order. A rule without any usable pattern is in
//! the list of those that every request looks at. Filing is only a sieve: whoever uses the candidates still matches their
//! patterns.

mod candidates;
mod filing;
mod table;

pub use candidates::Candidates;
use smallvec::SmallVec;

use self::candidates::Lists;
use self::table::Table;
use super::CompiledRule;
use crate::model::Request;
use crate::policy::Pattern;

/// A part of the request that patterns are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Dimension {
    Action,
    ResourceId,
    SubjectId,
    Role,
    ResourceType,
    SubjectType,
    Tenant,
}

impl Dimension {
    const ALL: [Self; 7] = [
        Self::Action,
        Self::ResourceId,
        Self::SubjectId,
        Self::Role,
        Self::ResourceType,
        Self::SubjectType,
        Self::Tenant,
    ];

    /// The patterns that `rule` has in this dimension.
    fn patterns(self, rule: &CompiledRule) -> Option<&[Pattern]> {
        let target = &rule.target;
        match self {
            Self::Action => target.actions.as_deref(),
            Self::ResourceId => target.resource_ids.as_deref(),
            Self::SubjectId => target.subject_ids.as_deref(),
            Self::Role => target.roles.as_deref(),
            Self::ResourceType => target.resource_types.as_deref(),
            Self::SubjectType => target.subject_types.as_deref(),
            Self::Tenant => rule.tenants.as_deref(),
        }
    }

    /// Calls `probe` with each id that `request` has in this dimension.
    fn ids<'a>(self, request: &'a Request, mut probe: impl FnMut(&'a str)) {
        match self {
            Self::Action => probe(&request.action.name),
            Self::ResourceId => probe(&request.resource.id),
            Self::SubjectId => probe(&request.subject.id),
            Self::Role => request.subject.roles.iter().for_each(|role| probe(role)),
            Self::ResourceType => probe(&request.resource.kind),
            Self::SubjectType => probe(&request.subject.kind),
            Self::Tenant => probe(request.tenant()),
        }
    }
}

/// The tables of a snapshot.
#[derive(Debug)]
pub struct Index {
    /// Tables of the dimensions under which a rule is filed, no others.
    tables: SmallVec<[(Dimension, Table); 7]>,
    /// Rules that every request looks at, ascending.
    unfiled: Box<[u32]>,
}

impl Index {
    /// Files `rules`, whose numbers are their positions.
    pub fn build(rules: &[CompiledRule]) -> Self {
        let filed = filing::file(rules);
        let tables = Dimension::ALL
            .into_iter()
            .zip(filed.by_dimension)
            .filter(|(_, entries)| !entries.is_empty())
            .map(|(dimension, entries)| (dimension, Table::build(entries)))
            .collect();
        Self { tables, unfiled: filed.unfiled.into_boxed_slice() }
    }

    /// Numbers of the rules that may concern `request`, ascending.
    pub fn candidates<'a>(&'a self, request: &'a Request) -> Candidates<'a> {
        let mut lists = Lists::default();
        if !self.unfiled.is_empty() {
            lists.push(&self.unfiled);
        }
        for (dimension, table) in &self.tables {
            dimension.ids(request, |id| table.probe(id, |list| lists.push(list)));
        }
        Candidates::merge(lists)
    }
}
