//! What steps that ran already have returned, made ready to find out where a value comes from.

use hashbrown::HashMap;

use crate::model::{Attributes, Plan, Text, Value};
use crate::policy::CatalogAction;

use super::index::{TextIndex, Work};
use super::json::{self, Parsed};
use super::order::Order;
use super::origin::MAX_PATH;
use super::pointer::{self, Found};
use super::selection::{Selection, select};
use super::text::{Within, normal, normal_scalar, occurs};

/// How deep an output is looked into; what lies deeper is not found.
const MAX_DEPTH: usize = 64;

/// What it costs to keep a place where a value was seen, in units of [`Work`].
const COST: usize = 64;

/// All observations of a plan.
#[derive(Debug)]
pub(super) struct Observed<'a> {
    /// Outputs by the rank of their step.
    outputs: HashMap<usize, Vec<Output<'a>>, foldhash::fast::FixedState>,
    /// Where a value is a whole field or the key of a member.
    fields: HashMap<Text, Vec<Sight>, foldhash::fast::FixedState>,
    /// Texts that a value may stand in, and where those are.
    texts: TextIndex,
    sights: Vec<Sight>,
}

/// One output; text that is JSON is taken for what it says.
#[derive(Debug)]
enum Output<'a> {
    Sent(&'a Value),
    Parsed(Value),
    /// JSON that readers do not agree on: text, of which no field is known.
    Ambiguous(&'a Value),
}

impl Output<'_> {
    fn value(&self) -> &Value {
        match self {
            Self::Sent(value) | Self::Ambiguous(value) => value,
            Self::Parsed(value) => value,
        }
    }
}

/// A place in the output of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sight {
    /// Rank of the step.
    pub(super) from: usize,
    /// JSON Pointer into its output.
    pub(super) path: String,
    /// What it is to the catalogue.
    pub(super) selection: Selection,
}

impl<'a> Observed<'a> {
    /// The observations of `plan`; `None` if there are none. Those of steps that the plan does not have say nothing.
    pub(super) fn of(plan: &'a Plan, order: &Order<'_>, actions: &[Option<&CatalogAction>]) -> Option<Self> {
        if plan.observations.is_empty() {
            return None;
        }
        let mut outputs = HashMap::<usize, Vec<Output<'_>>, foldhash::fast::FixedState>::default();
        for observation in &plan.observations {
            for rank in order.ranks(&observation.step_id) {
                let sent = &observation.output;
                let output = match sent {
                    Value::String(text) => match json::parse(text) {
                        Parsed::Json(value) => Output::Parsed(value),
                        Parsed::Ambiguous => Output::Ambiguous(sent),
                        Parsed::Text => Output::Sent(sent),
                    },
                    _ => Output::Sent(sent),
                };
                outputs.entry(*rank).or_default().push(output);
            }
        }
        let mut ranks: Vec<usize> = outputs.keys().copied().collect();
        ranks.sort_unstable();
        let mut survey = Survey::default();
        for rank in ranks {
            let action = actions.get(order.position(rank)).copied().flatten();
            for output in outputs.get(&rank).into_iter().flatten() {
                survey.walk(rank, action, output.value(), &mut Text::default(), 0);
            }
        }
        let Survey { fields, texts, sights } = survey;
        Some(Self { outputs, fields, texts: TextIndex::new(texts), sights })
    }

    /// Where the value with this normal text was seen before the step of rank `step`: as declared fields; else as other
    /// whole fields and inside texts; nowhere.
    pub(super) fn sightings(&self, normal: &str, step: usize, order: &Order<'_>, work: &Work) -> Vec<Sight> {
        let seen = |sight: &&Sight| order.may_precede(sight.from, step);
        let known = self.fields.get(normal).map_or(&[][..], Vec::as_slice);
        if !work.take(known.len().saturating_mul(COST)) {
            return Vec::new();
        }
        let whole: Vec<&Sight> = known.iter().filter(seen).collect();
        let declared: Vec<Sight> =
            whole.iter().filter(|sight| matches!(sight.selection, Selection::Field(_))).map(|s| (*s).clone()).collect();
        if !declared.is_empty() {
            return declared;
        }
        let mut found: Vec<Sight> = whole.into_iter().cloned().collect();
        self.texts.each(normal, work, |number| {
            if let Some(sight) = self.sights.get(number).filter(seen)
                && !found.iter().any(|known| known.from == sight.from)
            {
                // Inside a text: not copied whole.
                found.push(Sight { selection: Selection::Whole, ..sight.clone() });
                return work.take(COST);
            }
            work.take(found.len())
        });
        found
    }

