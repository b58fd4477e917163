//! The answer to the question whether what was made of a plan is the plan.

use super::Text;

/// What a plan was bound to when it was verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum BoundTo {
    /// To nothing: the steps may be any steps.
    #[default]
    None,
    /// To the receipt of its validation.
    Receipt,
    /// To an approval.
    Approval,
}

impl BoundTo {
    /// The name on the wire without its prefix, and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Receipt => "RECEIPT",
            Self::Approval => "APPROVAL",
        }
    }
}

/// What of the nodes was compared with the plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Compared {
    /// The content of every node, whose hash was computed anew; where no nodes were sent, that of the calls.
    #[default]
    Content,
    /// The hashes that the nodes declare; what they will do is not known.
    DeclaredHashes,
    /// The content of some nodes, the declared hash of others.
    Mixed,
}

impl Compared {
    /// The name on the wire without its prefix, and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Content => "CONTENT",
            Self::DeclaredHashes => "DECLARED_HASHES",
            Self::Mixed => "MIXED",
        }
    }
}

/// A node that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MalformedNode {
    /// Position in the list of nodes, from 0.
    pub index: u32,
    /// What is wrong with it.
    pub reason: String,
}

/// A node that does something other than its step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashMismatch {
    /// The step.
    pub step_id: Text,
    /// The hash of the plan's step.
    pub expected: Text,
    /// The hash of the node: computed where it has content that differs, else as declared.
    pub actual: Text,
    /// What differs, as JSON Pointers into the step; empty where only a declared hash does.
    pub changed_paths: Vec<String>,
}

/// What kind of deviation. Numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DeviationKind {
    /// The steps are not those that the receipt or the approval is for.
    PlanChanged = 1,
    /// The steps have no canonical form, or several have one id, so that nothing can be proved of them.
    PlanInvalid = 2,
    /// The receipt says ESCALATE or REJECT, or the approval or step was not redeemed, which authorises nothing; with a
    /// call, that one was made all the same.
    NotAuthorised = 3,
    /// A call was made that no step of the plan accounts for.
    UnplannedCall = 4,
    /// A step ran again after it was done.
    RepeatedCall = 5,
    /// A step called another action.
    ChangedAction = 6,
    /// A step was done to something else.
    ChangedResource = 7,
    /// A step was called with other arguments, where they were not open, without an open one, or with other open ones than
    /// it was redeemed with.
    ChangedParams = 8,
    /// An open argument holds what the action's schema does not allow.
    InvalidParams = 9,
    /// A step ran before one that comes before it.
    OutOfOrder = 10,
    /// A step ran although one that it depends on, or takes an input from, was not done.
    DependencyNotRun = 11,
    /// Nothing says in which order the nodes of a sequence run.
    OrderUnknown = 12,
}

impl DeviationKind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::PlanChanged,
        Self::PlanInvalid,
        Self::NotAuthorised,
        Self::UnplannedCall,
        Self::RepeatedCall,
        Self::ChangedAction,
        Self::ChangedResource,
        Self::ChangedParams,
        Self::InvalidParams,
        Self::OutOfOrder,
        Self::DependencyNotRun,
        Self::OrderUnknown,
    ];

    /// The name on the wire without its prefix, and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlanChanged => "PLAN_CHANGED",
            Self::PlanInvalid => "PLAN_INVALID",
            Self::NotAuthorised => "NOT_AUTHORISED",
            Self::UnplannedCall => "UNPLANNED_CALL",
            Self::RepeatedCall => "REPEATED_CALL",
            Self::ChangedAction => "CHANGED_ACTION",
            Self::ChangedResource => "CHANGED_RESOURCE",
            Self::ChangedParams => "CHANGED_PARAMS",
            Self::InvalidParams => "INVALID_PARAMS",
            Self::OutOfOrder => "OUT_OF_ORDER",
            Self::DependencyNotRun => "DEPENDENCY_NOT_RUN",
            Self::OrderUnknown => "ORDER_UNKNOWN",
        }
    }
}

/// Something that ran, or was sent, and is not the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// What kind.
    pub kind: DeviationKind,
    /// The step, empty if none is concerned.
    pub step_id: Text,
    /// `seq` of the execution, or its place, from 1, where none has a `seq`; `None` if none is concerned.
    pub execution_seq: Option<u64>,
    /// What is different, for people.
    pub message: String,
}

/// Whether what was made of a plan is the plan. A step without id goes by its position, from 0, in decimal.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct DagVerification {
    /// Nothing is missing, added, changed, re-wired, re-ordered or unaccounted for, and, where executions were sent, every
    /// planned step ran.
    pub success: bool,
    /// What the plan was bound to.
    pub bound_to: BoundTo,
    /// What of the nodes was compared.
    pub compared: Compared,
    /// `sha256:` and 64 hexadecimal digits over the plan's canonical form; empty if it has none.
    pub ir_hash: Text,
    /// The same over the nodes as they are declared.
    pub dag_hash: Text,
    /// Steps without a node.
    pub missing_steps: Vec<Text>,
    /// Nodes without a step.
    pub extra_nodes: Vec<Text>,
    /// Ids that several nodes have.
    pub duplicates: Vec<Text>,
    /// Nodes that are none.
    pub malformed: Vec<MalformedNode>,
    /// Nodes that do something other than their step.
    pub hash_mismatches: Vec<HashMismatch>,
    /// Nodes that wait for others than their step does, or not for a step whose output they take.
    pub rewired: Vec<Text>,
    /// Steps whose nodes or calls are in another order than the plan's: the fewest whose move explains it.
    pub reordered: Vec<Text>,
    /// What ran, or was sent, and is not the plan.
    pub deviations: Vec<Deviation>,
    /// Planned steps that never ran and were not refused. Empty where no executions were sent.
    pub not_run: Vec<Text>,
    /// Planned steps that were refused and never ran.
    pub refused: Vec<Text>,
    /// Digest of the snapshot whose schemas open arguments were held against; empty where none were.
    pub params_snapshot: Text,
    /// Steps that were called and whose open arguments were held against no schema: there were no catalogues, none lists the
    /// action, or none has a schema for it.
    pub unchecked_params: Vec<Text>,
}
