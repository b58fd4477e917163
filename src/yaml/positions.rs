//! Where things stand: the skeleton of a text, with byte ranges and without meaning.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle as Style, Span as ParserSpan, StrInput};

use crate::diag::{Finding, Findings, SourceId, Span};

use super::{MAX_DEPTH, ScalarStyle, syntax};

/// A node without meaning.
#[derive(Debug)]
pub(super) struct Skeleton<'t> {
    pub(super) range: Range<usize>,
    pub(super) shape: Shape<'t>,
}

#[derive(Debug)]
pub(super) enum Shape<'t> {
    Scalar(Cow<'t, str>, ScalarStyle),
    List(Vec<Skeleton<'t>>),
    Map(Vec<(Skeleton<'t>, Skeleton<'t>)>),
}

impl Shape<'_> {
    /// Gives back what was reserved for more: the skeletons of a large file are a large part of what reading it takes.
    fn shrink(&mut self) {
        match self {
            Shape::Scalar(..) => {}
            Shape::List(items) => items.shrink_to_fit(),
            Shape::Map(entries) => entries.shrink_to_fit(),
        }
    }
}

/// A list or map that is still open.
struct Open<'t> {
    start: usize,
    shape: Shape<'t>,
    /// A key that waits for its value.
    key: Option<Skeleton<'t>>,
}

/// The skeletons of the documents of `text`. Reports what the plain part of YAML does not have; `None` where anything was
/// reported.
pub(super) fn skeletons<'t>(source: SourceId, text: &'t str, out: &mut Findings) -> Option<Vec<Skeleton<'t>>> {
    let mut builder = Builder { source, open: Vec::new(), documents: Vec::new(), refused: false };
    let options = granit_parser::options! {
        emit_comments: false,
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
        disallow_directives: true,
        flow_nesting_limit: MAX_DEPTH + 1,
        block_nesting_limit: MAX_DEPTH + 1,
    };
    let parser: Parser<'t, StrInput<'t>> = Parser::new_from_str_with_options(text, options);
    for event in parser {
        match event {
            Ok((event, span)) => {
                if !builder.take(event, span, text, out) {
                    return None;
                }
            }
            Err(error) => {
                out.push(syntax::explain(source, text, &error));
                return None;
            }
        }
    }
    (!builder.refused).then_some(builder.documents)
}

struct Builder<'t> {
    source: SourceId,
    open: Vec<Open<'t>>,
    documents: Vec<Skeleton<'t>>,
    refused: bool,
}

impl<'t> Builder<'t> {
    /// Takes one event; `false` where reading on makes no sense.
    fn take(&mut self, event: Event<'t>, at: ParserSpan, text: &'t str, out: &mut Findings) -> bool {
        let range = bytes(&at);
        if let Some(tag) = at.tag_span() {
            self.refuse(out, syntax::tag(self.span(bytes(&tag)), text));
        }
        match event {
            Event::Anchor(..) => self.refuse(out, syntax::anchor(self.span(range))),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.refuse(out, syntax::alias(self.span(range.clone()), text));
                self.add(Skeleton { range, shape: Shape::Scalar(Cow::Borrowed(""), ScalarStyle::Plain) });
            }
            Event::Scalar(value, style, _, _) => {
                self.add(Skeleton { range, shape: Shape::Scalar(value, style_of(style)) });
            }
            Event::SequenceStart(..) => return self.enter(range.start, Shape::List(Vec::new()), out),
            Event::MappingStart(..) => return self.enter(range.start, Shape::Map(Vec::new()), out),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(mut open) = self.open.pop() {
                    open.shape.shrink();
                    let end = end_of(&open.shape, range.end, range.is_empty()).max(open.start);
                    self.add(Skeleton { range: open.start..end, shape: open.shape });
                }
            }
            _ => {}
        }
        true
    }

    fn enter(&mut self, start: usize, shape: Shape<'t>, out: &mut Findings) -> bool {
        if self.open.len() >= MAX_DEPTH {
            self.refuse(out, syntax::too_deep(self.span(start..start)));
            return false;
        }
        self.open.push(Open { start, shape, key: None });
        true
    }

    fn add(&mut self, node: Skeleton<'t>) {
        let Some(parent) = self.open.last_mut() else {
            self.documents.push(node);
            return;
        };
        match &mut parent.shape {
            Shape::List(items) => items.push(node),
            Shape::Map(entries) => match parent.key.take() {
                Some(key) => entries.push((key, node)),
                None => parent.key = Some(node),
            },
            Shape::Scalar(..) => {}
        }
    }

    fn refuse(&mut self, out: &mut Findings, finding: Finding) {
        self.refused = true;
        out.push(finding);
    }

    fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.source, range.start, range.end)
    }
}

/// Where a closed collection ends: at its bracket, or at the end of its last entry where it has none.
fn end_of(shape: &Shape<'_>, bracket: usize, no_bracket: bool) -> usize {
    let last = match shape {
        Shape::List(items) => items.last().map(|item| item.range.end),
        Shape::Map(entries) => entries.last().map(|(_, value)| value.range.end),
        Shape::Scalar(..) => None,
    };
    if no_bracket { last.unwrap_or(bracket) } else { bracket }
}

fn bytes(span: &ParserSpan) -> Range<usize> {
    let start = span.start.byte_offset().unwrap_or(0);
    start..span.end.byte_offset().unwrap_or(start).max(start)
}

const fn style_of(style: Style) -> ScalarStyle {
    match style {
        Style::SingleQuoted => ScalarStyle::SingleQuoted,
        Style::DoubleQuoted => ScalarStyle::DoubleQuoted,
        Style::Literal => ScalarStyle::Literal,
        Style::Folded => ScalarStyle::Folded,
        _ => ScalarStyle::Plain,
    }
}
