//! What an answer or a record may say of a rule, apart from how it matches.

use super::{Attributes, Effect, Text};

/// Where a document comes from, by the configuration of its source. A higher layer cannot be overruled by a lower one:
/// the answer is the most restrictive of the layers' outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The platform's own rules; highest.
    System,
    /// The organisation's.
    Organisation,
    /// A tenant's; lowest.
    Tenant,
}

impl Layer {
    /// All layers, highest first.
    pub const ALL: [Self; 3] = [Self::System, Self::Organisation, Self::Tenant];

    /// The name on the wire and in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Organisation => "organisation",
            Self::Tenant => "tenant",
        }
    }
}

/// Something that the caller must do when acting on a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Obligation {
    /// What is to be done.
    pub id: Text,
    /// Details.
    pub properties: Attributes,
}

/// What an answer or a record says of a rule that took part in a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleLabel {
    /// `metadata.name` of the rule's policy.
    pub policy: Text,
    /// The rule's name, unique within its policy.
    pub rule: Text,
    /// The layer of the policy.
    pub layer: Layer,
    /// The rule's effect.
    pub effect: Effect,
    /// Its effective priority; higher goes first within a layer.
    pub priority: i32,
    /// Why, for people: sanitised, at most 512 characters; a sentence of ours where the author gave none.
    pub reason: Text,
    /// Level of approver needed, 1–5, where the effect is `require_approval`.
    pub required_level: Option<u8>,
    /// What the caller must do when this rule takes part in an answer.
    pub obligations: Box<[Obligation]>,
}

/// The default effect and its sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct DefaultLabel {
    /// What happens where no rule matches.
    pub effect: Effect,
    /// Name of the policy set, empty if there is none.
    pub policy_set: Text,
}

/// What answers and records need of a snapshot. Shared by every decision that the snapshot makes, so that neither copies
/// strings. Rules are numbered in order of precedence: by layer, then priority descending, then deny before
/// require_approval before allow before observers, then policy and rule name.
///
/// The default is the label of no snapshot: it has no digest and no rules, and denies.
#[derive(Debug, Default, PartialEq)]
pub struct SnapshotLabel {
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: Text,
    /// Counts the snapshots of this state directory.
    pub revision: u64,
    /// Version of the policy set, empty if none is given.
    pub version: Text,
    /// The rules, by number.
    pub rules: Box<[RuleLabel]>,
    /// What happens where no rule matches.
    pub default: DefaultLabel,
}

impl Default for DefaultLabel {
    fn default() -> Self {
        Self { effect: Effect::Deny, policy_set: Text::default() }
    }
}
