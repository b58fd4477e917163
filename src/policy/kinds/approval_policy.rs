//! Kind `ApprovalPolicy`: who must approve, how long there is for it, and what happens where nobody does.

use schemars::JsonSchema;

use crate::diag::{Finding, Findings};
use crate::model::{LEVEL_NAMES, Limits, Text};
use crate::policy::decode::{Context, Head, MetadataSpec, Name, PatternText, name, patterns};
use crate::policy::{ApprovalPolicy, ApprovalScope, DocumentSet, EscalationRule, StageRule, TtlRule};
use crate::yaml::{Elsewhere, Field, Kind, Number, spec};

spec! {
    /// Who must approve what waits for a human. Of the policies of a layer that match, the narrowest holds; several
    /// layers, and the steps of a plan, add up to the strictest.
    pub(crate) struct ApprovalPolicySpec {
        /// What it is for.
        description: Option<String>,
        /// What it is about; everything if not given.
        scope: Option<ScopeSpec>,
        /// The stages of approvers, in order. If not given: one approver of level 3, for tier 3 of level 4.
        #[schemars(length(min = 1, max = 10))]
        stages: Option<Vec<StageSpec>>,
        /// What needs no human; nothing if not given.
        autoApprove: Option<AutoApproveSpec>,
        /// How long approvals are valid.
        ttl: Option<TtlSpec>,
        /// What happens where nobody decides in time; nothing if not given.
        escalation: Option<EscalationSpec>,
        /// Webhook endpoints that are told, by name.
        #[schemars(length(max = 16))]
        webhooks: Option<Vec<Name>>,
        /// How many approvals may wait for approvers at once.
        pending: Option<PendingSpec>,
    }
}

spec! {
    /// What an approval policy is about. The fields are ANDed, the entries of a list ORed.
    pub(crate) struct ScopeSpec {
        /// Tenants, as patterns.
        #[schemars(length(min = 1))]
        tenants: Option<Vec<PatternText>>,
        /// Ids of subjects, as patterns.
        #[schemars(length(min = 1))]
        agents: Option<Vec<PatternText>>,
        /// Names of actions, as patterns.
        #[schemars(length(min = 1))]
        actions: Option<Vec<PatternText>>,
    }
}

spec! {
    /// One stage of approvers.
    pub(crate) struct StageSpec {
        /// Least level of its approvers.
        level: ApproverLevel,
        /// How many of them it takes; 1 if not given.
        #[schemars(range(min = 1, max = 20))]
        quorum: Option<u8>,
        /// The stage is only for what costs at least so much, in cents, or whose cost is not known; 0 if not given.
        #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
        minCents: Option<i64>,
    }
}

spec! {
    /// What needs no human.
    pub(crate) struct AutoApproveSpec {
        /// What costs at most so much, in cents, and needs approval for no other reason than its tier, or a rule that names
        /// no level. 0 means nothing.
        #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
        maxCents: i64,
    }
}

spec! {
    /// How long approvals are valid.
    pub(crate) struct TtlSpec {
        /// Where the request does not say; 3600 if not given.
        #[schemars(range(min = 1, max = 2_592_000))]
        defaultSeconds: Option<u32>,
        /// At least; 60 if not given.
        #[schemars(range(min = 1, max = 2_592_000))]
        minSeconds: Option<u32>,
        /// At most; 86400 if not given.
        #[schemars(range(min = 1, max = 2_592_000))]
        maxSeconds: Option<u32>,
    }
}

spec! {
    /// What happens where nobody decides in time.
    pub(crate) struct EscalationSpec {
        /// How long to wait, in seconds.
        #[schemars(range(min = 1, max = 2_592_000))]
        afterSeconds: u32,
        /// Least level of approvers from then on, in all stages that are open.
        level: ApproverLevel,
    }
}

spec! {
    /// How many approvals may wait for approvers at once.
    pub(crate) struct PendingSpec {
        /// Of a tenant; 10000 if not given.
        #[schemars(range(min = 1, max = 1_000_000))]
        perTenant: Option<u32>,
        /// Of one creator in a tenant; 1000 if not given.
        #[schemars(range(min = 1, max = 1_000_000))]
        perCreator: Option<u32>,
    }
}

