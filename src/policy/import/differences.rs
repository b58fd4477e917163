//! Where the predecessor combined rules differently.

use crate::diag::{Finding, Findings};

use super::read::{OldPolicy, OldRule};

/// Reports rules whose interplay means something else here.
pub(super) fn report(policies: &[OldPolicy], out: &mut Findings) {
    // The predecessor's order: priority, then as written.
    let enabled = policies.iter().filter(|policy| policy.enabled);
    let mut rules: Vec<(&OldPolicy, &OldRule)> =
        enabled.flat_map(|policy| policy.rules.iter().map(move |rule| (policy, rule))).collect();
    rules.retain(|(_, rule)| rule.enabled);
    rules.sort_by_key(|(_, rule)| std::cmp::Reverse(rule.priority));
    stopping_observers(&rules, out);
    ties(&rules, out);
}

fn stopping_observers(rules: &[(&OldPolicy, &OldRule)], out: &mut Findings) {
    let last_denial = rules.iter().rposition(|(_, rule)| rule.effect == "deny");
    for (place, (policy, rule)) in rules.iter().enumerate() {
        if matches!(rule.effect.as_str(), "warn" | "audit") && last_denial.is_some_and(|denial| denial > place) {
            out.push(Finding::warning(
                "import-meaning",
                format!(
                    "the rule `{}` of `{}`: `{}` kept lower rules from denying in the predecessor; here it does not",
                    rule.id, policy.name, rule.effect
                ),
            ));
        }
    }
}

fn ties(rules: &[(&OldPolicy, &OldRule)], out: &mut Findings) {
    for same in rules.chunk_by(|(_, a), (_, b)| a.priority == b.priority) {
        let first_allow = same.iter().position(|(_, rule)| rule.effect == "allow");
        let denial = same.iter().rposition(|(_, rule)| rule.effect == "deny");
        if let (Some(allow), Some(denial)) = (first_allow, denial)
            && allow < denial
            && let (Some((_, allow)), Some((_, deny))) = (same.get(allow), same.get(denial))
        {
            out.push(Finding::warning(
                "import-meaning",
                format!(
                    "`{}` went before `{}` because it was written first; here deny goes first at the same priority ({})",
                    allow.id, deny.id, deny.priority
                ),
            ));
        }
    }
}
