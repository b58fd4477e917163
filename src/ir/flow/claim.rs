//! Claims, checked against what the user wrote and what was observed.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::model::{Text, Value};
use crate::policy::CatalogAction;

use super::date::{self, Day};
use super::handle::{handles, times};
use super::index::words;
use super::observed::Copied;
use super::order::Order;
use super::origin::{Doubt, Evidence, FoundLeaf, Leaf, Point, Taken, leaf_text};
use super::pointer;
use super::selection::Selection;
use super::text::{Within, is_currency, normal, occurrences, occurs};

/// A part of what the user wrote, as it is claimed.
#[derive(Debug)]
pub(super) struct Quote {
    /// Position of the claim among the inputs of the step.
    input: usize,
    normal: Text,
    /// Whether it stands in a user message.
    said: bool,
    /// Whether it was found in the value.
    used: Cell<bool>,
}

impl Quote {
    /// The claim, at position `input`, that the user wrote `written`; empty for the value itself.
    pub(super) fn new(written: &str, input: usize, evidence: &Evidence<'_>) -> Self {
        let normal = normal(written);
        // A sign without a word stands in what anybody writes.
        let said = normal.contains(char::is_alphanumeric) && evidence.is_said(&normal);
        Self { input, normal, said, used: Cell::new(false) }
    }

    /// Whether the user wrote it and it stands in the argument.
    fn stands_in(&self, argument: &str) -> bool {
        self.said && occurs(&self.normal, argument, Within::Argument)
    }

    /// Whether it means the value itself.
    fn is_value(&self) -> bool {
        self.normal.is_empty()
    }
}

/// Where one argument comes from.
pub(super) fn judge<'a>(
    leaf: FoundLeaf<'_>,
    points: &[Point<'a>],
    action: Option<&CatalogAction>,
    step: usize,
    order: &Order<'_>,
    evidence: &Evidence<'_>,
) -> Leaf<'a> {
    let covering = || leaf.points.iter().map(|number| &points[*number]);
    let is_claimed_user = covering().any(|point| !point.quotes.is_empty());
    let is_taken = covering().any(|point| !point.taken.is_empty());
    let mut seen = Vec::new();
    let mut doubt = None;
    if leaf.is_key {
        (seen, doubt) = Argument::of(&leaf, action).judge_key(points, is_taken, step, order, evidence);
    } else if leaf.points.is_empty() && evidence.observed.is_none() {
        doubt = Some(Doubt::Nothing);
    } else if leaf.points.is_empty() || is_claimed_user || (is_taken && evidence.observed.is_some()) {
        let argument = Argument::of(&leaf, action);
        if leaf.points.is_empty() {
            (seen, doubt) = argument.explain(step, order, evidence);
        } else {
            doubt = argument.user_doubt(points, is_taken, evidence).or_else(|| argument.copy_doubt(points, evidence));
        }
    }
    let FoundLeaf { path, points, .. } = leaf;
    Leaf { path, points, seen, doubt, is_open: false }
}

