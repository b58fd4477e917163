//! The canonical form of a step.

use smallvec::SmallVec;

use super::params::write_map;
use crate::ir::canonical::{Watch, write_checked, write_integer, write_string};
use crate::ir::refusal::{
    MAX_DEPTH, MAX_INTEGER, Place, Refusal, Refused, RefusedField, refused_id, refused_number, refused_text,
};
use crate::model::{BoundPaths, bound_paths};
use crate::model::{Input, Origin, Step, Text};

/// A field's name as it stands between two values: after a comma, in quotes, before a colon.
#[derive(Clone, Copy)]
struct Name(&'static str);

impl Name {
    /// The name alone.
    fn field(self) -> &'static str {
        self.0.trim_matches([',', '"', ':'])
    }
}

/// Writes steps, one after the other, into one buffer, and collects what has no canonical form.
#[derive(Debug, Default)]
pub(super) struct StepWriter {
    /// What was written.
    pub(super) out: Vec<u8>,
    /// What was refused, of all steps.
    pub(super) refusals: Vec<Refusal>,
    index: usize,
}

impl StepWriter {
    /// Appends `step`, which stands at `index` of the plan. Fields are in the order of their names.
    pub(super) fn write(&mut self, index: usize, step: &Step) {
        let start = self.out.len();
        self.index = index;
        self.id(Name(r#","action":"#), RefusedField::Action, &step.action);
        self.budget(step.budget_cents);
        if !step.constraints.is_empty() {
            self.name(Name(r#","constraints":"#));
            let mut watch = Watched { index, field: RefusedField::Constraints, refusals: &mut self.refusals };
            write_map(&mut self.out, &step.constraints, &BoundPaths::default(), Place::Root, &mut watch);
        }
        self.depends_on(&step.depends_on);
        self.value(Name(r#","description":"#), RefusedField::Description, &step.description);
        self.id(Name(r#","idempotency_key":"#), RefusedField::IdempotencyKey, &step.idempotency_key);
        self.inputs(&step.inputs);
        self.params(step);
        self.id(Name(r#","provider":"#), RefusedField::Provider, &step.provider);
        self.id(Name(r#","resource":"#), RefusedField::Resource, &step.resource);
        self.id(Name(r#","step_id":"#), RefusedField::StepId, &step.step_id);
        close(&mut self.out, start);
    }

    /// Writes what stands before the value of the field `name`.
    #[inline]
    fn name(&mut self, name: Name) {
        self.out.extend_from_slice(name.0.as_bytes());
    }

    #[inline]
    fn id(&mut self, name: Name, field: RefusedField, text: &Text) {
        if !text.is_empty() {
            self.name(name);
            self.text(name, field, text, refused_id);
        }
    }

    #[inline]
    fn value(&mut self, name: Name, field: RefusedField, text: &Text) {
        if !text.is_empty() {
            self.name(name);
            self.text(name, field, text, refused_text);
        }
    }

    fn text(&mut self, name: Name, field: RefusedField, text: &Text, refused: fn(&str) -> Option<Refused>) {
        let mut reason = None;
        write_checked(&mut self.out, text, || reason = refused(text));
        if let Some(reason) = reason {
            self.refuse(field, name.field(), reason);
        }
    }

    fn budget(&mut self, cents: Option<i64>) {
        let Some(cents) = cents else { return };
        if (cents as f64).abs() > MAX_INTEGER {
            self.refuse(RefusedField::Budget, "budget_cents", Refused::Integer(cents as f64));
        }
        self.name(Name(r#","budget_cents":"#));
        write_integer(&mut self.out, cents);
    }

    fn depends_on(&mut self, ids: &[Text]) {
        if ids.is_empty() {
            return;
        }
        for (i, id) in ids.iter().enumerate() {
            if let Some(reason) = refused_id(id) {
                self.refuse(RefusedField::DependsOn, &format!("depends_on[{i}]"), reason);
            }
        }
        self.name(Name(r#","depends_on":"#));
        write_set(&mut self.out, ids);
    }

    fn params(&mut self, step: &Step) {
        let bound = bound_paths(step);
        let nothing = step.params.is_empty()
            || bound.is_bound()
            || (!bound.is_empty() && step.params.iter().all(|(key, value)| bound.at_key(key).leave_nothing_of(value)));
        if nothing {
            return;
        }
        self.name(Name(r#","params":"#));
        let mut watch = Watched { index: self.index, field: RefusedField::Params, refusals: &mut self.refusals };
        write_map(&mut self.out, &step.params, &bound, Place::Root, &mut watch);
    }

    fn inputs(&mut self, inputs: &[Input]) {
        if inputs.is_empty() {
            return;
        }
        for (i, input) in inputs.iter().enumerate() {
            self.check_input(i, input);
        }
        let mut sorted: SmallVec<[&Input; 16]> = inputs.iter().collect();
        sorted.sort_unstable_by_key(|input| input_key(input));
        sorted.dedup();
        self.name(Name(r#","inputs":"#));
        for (i, input) in sorted.into_iter().enumerate() {
            self.out.push(if i == 0 { b'[' } else { b',' });
            write_input(&mut self.out, input);
        }
        self.out.push(b']');
    }

    fn check_input(&mut self, i: usize, input: &Input) {
        let mut check = |name: &str, refused: Option<Refused>| {
            if let Some(reason) = refused {
                self.refuse(RefusedField::Inputs, &format!("inputs[{i}].{name}"), reason);
            }
        };
        check("path", refused_text(&input.path));
        match &input.origin {
            Origin::User { quote } => check("user.quote", refused_text(quote)),
            Origin::Constant => {}
            Origin::Step { step_id, output_path } => {
                check("step.step_id", refused_id(step_id));
                check("step.output_path", refused_text(output_path));
            }
        }
    }

    fn refuse(&mut self, field: RefusedField, name: &str, reason: Refused) {
        let path = format!("steps[{}].{name}", self.index);
        self.refusals.push(Refusal { step: Some(self.index), field, path, reason });
    }
}

/// Writes `ids` as a set: sorted by code point, each once.
pub(super) fn write_set(out: &mut Vec<u8>, ids: &[Text]) {
    let mut sorted: SmallVec<[&Text; 16]> = ids.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    out.push(b'[');
    for (i, id) in sorted.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_string(out, id);
    }
    out.push(b']');
}

/// All that an input says, in the order by which inputs are sorted: path, kind, and what the kind says.
pub(crate) type InputKey<'a> = (&'a str, u8, &'a str, &'a str);

/// What `input` says.
pub(crate) fn input_key(input: &Input) -> InputKey<'_> {
    match &input.origin {
        Origin::Constant => (&input.path, 0, "", ""),
        Origin::Step { step_id, output_path } => (&input.path, 1, step_id, output_path),
        Origin::User { quote } => (&input.path, 2, quote, ""),
    }
}

fn write_input(out: &mut Vec<u8>, input: &Input) {
    let start = out.len();
    if input.origin == Origin::Constant {
        out.extend_from_slice(br#","constant":{}"#);
    }
    member(out, Name(r#","path":"#), &input.path);
    match &input.origin {
        Origin::Constant => {}
        Origin::Step { step_id, output_path } => {
            out.extend_from_slice(br#","step":"#);
            let start = out.len();
            member(out, Name(r#","output_path":"#), output_path);
            member(out, Name(r#","step_id":"#), step_id);
            close(out, start);
        }
        Origin::User { quote } => {
            out.extend_from_slice(br#","user":"#);
            let start = out.len();
            member(out, Name(r#","quote":"#), quote);
            close(out, start);
        }
    }
    close(out, start);
}

/// Appends a member of an object, unless its value is empty.
#[inline]
fn member(out: &mut Vec<u8>, name: Name, value: &str) {
    if !value.is_empty() {
        out.extend_from_slice(name.0.as_bytes());
        write_string(out, value);
    }
}

/// Ends the object whose members stand from `start` on, each after a comma.
fn close(out: &mut Vec<u8>, start: usize) {
    match out.get_mut(start) {
        Some(comma) => *comma = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
}

/// Collects what has no canonical form below params or constraints.
struct Watched<'a> {
    index: usize,
    field: RefusedField,
    refusals: &'a mut Vec<Refusal>,
}

impl Watched<'_> {
    fn refuse(&mut self, place: Place<'_>, reason: Refused) {
        let name = if self.field == RefusedField::Params { "params" } else { "constraints" };
        let mut path = format!("steps[{}].{name}", self.index);
        place.pointer(&mut path);
        self.refusals.push(Refusal { step: Some(self.index), field: self.field, path, reason });
    }
}

impl Watch for Watched<'_> {
    fn text(&mut self, place: Place<'_>, text: &str) {
        if let Some(reason) = refused_text(text) {
            self.refuse(place, reason);
        }
    }

    fn number(&mut self, place: Place<'_>, number: f64) {
        if let Some(reason) = refused_number(number) {
            self.refuse(place, reason);
        }
    }

    fn enter(&mut self, place: Place<'_>) -> bool {
        let fits = place.depth() < MAX_DEPTH;
        if !fits {
            self.refuse(place, Refused::TooDeep);
        }
        fits
    }
}