    /// Whether the value with this normal text is the copy that it is said to be; `None` if that is not known.
    pub(super) fn confirms(&self, copy: Copied<'_>, value: &str, work: &Work) -> Option<bool> {
        let outputs = self.outputs.get(&copy.from)?;
        let path = format!("{}{}", copy.path, copy.below);
        let tokens = pointer::tokens(&path)?;
        let same = |text: Option<Text>| {
            text.is_some_and(|text| text == value || (copy.is_part && occurs(&text, value, Within::Argument)))
        };
        let find = |output| pointer::find(output, &tokens, |members| work.take(members / 8));
        let is_clear = |output: &&Output<'_>| !matches!(output, Output::Ambiguous(_));
        Some(outputs.iter().filter(is_clear).any(|output| match (output.value(), find(output.value())) {
            (_, Some(Found::Value(found))) => same(normal_scalar(found)),
            (_, Some(Found::Member(key, found))) => same(normal_scalar(found)) || same(Some(normal(key))),
            // A text has no fields that could be looked at.
            (Value::String(text), None) => occurs(value, &normal(text), Within::Prose),
            (_, None) => false,
        }))
    }
}

/// A value that is said to be copied from an output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Copied<'a> {
    /// Rank of the step.
    pub(super) from: usize,
    /// JSON Pointer to what was copied.
    pub(super) path: &'a str,
    /// JSON Pointer from there to the value.
    pub(super) below: &'a str,
    /// Whether it is only one of several origins.
    pub(super) is_part: bool,
}

#[derive(Default)]
struct Survey {
    fields: HashMap<Text, Vec<Sight>, foldhash::fast::FixedState>,
    texts: Vec<Text>,
    sights: Vec<Sight>,
}

impl Survey {
    fn walk(&mut self, from: usize, action: Option<&CatalogAction>, value: &Value, path: &mut Text, depth: usize) {
        if depth > MAX_DEPTH || path.len() > MAX_PATH {
            return;
        }
        let length = path.len();
        match value {
            Value::Map(map) => self.walk_map(from, action, map, path, depth),
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    pointer::push_index(path, index);
                    self.walk(from, action, item, path, depth + 1);
                    path.truncate(length);
                }
            }
            // Either of two values is no sign of where it comes from.
            Value::Null | Value::Bool(_) => {}
            Value::Number(_) | Value::String(_) => {
                if let Some(text) = normal_scalar(value) {
                    self.note(from, action, text, path);
                }
            }
        }
    }

    fn walk_map(
        &mut self,
        from: usize,
        action: Option<&CatalogAction>,
        map: &Attributes,
        path: &mut Text,
        depth: usize,
    ) {
        let length = path.len();
        for (key, value) in map {
            pointer::push_key(path, key);
            self.note(from, action, normal(key), path);
            self.walk(from, action, value, path, depth + 1);
            path.truncate(length);
        }
    }

    fn note(&mut self, from: usize, action: Option<&CatalogAction>, text: Text, path: &str) {
        if text.is_empty() {
            return;
        }
        let tokens = pointer::tokens(path).unwrap_or_default();
        let sight = Sight { from, path: path.to_owned(), selection: select(action, &tokens) };
        let known = self.fields.entry(text.clone()).or_default();
        // Steps are surveyed one after the other, so that those of the same one are last.
        if !known.iter().rev().take_while(|s| s.from == from).any(|s| s.selection == sight.selection) {
            known.push(sight.clone());
        }
        self.texts.push(text);
        self.sights.push(sight);
    }
}