/// The same for a path that gets its value when the plan runs: nothing of the claims can be looked for in it.
pub(super) fn judge_absent<'a>(leaf: FoundLeaf<'_>, points: &[Point<'a>]) -> Leaf<'a> {
    let quotes = || leaf.points.iter().flat_map(|number| &points[*number].quotes);
    quotes().filter(|quote| quote.said).for_each(|quote| quote.used.set(true));
    let unsaid = quotes().find(|quote| !quote.said);
    let doubt = unsaid.map(|quote| if quote.is_value() { Doubt::ValueNotSaid } else { Doubt::NotSaid(quote.input) });
    Leaf { path: leaf.path, points: leaf.points, seen: Vec::new(), doubt, is_open: true }
}

/// Once all leaves are judged: a quote that stands in none of the values that it is claimed for is a false claim.
pub(super) fn settle(points: &mut [Point<'_>]) {
    for point in points {
        let unused = point.quotes.iter().find(|quote| quote.said && !quote.used.get());
        if let (None, Some(quote)) = (&point.doubt, unused) {
            point.doubt = Some(Doubt::NotInValue(quote.input));
        }
    }
}

/// Parts of a text, by where they begin; each with the furthest end of those up to it.
struct Covered(Vec<(usize, usize)>);

impl Covered {
    fn by(parts: impl Iterator<Item = Range<usize>>) -> Self {
        let mut parts: Vec<(usize, usize)> = parts.map(|part| (part.start, part.end)).collect();
        parts.sort_unstable();
        let mut furthest = 0;
        for (_, end) in &mut parts {
            furthest = furthest.max(*end);
            *end = furthest;
        }
        Self(parts)
    }

    /// Whether one of them holds all of `part`.
    fn holds(&self, part: &Range<usize>) -> bool {
        let before = self.0.partition_point(|(start, _)| *start <= part.start);
        before.checked_sub(1).and_then(|last| self.0.get(last)).is_some_and(|(_, furthest)| part.end <= *furthest)
    }
}

/// An argument that is being judged.
struct Argument<'l, 'v> {
    leaf: &'l FoundLeaf<'v>,
    text: Text,
    day: Option<Day>,
}

impl<'l, 'v> Argument<'l, 'v> {
    fn of(leaf: &'l FoundLeaf<'v>, action: Option<&CatalogAction>) -> Self {
        let day = match (leaf.value, action.and_then(|action| action.params_schema.as_deref())) {
            (Some(Value::String(text)), Some(schema)) => Day::of_value(text)
                .filter(|_| pointer::tokens(&leaf.path).is_some_and(|tokens| date::is_date(schema, &tokens))),
            _ => None,
        };
        Self { leaf, text: leaf_text(leaf).unwrap_or_default(), day }
    }

    /// Whether the value itself stands in a user message; of a link also without the scheme that people leave out.
    fn is_said(&self, evidence: &Evidence<'_>) -> bool {
        let bare = || {
            let bare = self.text.strip_prefix("https://").filter(|bare| bare.contains('.'));
            bare.map(|bare| bare.strip_suffix('/').unwrap_or(bare))
        };
        !self.text.is_empty() && (evidence.is_said(&self.text) || bare().is_some_and(|bare| evidence.is_said(bare)))
            || self.day.is_some_and(|day| evidence.names_day(day))
    }

    /// Where the key of a map comes from: the user if that named it, else from where the map does.
    fn judge_key<'a>(
        &self,
        points: &[Point<'a>],
        is_taken: bool,
        step: usize,
        order: &Order<'_>,
        evidence: &Evidence<'_>,
    ) -> (Vec<Taken<'a>>, Option<Doubt<'a>>) {
        if self.leaf.points.is_empty() {
            if self.is_said(evidence) { (Vec::new(), None) } else { self.explain(step, order, evidence) }
        } else {
            (Vec::new(), self.user_doubt(points, is_taken, evidence))
        }
    }

    /// What is wrong with the claims that it is the user's.
    fn user_doubt<'a>(&self, points: &[Point<'a>], is_taken: bool, evidence: &Evidence<'_>) -> Option<Doubt<'a>> {
        let covering = || self.leaf.points.iter().map(|number| &points[*number]);
        let quotes = || covering().flat_map(|point| &point.quotes);
        quotes().next()?;
        if self.is_said(evidence) {
            for point in covering() {
                let is_own = point.path.len() == self.leaf.path.len();
                for quote in &point.quotes {
                    match is_own.then_some(true).or_else(|| self.repeats(quote, evidence)) {
                        Some(used) => quote.used.set(quote.used.get() || used),
                        None => return Some(Doubt::NotInValue(quote.input)),
                    }
                }
            }
            return None;
        }
        let mut held: Vec<&str> = Vec::new();
        let mut is_whole = false;
        for quote in quotes() {
            if quote.is_value() {
                return Some(Doubt::ValueNotSaid);
            }
            if !quote.said {
                return Some(Doubt::NotSaid(quote.input));
            }
            match self.repeats(quote, evidence) {
                Some(true) => {
                    quote.used.set(true);
                    is_whole |= self.is_within(quote);
                    held.push(&quote.normal);
                }
                Some(false) => {}
                None => return Some(Doubt::NotInValue(quote.input)),
            }
        }
        if is_whole || is_taken {
            return None;
        }
        match (held.is_empty(), quotes().next()) {
            (true, Some(quote)) => Some(Doubt::NotInValue(quote.input)),
            _ => self.leaves_over(&held, evidence).then_some(Doubt::LeftOver),
        }
    }

    /// Whether the quote stands in the value, or the value in the quote; `None` once comparing has cost too much.
    fn repeats(&self, quote: &Quote, evidence: &Evidence<'_>) -> Option<bool> {
        let paid = evidence.work.take(1 + (quote.normal.len() + self.text.len()) / 8);
        paid.then(|| occurs(&quote.normal, &self.text, Within::Argument) || self.is_within(quote))
    }

    fn is_within(&self, quote: &Quote) -> bool {
        occurs(&self.text, &quote.normal, Within::Prose)
            || self.day.is_some_and(|day| date::days(&quote.normal).any(|named| named.is(day)))
    }

    /// Beside the quotes only words may stand that the user wrote, too, in no new address, link or number; the time of a day,
    /// and the code of a currency. A recipient who is appended to a list is not the user's because the first one is.
    fn leaves_over(&self, held: &[&str], evidence: &Evidence<'_>) -> bool {
        let quotes: BTreeSet<&str> = held.iter().copied().collect();
        let found = quotes.into_iter().flat_map(|quote| occurrences(quote, &self.text));
        let covered = Covered::by(times(&self.text).chain(found));
        let unsaid = |part: &Range<usize>| !covered.holds(part) && !evidence.is_said(&self.text[part.clone()]);
        let is_strange = |(at, word): (usize, &str)| !is_currency(word) && unsaid(&(at..at + word.len()));
        handles(&self.text).iter().any(unsaid) || words(&self.text).any(is_strange)
    }

    /// Whether what is said to be a copy of an observed field is none: the only origin must be the same value, of several
    /// one must stand in it.
    fn copy_doubt<'a>(&self, points: &[Point<'a>], evidence: &Evidence<'_>) -> Option<Doubt<'a>> {
        let observed = evidence.observed.as_ref()?;
        if self.text.is_empty() {
            return None;
        }
        let covering = || self.leaf.points.iter().map(|number| &points[*number]);
        let origins: usize = covering().map(|point| point.taken.len() + point.quotes.len()).sum();
        let mut denied = None;
        for point in covering() {
            let below = self.leaf.path.get(point.path.len()..)?;
            for taken in &point.taken {
                if !matches!(taken.selection, Selection::Field(_)) {
                    return None;
                }
                let Cow::Borrowed(path) = taken.output_path else { return None };
                if !evidence.work.take(1 + self.text.len() / 8) {
                    return Some(Doubt::NotCopied(path));
                }
                let copy = Copied { from: taken.from, path, below, is_part: origins > 1 };
                if observed.confirms(copy, &self.text, &evidence.work).unwrap_or(true) {
                    return None;
                }
                denied.get_or_insert(path);
            }
        }
        let is_quoted = covering().flat_map(|point| &point.quotes).any(|quote| quote.stands_in(&self.text));
        if is_quoted { None } else { denied.map(Doubt::NotCopied) }
    }

    /// Where a value of which nothing is said comes from, by what was written and observed.
    fn explain<'a>(
        &self,
        step: usize,
        order: &Order<'_>,
        evidence: &Evidence<'_>,
    ) -> (Vec<Taken<'a>>, Option<Doubt<'a>>) {
        let Some(observed) = &evidence.observed else { return (Vec::new(), Some(Doubt::Nothing)) };
        // Either of two values is no sign of where it comes from.
        if let Some(Value::Bool(_)) = self.leaf.value {
            return (Vec::new(), Some(Doubt::Nothing));
        }
        if self.is_said(evidence) {
            return (Vec::new(), None);
        }
        let sightings = match self.leaf.value {
            Some(_) => observed.sightings(&self.text, step, order, &evidence.work),
            None => Vec::new(),
        };
        let doubt = sightings.is_empty().then_some(Doubt::Nothing);
        let taken = sightings.into_iter().map(|sight| Taken {
            from: sight.from,
            output_path: Cow::Owned(sight.path),
            selection: sight.selection,
        });
        (taken.collect(), doubt)
    }
}
