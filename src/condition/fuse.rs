//! Finds the parts of a tree that are one test of one attribute.

use super::ast::{BinaryOp, Kind, NodeId};
use super::checker::NodeMeaning;
use super::functions::Function;
use super::lower::Lowering;
use super::path::{AttributePath, path_of};
use super::predicate::{Predicate, Relation, Scalar, Set, Test};
use super::value::Const;

/// The node as a predicate, where a bool is wanted.
pub(super) fn predicate(lowering: &mut Lowering<'_>, id: NodeId) -> Option<Predicate> {
    let ast = lowering.ast;
    match ast.kind(id) {
        Kind::Not(operand) => {
            let inner = predicate(lowering, *operand)?;
            Some(Predicate { negated: !inner.negated, ..inner })
        }
        Kind::Select { test: true, .. } => {
            let path = path_of(ast, lowering.checked, id)?;
            Some(Predicate { path, test: Test::Present, negated: false })
        }
        Kind::Binary { operator, left, right } => comparison(lowering, *operator, *left, *right),
        Kind::Call { receiver, arguments, .. } => {
            let NodeMeaning::Call(function) = lowering.checked.meaning(id) else { return None };
            let (text, argument) = match (receiver, arguments.as_slice()) {
                (Some(text), [argument]) => (*text, *argument),
                (None, [text, argument]) => (*text, *argument),
                _ => return None,
            };
            call(lowering, function, text, argument)
        }
        _ => Some(Predicate { path: path(lowering, id)?, test: Test::True, negated: false }),
    }
}

/// The attribute that a node reads as a value.
fn path(lowering: &Lowering<'_>, id: NodeId) -> Option<AttributePath> {
    if matches!(lowering.ast.kind(id), Kind::Select { test: true, .. }) {
        return None;
    }
    path_of(lowering.ast, lowering.checked, id).filter(|path| path.slot().is_attribute())
}

fn comparison(lowering: &Lowering<'_>, operator: BinaryOp, left: NodeId, right: NodeId) -> Option<Predicate> {
    if operator == BinaryOp::In {
        return inclusion(lowering, left, right);
    }
    let (path, constant, flipped) = match (lowering.constant(left), lowering.constant(right)) {
        (None, Some(constant)) => (path(lowering, left)?, constant, false),
        (Some(constant), None) => (path(lowering, right)?, constant, true),
        _ => return None,
    };
    let test = match Relation::of(operator) {
        None if matches!(operator, BinaryOp::Equal | BinaryOp::NotEqual) => Test::Equals(Scalar::of_const(constant)?),
        None => return None,
        Some(relation) => {
            let relation = if flipped { relation.flipped() } else { relation };
            match Scalar::of_const(constant)? {
                Scalar::Number(number) => Test::Number(relation, number),
                Scalar::Text(text) => Test::Text(relation, text),
                Scalar::Bool(_) | Scalar::Null => return None,
            }
        }
    };
    Some(Predicate { path, test, negated: operator == BinaryOp::NotEqual })
}

fn inclusion(lowering: &Lowering<'_>, left: NodeId, right: NodeId) -> Option<Predicate> {
    let (path, test) = match (lowering.constant(left), lowering.constant(right)) {
        (None, Some(Const::List(items))) => {
            let scalars: Option<Vec<Scalar>> = items.iter().map(Scalar::of_const).collect();
            (path(lowering, left)?, Test::OneOf(Set::new(scalars?)))
        }
        (Some(constant), None) => (path(lowering, right)?, Test::Holds(Scalar::of_const(constant)?)),
        _ => return None,
    };
    Some(Predicate { path, test, negated: false })
}

fn call(lowering: &mut Lowering<'_>, function: Function, text: NodeId, argument: NodeId) -> Option<Predicate> {
    let path = path(lowering, text)?;
    let Some(Const::Str(part)) = lowering.constant(argument).cloned() else { return None };
    let test = match function {
        Function::StartsWith => Test::StartsWith(part),
        Function::EndsWith => Test::EndsWith(part),
        Function::Contains => Test::Contains(part),
        Function::Matches => Test::Matches(Box::new(lowering.pattern(argument)?)),
        _ => return None,
    };
    Some(Predicate { path, test, negated: false })
}
