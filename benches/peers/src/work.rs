//! The work W(N) that every engine does: N rules, of which at most one matches a question.
//!
//! Rule n allows the action `act.n` to holders of the role `support` where four terms hold of the attributes: there is an
//! amount, it is at most 50, the region is `eu`, and the subject is an agent. A question names one action; its attributes
//! satisfy the terms.

/// Sizes of W.
pub const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

/// Which rule a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// One in the middle.
    Hit,
    /// The last one.
    Last,
    /// One that does not exist.
    Miss,
}

impl Ask {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 3] = [Self::Hit, Self::Last, Self::Miss];

    /// The number in the action's name, of `rules`.
    pub fn number(self, rules: usize) -> usize {
        match self {
            Self::Hit => rules / 2,
            Self::Last => rules - 1,
            Self::Miss => rules,
        }
    }

    /// The action that is asked for.
    pub fn action(self, rules: usize) -> String {
        action(self.number(rules))
    }

    /// Whether it is allowed.
    pub fn allowed(self) -> bool {
        self != Self::Miss
    }
}

/// The action of rule `n`.
pub fn action(n: usize) -> String {
    format!("act.n{n}")
}
