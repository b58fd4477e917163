//! What is allowed, but probably not meant, and only shows between documents. What shows within one rule is reported where
//! the rule is read.

mod approvals;
mod governance;
mod index;
mod looser;
mod shadow;
mod unknown_rule;

#[cfg(test)]
mod tests;

use crate::diag::Findings;

use super::DocumentSet;

/// Lints the whole set. `complete` tells whether every text could be read; where not, what is missing is not reported.
pub(super) fn lint(set: &DocumentSet, complete: bool, out: &mut Findings) {
    governance::duplicate_actions(set, out);
    looser::looser_risk(set, out);
    shadow::shadowed_rules(set, out);
    if complete {
        unknown_rule::unknown_rules(set, out);
        governance::unknown_names(set, out);
        governance::untyped_actions(set, out);
        approvals::unknown_endpoints(set, out);
    }
}
