//! Why a decision is as it is, rule by rule.

use super::{Effect, Layer, Text, Value};

/// What became of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleOutcome {
    /// Patterns and condition hold.
    Matched,
    /// A pattern or the condition does not hold.
    NotMatched,
    /// The condition failed to evaluate.
    Error,
}

/// A value that a clause read.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedValue {
    /// Path of the attribute, for example `context.amount`.
    pub path: Text,
    /// Its value, `None` where the request has no such attribute.
    pub value: Option<Value>,
}

/// What became of one rule, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleExplanation {
    /// Policy of the rule.
    pub policy: Text,
    /// Name of the rule.
    pub rule: Text,
    /// Its layer.
    pub layer: Layer,
    /// Its effect.
    pub effect: Effect,
    /// Its priority.
    pub priority: i32,
    /// Whether it matched.
    pub outcome: RuleOutcome,
    /// The pattern or clause that settled it.
    pub clause: Text,
    /// The values that the clause read.
    pub values: Vec<ExplainedValue>,
    /// Why the condition failed, empty if it did not.
    pub error: Text,
}

/// Which rules were looked at and what became of each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Explanation {
    /// Matched rules first, then errors, then rules that did not match, each in order of precedence.
    pub rules: Vec<RuleExplanation>,
    /// Whether rules were left out because of the limit.
    pub truncated: bool,
}
