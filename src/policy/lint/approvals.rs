//! What only shows between approval policies and webhook endpoints.

use crate::diag::{Finding, Findings, did_you_mean};
use crate::policy::DocumentSet;

/// Reports webhooks that no document defines: nobody would be told.
pub(super) fn unknown_endpoints(set: &DocumentSet, out: &mut Findings) {
    let known = || set.webhook_endpoints.iter().map(|endpoint| endpoint.name.as_str());
    for policy in &set.approval_policies {
        for name in policy.webhooks.iter().filter(|name| !known().any(|endpoint| endpoint == name.as_str())) {
            let message = format!(
                "the approval policy `{}` tells `{name}`, and no WebhookEndpoint document has this name",
                policy.name
            );
            let finding = Finding::warning("unknown-endpoint", message).at(policy.span);
            out.push(match did_you_mean(name, known()) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help("write a WebhookEndpoint document, or remove the name from `webhooks`"),
            });
        }
    }
}
