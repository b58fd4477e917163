//! The documents of plan governance, checked and typed: what an action may be (`ActionCatalog`) and what makes a plan
//! risky (`RiskPolicy`).

use std::sync::Arc;

use crate::condition::Condition;
use crate::diag::Span;
use crate::model::{Layer, Text, ValidationStatus};

use super::{ParamsSchema, Pattern};

/// Which actions and providers a plan may name.
#[derive(Debug, Clone)]
pub struct ActionCatalog {
    /// `metadata.name`, unique among catalogues.
    pub name: Text,
    /// Layer of its source.
    pub layer: Layer,
    /// Providers that steps may name.
    pub providers: Vec<Text>,
    /// The actions; an action is listed once over all catalogues of a layer.
    pub actions: Vec<CatalogAction>,
    /// Where its name is written.
    pub span: Span,
}

/// One action of a catalogue.
#[derive(Debug, Clone)]
pub struct CatalogAction {
    /// Its name; compared byte for byte.
    pub name: Text,
    /// Base tier, 0–3.
    pub tier: u8,
    /// Type of the resources that it is done to, as policies name it; `None` where that is not said.
    pub resource_type: Option<Text>,
    /// Providers that serve it; `None` means every provider of the catalogue.
    pub providers: Option<Vec<Text>>,
    /// Labels of its output as a whole, such as `reads_untrusted`, and of the action itself, such as `side_effect`.
    pub labels: Vec<Text>,
    /// Fields of its output that may be selected whole, with the labels that each carries instead.
    pub outputs: Vec<LabelledPath>,
    /// Labels of its parameters; each covers every leaf below its path.
    pub parameters: Vec<LabelledPath>,
    /// Paths into `params` whose longest list counts as the size of a bulk operation.
    pub count_paths: Vec<PathPattern>,
    /// Whether the lists at these paths count together; otherwise the longest one counts.
    pub count_together: bool,
    /// What each catalogue says of it, the highest layer's first, where several list it.
    pub each: Vec<CatalogAction>,
    /// JSON Schema of `params`, as written.
    pub params_schema: Option<Arc<serde_json::Value>>,
    /// The same, compiled.
    pub params_check: Option<Arc<ParamsSchema>>,
    /// Where its name is written.
    pub span: Span,
}

/// A path with the labels of what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledPath {
    /// The path.
    pub path: PathPattern,
    /// The labels; none is a statement too: the field carries no label of its action.
    pub labels: Vec<Text>,
}

/// A JSON Pointer in which the segment `*` stands for any index of a list or key of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    /// As written, with a leading `/`; empty for the whole.
    pub text: Text,
    /// Its segments, unescaped; `None` is `*`.
    pub segments: Vec<Option<Text>>,
}

impl PathPattern {
    /// The pattern that a JSON Pointer with `*` writes; a name without a leading `/` is the pointer to it.
    ///
    /// # Errors
    /// What is wrong with it, in words that follow the quoted text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let Some(rest) = text.strip_prefix('/') else {
            return match text {
                "" => Ok(Self { text: Text::default(), segments: Vec::new() }),
                name if name.contains('/') => Err("does not start with `/`"),
                name => Ok(Self { text: pointer_to(name), segments: vec![Some(name.into())] }),
            };
        };
        let segments: Option<Vec<_>> = rest.split('/').map(segment).collect();
        let segments = segments.ok_or("has a `~` that is neither `~0` (for `~`) nor `~1` (for `/`)")?;
        if segments.len() > MAX_SEGMENTS {
            return Err("is deeper than parameters can be nested");
        }
        Ok(Self { text: text.into(), segments })
    }
}

/// Most segments of a path: parameters nest no deeper.
const MAX_SEGMENTS: usize = 32;

fn pointer_to(name: &str) -> Text {
    format!("/{}", name.replace('~', "~0")).into()
}

/// One segment, unescaped; `None` where it is badly escaped.
fn segment(text: &str) -> Option<Option<Text>> {
    if text == "*" {
        return Some(None);
    }
    let mut plain = Text::default();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '~' => match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return None,
            },
            c => c,
        });
    }
    Some(Some(plain))
}

