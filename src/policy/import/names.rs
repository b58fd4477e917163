//! Legal and unique names for what was named freely.

use std::collections::BTreeSet;

use crate::diag::{Finding, Findings};
use crate::policy::decode::legal_name;

/// Names that are taken.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    /// A legal name near to `wanted` that is not taken yet. Reports a name that had to change.
    pub(super) fn take(&mut self, wanted: &str, what: &str, out: &mut Findings) -> String {
        let legal = legal_name(wanted);
        let base = if legal.is_empty() { what.to_owned() } else { legal };
        let mut name = base.clone();
        let mut number = 2_u32;
        while !self.taken.insert(name.clone()) {
            let suffix = format!("-{number}");
            let kept: String = base.chars().take(128 - suffix.len()).collect();
            name = kept + &suffix;
            number = number.saturating_add(1);
        }
        if name != wanted {
            out.push(Finding::warning("import-renamed", format!("the {what} `{wanted}` is called `{name}` here")));
        }
        name
    }
}