/// A level of approver: 1 to 5, or its name.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "read by the schema generator only")]
pub(crate) enum ApproverLevel {
    /// The number.
    Number(#[schemars(range(min = 1, max = 5))] u8),
    /// The name, in either vocabulary.
    Name(LevelName),
}

/// The names of the levels.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[allow(dead_code, reason = "read by the schema generator only")]
pub(crate) enum LevelName {
    AutoApprove,
    PreApproved,
    AgentApprove,
    ManualApprove,
    OwnerOverride,
    #[schemars(rename = "self")]
    Myself,
    TeamMember,
    TeamLead,
    Manager,
    Owner,
}

/// Longest time that an approval may be valid, in seconds: 30 days.
const MAX_SECONDS: i64 = 2_592_000;
/// Most stages.
const MAX_STAGES: usize = 10;
/// Most approvers of a stage.
const MAX_QUORUM: i64 = 20;
/// Most endpoints.
const MAX_WEBHOOKS: usize = 16;
/// Greatest number of cents that every reader of JSON holds exactly.
const MAX_CENTS: i64 = (1 << 53) - 1;
/// Most approvals that may wait.
const MAX_PENDING: i64 = 1_000_000;

/// What authors put into `spec` instead of where it belongs.
const ELSEWHERE: &[Elsewhere] = &[
    ("`metadata`", MetadataSpec::FIELDS),
    ("`scope`", ScopeSpec::FIELDS),
    ("an entry of `stages`", StageSpec::FIELDS),
    ("`ttl`", TtlSpec::FIELDS),
    ("`autoApprove`", AutoApproveSpec::FIELDS),
    ("`escalation`", &["afterSeconds"]),
];

pub(super) fn decode(spec: Field<'_>, head: &Head, context: Context<'_>, set: &mut DocumentSet, out: &mut Findings) {
    let Some(fields) = spec.fields_hinting("an approval policy", ApprovalPolicySpec::FIELDS, ELSEWHERE, out) else {
        return;
    };
    if let Some(description) = fields.get("description") {
        description.string(out);
    }
    let pending = fields.get("pending").and_then(|field| field.fields("`pending`", PendingSpec::FIELDS, out));
    let mut most = |name| {
        let most = pending.and_then(|fields| fields.get(name)?.integer(1..=MAX_PENDING, out));
        most.and_then(|most| u32::try_from(most).ok())
    };
    let (pending_per_tenant, pending_per_creator) = (most("perTenant"), most("perCreator"));
    set.approval_policies.push(ApprovalPolicy {
        name: head.name.clone(),
        layer: context.layer,
        scope: fields.get("scope").map(|field| scope(field, out)).unwrap_or_default(),
        stages: fields.get("stages").and_then(|field| stages(field, out)),
        auto_approve_max_cents: fields.get("autoApprove").and_then(|field| {
            let fields = field.fields("`autoApprove`", AutoApproveSpec::FIELDS, out)?;
            fields.require("maxCents", out)?.integer(0..=MAX_CENTS, out)
        }),
        ttl: fields.get("ttl").map(|field| ttl(field, out)).unwrap_or_default(),
        escalation: fields.get("escalation").and_then(|field| escalation(field, out)),
        webhooks: fields.get("webhooks").map(|field| webhooks(field, out)).unwrap_or_default(),
        pending_per_tenant,
        pending_per_creator,
        span: head.span,
    });
}

fn scope(field: Field<'_>, out: &mut Findings) -> ApprovalScope {
    let Some(fields) = field.fields("`scope`", ScopeSpec::FIELDS, out) else { return ApprovalScope::default() };
    let limits = Limits::default();
    ApprovalScope {
        tenants: patterns(fields.get("tenants"), limits.id_bytes, out),
        agents: patterns(fields.get("agents"), limits.name_bytes, out),
        actions: patterns(fields.get("actions"), limits.name_bytes, out),
    }
}

/// A level, as a number or a name.
fn approver_level(field: Field<'_>, out: &mut Findings) -> Option<u8> {
    match &field.node.kind {
        Kind::String(..) => field.one_of("a level of approver", &LEVEL_NAMES, out),
        Kind::Number(Number::Integer(_)) => crate::policy::decode::level(field, out),
        _ => field.integer(1..=5, out).and_then(|level| u8::try_from(level).ok()),
    }
}

fn stages(field: Field<'_>, out: &mut Findings) -> Option<Vec<StageRule>> {
    let entries = field.list("stages", out)?;
    if entries.is_empty() || entries.len() > MAX_STAGES {
        out.push(
            Finding::error(
                "bad-stages",
                format!("`stages` must have 1 to {MAX_STAGES} entries, found {}", entries.len()),
            )
            .at(field.node.span)
            .help("leave the list out for the built-in rule: one approver of level 3, for tier 3 of level 4"),
        );
        return None;
    }
    let count = entries.len();
    let mut stages = Vec::with_capacity(count);
    for entry in entries {
        let Some(fields) = entry.fields("a stage", StageSpec::FIELDS, out) else { continue };
        let level = fields.require("level", out).and_then(|field| approver_level(field, out));
        let quorum = fields.get("quorum").map_or(Some(1), |field| field.integer(1..=MAX_QUORUM, out));
        let min_cents = fields.get("minCents").map_or(Some(0), |field| field.integer(0..=MAX_CENTS, out));
        let (Some(level), Some(quorum), Some(min_cents)) = (level, quorum, min_cents) else { continue };
        stages.push(StageRule { level, quorum: u8::try_from(quorum).unwrap_or(u8::MAX), min_cents });
    }
    if stages.len() == count && stages.iter().all(|stage| stage.min_cents > 0) {
        out.push(
            Finding::error("bad-stages", "every stage has `minCents`, so nobody could approve what costs less")
                .at(field.key_span)
                .help("leave `minCents` out of one stage; `autoApprove` says what needs no human"),
        );
    }
    Some(stages)
}

fn seconds(field: Option<Field<'_>>, out: &mut Findings) -> Option<u32> {
    field?.integer(1..=MAX_SECONDS, out).and_then(|seconds| u32::try_from(seconds).ok())
}

fn ttl(field: Field<'_>, out: &mut Findings) -> TtlRule {
    let Some(fields) = field.fields("`ttl`", TtlSpec::FIELDS, out) else { return TtlRule::default() };
    let rule = TtlRule {
        default_seconds: seconds(fields.get("defaultSeconds"), out),
        min_seconds: seconds(fields.get("minSeconds"), out),
        max_seconds: seconds(fields.get("maxSeconds"), out),
    };
    let ordered = |least: Option<u32>, most: Option<u32>| least.zip(most).is_none_or(|(least, most)| least <= most);
    let TtlRule { default_seconds, min_seconds, max_seconds } = rule;
    if !(ordered(min_seconds, max_seconds)
        && ordered(min_seconds, default_seconds)
        && ordered(default_seconds, max_seconds))
    {
        out.push(
            Finding::error("bad-ttl", "`ttl` must have minSeconds ≤ defaultSeconds ≤ maxSeconds")
                .at(field.node.head())
                .help("what is not given is 60, 3600 and 86400"),
        );
    }
    rule
}

fn escalation(field: Field<'_>, out: &mut Findings) -> Option<EscalationRule> {
    let fields = field.fields("`escalation`", EscalationSpec::FIELDS, out)?;
    let after_seconds = seconds(fields.require("afterSeconds", out), out);
    let level = fields.require("level", out).and_then(|field| approver_level(field, out));
    Some(EscalationRule { after_seconds: after_seconds?, level: level? })
}

fn webhooks(field: Field<'_>, out: &mut Findings) -> Vec<Text> {
    let entries = field.list("names", out).unwrap_or_default();
    if entries.len() > MAX_WEBHOOKS {
        out.push(
            Finding::error("too-many", format!("at most {MAX_WEBHOOKS} webhooks can be told"))
                .at(field.key_span)
                .help("let one receiver pass it on"),
        );
    }
    entries.into_iter().filter_map(|entry| name(entry, out).map(Text::from)).collect()
}
