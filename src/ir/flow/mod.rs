//! Data flow: which labels of what was read reach which sensitive arguments.
//!
//! Every argument of a step has an origin: what its `inputs` claim, as far as the claims hold (`claim`), or what was
//! observed (`observed`), or else it is unknown, which means every step that may have run before. Labels of outputs spread
//! along those origins (`spread`); where one reaches a sink that a flow rule keeps it from, that is a violation (`report`).

mod claim;
mod date;
mod handle;
mod index;
mod json;
mod keys;
mod observed;
mod order;
mod origin;
mod pointer;
mod report;
mod selection;
mod spread;
mod text;

#[cfg(test)]
mod tests;

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::model::{Plan, Text, Violation, same_text};
use crate::policy::{CatalogAction, FlowRule, PathPattern};

pub(crate) use index::FULL_WORK;
use order::Order;
use origin::{Evidence, Leaf, Origins, Taken};
use report::{Offence, Reporter};
use selection::Selection;
use spread::{MOST_LABELS, Source, Spread};

/// What is wrong with the data flow of a plan.
#[derive(Debug, Default)]
pub(crate) struct FlowFindings {
    /// One for each rule, step and sink that is violated, with the first argument that is.
    pub(crate) violations: Vec<Violation>,
    /// The highest level of approver that a violated rule asks for.
    pub(crate) required_level: Option<u8>,
    /// Whether comparing took more work than it may: what was not compared counts as not found.
    pub(crate) cut_short: bool,
}

/// Checks the data flow of `plan`. `actions` holds the catalogue's entry of each step's action, `None` for one that no
/// catalogue lists. Texts are compared as far as `work` goes, [`FULL_WORK`] for an answer that counts.
pub(crate) fn check(plan: &Plan, actions: &[Option<&CatalogAction>], rules: &[FlowRule], work: u64) -> FlowFindings {
    let mut findings = FlowFindings::default();
    let labels = distinct(rules.iter().map(|rule| &rule.from));
    if !may_flow(actions, rules, &labels) || actions.len() != plan.steps.len() {
        return findings;
    }
    let order = Order::of(plan);
    let evidence = Evidence::of(plan, &order, actions, work);
    let of = |rank| origin::origins(rank, &order, actions, &evidence);
    // Where the arguments of a step without a sink come from only matters to what passes through it from elsewhere, which is
    // not looked at before something may reach a sink at all. Where nothing is said of them, looking later changes nothing.
    let is_silent = |rank| plan.observations.is_empty() && order.step(rank).inputs.is_empty();
    let mut origins: Vec<Origins<'_>> = Vec::with_capacity(order.len());
    let mut deferred = SmallVec::<[usize; 16]>::new();
    let mut may_offend = false;
    for rank in 0..order.len() {
        let sinks = sinks(actions[order.position(rank)], rules);
        if sinks.is_empty() && is_silent(rank) {
            deferred.push(rank);
            origins.push(Origins::default());
            continue;
        }
        let origin = of(rank);
        let reached = |leaf: &Leaf<'_>| sinks.iter().any(|sink| pointer::reaches(sink, &leaf.path));
        let mut leaves = origin.leaves.iter().filter(|_| !may_offend && !sinks.is_empty());
        may_offend |= leaves.any(|leaf| may_carry(leaf, &origin, &order, actions, &labels) && reached(leaf));
        origins.push(origin);
    }
    if !may_offend {
        findings.cut_short = evidence.work.ran_out();
        return findings;
    }
    for rank in deferred {
        origins[rank] = of(rank);
    }
    for labels in labels.chunks(MOST_LABELS) {
        let sources: Vec<Source> =
            (0..order.len()).map(|rank| Source::of(actions[order.position(rank)], labels)).collect();
        let spread = Spread::over(labels.len(), &sources, &origins, &order);
        let reporter = Reporter { plan, order: &order, actions, origins: &origins, spread: &spread };
        for offence in offences(&reporter, rules, labels) {
            findings.required_level = findings.required_level.max(offence.rule.required_level);
            findings.violations.extend(reporter.violation(&offence));
        }
    }
    findings.violations.sort_by_key(|violation| violation.step_index);
    findings.cut_short = evidence.work.ran_out();
    findings
}

