//! One rule of a policy.

use std::collections::BTreeMap;

use crate::diag::{Finding, Findings, Span};
use crate::model::{Attributes, Effect, Layer, Limits, Obligation, Text};
use crate::policy::decode::{
    ClauseSpec, Context, EFFECTS, Name, OneLine, PatternText, condition, level, name, patterns, short_text,
};
use crate::policy::{Pattern, Rule, Target};
use crate::yaml::{self, Elsewhere, Field, Fields, spec};

/// What a rule does when it matches.
#[derive(schemars::JsonSchema)]
#[schemars(rename = "Effect", rename_all = "snake_case")]
#[allow(dead_code, reason = "read by the schema generator only")]
pub(crate) enum EffectName {
    /// Lets the action happen.
    Allow,
    /// Refuses it.
    Deny,
    /// Lets it happen and warns. Never overrides another effect.
    Warn,
    /// Lets it happen and obliges to audit. Never overrides another effect.
    Audit,
    /// Makes it wait for a human.
    RequireApproval,
}

spec! {
    /// One rule. It matches where all its patterns match and its condition holds.
    pub(crate) struct RuleSpec {
        /// Unique within the policy.
        name: Name,
        /// What it does when it matches.
        effect: EffectName,
        /// Who acts; anyone if not given.
        subjects: Option<SubjectsSpec>,
        /// Actions, as patterns; any if not given.
        #[schemars(length(min = 1))]
        actions: Option<Vec<PatternText>>,
        /// What is acted upon; anything if not given.
        resources: Option<ResourcesSpec>,
        /// A CEL expression that must be true.
        when: Option<OneLine>,
        /// Comparisons that must all hold, also besides `when`.
        #[schemars(length(min = 1))]
        conditions: Option<Vec<ClauseSpec>>,
        /// Higher goes first within a layer; the policy's if not given.
        priority: Option<i32>,
        /// A rule that is not enabled takes no part; `true` if not given.
        enabled: Option<bool>,
        /// Why, for the people and programs that read the answer.
        reason: Option<String>,
        /// What the rule is for, for those who read the file.
        description: Option<String>,
        /// What the caller must do when acting on the answer.
        obligations: Option<Vec<ObligationSpec>>,
        /// Level of approver needed; only for `require_approval`.
        #[schemars(range(min = 1, max = 5))]
        requiredLevel: Option<u8>,
        /// Notes for people and tools. Part of the digest.
        metadata: Option<BTreeMap<String, serde_json::Value>>,
    }
}

spec! {
    /// Who acts. All given lists must match; in each, one pattern.
    pub(crate) struct SubjectsSpec {
        /// Types of subject, as patterns.
        #[schemars(length(min = 1))]
        types: Option<Vec<PatternText>>,
        /// Ids of subjects, as patterns.
        #[schemars(length(min = 1))]
        ids: Option<Vec<PatternText>>,
        /// Roles, as patterns: one of the subject's roles must match one of them.
        #[schemars(length(min = 1))]
        roles: Option<Vec<PatternText>>,
    }
}

spec! {
    /// What is acted upon. All given lists must match; in each, one pattern.
    pub(crate) struct ResourcesSpec {
        /// Types of resource, as patterns.
        #[schemars(length(min = 1))]
        types: Option<Vec<PatternText>>,
        /// Ids of resources, as patterns.
        #[schemars(length(min = 1))]
        ids: Option<Vec<PatternText>>,
    }
}

spec! {
    /// Something that the caller must do.
    pub(crate) struct ObligationSpec {
        /// What is to be done.
        id: OneLine,
        /// Details.
        properties: Option<BTreeMap<String, serde_json::Value>>,
    }
}

/// Actions with this prefix are those of the administration.
const RESERVED: &str = "lictor";

/// What authors put into a rule instead of where it belongs.
const ELSEWHERE: &[Elsewhere] = &[
    ("`subjects`", &["roles", "subjectTypes", "subjectIds"]),
    ("`subjects` or `resources`", &["ids", "types"]),
    ("the policy's `spec`", &["tenants"]),
    ("`conditions`", ClauseSpec::FIELDS),
];

/// A rule's name with its place, and the rule where nothing of it is wrong.
pub(super) type Decoded = (Option<(Text, Span)>, Option<Rule>);

/// Reads a rule of a policy with `policy_priority`.
pub(super) fn decode(entry: Field<'_>, policy_priority: i32, context: Context<'_>, out: &mut Findings) -> Decoded {
    let mut problems = Findings::default();
    let (name, rule) = read(entry, policy_priority, context, &mut problems);
    // A rule with an error is left out, so that no lint takes what is left of it for what was meant.
    let rule = rule.filter(|_| !problems.has_errors());
    out.extend(problems);
    (name, rule)
}