/// What makes a plan risky.
#[derive(Debug, Clone)]
pub struct RiskPolicy {
    /// `metadata.name`, unique among risk policies.
    pub name: Text,
    /// Layer of its source.
    pub layer: Layer,
    /// Least tier that needs approval, 0–3.
    pub approval_tier: Option<u8>,
    /// Most steps of a plan.
    pub max_steps: Option<u32>,
    /// Most that the budgets of all steps may add up to, in cents.
    pub max_budget_cents: Option<i64>,
    /// Words that give a tier where they are a whole segment of the resource or of `constraints.environment`.
    pub scopes: Option<Vec<ScopeWord>>,
    /// When a list makes a step a bulk operation.
    pub bulk: Option<BulkRule>,
    /// Tiers by condition, over one step.
    pub tiers: Vec<TierRule>,
    /// Rules over the whole plan.
    pub plan: Vec<PlanRule>,
    /// What may not flow where.
    pub flows: Vec<FlowRule>,
    /// Where its name is written.
    pub span: Span,
}

impl RiskPolicy {
    /// `approvalTier` unless a risk policy above the tenants' layer has it.
    pub const APPROVAL_TIER: u8 = 2;

    /// `scopes` unless a risk policy above the tenants' layer has it: words with their tiers.
    pub const SCOPES: [(&str, u8); 3] = [("production", 2), ("prod", 2), ("live", 2)];

    /// `bulk` unless a risk policy above the tenants' layer has it.
    pub const BULK: BulkRule = BulkRule { above: 100, tier: 3, unknown_tier: 3 };

    /// Whether it may say what holds in place of a default. What a tenant says only adds to what holds without it.
    #[must_use]
    pub fn may_replace_defaults(&self) -> bool {
        self.layer < Layer::Tenant
    }
}

/// A word that gives a tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeWord {
    /// The word; compared without regard to ASCII case.
    pub word: Text,
    /// The tier that it gives, 0–3.
    pub tier: u8,
}

/// When a list makes a step a bulk operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkRule {
    /// Lists longer than this.
    pub above: u64,
    /// The tier that they give, 0–3.
    pub tier: u8,
    /// The tier of a list that is bound to another step's output and that nothing keeps short, 0–3.
    pub unknown_tier: u8,
}

/// A tier by condition.
#[derive(Debug, Clone)]
pub struct TierRule {
    /// Unique within its risk policy.
    pub name: Text,
    /// Actions that it is about; `None` means all.
    pub actions: Option<Box<[Pattern]>>,
    /// Over `step` and `ir`.
    pub when: Arc<Condition>,
    /// The tier that it gives, 0–3.
    pub tier: u8,
    /// Why, in the author's words; may be empty.
    pub reason: Text,
    /// Where its name is written.
    pub span: Span,
}

/// A rule over the whole plan.
#[derive(Debug, Clone)]
pub struct PlanRule {
    /// Unique within its risk policy.
    pub name: Text,
    /// Over `ir`.
    pub when: Arc<Condition>,
    /// What follows where it holds: escalate or reject.
    pub effect: ValidationStatus,
    /// Level of approver needed, 1–5, where it escalates.
    pub required_level: Option<u8>,
    /// Why, in the author's words; may be empty.
    pub reason: Text,
    /// Where its name is written.
    pub span: Span,
}

/// What may not flow where.
#[derive(Debug, Clone)]
pub struct FlowRule {
    /// The risk policy.
    pub document: Text,
    /// Unique within its risk policy.
    pub name: Text,
    /// Label of the source.
    pub from: Text,
    /// Label of the sink.
    pub to: Text,
    /// What follows where it does: escalate or reject.
    pub effect: ValidationStatus,
    /// Level of approver needed, 1–5, where it escalates.
    pub required_level: Option<u8>,
    /// Why, in the author's words; may be empty.
    pub reason: Text,
    /// Where its name is written.
    pub span: Span,
}
