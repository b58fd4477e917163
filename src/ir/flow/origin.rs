//! Where the arguments of a step come from: what is claimed, checked; or what was observed; or unknown.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use crate::model::{Attributes, Origin, Plan, Step, Text, Value, same_text};
use crate::policy::{CatalogAction, PathPattern};

use super::claim::{self, Quote};
use super::date::{self, Day};
use super::index::{TextIndex, Work};
use super::keys;
use super::observed::Observed;
use super::order::Order;
use super::pointer;
use super::selection::{Selection, select};
use super::text::{normal, normal_scalar};

/// How deep params are looked into; the origin of what lies deeper is unknown.
const MAX_DEPTH: usize = 64;

/// How long a JSON Pointer is followed further, in bytes; like what lies too deep.
pub(super) const MAX_PATH: usize = 1024;

/// Where all arguments of one step come from.
#[derive(Debug, Default)]
pub(super) struct Origins<'a> {
    /// The paths that something is said about.
    pub(super) points: Vec<Point<'a>>,
    /// The arguments.
    pub(super) leaves: Vec<Leaf<'a>>,
}

/// A path that something is said about; it covers every leaf below.
#[derive(Debug, Default)]
pub(super) struct Point<'a> {
    /// JSON Pointer into the params.
    pub(super) path: &'a str,
    /// What was taken from other steps.
    pub(super) taken: Vec<Taken<'a>>,
    /// What makes the origin unknown all the same.
    pub(super) doubt: Option<Doubt<'a>>,
    pub(super) quotes: SmallVec<[Quote; 1]>,
}

/// A part of another step's output.
#[derive(Debug, Clone)]
pub(super) struct Taken<'a> {
    /// Rank of that step.
    pub(super) from: usize,
    /// JSON Pointer into its output.
    pub(super) output_path: Cow<'a, str>,
    /// What it is to the catalogue.
    pub(super) selection: Selection,
}

/// A scalar of the params, or a path that gets its value from another step's output.
#[derive(Debug)]
pub(super) struct Leaf<'a> {
    /// JSON Pointer into the params.
    pub(super) path: Text,
    /// The points that cover it, by number.
    pub(super) points: SmallVec<[usize; 2]>,
    /// What was observed of where it comes from, where nothing is said.
    pub(super) seen: Vec<Taken<'a>>,
    /// What makes its origin unknown.
    pub(super) doubt: Option<Doubt<'a>>,
    /// Whether it stands for values of a list or map that are not known yet.
    pub(super) is_open: bool,
}

impl<'a> Origins<'a> {
    /// Whether the origin of any argument is unknown.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.leaves.iter().any(|leaf| leaf.doubt(self).is_some())
    }
}

impl<'a> Leaf<'a> {
    /// All that was taken of other steps for it.
    pub(super) fn taken<'s>(&'s self, origins: &'s Origins<'a>) -> impl Iterator<Item = &'s Taken<'a>> {
        self.points.iter().flat_map(|point| &origins.points[*point].taken).chain(&self.seen)
    }

    /// What makes its origin unknown.
    pub(super) fn doubt<'s>(&'s self, origins: &'s Origins<'a>) -> Option<&'s Doubt<'a>> {
        self.doubt.as_ref().or_else(|| self.points.iter().find_map(|point| origins.points[*point].doubt.as_ref()))
    }
}

/// Why an origin is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doubt<'a> {
    /// Nothing is said, and nothing that was observed explains it.
    Nothing,
    /// The quote of the input at this position stands in no user message.
    NotSaid(usize),
    /// The value itself stands in no user message.
    ValueNotSaid,
    /// The quote of the input at this position does not stand in the value.
    NotInValue(usize),
    /// The quotes cover the value only in part.
    LeftOver,
    /// It is said to be a constant: true only as long as nothing untrusted was read.
    Constant,
    /// It is said to come from a step that the plan does not have, or that cannot have run before.
    NoSuchStep(&'a str),
    /// It is said to be a copy of a field that was observed, and holds something else.
    NotCopied(&'a str),
}

/// What values are compared with.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    user_messages: &'a [Text],
    /// What the user wrote; prepared when first asked.
    said: OnceCell<TextIndex>,
    /// What was looked for there last.
    asked: RefCell<Asked>,
    /// The days that the user named; found when first asked.
    days: OnceCell<Vec<Day>>,
    /// What was observed.
    pub(super) observed: Option<Observed<'a>>,
    /// What comparing may still cost.
    pub(super) work: Work,
}

