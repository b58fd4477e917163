//! Risk policies that ask for less than what holds without them.

use crate::diag::{Finding, Findings};
use crate::model::Layer;
use crate::policy::{BulkRule, DocumentSet, RiskPolicy};

/// Reports numbers of a lower layer's risk policies that are looser than those of the layers above, which for the tenants'
/// layer include the defaults: they have no effect.
pub(super) fn looser_risk(set: &DocumentSet, out: &mut Findings) {
    for policy in &set.risk_policies {
        let above = Above::of(set, policy.layer);
        if let Some((asked, held)) =
            policy.approval_tier.zip(above.approval_tier()).filter(|(asked, held)| asked > held)
        {
            out.push(finding(
                policy,
                &format!("approvalTier: {asked}"),
                &format!("approval is needed from tier {held} on"),
            ));
        }
        for scope in policy.scopes.iter().flatten() {
            if let Some(held) = above.scope(&scope.word).filter(|held| scope.tier < *held) {
                let asked = format!("`{}: {}` of scopes", scope.word, scope.tier);
                out.push(finding(policy, &asked, &format!("the word gives tier {held}")));
            }
        }
        if let Some((asked, held)) = policy.bulk.and_then(|asked| Some((asked, above.bulk(asked)?))) {
            let held = format!("a list of more than {} gives tier {}", held.above, held.tier);
            out.push(finding(policy, &format!("bulk: above {}, tier {}", asked.above, asked.tier), &held));
        }
    }
}

/// What holds without a layer and those below it.
struct Above<'s> {
    policies: Vec<&'s RiskPolicy>,
    /// Whether defaults hold where none of the policies says.
    has_defaults: bool,
}

impl<'s> Above<'s> {
    fn of(set: &'s DocumentSet, layer: Layer) -> Self {
        let policies = set.risk_policies.iter().filter(|policy| policy.layer < layer).collect();
        Self { policies, has_defaults: layer == Layer::Tenant }
    }

    fn default<T>(&self, value: T) -> Option<T> {
        self.has_defaults.then_some(value)
    }

    fn approval_tier(&self) -> Option<u8> {
        let set = self.policies.iter().filter_map(|policy| policy.approval_tier).min();
        set.or_else(|| self.default(RiskPolicy::APPROVAL_TIER))
    }

    /// The tier of a word.
    fn scope(&self, word: &str) -> Option<u8> {
        if self.policies.iter().all(|policy| policy.scopes.is_none()) {
            let known = RiskPolicy::SCOPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
            return self.default(known?.1);
        }
        let words = self.policies.iter().flat_map(|policy| policy.scopes.iter().flatten());
        words.filter(|known| known.word.eq_ignore_ascii_case(word)).map(|known| known.tier).max()
    }

    /// A rule that is stricter than `asked` in some way and looser in none.
    fn bulk(&self, asked: BulkRule) -> Option<BulkRule> {
        let mut rules: Vec<BulkRule> = self.policies.iter().filter_map(|policy| policy.bulk).collect();
        if rules.is_empty() {
            rules.extend(self.default(RiskPolicy::BULK));
        }
        let covers = |rule: &BulkRule| {
            rule.above <= asked.above && rule.tier >= asked.tier && rule.unknown_tier >= asked.unknown_tier
        };
        rules.into_iter().find(|rule| covers(rule) && *rule != asked)
    }
}

fn finding(policy: &RiskPolicy, asked: &str, held: &str) -> Finding {
    let message = format!(
        "the risk policy `{}` of the {} layer asks for less than what holds without it ({asked}), and that has no effect: {held}",
        policy.name,
        policy.layer.as_str()
    );
    Finding::warning("looser-than-above", message)
        .at(policy.span)
        .help("a lower layer can only narrow: remove it, or change the layer above")
}
