//! Kind `PolicySet`: default effect, version and limits of the whole set.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::diag::{Finding, Findings};
use crate::model::{Effect, Limits, Text};
use crate::policy::decode::{Context, EFFECTS, Head};
use crate::policy::{DocumentSet, PolicySet};
use crate::yaml::{Field, spec};

use super::rule::EffectName;

spec! {
    /// What holds for the whole set. At most one in a set.
    pub(crate) struct PolicySetSpec {
        /// Version of the set, `vMAJOR.MINOR.PATCH`. Not part of the digest.
        version: Option<Version>,
        /// What happens where no rule matches; `deny` if not given.
        defaultEffect: Option<EffectName>,
        /// Limits, to lower those of the configuration.
        limits: Option<LimitsSpec>,
    }
}

spec! {
    /// Limits of the whole set.
    pub(crate) struct LimitsSpec {
        /// What evaluating all conditions of one request may cost, in units of about one instruction.
        #[schemars(range(min = 1_000, max = 1_000_000))]
        evaluationCost: Option<u64>,
    }
}

pub(crate) struct Version;

impl JsonSchema for Version {
    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": r"^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$"})
    }
}

/// Smallest evaluation cost that a set may ask for: less would refuse ordinary conditions.
const MIN_COST: i64 = 1_000;

pub(super) fn decode(spec: Field<'_>, head: &Head, _: Context<'_>, set: &mut DocumentSet, out: &mut Findings) {
    let Some(fields) = spec.fields("a policy set", PolicySetSpec::FIELDS, out) else { return };
    let version = fields.get("version").and_then(|field| version(field, out)).unwrap_or_default();
    let default_effect = fields.get("defaultEffect").and_then(|field| field.one_of("an effect", &EFFECTS, out));
    let limits = fields.get("limits").and_then(|field| field.fields("`limits`", LimitsSpec::FIELDS, out));
    let max_cost = i64::try_from(Limits::default().evaluation_cost).unwrap_or(i64::MAX);
    let evaluation_cost = limits
        .and_then(|limits| limits.get("evaluationCost"))
        .and_then(|field| field.integer(MIN_COST..=max_cost, out))
        .and_then(|cost| u64::try_from(cost).ok());
    if let Some(first) = &set.policy_set {
        out.push(
            Finding::error("second-policy-set", "a set of documents has at most one PolicySet")
                .at(head.span)
                .label("second one")
                .related(first.span, "first one")
                .help("put everything into one of them and remove the other"),
        );
        return;
    }
    set.policy_set = Some(PolicySet {
        name: head.name.clone(),
        version,
        default_effect: default_effect.unwrap_or(Effect::Deny),
        evaluation_cost,
        span: head.span,
    });
}

fn version(field: Field<'_>, out: &mut Findings) -> Option<Text> {
    let text = field.string(out)?;
    let is_number = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'))
    };
    let parts: Vec<_> = text.strip_prefix('v').unwrap_or_default().split('.').collect();
    if text.len() <= 64 && parts.len() == 3 && parts.iter().all(|part| is_number(part)) {
        return Some(text.into());
    }
    out.push(
        Finding::error("bad-version", format!("`{text}` is not a version"))
            .at(field.node.span)
            .help("write `vMAJOR.MINOR.PATCH`, for example `v1.4.0`"),
    );
    None
}
