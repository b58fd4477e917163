//! The nodes of a DAG against the steps of a plan.

use std::borrow::Cow;

use hashbrown::{HashMap, HashSet};

use super::Steps;
use super::diff::changed_paths;
use super::links::{Ancestors, comes_after, content_of_edges, is_wired_as, takes_from};
use super::order::moved;
use super::redeemed::Authority;
use crate::ir::hash::step_hash;
use crate::model::{
    Compared, DagNode, DagVerification, Deviation, DeviationKind, HashMismatch, MalformedNode, Ordering, Step, Text,
    has_forbidden_character,
};

/// Compares what each node is, which it waits for and in which order they run. `called` says that there are calls, which
/// show the order of a sequence where the nodes do not.
pub(super) fn compare(
    steps: &Steps<'_>,
    nodes: &[DagNode],
    called: bool,
    authority: Authority<'_>,
    found: &mut DagVerification,
) {
    let with_content = nodes.iter().filter(|node| node.content.is_some()).count();
    found.compared = match with_content {
        _ if with_content == nodes.len() => Compared::Content,
        0 => Compared::DeclaredHashes,
        _ => Compared::Mixed,
    };
    let mut seen = HashSet::new();
    let mut repeated = HashSet::new();
    for (index, node) in nodes.iter().enumerate() {
        if let Err(reason) = well_formed(node) {
            malformed(index, reason, found);
        }
        if node.ir_step_id.is_empty() {
            continue;
        }
        if !seen.insert(&node.ir_step_id) && repeated.insert(&node.ir_step_id) {
            found.duplicates.push(node.ir_step_id.clone());
        }
        match steps.by_id.get(&node.ir_step_id) {
            Some(step) => {
                compare_node(steps, *step, index, node, found);
                let id = &node.ir_step_id;
                let content = node.content.as_ref();
                if let Some(message) =
                    content.and_then(|content| authority.objection_to_node(id, steps.step(*step), content))
                {
                    found.deviations.push(Deviation {
                        kind: DeviationKind::ChangedParams,
                        step_id: id.clone(),
                        execution_seq: None,
                        message,
                    });
                }
            }
            None if !found.extra_nodes.contains(&node.ir_step_id) => found.extra_nodes.push(node.ir_step_id.clone()),
            None => {}
        }
    }
    found.missing_steps.extend(steps.ids.iter().filter(|id| !seen.contains(id)).cloned());
    compare_order(steps, nodes, called, found);
}

fn malformed(index: usize, reason: impl Into<String>, found: &mut DagVerification) {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    found.malformed.push(MalformedNode { index, reason: reason.into() });
}

fn well_formed(node: &DagNode) -> Result<(), String> {
    if node.ir_step_id.is_empty() {
        return Err("`ir_step_id` is missing".to_owned());
    }
    if has_forbidden_character(&node.ir_step_id) {
        return Err("`ir_step_id` holds a character that no id may hold".to_owned());
    }
    if node.ir_step_hash.is_empty() {
        return Err("`ir_step_hash` is missing".to_owned());
    }
    let digits = node.ir_step_hash.strip_prefix("sha256:").unwrap_or_default();
    if digits.len() != 64 || !digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err("`ir_step_hash` is not `sha256:` and 64 lower-case hexadecimal digits".to_owned());
    }
    match &node.content {
        Some(content) if !content.step_id.is_empty() && content.step_id != node.ir_step_id => {
            Err(format!("`content.step_id` is {:?}, and `ir_step_id` is {:?}", content.step_id, node.ir_step_id))
        }
        _ => Ok(()),
    }
}

fn compare_node(steps: &Steps<'_>, step: usize, index: usize, node: &DagNode, found: &mut DagVerification) {
    let expected = &steps.hashes[step];
    let step = steps.step(step);
    let mut mismatch = |actual: &Text, changed_paths: Vec<String>| {
        found.hash_mismatches.push(HashMismatch {
            step_id: node.ir_step_id.clone(),
            expected: expected.clone(),
            actual: actual.clone(),
            changed_paths,
        });
    };
    match &node.content {
        Some(content) => {
            let content = completed(steps, step, node, content);
            match step_hash(&content) {
                Ok(hash) if hash != *expected => mismatch(&hash, changed_paths(step, &content)),
                Ok(_) if node.ir_step_hash != *expected => mismatch(&node.ir_step_hash, Vec::new()),
                Ok(_) => {}
                Err(refusals) => {
                    for refusal in refusals {
                        let path = refusal.path.strip_prefix("steps[0].").unwrap_or(&refusal.path);
                        malformed(index, format!("content.{path}: {}", refusal.reason), found);
                    }
                }
            }
        }
        None if node.ir_step_hash != *expected => mismatch(&node.ir_step_hash, Vec::new()),
        None => {}
    }
    let rewired = match steps.plan.ordering {
        Ordering::Dag => !is_wired_as(step, &node.depends_on),
        Ordering::Sequential => node.depends_on.iter().any(|id| !comes_before(steps, id, &node.ir_step_id)),
    };
    if rewired && !found.rewired.contains(&node.ir_step_id) {
        found.rewired.push(node.ir_step_id.clone());
    }
}

