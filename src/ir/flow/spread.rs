//! How labels spread over a plan.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::model::Text;
use crate::policy::CatalogAction;

use super::order::Order;
use super::origin::{Leaf, Origins, Taken};
use super::selection::Selection;

/// A set of at most [`MOST_LABELS`] labels.
pub(super) type Labels = u64;

/// How many labels are followed at once.
pub(super) const MOST_LABELS: usize = Labels::BITS as usize;

/// What a step's output carries by the catalogue.
#[derive(Debug, Clone, Default)]
pub(super) struct Source {
    /// The action's labels.
    pub(super) action: Labels,
    /// Those of each declared field.
    pub(super) fields: Vec<Labels>,
}

impl Source {
    /// What `action` returns carries, of `labels`.
    pub(super) fn of(action: Option<&CatalogAction>, labels: &[&Text]) -> Self {
        let Some(action) = action else { return Self::default() };
        let bits = |names: &[Text]| {
            let here = labels.iter().enumerate().filter(|(_, label)| names.contains(label));
            here.fold(0, |bits, (number, _)| bits | 1 << number)
        };
        Self {
            action: bits(&action.labels),
            fields: action.outputs.iter().map(|output| bits(&output.labels)).collect(),
        }
    }

    /// Those of the whole: it contains the fields.
    pub(super) fn whole(&self) -> Labels {
        self.fields.iter().fold(self.action, |bits, field| bits | field)
    }

    fn field(&self, number: usize) -> Labels {
        self.fields.get(number).copied().unwrap_or(self.action)
    }

    /// Those of a part, without what it inherits.
    pub(super) fn selected(&self, selection: &Selection) -> Labels {
        match selection {
            Selection::Field(number) => self.field(*number),
            Selection::Part(fields) => fields.iter().fold(self.action, |bits, field| bits | self.field(*field)),
            Selection::Whole => self.whole(),
        }
    }
}

/// How a label came into a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause<'a> {
    /// Rank of the step that it came from.
    pub(super) from: usize,
    /// What was taken of its output; empty where that is not known.
    pub(super) output_path: &'a str,
    /// Whether that step's catalogue gives the label, and not one of its inputs.
    pub(super) is_source: bool,
}

/// Which labels the inputs of each step carry.
#[derive(Debug)]
pub(super) struct Spread<'a> {
    sources: &'a [Source],
    /// By rank.
    inherited: Vec<Labels>,
    causes: HashMap<(usize, u32), Cause<'a>, foldhash::fast::FixedState>,
    /// What an unknown origin carries, by rank.
    unknown: Vec<Labels>,
    unknown_causes: HashMap<(usize, u32), Cause<'a>, foldhash::fast::FixedState>,
}

