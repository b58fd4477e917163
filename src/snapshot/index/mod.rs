//! Which rules may concern a request, without looking at the others.
//!
//! Every rule is filed under one of its dimensions (tenant, action, role …), the one that tells it best from other rules:
//! under each of its patterns there, by exact text, literal prefix or literal suffix; or under the values that its
//! condition demands of an attribute. A request probes each table with its own ids and values and gets short sorted lists
//! of rule numbers, which are merged in order. A rule without any usable pattern is in the list of those that every
//! request looks at. Filing is only a sieve: whoever uses the candidates still matches their patterns and evaluates their
//! conditions.

mod candidates;
mod filing;
mod postings;
mod table;
mod values;

pub use candidates::Candidates;

use self::table::Table;
use self::values::ValueTable;
use super::CompiledRule;
use super::dimension::Dimension;
use crate::condition::Bindings;
use crate::model::Layer;

/// The tables of a snapshot.
#[derive(Debug)]
pub struct Index {
    /// Tables of the dimensions under which a rule is filed, no others.
    tables: Box<[(Dimension, Table)]>,
    /// Tables of the attributes under whose values a rule is filed.
    values: Box<[ValueTable]>,
    /// Rules that every request looks at, ascending.
    unfiled: Box<[u32]>,
    /// Rules that those look at besides of whose resource nobody knows the type, ascending.
    untyped: Box<[u32]>,
}

impl Index {
    /// Files `rules`, whose numbers are their positions.
    pub fn build(rules: &[CompiledRule]) -> Self {
        let demands = filing::demands(rules);
        let filed = filing::file(rules, &demands);
        let tables = Dimension::ALL
            .into_iter()
            .zip(filed.by_dimension)
            .filter(|(_, entries)| !entries.is_empty())
            .map(|(dimension, entries)| (dimension, Table::build(entries)))
            .collect();
        let values = filed.by_attribute.into_iter().map(|(path, demands)| ValueTable::build(path, &demands)).collect();
        let untyped =
            rules.iter().zip(0..).filter(|(rule, _)| rule.guards_untyped()).map(|(_, number)| number).collect();
        Self { tables, values, unfiled: filed.unfiled.into_boxed_slice(), untyped }
    }

    /// An index that leaves out none of `count` rules.
    #[cfg(test)]
    pub fn of_all(count: usize) -> Self {
        Self {
            tables: Box::default(),
            values: Box::default(),
            unfiled: (0..).take(count).collect(),
            untyped: Box::default(),
        }
    }

    /// Numbers of the rules that may concern the request of `bindings`, ascending.
    #[inline]
    pub fn candidates<'a>(&'a self, bindings: &Bindings<'_>) -> Candidates<'a> {
        let mut candidates = Candidates::default();
        candidates.add(&self.unfiled);
        for (dimension, table) in &self.tables {
            dimension.ids(bindings.request, |id| table.probe(id, |list| candidates.add(list)));
        }
        for table in &self.values {
            table.probe(bindings, |list| candidates.add(list));
        }
        if bindings.is_resource_type_unknown_to(Layer::System) {
            candidates.add(&self.untyped);
        }
        candidates.finish();
        candidates
    }
}
