//! What a test case expects of a plan.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::diag::{Finding, Findings};
use crate::model::{Text, ValidationStatus, ViolationCode};
use crate::policy::PlanExpectation;
use crate::policy::decode::{OneLine, level, short_text};
use crate::yaml::{Field, Fields, spec};

use super::catalog_action::tier;

spec! {
    /// What the validation of a plan must be. Only what is given is compared.
    pub(crate) struct PlanExpectationSpec {
        /// What may happen.
        status: Option<StatusName>,
        /// Greatest tier of its steps.
        #[schemars(range(min = 0, max = 3))]
        tier: Option<u8>,
        /// The tier of each step.
        tiers: Option<Vec<u8>>,
        /// Every code of a violation, in any order, each once.
        violations: Option<Vec<ViolationName>>,
        /// Every path of a violation, in any order, each once.
        paths: Option<Vec<String>>,
        /// Every tier, plan and flow rule that takes part, as `document/rule`, in any order.
        rules: Option<Vec<OneLine>>,
        /// Level of approver needed.
        #[schemars(range(min = 1, max = 5))]
        requiredLevel: Option<u8>,
        /// The hash of the plan, `sha256:` and 64 hexadecimal digits; empty if it has no canonical form.
        hash: Option<String>,
    }
}

/// What may happen to a plan.
#[derive(schemars::JsonSchema)]
#[schemars(rename = "PlanStatus", rename_all = "snake_case")]
#[allow(dead_code, reason = "read by the schema generator only")]
pub(crate) enum StatusName {
    /// It may run.
    Pass,
    /// It may run only after a human's approval.
    Escalate,
    /// It must not run.
    Reject,
}

/// The schema of the code of a violation.
pub(crate) struct ViolationName;

impl JsonSchema for ViolationName {
    fn schema_name() -> Cow<'static, str> {
        "ViolationCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": ViolationCode::ALL.map(ViolationCode::as_str)})
    }
}

const STATUSES: [(&str, ValidationStatus); 3] =
    [("pass", ValidationStatus::Pass), ("escalate", ValidationStatus::Escalate), ("reject", ValidationStatus::Reject)];

/// Reads what a case with a plan expects.
pub(super) fn decode(field: Field<'_>, out: &mut Findings) -> Option<PlanExpectation> {
    let fields = field.fields("`expect` of a plan", PlanExpectationSpec::FIELDS, out)?;
    if field.entries(out).is_some_and(<[_]>::is_empty) {
        out.push(
            Finding::error("empty-expectation", "the case expects nothing")
                .at(field.node.span)
                .help("write what the validation must be, for example `expect: {status: reject}`"),
        );
    }
    let codes = ViolationCode::ALL.map(|code| (code.as_str(), code));
    let read_codes = |field: Field<'_>, out: &mut Findings| {
        let entries = field.list("codes", out)?;
        Some(entries.iter().filter_map(|entry| entry.one_of("a violation", &codes, out)).collect())
    };
    let read_tiers = |field: Field<'_>, out: &mut Findings| {
        Some(field.list("tiers", out)?.into_iter().filter_map(|entry| tier(entry, out)).collect())
    };
    Some(PlanExpectation {
        status: fields.get("status").and_then(|field| field.one_of("a status", &STATUSES, out)),
        tier: fields.get("tier").and_then(|field| tier(field, out)),
        tiers: fields.get("tiers").and_then(|field| read_tiers(field, out)),
        violations: fields.get("violations").and_then(|field| read_codes(field, out)),
        paths: texts(&fields, "paths", out),
        rules: fields.get("rules").and_then(|field| {
            let entries = field.list("rules", out)?;
            Some(entries.into_iter().filter_map(|entry| short_text(entry, out)).map(Text::from).collect())
        }),
        required_level: fields.get("requiredLevel").and_then(|field| level(field, out)),
        hash: fields.get("hash").and_then(|field| field.string(out)).map(Text::from),
    })
}

fn texts(fields: &Fields<'_>, name: &'static str, out: &mut Findings) -> Option<Vec<Text>> {
    let entries = fields.get(name)?.list("strings", out)?;
    Some(entries.into_iter().filter_map(|entry| entry.string(out)).map(Text::from).collect())
}
