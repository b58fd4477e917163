//! Kind `Policy`: rules that belong together.

use std::collections::HashMap;

use crate::diag::{Finding, Findings, Span};
use crate::model::{Limits, Text};
use crate::policy::decode::{Context, Head, MetadataSpec, PatternText, patterns};
use crate::policy::{DocumentSet, Policy, Rule};
use crate::yaml::{Elsewhere, Field, Fields, spec};

use super::rule::{self, RuleSpec};

spec! {
    /// Rules that belong together.
    pub(crate) struct PolicySpec {
        /// Tenants that the rules speak about, as patterns; all if not given.
        #[schemars(length(min = 1))]
        tenants: Option<Vec<PatternText>>,
        /// A policy that is not enabled takes no part; `true` if not given.
        enabled: Option<bool>,
        /// Priority of its rules, unless they say otherwise; 0 if not given. Higher goes first within a layer.
        priority: Option<i32>,
        /// What it is for.
        description: Option<String>,
        /// The rules.
        #[schemars(length(min = 1))]
        rules: Vec<RuleSpec>,
    }
}

/// What authors put into `spec` instead of where it belongs.
const ELSEWHERE: &[Elsewhere] = &[("`metadata`", MetadataSpec::FIELDS), ("a rule", RuleSpec::FIELDS)];

pub(super) fn decode(spec: Field<'_>, head: &Head, context: Context<'_>, set: &mut DocumentSet, out: &mut Findings) {
    let Some(fields) = spec.fields_hinting("a policy", PolicySpec::FIELDS, ELSEWHERE, out) else { return };
    let mut problems = Findings::default();
    let tenants = patterns(fields.get("tenants"), Limits::default().id_bytes, &mut problems);
    let tenants_known = !problems.has_errors();
    out.extend(problems);
    let enabled = fields.get("enabled").and_then(|field| field.boolean(out)).unwrap_or(true);
    let priority = rule::priority(fields.get("priority"), out).unwrap_or(0);
    if let Some(description) = fields.get("description") {
        description.string(out);
    }
    let rules = rules(&fields, priority, context, out);
    if !tenants_known {
        return;
    }
    set.policies.push(Policy {
        name: head.name.clone(),
        layer: context.layer,
        tenants,
        enabled,
        rules,
        span: head.span,
    });
}

fn rules(fields: &Fields<'_>, priority: i32, context: Context<'_>, out: &mut Findings) -> Vec<Rule> {
    let Some(field) = fields.require("rules", out) else { return Vec::new() };
    let Some(entries) = field.list("rules", out) else { return Vec::new() };
    if entries.is_empty() {
        out.push(
            Finding::error("empty-list", "a policy needs at least one rule")
                .at(field.node.span)
                .help("write a rule, or remove the policy"),
        );
    }
    let mut names: HashMap<Text, Span> = HashMap::new();
    let mut rules = Vec::with_capacity(entries.len());
    for entry in entries {
        let (name, rule) = rule::decode(entry, priority, context, out);
        if let Some((name, span)) = name {
            match names.get(&name) {
                Some(first) => out.push(
                    Finding::error("duplicate-rule", format!("this policy has another rule named `{name}`"))
                        .at(span)
                        .label("again here")
                        .related(*first, "first here")
                        .help("give each rule of a policy its own name: answers and records name rules by it"),
                ),
                None => {
                    names.insert(name, span);
                }
            }
        }
        rules.extend(rule);
    }
    rules
}