fn distinct<'a>(labels: impl Iterator<Item = &'a Text>) -> Vec<&'a Text> {
    let mut distinct: Vec<&Text> = labels.collect();
    distinct.sort_unstable();
    distinct.dedup();
    distinct
}

/// Whether any step reads what a rule is about and any has a sink: most plans need no more than this.
fn may_flow(actions: &[Option<&CatalogAction>], rules: &[FlowRule], labels: &[&Text]) -> bool {
    let listed = || actions.iter().copied().flatten();
    let reads = |action: &CatalogAction| {
        let mut outputs = action.outputs.iter().flat_map(|output| &output.labels);
        action.labels.iter().any(|label| labels.contains(&label)) || outputs.any(|label| labels.contains(&label))
    };
    let sinks = |action: &CatalogAction| {
        action.parameters.iter().any(|sink| rules.iter().any(|rule| sink.labels.contains(&rule.to)))
    };
    listed().any(reads) && listed().any(sinks)
}

/// The parameters of `action` that a rule keeps a label from.
fn sinks<'a>(action: Option<&'a CatalogAction>, rules: &[FlowRule]) -> SmallVec<[&'a PathPattern; 4]> {
    let is_sink = |labels: &[Text]| rules.iter().any(|rule| labels.iter().any(|label| same_text(label, &rule.to)));
    let parameters = action.map_or(&[][..], |action| &action.parameters);
    parameters.iter().filter(|sink| is_sink(&sink.labels)).map(|sink| &sink.path).collect()
}

/// Whether an argument may carry one of `labels`: not if its origin is known and is the user, a constant, or a declared
/// field that has none of them.
fn may_carry(
    leaf: &Leaf<'_>,
    origins: &Origins<'_>,
    order: &Order<'_>,
    actions: &[Option<&CatalogAction>],
    labels: &[&Text],
) -> bool {
    let is_clean = |taken: &Taken<'_>| {
        let Selection::Field(number) = taken.selection else { return false };
        let output = actions[order.position(taken.from)].and_then(|action| action.outputs.get(number));
        output.is_some_and(|output| !output.labels.iter().any(|label| labels.contains(&label)))
    };
    leaf.doubt(origins).is_some() || !leaf.taken(origins).all(is_clean)
}

/// All sinks that a label reaches against a rule, in the order of the plan.
fn offences<'a>(reporter: &Reporter<'a>, rules: &'a [FlowRule], labels: &[&Text]) -> Vec<Offence<'a>> {
    let mut offences: Vec<Offence<'a>> = Vec::new();
    for (rank, origins) in reporter.origins.iter().enumerate() {
        let Some(action) = reporter.actions[reporter.order.position(rank)] else { continue };
        // Of the rules and sinks of this step: the offence, by both.
        let mut known = HashMap::<(usize, usize), usize, foldhash::fast::FixedState>::default();
        let sinks: Vec<(usize, usize)> = (0..action.parameters.len())
            .flat_map(|sink| (0..rules.len()).map(move |rule| (sink, rule)))
            .filter(|(sink, rule)| action.parameters[*sink].labels.contains(&rules[*rule].to))
            .collect();
        if sinks.is_empty() {
            continue;
        }
        let points = reporter.spread.labels_of_points(origins);
        for leaf in &origins.leaves {
            let carried = reporter.spread.labels_of(rank, origins, &points, leaf);
            let Some(path) = pointer::tokens(&leaf.path).filter(|_| carried != 0) else { continue };
            for (sink, rule_number) in &sinks {
                let rule = &rules[*rule_number];
                let Some(bit) = labels.iter().position(|label| **label == rule.from) else { continue };
                let Ok(bit) = u32::try_from(bit) else { continue };
                if carried & (1 << bit) == 0 || !pointer::touches(&action.parameters[*sink].path, &path) {
                    continue;
                }
                match known.get(&(*sink, *rule_number)) {
                    Some(_) if leaf.is_open => {}
                    Some(number) => offences[*number].more += 1,
                    None => {
                        known.insert((*sink, *rule_number), offences.len());
                        offences.push(Offence { rule, bit, rank, leaf, more: 0 });
                    }
                }
            }
        }
    }
    offences
}