fn read(entry: Field<'_>, policy_priority: i32, context: Context<'_>, out: &mut Findings) -> Decoded {
    let Some(fields) = entry.fields_hinting("a rule", RuleSpec::FIELDS, ELSEWHERE, out) else { return (None, None) };
    let name_field = fields.require("name", out);
    let name = name_field.and_then(|field| name(field, out));
    let span = name_field.map_or_else(|| fields.node().head(), |field| field.node.span);
    let effect = fields.require("effect", out).and_then(|field| field.one_of("an effect", &EFFECTS, out));
    let target = target(&fields, context, out);
    let condition = condition(&fields, effect, context, out);
    let priority = priority(fields.get("priority"), out).unwrap_or(policy_priority);
    let enabled = fields.get("enabled").and_then(|field| field.boolean(out)).unwrap_or(true);
    let reason = fields.get("reason").and_then(|field| field.string(out)).unwrap_or_default();
    if let Some(description) = fields.get("description") {
        description.string(out);
    }
    let obligations = obligations(fields.get("obligations"), out);
    let required_level = required_level(&fields, effect, out);
    if let Some(metadata) = fields.get("metadata").filter(|field| field.entries(out).is_some()) {
        yaml::attributes(metadata.node, out);
    }
    let named = name.map(|name| (Text::from(name), span));
    let (Some(name), Some(effect), Ok(condition)) = (name, effect, condition) else { return (named, None) };
    let rule = Rule {
        name: name.into(),
        effect,
        enabled,
        priority,
        target,
        condition,
        reason: reason.into(),
        obligations,
        required_level,
        span,
    };
    (named, Some(rule))
}

/// A priority within 32 bits.
pub(super) fn priority(field: Option<Field<'_>>, out: &mut Findings) -> Option<i32> {
    let value = field?.integer(i64::from(i32::MIN)..=i64::from(i32::MAX), out)?;
    i32::try_from(value).ok()
}

fn target(fields: &Fields<'_>, context: Context<'_>, out: &mut Findings) -> Target {
    let limits = Limits::default();
    let mut target = Target { actions: patterns(fields.get("actions"), limits.name_bytes, out), ..Target::default() };
    if let Some(actions) = fields.get("actions").filter(|_| context.layer != Layer::System) {
        reserved_actions(actions, out);
    }
    if let Some(subjects) =
        fields.get("subjects").and_then(|field| field.fields("`subjects`", SubjectsSpec::FIELDS, out))
    {
        target.subject_types = patterns(subjects.get("types"), limits.id_bytes, out);
        target.subject_ids = patterns(subjects.get("ids"), limits.name_bytes, out);
        target.roles = patterns(subjects.get("roles"), limits.id_bytes, out);
    }
    if let Some(resources) =
        fields.get("resources").and_then(|field| field.fields("`resources`", ResourcesSpec::FIELDS, out))
    {
        target.resource_types = patterns(resources.get("types"), limits.id_bytes, out);
        target.resource_ids = patterns(resources.get("ids"), limits.resource_id_bytes, out);
    }
    target
}

/// Actions of the administration are decided by the system's own documents.
fn reserved_actions(actions: Field<'_>, out: &mut Findings) {
    let mut ignored = Findings::default();
    for entry in actions.list("strings", &mut ignored).unwrap_or_default() {
        let Some(pattern) = entry.string(&mut ignored).and_then(|text| Pattern::parse(text).ok()) else { continue };
        let rest = pattern.literal_prefix().strip_prefix(RESERVED);
        if rest.is_some_and(|rest| rest.starts_with('.') || rest.is_empty()) {
            out.push(
                Finding::error("reserved-action", "actions that start with `lictor.` belong to the administration")
                    .at(entry.node.span)
                    .help("they are decided by the system's own policies; choose another name for your action"),
            );
        }
    }
}

fn obligations(field: Option<Field<'_>>, out: &mut Findings) -> Box<[Obligation]> {
    let Some(field) = field else { return Box::default() };
    let entries = field.list("obligations", out).unwrap_or_default();
    let mut obligations = Vec::with_capacity(entries.len());
    for entry in entries {
        let Some(fields) = entry.fields("an obligation", ObligationSpec::FIELDS, out) else { continue };
        let id = fields.require("id", out).and_then(|field| short_text(field, out));
        let properties = match fields.get("properties") {
            Some(field) => field.entries(out).and_then(|_| yaml::attributes(field.node, out)),
            None => Some(Attributes::default()),
        };
        if let (Some(id), Some(properties)) = (id, properties) {
            obligations.push(Obligation { id: id.into(), properties });
        }
    }
    obligations.into_boxed_slice()
}

fn required_level(fields: &Fields<'_>, effect: Option<Effect>, out: &mut Findings) -> Option<u8> {
    let field = fields.get("requiredLevel")?;
    let level = level(field, out);
    if let Some(effect) = effect.filter(|effect| *effect != Effect::RequireApproval) {
        out.push(
            Finding::error("misplaced-field", format!("a rule with effect `{}` asks no approver", effect.as_str()))
                .at(field.key_span)
                .label("only for `require_approval`")
                .help("remove `requiredLevel`, or write `effect: require_approval`"),
        );
        return None;
    }
    level
}
