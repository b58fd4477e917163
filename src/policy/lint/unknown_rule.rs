//! Test cases that expect a rule which does not exist.

use std::collections::BTreeSet;

use crate::diag::{Finding, Findings, did_you_mean};
use crate::policy::{DocumentSet, Question};

/// Most findings that look for the rule that was meant: each looks at all rules.
const MAX_SUGGESTIONS: usize = 20;

/// Reports cases that name a rule that is not in the set, unless the set has no policies at all.
pub(super) fn unknown_rules(set: &DocumentSet, out: &mut Findings) {
    if set.policies.is_empty() {
        return;
    }
    let rules = set.policies.iter().flat_map(|policy| policy.rules.iter().map(move |rule| (policy, rule)));
    let known: BTreeSet<String> = rules.map(|(policy, rule)| format!("{}/{}", policy.name, rule.name)).collect();
    let mut suggested = 0_usize;
    for case in set.tests.iter().flat_map(|tests| &tests.cases) {
        let Question::Request(_, expect) = &case.question else { continue };
        let warnings = expect.warnings.iter().flatten();
        for expected in expect.rule.iter().chain(warnings).filter(|name| !matches!(name.as_str(), "" | "/")) {
            if known.contains(expected.as_str()) {
                continue;
            }
            let finding = Finding::warning(
                "unknown-rule",
                format!("the case expects the rule `{expected}`, which does not exist"),
            )
            .at(case.span);
            let near = (suggested < MAX_SUGGESTIONS)
                .then(|| did_you_mean(expected, known.iter().map(String::as_str)))
                .flatten();
            suggested += 1;
            out.push(match near {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding,
            });
        }
    }
}