impl<'a> Evidence<'a> {
    /// The evidence that comes with a plan.
    pub(super) fn of(plan: &'a Plan, order: &Order<'_>, actions: &[Option<&CatalogAction>], work: u64) -> Self {
        Self {
            user_messages: &plan.user_messages,
            said: OnceCell::new(),
            asked: RefCell::default(),
            days: OnceCell::new(),
            observed: Observed::of(plan, order, actions),
            work: Work::of(work),
        }
    }
}

/// The last answers to what was looked for in the user's messages, for arguments that repeat their quotes and steps that
/// repeat each other.
#[derive(Debug, Default)]
struct Asked {
    answers: SmallVec<[(Text, bool, u64); MOST_ASKED]>,
    /// Which one the next answer replaces.
    next: usize,
}

/// Most answers that are kept.
const MOST_ASKED: usize = 4;

impl Asked {
    fn find(&self, part: &str) -> Option<(bool, u64)> {
        self.answers.iter().find(|(text, ..)| same_text(text, part)).map(|(_, found, cost)| (*found, *cost))
    }

    fn keep(&mut self, part: &str, found: bool, cost: u64) {
        let answer = (part.into(), found, cost);
        match self.answers.get_mut(self.next) {
            Some(oldest) => *oldest = answer,
            None => self.answers.push(answer),
        }
        self.next = (self.next + 1) % MOST_ASKED;
    }
}

impl Evidence<'_> {
    /// Whether the user wrote the normal text `part`, as whole words.
    pub(super) fn is_said(&self, part: &str) -> bool {
        let mut asked = self.asked.borrow_mut();
        match asked.find(part) {
            // It costs again what it cost then, so that an answer does not depend on what was kept.
            Some((found, cost)) => self.work.take(cost) && found,
            None => {
                let before = self.work.left();
                let found = self.said().holds(part, &self.work);
                let left = self.work.left();
                if left > 0 {
                    asked.keep(part, found, before - left);
                }
                found
            }
        }
    }

    fn said(&self) -> &TextIndex {
        self.said.get_or_init(|| TextIndex::new(self.user_messages.iter().map(|text| normal(text)).collect()))
    }

    /// Whether the user named the day.
    pub(super) fn names_day(&self, day: Day) -> bool {
        let days = self.days.get_or_init(|| self.said().texts().iter().flat_map(|text| date::days(text)).collect());
        self.work.take(1 + days.len() / 8) && days.iter().any(|named| named.is(day))
    }
}

/// Where the arguments of the step with rank `rank` come from.
pub(super) fn origins<'a>(
    rank: usize,
    order: &Order<'a>,
    actions: &[Option<&CatalogAction>],
    evidence: &Evidence<'a>,
) -> Origins<'a> {
    let (position, step) = (order.position(rank), order.step(rank));
    let (mut points, by_path) = points(step, rank, order, actions, evidence);
    let mut covered: SmallVec<[Covered; 8]> = SmallVec::from_elem(Covered::No, points.len());
    let mut leaves = Vec::with_capacity(step.params.len());
    let mut found = |leaf: FoundLeaf<'_>| {
        for point in leaf.points.iter().filter(|_| !leaf.is_key) {
            let is_itself = points[*point].path.len() == leaf.path.len();
            covered[*point] = if is_itself { Covered::Itself } else { Covered::Below };
        }
        leaves.push(claim::judge(leaf, &points, actions[position], rank, order, evidence));
    };
    let action = actions[position];
    let mut walk = Walk { by_path: &by_path, action, found: &mut found, above: SmallVec::new(), path: Text::default() };
    walk.map_members(&step.params, 0);
    // Where a value is still to come, the keys that lead to it are there.
    for point in points.iter().filter(|point| !point.taken.is_empty()) {
        walk.keys_of(point.path);
    }
    for (point, covered) in points.iter().zip(covered) {
        let bound = !point.taken.is_empty() || matches!(point.doubt, Some(Doubt::NoSuchStep(_)));
        let absent = || absent(point.path, &by_path);
        match covered {
            Covered::No if bound => leaves.push(claim::judge_absent(absent(), &points)),
            // What stands below is a preview: more may come.
            Covered::Below if bound => {
                let FoundLeaf { path, points, .. } = absent();
                leaves.push(Leaf { path, points, seen: Vec::new(), doubt: None, is_open: true });
            }
            Covered::No | Covered::Below | Covered::Itself => {}
        }
    }
    claim::settle(&mut points);
    Origins { points, leaves }
}

