//! What was taken of a step's output, by the words of the catalogue.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::policy::CatalogAction;

use super::pointer;

/// A part of a step's output, as the action's catalogue knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selection {
    /// A declared field (its number), or a part of one: copied whole, so that it carries that field's labels alone.
    Field(usize),
    /// A part that is not declared: the action's labels, those of the declared fields in it, and those of the inputs.
    Part(SmallVec<[usize; 2]>),
    /// Something made of the whole: every label of the action, of its fields and of its inputs.
    Whole,
}

/// What `path` selects of the output of `action`.
pub(super) fn select(action: Option<&CatalogAction>, path: &[Cow<'_, str>]) -> Selection {
    let Some(action) = action else { return Selection::Whole };
    if path.is_empty() {
        return Selection::Whole;
    }
    let fields = || action.outputs.iter().enumerate();
    let declared = fields()
        .filter(|(_, output)| pointer::covers(&output.path, path))
        // The most specific one; of two that are equally long, the one with fewer wildcards.
        .max_by_key(|(number, output)| {
            let named = output.path.segments.iter().flatten().count();
            (output.path.segments.len(), named, std::cmp::Reverse(*number))
        });
    match declared {
        Some((number, _)) => Selection::Field(number),
        None => Selection::Part(
            fields().filter(|(_, output)| pointer::touches(&output.path, path)).map(|(number, _)| number).collect(),
        ),
    }
}
