//! Why: what became of each rule that the request could have concerned.

use crate::condition::{Bindings, Budget};
use crate::model::{Explanation, Limits, Request, RuleExplanation, RuleLabel, RuleOutcome, Text, Timestamp, Value};
use crate::snapshot::{CompiledRule, Snapshot};

/// Bytes of attribute values that an explanation shows. Many rules may read the same large attribute, and the answer would
/// be many times as large as the question.
const MAX_VALUE_BYTES: usize = 64 * 1024;
/// Bytes of values whose copying costs one unit of the budget.
const BYTES_PER_UNIT: usize = 16;

/// Looks at every rule, whether or not another settled the answer. Costs as much as all conditions together, so it has a
/// budget of its own; rules beyond it, or beyond the limit on rules, and values beyond theirs are left out and `truncated`
/// says so.
pub fn explain(snapshot: &Snapshot, request: &Request, now: Timestamp, limits: &Limits) -> Explanation {
    let bindings = Bindings::of_request(request, now);
    let mut budget = Budget { remaining: super::evaluation_cost(snapshot, limits) };
    // By what became of them: matched, failed, condition false, pattern mismatch.
    let mut groups: [Vec<RuleExplanation>; 4] = Default::default();
    let mut truncated = false;
    for (rule, label) in snapshot.rules().iter().zip(&snapshot.label().rules) {
        let Some((group, entry)) = look_at(rule, label, &bindings, &mut budget) else {
            truncated = true;
            continue;
        };
        let kept = groups.get_mut(group).filter(|kept| kept.len() < limits.explained_rules);
        match kept {
            Some(kept) => kept.push(entry),
            None => truncated = true,
        }
    }
    let mut rules: Vec<RuleExplanation> = groups.into_iter().flatten().collect();
    truncated |= rules.len() > limits.explained_rules;
    rules.truncate(limits.explained_rules);
    truncated |= leave_out_values(&mut rules, MAX_VALUE_BYTES);
    Explanation { rules, truncated }
}

/// Empties the values of the rules that have no room in `most` bytes; `true` if there are such.
fn leave_out_values(rules: &mut [RuleExplanation], most: usize) -> bool {
    let mut room = most;
    let mut truncated = false;
    for rule in rules {
        match room.checked_sub(bytes_of(rule)) {
            Some(left) => room = left,
            None => {
                rule.values = Vec::new();
                truncated = true;
            }
        }
    }
    truncated
}

/// What the values of a rule take, about.
fn bytes_of(rule: &RuleExplanation) -> usize {
    rule.values.iter().filter_map(|explained| explained.value.as_ref()).map(value_bytes).sum()
}

fn value_bytes(value: &Value) -> usize {
    let inner = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().map(value_bytes).sum(),
        Value::Map(map) => map.iter().map(|(key, value)| key.len() + value_bytes(value)).sum(),
    };
    size_of::<Value>() + inner
}

/// What became of one rule and the group that it belongs to; `None` where the budget ran out.
fn look_at(
    rule: &CompiledRule,
    label: &RuleLabel,
    bindings: &Bindings<'_>,
    budget: &mut Budget,
) -> Option<(usize, RuleExplanation)> {
    let entry = |outcome, clause: Text| RuleExplanation {
        policy: label.policy.clone(),
        rule: label.rule.clone(),
        layer: label.layer,
        effect: label.effect,
        priority: label.priority,
        outcome,
        clause,
        values: Vec::new(),
        error: Text::default(),
    };
    let mut work = 0;
    let mismatch = rule.first_mismatch(bindings.request, &mut work);
    budget.charge(work.div_ceil(super::PLACES_PER_UNIT)).ok()?;
    if let Some(mismatch) = mismatch {
        return Some((3, entry(RuleOutcome::NotMatched, mismatch.into())));
    }
    let Some(condition) = &rule.condition else {
        return Some((0, entry(RuleOutcome::Matched, Text::default())));
    };
    if budget.remaining == 0 {
        return None;
    }
    let explained = condition.explain(bindings, budget);
    let (group, outcome, error) = match explained.result {
        Ok(true) => (0, RuleOutcome::Matched, Text::default()),
        Ok(false) => (2, RuleOutcome::NotMatched, Text::default()),
        Err(error) => (1, RuleOutcome::Error, error.to_string().into()),
    };
    let entry = RuleExplanation { values: explained.values, error, ..entry(outcome, explained.clause) };
    let copied = bytes_of(&entry) / BYTES_PER_UNIT;
    budget.remaining = budget.remaining.saturating_sub(copied as u64);
    Some((group, entry))
}
