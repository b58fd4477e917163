//! What the arguments that a plan leaves open are held against.

use std::cell::Cell;

use crate::ir::call::{ParamsFit, params_fit};
use crate::model::{Attributes, Step, Text};
use crate::policy::MAX_CHECK_COST;
use crate::snapshot::Snapshot;

/// The schemas that open arguments are held against, with one budget for all calls.
#[derive(Debug)]
pub struct Schemas<'a> {
    of: Of<'a>,
    /// What checking may still cost.
    left: Cell<u64>,
    was_asked: Cell<bool>,
}

#[derive(Debug, Clone, Copy)]
enum Of<'a> {
    /// There are none.
    None,
    /// There should be some, and nothing is loaded.
    NotLoaded,
    /// Those of a snapshot, in whose name a phrase says which it is.
    Snapshot(&'a Snapshot, &'static str),
}

impl<'a> Schemas<'a> {
    /// None: open arguments are listed as unchecked.
    #[must_use]
    pub const fn none() -> Self {
        Self::of(Of::None)
    }

    /// The documents that were given.
    #[must_use]
    pub const fn given(snapshot: &'a Snapshot) -> Self {
        Self::of(Of::Snapshot(snapshot, "the documents that were given"))
    }

    /// Those of the snapshot that validated the plan, where it is `validated`; else those of the live one. Where `is_named` is
    /// false nothing says which snapshot validated it. Without either snapshot no open argument fits.
    #[must_use]
    pub fn of_server(validated: Option<&'a Snapshot>, live: Option<&'a Snapshot>, is_named: bool) -> Self {
        Self::of(match (validated, live) {
            (Some(validated), _) => Of::Snapshot(validated, "the snapshot that validated the plan"),
            (None, Some(live)) if is_named => {
                Of::Snapshot(live, "the live snapshot, since the one that validated the plan is no longer in memory")
            }
            (None, Some(live)) => {
                Of::Snapshot(live, "the live snapshot, since nothing names the one that validated the plan")
            }
            (None, None) => Of::NotLoaded,
        })
    }

    const fn of(of: Of<'a>) -> Self {
        Self { of, left: Cell::new(MAX_CHECK_COST), was_asked: Cell::new(false) }
    }

    /// Holds the arguments of a call of `step` against them.
    pub(super) fn fit(&self, step: &Step, params: &Attributes) -> ParamsFit {
        let (snapshot, which) = match self.of {
            Of::None => return ParamsFit::NoSchema,
            Of::NotLoaded => {
                let message = "no policies are loaded to hold the open arguments against";
                return ParamsFit::Wrong(message.to_owned());
            }
            Of::Snapshot(snapshot, which) => (snapshot, which),
        };
        let mut left = self.left.get();
        let fit = params_fit(snapshot.governance(), step, params, &mut left);
        self.left.set(left);
        self.was_asked.set(self.was_asked.get() || fit != ParamsFit::NoSchema);
        match fit {
            ParamsFit::Wrong(what) => ParamsFit::Wrong(format!(
                "{what}; so says {which} ({}): a plan whose rules have changed has to be validated again before it runs",
                snapshot.digest()
            )),
            fit => fit,
        }
    }

    /// The digest of the snapshot, if some argument was held against a schema of it.
    pub(super) fn digest(&self) -> Text {
        match self.of {
            Of::Snapshot(snapshot, _) if self.was_asked.get() => snapshot.digest().into(),
            _ => Text::default(),
        }
    }
}
