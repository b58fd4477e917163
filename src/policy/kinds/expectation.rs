//! What a test case expects.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::diag::{Finding, Findings};
use crate::model::{Outcome, ReasonCode, Text};
use crate::policy::Expectation;
use crate::policy::decode::{EFFECTS, OneLine, level, short_text};
use crate::yaml::{Field, spec};

use super::rule::EffectName;

spec! {
    /// What the answer must be. Only what is given is compared.
    pub(crate) struct ExpectationSpec {
        /// Whether the action may happen.
        allowed: Option<bool>,
        /// What may happen.
        decision: Option<DecisionName>,
        /// Effect of the rule or default that decides.
        effect: Option<EffectName>,
        /// The rule that decides, as `policy/rule`; empty if none does.
        rule: Option<String>,
        /// Why, for programs.
        reasonCode: Option<ReasonCodeName>,
        /// Level of approver needed.
        #[schemars(range(min = 1, max = 5))]
        requiredLevel: Option<u8>,
        /// Whether an audit is owed.
        requiresAudit: Option<bool>,
        /// Every warning's rule, as `policy/rule`, in any order; `/` for the warning of the default.
        warnings: Option<Vec<OneLine>>,
        /// Every obligation's id, in any order.
        obligations: Option<Vec<OneLine>>,
    }
}

/// What may happen.
#[derive(schemars::JsonSchema)]
#[schemars(rename = "Decision", rename_all = "snake_case")]
#[allow(dead_code, reason = "read by the schema generator only")]
pub(crate) enum DecisionName {
    /// The action may happen.
    Allow,
    /// It must not happen.
    Deny,
    /// It may happen only after a human's approval.
    RequireApproval,
}

/// The schema of a reason code.
pub(crate) struct ReasonCodeName;

impl JsonSchema for ReasonCodeName {
    fn schema_name() -> Cow<'static, str> {
        "ReasonCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": REASON_CODES.map(|(name, _)| name)})
    }
}

const OUTCOMES: [(&str, Outcome); 3] = [
    (Outcome::Allow.as_str(), Outcome::Allow),
    (Outcome::Deny.as_str(), Outcome::Deny),
    (Outcome::RequireApproval.as_str(), Outcome::RequireApproval),
];

const REASON_CODES: [(&str, ReasonCode); 6] = {
    const fn named(code: ReasonCode) -> (&'static str, ReasonCode) {
        (code.as_str(), code)
    }
    [
        named(ReasonCode::Policy),
        named(ReasonCode::Default),
        named(ReasonCode::NoPolicy),
        named(ReasonCode::ConditionError),
        named(ReasonCode::EvaluationLimit),
        named(ReasonCode::AuditUnavailable),
    ]
};

/// How the warning of the default is written.
const DEFAULT: &str = "/";

/// Reads what a case expects.
pub(super) fn decode(field: Field<'_>, out: &mut Findings) -> Option<Expectation> {
    let fields = field.fields("`expect`", ExpectationSpec::FIELDS, out)?;
    if field.entries(out).is_some_and(<[_]>::is_empty) {
        out.push(
            Finding::error("empty-expectation", "the case expects nothing")
                .at(field.node.span)
                .help("write what the answer must be, for example `expect: {decision: deny}`"),
        );
    }
    let boolean = |name: &'static str, out: &mut Findings| fields.get(name).and_then(|field| field.boolean(out));
    let texts = |name: &'static str, out: &mut Findings| {
        let entries = fields.get(name)?.list("strings", out)?;
        Some(entries.into_iter().filter_map(|entry| short_text(entry, out)).map(Text::from).collect::<Vec<_>>())
    };
    let warnings = texts("warnings", out);
    for (field, rule) in fields.get("warnings").into_iter().flat_map(entries_of).filter(|(_, rule)| *rule != DEFAULT) {
        qualified(field, rule, out);
    }
    let rule = fields.get("rule").and_then(|field| field.string(out).map(|rule| (field, rule)));
    if let Some((field, rule)) = rule.filter(|(_, rule)| !rule.is_empty()) {
        qualified(field, rule, out);
    }
    Some(Expectation {
        allowed: boolean("allowed", out),
        decision: fields.get("decision").and_then(|field| field.one_of("a decision", &OUTCOMES, out)),
        effect: fields.get("effect").and_then(|field| field.one_of("an effect", &EFFECTS, out)),
        rule: rule.map(|(_, rule)| rule.into()),
        reason_code: fields.get("reasonCode").and_then(|field| field.one_of("a reason code", &REASON_CODES, out)),
        required_level: fields.get("requiredLevel").and_then(|field| level(field, out)),
        requires_audit: boolean("requiresAudit", out),
        warnings,
        obligations: texts("obligations", out),
    })
}

fn entries_of(field: Field<'_>) -> Vec<(Field<'_>, &str)> {
    let mut ignored = Findings::default();
    let entries = field.list("strings", &mut ignored).unwrap_or_default();
    entries.into_iter().filter_map(|entry| entry.string(&mut Findings::default()).map(|text| (entry, text))).collect()
}

/// Reports a rule that is not written as `policy/rule`.
fn qualified(field: Field<'_>, rule: &str, out: &mut Findings) {
    if rule.split('/').filter(|part| !part.is_empty()).count() != 2 || rule.matches('/').count() != 1 {
        out.push(
            Finding::error("bad-value", format!("`{rule}` does not name a rule"))
                .at(field.node.span)
                .help("write `policy/rule`, for example `payments/small-refunds`"),
        );
    }
}