/// Whether a value stands at a point.
#[derive(Debug, Clone, Copy)]
enum Covered {
    No,
    Below,
    Itself,
}

/// The numbers of paths, in the order in which they came.
#[derive(Default)]
struct ByPath<'a> {
    paths: SmallVec<[&'a str; FEW]>,
    /// Of more than [`FEW`] paths; else empty.
    numbers: HashMap<&'a str, usize, foldhash::fast::FixedState>,
}

/// Up to this many paths, comparing each is faster than hashing.
const FEW: usize = 8;

impl<'a> ByPath<'a> {
    fn get(&self, path: &str) -> Option<usize> {
        if self.numbers.is_empty() {
            return self.paths.iter().position(|known| same_text(known, path));
        }
        self.numbers.get(path).copied()
    }

    fn get_or_add(&mut self, path: &'a str) -> usize {
        self.get(path).unwrap_or_else(|| {
            let number = self.paths.len();
            self.paths.push(path);
            if self.paths.len() > FEW {
                let new = if self.numbers.is_empty() { 0 } else { number };
                self.numbers.extend(self.paths.iter().copied().zip(0..).skip(new));
            }
            number
        })
    }
}

fn points<'a>(
    step: &'a Step,
    rank: usize,
    order: &Order<'a>,
    actions: &[Option<&CatalogAction>],
    evidence: &Evidence<'a>,
) -> (Vec<Point<'a>>, ByPath<'a>) {
    let (mut points, mut by_path) = (Vec::<Point<'_>>::with_capacity(step.inputs.len().min(FEW)), ByPath::default());
    let mut known = HashSet::<(usize, usize, &str), foldhash::fast::FixedState>::default();
    for (position, input) in step.inputs.iter().enumerate() {
        if !pointer::is_pointer(&input.path) {
            continue;
        }
        let number = by_path.get_or_add(&input.path);
        if number == points.len() {
            points.push(Point { path: &input.path, ..Point::default() });
        }
        let point = &mut points[number];
        match &input.origin {
            Origin::User { quote } => point.quotes.push(Quote::new(quote, position, evidence)),
            Origin::Constant => point.doubt = point.doubt.take().or(Some(Doubt::Constant)),
            Origin::Step { step_id, output_path } => {
                let tokens = pointer::tokens(output_path);
                let mut any = false;
                for from in order.ranks(step_id).iter().copied().filter(|from| order.may_precede(*from, rank)) {
                    any = true;
                    if known.insert((number, from, output_path)) {
                        let action = actions[order.position(from)];
                        let selection = match tokens.as_ref().map_or(Selection::Whole, |tokens| select(action, tokens))
                        {
                            Selection::Field(_) if is_above_sink(actions[order.position(rank)], &input.path) => {
                                Selection::Whole
                            }
                            selection => selection,
                        };
                        let output_path = Cow::Borrowed(output_path.as_str());
                        point.taken.push(Taken { from, output_path, selection });
                    }
                }
                if !any {
                    point.doubt = Some(Doubt::NoSuchStep(step_id));
                }
            }
        }
    }
    (points, by_path)
}

/// Whether a sink of `action` is a named part of what is at `path`: which part of a copied field would get there is not known.
fn is_above_sink(action: Option<&CatalogAction>, path: &str) -> bool {
    let Some(path) = pointer::tokens(path) else { return false };
    let named = |sink: &PathPattern| sink.segments.iter().skip(path.len()).any(Option::is_some);
    let mut sinks = action.into_iter().flat_map(|action| &action.parameters).filter(|sink| !sink.labels.is_empty());
    sinks.any(|sink| named(&sink.path) && pointer::touches(&sink.path, &path))
}

/// A leaf as it was found, not yet judged.
pub(super) struct FoundLeaf<'v> {
    pub(super) path: Text,
    pub(super) points: SmallVec<[usize; 2]>,
    /// The scalar; `None` for what lies too deep.
    pub(super) value: Option<&'v Value>,
    /// Whether it is the key of a map, and not the value there.
    pub(super) is_key: bool,
}

