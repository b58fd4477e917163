//! Where the arguments of a step come from: what is claimed, checked; or what was observed; or unknown.

use std::borrow::Cow;
use std::cell::OnceCell;

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use crate::model::{Origin, Plan, Step, Value};
use crate::policy::CatalogAction;

use super::claim::{self, Quote};
use super::date::{self, Day};
use super::index::{TextIndex, Work};
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
    pub(super) quotes: Vec<Quote>,
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
    pub(super) path: String,
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
    /// What the user wrote.
    pub(super) said: TextIndex,
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
            said: TextIndex::new(plan.user_messages.iter().map(|text| normal(text)).collect()),
            days: OnceCell::new(),
            observed: Observed::of(plan, order, actions),
            work: Work::of(work),
        }
    }
}

impl Evidence<'_> {
    /// Whether the user named the day.
    pub(super) fn names_day(&self, day: Day) -> bool {
        let days = self.days.get_or_init(|| self.said.texts().iter().flat_map(|text| date::days(text)).collect());
        self.work.take(1 + days.len() / 8) && days.iter().any(|named| named.is(day))
    }
}

/// Where the arguments of the step with rank `rank` come from.
pub(super) fn origins<'a>(
    plan: &'a Plan,
    rank: usize,
    order: &Order<'a>,
    actions: &[Option<&CatalogAction>],
    evidence: &Evidence<'a>,
) -> Origins<'a> {
    let position = order.position(rank);
    let step = &plan.steps[position];
    let (points, by_path) = points(step, rank, order, actions, evidence);
    let mut walk = Walk { by_path: &by_path, leaves: Vec::new(), above: SmallVec::new(), path: String::new() };
    walk.map_members(&step.params, 0);
    let (mut points, found) = (points, walk.leaves);
    let mut covered = vec![Covered::No; points.len()];
    for leaf in &found {
        for point in &leaf.points {
            let is_itself = points[*point].path.len() == leaf.path.len();
            covered[*point] = if is_itself { Covered::Itself } else { Covered::Below };
        }
    }
    let action = actions[position];
    let mut leaves = Vec::with_capacity(found.len());
    for leaf in found {
        leaves.push(claim::judge(leaf, &points, action, rank, order, evidence));
    }
    for (number, covered) in covered.iter().enumerate() {
        let bound = !points[number].taken.is_empty() || matches!(points[number].doubt, Some(Doubt::NoSuchStep(_)));
        let absent = || absent(points[number].path, &by_path);
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

type ByPath<'a> = HashMap<&'a str, usize, foldhash::fast::FixedState>;

fn points<'a>(
    step: &'a Step,
    rank: usize,
    order: &Order<'a>,
    actions: &[Option<&CatalogAction>],
    evidence: &Evidence<'a>,
) -> (Vec<Point<'a>>, ByPath<'a>) {
    let (mut points, mut by_path) = (Vec::<Point<'_>>::new(), ByPath::default());
    let mut known = HashSet::<(usize, usize, &str), foldhash::fast::FixedState>::default();
    for (position, input) in step.inputs.iter().enumerate() {
        if pointer::tokens(&input.path).is_none() {
            continue;
        }
        let number = *by_path.entry(input.path.as_str()).or_insert_with(|| {
            points.push(Point { path: &input.path, ..Point::default() });
            points.len() - 1
        });
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
                        let selection = tokens.as_ref().map_or(Selection::Whole, |tokens| select(action, tokens));
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

/// A leaf as it was found, not yet judged.
pub(super) struct FoundLeaf<'v> {
    pub(super) path: String,
    pub(super) points: SmallVec<[usize; 2]>,
    /// The scalar; `None` for what lies too deep.
    pub(super) value: Option<&'v Value>,
}

struct Walk<'p, 'v> {
    by_path: &'p ByPath<'p>,
    leaves: Vec<FoundLeaf<'v>>,
    above: SmallVec<[usize; 2]>,
    path: String,
}

impl<'v> Walk<'_, 'v> {
    fn map_members(&mut self, map: &'v crate::model::Attributes, depth: usize) {
        let outer = self.enter();
        let length = self.path.len();
        for (key, value) in map {
            pointer::push_key(&mut self.path, key);
            self.value(value, depth + 1);
            self.path.truncate(length);
        }
        self.above.truncate(outer);
    }

    fn value(&mut self, value: &'v Value, depth: usize) {
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
                self.leaves.push(FoundLeaf { path: self.path.clone(), points: self.above.clone(), value });
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
        if let Some(point) = self.by_path.get(self.path.as_str()) {
            self.above.push(*point);
        }
        outer
    }
}

/// The leaf for a path at which nothing stands yet.
fn absent<'v>(path: &str, by_path: &ByPath<'_>) -> FoundLeaf<'v> {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let points = ends.filter_map(|end| by_path.get(&path[..end]).copied()).collect();
    FoundLeaf { path: path.to_owned(), points, value: None }
}

/// The normal text of a leaf's value.
pub(super) fn leaf_text(leaf: &FoundLeaf<'_>) -> Option<String> {
    leaf.value.and_then(normal_scalar)
}
