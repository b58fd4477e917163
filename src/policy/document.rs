//! The documents, checked and typed: what the other rooms see of a policy file.

use std::borrow::Cow;
use std::sync::Arc;

use crate::condition::Condition;
use crate::diag::Span;
use crate::model::{
    Effect, Layer, Obligation, Outcome, Plan, ReasonCode, Request, Text, ValidationStatus, ViolationCode,
};

use super::{ActionCatalog, ApprovalPolicy, Pattern, RiskPolicy, WebhookEndpoint};

/// All documents of one load, free of errors.
#[derive(Debug, Clone, Default)]
pub struct DocumentSet {
    /// The policy set, if one of the documents is one.
    pub policy_set: Option<PolicySet>,
    /// The policies, enabled or not.
    pub policies: Vec<Policy>,
    /// The catalogues of actions.
    pub catalogs: Vec<ActionCatalog>,
    /// The risk policies.
    pub risk_policies: Vec<RiskPolicy>,
    /// The approval policies.
    pub approval_policies: Vec<ApprovalPolicy>,
    /// Where changes of approvals are sent.
    pub webhook_endpoints: Vec<WebhookEndpoint>,
    /// The test documents; not part of the digest.
    pub tests: Vec<Tests>,
    /// Every document that is part of the digest, in canonical form.
    pub canonical: Vec<CanonicalDocument>,
}

/// A document as the digest sees it: the author's document without annotations and without the policy set's version,
/// defaults not filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct CanonicalDocument {
    /// Layer of its source.
    pub layer: Layer,
    /// Its kind.
    pub kind: &'static str,
    /// `metadata.name`.
    pub name: Text,
    /// The document in RFC 8785 form.
    pub text: String,
    /// Where in `text` a member `layer` would stand.
    pub(crate) layer_at: usize,
}

impl CanonicalDocument {
    /// The parts that the digest covers, one after the other.
    ///
    /// Documents of the organisation layer, where sources are unless configuration says otherwise, stand as written; those
    /// of another layer get a member `layer`, because the same documents in another layer mean something else.
    pub(crate) fn covered(&self) -> [Cow<'_, str>; 3] {
        if self.layer == Layer::Organisation {
            return [Cow::Borrowed(&self.text), Cow::default(), Cow::default()];
        }
        let (before, after) = self.text.split_at_checked(self.layer_at).unwrap_or((&self.text, ""));
        [before.into(), format!(",\"layer\":\"{}\"", self.layer.as_str()).into(), after.into()]
    }
}

/// Default effect, version and limits of the whole set.
#[derive(Debug, Clone)]
pub struct PolicySet {
    /// `metadata.name`.
    pub name: Text,
    /// `vMAJOR.MINOR.PATCH`, empty if not given.
    pub version: Text,
    /// What happens where no rule matches.
    pub default_effect: Effect,
    /// Evaluation budget of a request, where the set lowers it.
    pub evaluation_cost: Option<u64>,
    /// Where it is written.
    pub span: Span,
}

/// Rules that belong together.
#[derive(Debug, Clone)]
pub struct Policy {
    /// `metadata.name`, unique in the set.
    pub name: Text,
    /// Layer of its source.
    pub layer: Layer,
    /// Tenants that it speaks about; `None` means all.
    pub tenants: Option<Box<[Pattern]>>,
    /// A disabled policy takes no part.
    pub enabled: bool,
    /// Its rules.
    pub rules: Vec<Rule>,
    /// Where its name is written.
    pub span: Span,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Unique within its policy.
    pub name: Text,
    /// What it does when it matches.
    pub effect: Effect,
    /// A disabled rule takes no part.
    pub enabled: bool,
    /// The rule's priority, else the policy's, else 0.
    pub priority: i32,
    /// Which requests it is about.
    pub target: Target,
    /// What must hold besides; `None` means nothing.
    pub condition: Option<Arc<Condition>>,
    /// Why, in the author's words; empty if not given.
    pub reason: Text,
    /// What the caller must do.
    pub obligations: Box<[Obligation]>,
    /// Level of approver, 1–5.
    pub required_level: Option<u8>,
    /// Where its name is written.
    pub span: Span,
}

/// The patterns of a rule. `None` means any; the fields are ANDed, the entries of a list ORed.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// `subjects.types`.
    pub subject_types: Option<Box<[Pattern]>>,
    /// `subjects.ids`.
    pub subject_ids: Option<Box<[Pattern]>>,
    /// `subjects.roles`: one of the subject's roles must match one of the patterns.
    pub roles: Option<Box<[Pattern]>>,
    /// `actions`.
    pub actions: Option<Box<[Pattern]>>,
    /// `resources.types`.
    pub resource_types: Option<Box<[Pattern]>>,
    /// `resources.ids`.
    pub resource_ids: Option<Box<[Pattern]>>,
}

/// Cases for `lictor test`.
#[derive(Debug, Clone)]
pub struct Tests {
    /// `metadata.name`.
    pub name: Text,
    /// The cases, fixtures already applied.
    pub cases: Vec<TestCase>,
}

/// One question with its expected answer.
#[derive(Debug, Clone)]
pub struct TestCase {
    /// Its name, unique within its document.
    pub name: Text,
    /// The question, and what the answer must be.
    pub question: Question,
    /// When it is decided; `None` means the time of the test.
    pub now: Option<crate::model::Timestamp>,
    /// Where its name is written.
    pub span: Span,
}

/// What a test case asks, and what the answer must be.
#[derive(Debug, Clone)]
pub enum Question {
    /// A single action.
    Request(Box<Request>, Expectation),
    /// A whole plan.
    Plan(Box<Plan>, PlanExpectation),
}

/// What a test case expects of a plan; a field that is `None` is not compared.
#[derive(Debug, Clone, Default)]
pub struct PlanExpectation {
    /// What may happen.
    pub status: Option<ValidationStatus>,
    /// Greatest tier of its steps.
    pub tier: Option<u8>,
    /// The tier of each step.
    pub tiers: Option<Vec<u8>>,
    /// Every code of a violation, in any order, each once.
    pub violations: Option<Vec<ViolationCode>>,
    /// Every path of a violation, in any order, each once.
    pub paths: Option<Vec<Text>>,
    /// `document/rule` of every tier, plan and flow rule that takes part, in any order.
    pub rules: Option<Vec<Text>>,
    /// Approver level.
    pub required_level: Option<u8>,
    /// The plan's hash.
    pub hash: Option<Text>,
}

/// What a test case expects; a field that is `None` is not compared.
#[derive(Debug, Clone, Default)]
pub struct Expectation {
    /// Whether the action may happen.
    pub allowed: Option<bool>,
    /// What may happen.
    pub decision: Option<Outcome>,
    /// Effect of the rule or default that decides.
    pub effect: Option<Effect>,
    /// `policy/rule` that decides; `Some("")` expects that none does.
    pub rule: Option<Text>,
    /// Why.
    pub reason_code: Option<ReasonCode>,
    /// Approver level.
    pub required_level: Option<u8>,
    /// Whether an audit is owed.
    pub requires_audit: Option<bool>,
    /// `policy/rule` of every warning, in any order.
    pub warnings: Option<Vec<Text>>,
    /// Ids of every obligation, in any order.
    pub obligations: Option<Vec<Text>>,
}
