//! The syntax tree: nodes in one vector, operands before the nodes that use them, so that passes over it are loops and
//! freeing it never recurses.

use crate::model::Text;

use super::value::Const;

/// Number of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId(u32);

impl NodeId {
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One node and the bytes of the text that it covers.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Literal(Const),
    /// A variable, a type, or the first part of a qualified name.
    Ident(Text),
    /// A variable of a macro.
    Local(Local),
    Select {
        operand: NodeId,
        field: Text,
        /// Whether it stands in `has(…)`.
        test: bool,
    },
    Index {
        operand: NodeId,
        index: NodeId,
    },
    Not(NodeId),
    Negate(NodeId),
    Binary {
        operator: BinaryOp,
        left: NodeId,
        right: NodeId,
    },
    /// Two terms or more, never directly an `And` themselves.
    And(Vec<NodeId>),
    /// Two terms or more, never directly an `Or` themselves.
    Or(Vec<NodeId>),
    Ternary {
        condition: NodeId,
        yes: NodeId,
        no: NodeId,
    },
    Call {
        name: Text,
        receiver: Option<NodeId>,
        arguments: Vec<NodeId>,
        /// Where the name stands.
        name_at: (u32, u32),
    },
    List(Vec<NodeId>),
    Map(Vec<(NodeId, NodeId)>),
    Macro(Box<Macro>),
}

/// A use of a macro's variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Local {
    /// What the macro runs over.
    pub(super) range: NodeId,
    /// How many macros enclose the macro.
    pub(super) level: u8,
    /// Which of its variables.
    pub(super) part: Part,
}

/// What a macro's variable holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The element of a list or the key of a map.
    Item,
    /// The index of a list or the key of a map.
    Index,
    /// The element of a list or the value of a map.
    Value,
}

/// A macro over a list or map.
#[derive(Debug, Clone)]
pub(super) struct Macro {
    pub(super) kind: MacroKind,
    pub(super) range: NodeId,
    pub(super) level: u8,
    /// The condition of `all`, `exists`, `exists_one`, `filter` and of a `map` with three arguments.
    pub(super) condition: Option<NodeId>,
    /// What `map` and the transforms make of an element.
    pub(super) transform: Option<NodeId>,
}

/// Which macro.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MacroKind {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
    TransformMap,
}

/// An operator with two operands, apart from the logical ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BinaryOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
}

impl BinaryOp {
    /// The operator as written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::In => "in",
        }
    }
}

/// The tree.
#[derive(Debug, Clone)]
pub(super) struct Ast {
    nodes: Vec<Node>,
    root: NodeId,
}

impl Ast {
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), root: NodeId(0) }
    }

    pub(super) fn push(&mut self, kind: Kind, start: usize, end: usize) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        self.nodes.push(Node { kind, start: clamp(start), end: clamp(end) });
        id
    }

    pub(super) fn set_root(&mut self, root: NodeId) {
        self.root = root;
    }

    pub(super) fn root(&self) -> NodeId {
        self.root
    }

    /// All nodes, operands first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        (0..).map(NodeId).zip(&self.nodes)
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// What node `id` is. Ids come from the parser that filled this tree.
    #[allow(clippy::indexing_slicing, reason = "an id is made only by pushing its node")]
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    pub(super) fn kind(&self, id: NodeId) -> &Kind {
        &self.node(id).kind
    }

    pub(super) fn kind_mut(&mut self, id: NodeId) -> Option<&mut Kind> {
        self.nodes.get_mut(id.index()).map(|node| &mut node.kind)
    }

    /// Makes node `id` cover these bytes.
    pub(super) fn set_range(&mut self, id: NodeId, start: usize, end: usize) {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        if let Some(node) = self.nodes.get_mut(id.index()) {
            (node.start, node.end) = (clamp(start), clamp(end));
        }
    }

    /// The bytes that node `id` covers.
    pub(super) fn range(&self, id: NodeId) -> std::ops::Range<usize> {
        let node = self.node(id);
        node.start as usize..node.end as usize
    }

    /// Calls `visit` for each direct operand of `kind`, left to right.
    pub(super) fn operands(kind: &Kind, mut visit: impl FnMut(NodeId)) {
        match kind {
            Kind::Literal(_) | Kind::Ident(_) | Kind::Local(_) => {}
            Kind::Select { operand, .. } | Kind::Not(operand) | Kind::Negate(operand) => visit(*operand),
            Kind::Index { operand, index } => {
                visit(*operand);
                visit(*index);
            }
            Kind::Binary { left, right, .. } => {
                visit(*left);
                visit(*right);
            }
            Kind::And(terms) | Kind::Or(terms) | Kind::List(terms) => terms.iter().copied().for_each(visit),
            Kind::Ternary { condition, yes, no } => [*condition, *yes, *no].into_iter().for_each(visit),
            Kind::Call { receiver, arguments, .. } => receiver.iter().chain(arguments).copied().for_each(visit),
            Kind::Map(entries) => {
                for (key, value) in entries {
                    visit(*key);
                    visit(*value);
                }
            }
            Kind::Macro(loop_) => {
                visit(loop_.range);
                loop_.condition.iter().chain(&loop_.transform).copied().for_each(visit);
            }
        }
    }
}