/// The content with what an executor may keep on the node alone: the id, and in a DAG the dependencies. An edge to a step
/// whose output it takes is content only where the step depends on it too.
fn completed<'c>(steps: &Steps<'_>, step: &Step, node: &DagNode, content: &'c Step) -> Cow<'c, Step> {
    let mut content = Cow::Borrowed(content);
    if content.step_id.is_empty() && !step.step_id.is_empty() {
        content.to_mut().step_id = node.ir_step_id.clone();
    }
    if content.depends_on.is_empty() && !node.depends_on.is_empty() && steps.plan.ordering == Ordering::Dag {
        let edges = content_of_edges(step, &node.depends_on);
        if !edges.is_empty() {
            content.to_mut().depends_on = edges;
        }
    }
    content
}

/// Whether a sequence has the step `first` before the step `second`.
fn comes_before(steps: &Steps<'_>, first: &str, second: &str) -> bool {
    matches!((steps.by_id.get(first), steps.by_id.get(second)), (Some(first), Some(second)) if first < second)
}

fn compare_order(steps: &Steps<'_>, nodes: &[DagNode], called: bool, found: &mut DagVerification) {
    let numbered = nodes.iter().filter(|node| node.seq.is_some()).count();
    if numbered != 0 && numbered != nodes.len() {
        for (index, _) in nodes.iter().enumerate().filter(|(_, node)| node.seq.is_none()) {
            malformed(index, "`seq` is missing, and other nodes have one", found);
        }
        return;
    }
    match steps.plan.ordering {
        Ordering::Sequential => sequence(steps, nodes, numbered > 0, called, found),
        Ordering::Dag if numbered > 0 => {
            let seqs: HashMap<&Text, Option<u64>> = nodes.iter().map(|node| (&node.ir_step_id, node.seq)).collect();
            for node in nodes {
                let Some(step) = steps.by_id.get(&node.ir_step_id) else { continue };
                let before = |id: &Text| seqs.get(id).is_none_or(|seq| *seq < node.seq);
                if !comes_after(steps.step(*step)).all(before) {
                    found.reordered.push(node.ir_step_id.clone());
                }
            }
        }
        Ordering::Dag => inputs_are_waited_for(steps, nodes, found),
    }
}

/// A node that takes the output of another waits for it, directly or through others.
fn inputs_are_waited_for(steps: &Steps<'_>, nodes: &[DagNode], found: &mut DagVerification) {
    let takes = |node: &DagNode| {
        let step = *steps.by_id.get(&node.ir_step_id)?;
        takes_from(steps.step(step)).next().map(|_| step)
    };
    if !nodes.iter().any(|node| takes(node).is_some()) {
        return;
    }
    let ancestors = Ancestors::of(steps, nodes);
    for node in nodes {
        let Some(step) = takes(node) else { continue };
        let waited_for = |id: &Text| steps.by_id.get(id).is_none_or(|earlier| ancestors.has(step, *earlier));
        if !takes_from(steps.step(step)).all(waited_for) && !found.rewired.contains(&node.ir_step_id) {
            found.rewired.push(node.ir_step_id.clone());
        }
    }
}

/// The order of a sequence: by number, by edges, or else by the calls that were made. A list alone leaves it open.
fn sequence(steps: &Steps<'_>, nodes: &[DagNode], numbered: bool, called: bool, found: &mut DagVerification) {
    if !numbered && (called || is_chain(steps, nodes)) {
        return;
    }
    let mut order: Vec<&DagNode> = nodes.iter().collect();
    order.sort_by_key(|node| node.seq);
    let known: Vec<(usize, &Text)> =
        order.iter().filter_map(|node| Some((*steps.by_id.get(&node.ir_step_id)?, &node.ir_step_id))).collect();
    // One node a step: the others are duplicates already.
    let mut seen = HashSet::new();
    let known: Vec<_> = known.into_iter().filter(|(place, _)| seen.insert(*place)).collect();
    let places: Vec<usize> = known.iter().map(|(place, _)| *place).collect();
    let moved = moved(&places);
    if !numbered && moved.is_empty() && known.len() > 1 {
        found.deviations.push(Deviation {
            kind: DeviationKind::OrderUnknown,
            step_id: Text::default(),
            execution_seq: None,
            message:
                "nothing says in which order the nodes run; number them with `seq`, let each wait for the one before \
                      it in `depends_on`, or send the executions too"
                    .to_owned(),
        });
    }
    found.reordered.extend(moved.into_iter().map(|i| known[i].1.clone()));
    equal_seqs(&order, found);
}

/// Whether the node of every step waits for that of the step before it.
fn is_chain(steps: &Steps<'_>, nodes: &[DagNode]) -> bool {
    let by_id: HashMap<&Text, &DagNode> = nodes.iter().map(|node| (&node.ir_step_id, node)).collect();
    let waits = |pair: &[Text]| by_id.get(&pair[1]).is_none_or(|node| node.depends_on.contains(&pair[0]));
    steps.ids.windows(2).all(waits)
}

/// In a sequence no two steps run at once.
fn equal_seqs(order: &[&DagNode], found: &mut DagVerification) {
    for pair in order.windows(2) {
        if pair[0].seq.is_some() && pair[0].seq == pair[1].seq && pair[0].ir_step_id != pair[1].ir_step_id {
            found.reordered.push(pair[1].ir_step_id.clone());
        }
    }
}