struct Walk<'w, 'p, F> {
    by_path: &'w ByPath<'p>,
    action: Option<&'w CatalogAction>,
    /// Called with each leaf.
    found: F,
    above: SmallVec<[usize; 2]>,
    path: Text,
}

impl<F: FnMut(FoundLeaf<'_>)> Walk<'_, '_, F> {
    fn map_members(&mut self, map: &Attributes, depth: usize) {
        let outer = self.enter();
        let length = self.path.len();
        let judges_keys = keys::are_judged(self.action, &self.path);
        for (key, value) in map {
            let says = judges_keys && !keys::is_named(self.action, &self.path, key);
            pointer::push_key(&mut self.path, key);
            if says {
                self.key(key);
            }
            self.value(value, depth + 1);
            self.path.truncate(length);
        }
        self.above.truncate(outer);
    }

    /// A key that says something, at its path. Of the claims it has those about the whole map: what is said of the member is
    /// said of its value.
    fn key(&mut self, key: &str) {
        if !key.is_empty() {
            let (path, points) = (self.path.clone(), self.above.clone());
            (self.found)(FoundLeaf { path, points, value: Some(&Value::String(key.into())), is_key: true });
        }
    }

    /// The keys of maps on the way to `path`, at which nothing need stand. What a list has there is no key.
    fn keys_of(&mut self, path: &str) {
        let Some(tokens) = pointer::tokens(path).filter(|_| path.len() <= MAX_PATH) else { return };
        for token in &tokens {
            self.enter();
            let is_index = token.bytes().all(|byte| byte.is_ascii_digit());
            let says = !is_index
                && keys::are_judged(self.action, &self.path)
                && !keys::is_named(self.action, &self.path, token);
            pointer::push_key(&mut self.path, token);
            if says {
                self.key(token);
            }
        }
        self.path.clear();
        self.above.clear();
    }

    fn value(&mut self, value: &Value, depth: usize) {
        match value {
            // Like an empty text, list or map: nothing is there.
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            Value::Map(map) if self.may_enter(depth) => self.map_members(map, depth),
            Value::List(items) if self.may_enter(depth) => {
                let outer = self.enter();
                let length = self.path.len();
                for (index, item) in items.iter().enumerate() {
                    pointer::push_index(&mut self.path, index);
                    self.value(item, depth + 1);
                    self.path.truncate(length);
                }
                self.above.truncate(outer);
            }
            scalar => {
                let outer = self.enter();
                let value = (!matches!(scalar, Value::Map(_) | Value::List(_))).then_some(scalar);
                (self.found)(FoundLeaf { path: self.path.clone(), points: self.above.clone(), value, is_key: false });
                self.above.truncate(outer);
            }
        }
    }

    fn may_enter(&self, depth: usize) -> bool {
        depth <= MAX_DEPTH && self.path.len() <= MAX_PATH
    }

    /// Notes the point at this path; answers how many there were above.
    fn enter(&mut self) -> usize {
        let outer = self.above.len();
        if let Some(point) = self.by_path.get(&self.path) {
            self.above.push(point);
        }
        outer
    }
}

/// The leaf for a path at which nothing stands yet.
fn absent<'v>(path: &str, by_path: &ByPath<'_>) -> FoundLeaf<'v> {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let points = ends.filter_map(|end| by_path.get(&path[..end])).collect();
    FoundLeaf { path: path.into(), points, value: None, is_key: false }
}

/// The normal text of a leaf's value.
pub(super) fn leaf_text(leaf: &FoundLeaf<'_>) -> Option<Text> {
    leaf.value.and_then(normal_scalar)
}