impl<'a> Spread<'a> {
    /// Spreads the `labels` (how many there are) of `sources` (by rank) over the plan until nothing changes any more. Every step gains every label
    /// at most once, so that circles come to an end.
    pub(super) fn over(labels: usize, sources: &'a [Source], origins: &'a [Origins<'a>], order: &Order<'_>) -> Self {
        let count = sources.len();
        let mut spread = Self {
            sources,
            inherited: vec![0; count],
            causes: HashMap::default(),
            unknown: vec![0; count],
            unknown_causes: HashMap::default(),
        };
        let mut takers: Vec<Vec<(usize, &'a str)>> = vec![Vec::new(); count];
        let mut queue = VecDeque::new();
        for (rank, origins) in origins.iter().enumerate() {
            for taken in all_taken(origins) {
                for bit in bits(sources[taken.from].selected(&taken.selection)) {
                    let cause = Cause { from: taken.from, output_path: &taken.output_path, is_source: true };
                    spread.gain(rank, bit, cause, &mut queue);
                }
                if !matches!(taken.selection, Selection::Field(_)) {
                    takers[taken.from].push((rank, &taken.output_path));
                }
            }
        }
        let doubting: Vec<usize> = (0..count).filter(|rank| origins[*rank].is_in_doubt()).collect();
        let mut waiting: Vec<Vec<usize>> = vec![doubting; labels.min(MOST_LABELS)];
        for (rank, source) in sources.iter().enumerate() {
            for bit in bits(source.whole()) {
                spread.spread_unknown(rank, bit, true, &mut waiting, order, &mut queue);
            }
        }
        while let Some((rank, bit)) = queue.pop_front() {
            for (taker, output_path) in &takers[rank] {
                let cause = Cause { from: rank, output_path, is_source: false };
                spread.gain(*taker, bit, cause, &mut queue);
            }
            spread.spread_unknown(rank, bit, false, &mut waiting, order, &mut queue);
        }
        spread
    }

    fn gain(&mut self, rank: usize, bit: u32, cause: Cause<'a>, queue: &mut VecDeque<(usize, u32)>) {
        if self.inherited[rank] & (1 << bit) == 0 {
            self.inherited[rank] |= 1 << bit;
            self.causes.insert((rank, bit), cause);
            queue.push_back((rank, bit));
        }
    }

    /// The label of a step reaches every step after it that has an argument of unknown origin.
    fn spread_unknown(
        &mut self,
        from: usize,
        bit: u32,
        is_source: bool,
        waiting: &mut [Vec<usize>],
        order: &Order<'_>,
        queue: &mut VecDeque<(usize, u32)>,
    ) {
        waiting[bit as usize].retain(|rank| {
            if !order.may_precede(from, *rank) {
                return true;
            }
            let cause = Cause { from, output_path: "", is_source };
            self.unknown[*rank] |= 1 << bit;
            self.unknown_causes.insert((*rank, bit), cause.clone());
            self.gain(*rank, bit, cause, queue);
            false
        });
    }

    /// The labels of each point of a step.
    pub(super) fn labels_of_points(&self, origins: &Origins<'_>) -> Vec<Labels> {
        let of = |taken: &[Taken<'_>]| taken.iter().fold(0, |bits, taken| bits | self.labels_of_taken(taken));
        origins.points.iter().map(|point| of(&point.taken)).collect()
    }

    /// The labels of one argument, given those of the points.
    pub(super) fn labels_of(&self, rank: usize, origins: &Origins<'_>, points: &[Labels], leaf: &Leaf<'_>) -> Labels {
        let taken = leaf.points.iter().fold(0, |bits, point| bits | points[*point]);
        let seen = leaf.seen.iter().fold(taken, |bits, seen| bits | self.labels_of_taken(seen));
        if leaf.doubt(origins).is_some() { seen | self.unknown[rank] } else { seen }
    }

    fn labels_of_taken(&self, taken: &Taken<'_>) -> Labels {
        let own = self.sources[taken.from].selected(&taken.selection);
        if matches!(taken.selection, Selection::Field(_)) { own } else { own | self.inherited[taken.from] }
    }

    /// How the label came to one argument: the last station before it, and whether it is known that it was taken there.
    pub(super) fn cause_of(
        &self,
        rank: usize,
        origins: &'a Origins<'a>,
        leaf: &'a Leaf<'a>,
        bit: u32,
    ) -> Option<(Cause<'a>, bool)> {
        let label = 1 << bit;
        let taken = leaf.taken(origins).find(|taken| self.labels_of_taken(taken) & label != 0);
        if let Some(taken) = taken {
            let is_source = self.sources[taken.from].selected(&taken.selection) & label != 0;
            return Some((Cause { from: taken.from, output_path: &taken.output_path, is_source }, true));
        }
        self.unknown_causes.get(&(rank, bit)).map(|cause| (cause.clone(), false))
    }

    /// How the label came into a step that inherits it.
    pub(super) fn cause_in(&self, rank: usize, bit: u32) -> Option<&Cause<'a>> {
        self.causes.get(&(rank, bit))
    }
}

/// The numbers of the labels in a set.
pub(super) fn bits(labels: Labels) -> impl Iterator<Item = u32> {
    let mut left = labels;
    std::iter::from_fn(move || {
        let bit = left.trailing_zeros();
        left = left.checked_sub(1)? & left;
        Some(bit)
    })
}

fn all_taken<'a>(origins: &'a Origins<'a>) -> impl Iterator<Item = &'a Taken<'a>> {
    let seen = origins.leaves.iter().flat_map(|leaf| &leaf.seen);
    origins.points.iter().flat_map(|point| &point.taken).chain(seen)
}
