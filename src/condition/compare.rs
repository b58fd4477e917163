//! Equality and order of values, across numeric types by mathematical value.

use std::cmp::Ordering;

use super::error::{Budget, ConditionError, Overload};
use super::value::{List, Map, Val};

/// Whether `a == b`. Values of different types are not equal, apart from numbers of the same value.
pub(super) fn equal(a: &Val<'_>, b: &Val<'_>, budget: &mut Budget) -> Result<bool, ConditionError> {
    Ok(match (a, b) {
        (Val::Null, Val::Null) => true,
        (Val::Bool(a), Val::Bool(b)) => a == b,
        (Val::Timestamp(a), Val::Timestamp(b)) => a == b,
        (Val::Duration(a), Val::Duration(b)) => a == b,
        (Val::Type(a), Val::Type(b)) => a == b,
        (Val::List(a), Val::List(b)) => lists_equal(a, b, budget)?,
        (Val::Map(a), Val::Map(b)) => maps_equal(a, b, budget)?,
        (Val::Open(map), _) | (_, Val::Open(map)) => return Err(map.not_known()),
        _ => {
            if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
                budget.charge_bytes(a.len().min(b.len()))?;
                a == b
            } else if let (Some(a), Some(b)) = (a.as_bytes(), b.as_bytes()) {
                budget.charge_bytes(a.len().min(b.len()))?;
                a == b
            } else {
                numeric_order(a, b) == Some(Some(Ordering::Equal))
            }
        }
    })
}

fn lists_equal(a: &List<'_>, b: &List<'_>, budget: &mut Budget) -> Result<bool, ConditionError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (a, b) in a.iter().zip(b.iter()) {
        budget.charge(2)?;
        if !equal(&a, &b, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn maps_equal(a: &Map<'_>, b: &Map<'_>, budget: &mut Budget) -> Result<bool, ConditionError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (key, value) in a.iter() {
        budget.charge(3)?;
        match find(b, &key, budget)? {
            Some(other) if equal(&value, &other, budget)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// The value at `key`, numbers by value.
pub(super) fn find<'a>(
    map: &Map<'a>,
    wanted: &Val<'_>,
    budget: &mut Budget,
) -> Result<Option<Val<'a>>, ConditionError> {
    budget.charge(1 + map.len() / 8)?;
    if let Some(text) = wanted.as_str() {
        return Ok(map.get_str(text));
    }
    if matches!(map, Map::Attributes(_)) {
        return Ok(None);
    }
    for (key, value) in map.iter() {
        if key.as_str().is_none() && equal(&key, wanted, budget)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// Whether `wanted` is an element of the list or a key of the map `container`.
pub(super) fn contains(wanted: &Val<'_>, container: &Val<'_>, budget: &mut Budget) -> Result<bool, ConditionError> {
    match container {
        Val::List(list) => {
            for item in list.iter() {
                budget.charge(2)?;
                if equal(wanted, &item, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Val::Map(map) => Ok(find(map, wanted, budget)?.is_some()),
        Val::Open(map) => wanted.as_str().map_or(Ok(false), |key| map.has(key)),
        other => Err(Overload::binary("in", wanted.type_name(), other.type_name())),
    }
}

/// The order of `a` and `b` for the operator `operation`; `None` where one is NaN.
pub(super) fn order(
    operation: &'static str,
    a: &Val<'_>,
    b: &Val<'_>,
    budget: &mut Budget,
) -> Result<Option<Ordering>, ConditionError> {
    if let Some(order) = mixed_order(a, b).or_else(|| numeric_order(a, b)) {
        return Ok(order);
    }
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        budget.charge_bytes(a.len().min(b.len()))?;
        return Ok(Some(a.cmp(b)));
    }
    if let (Some(a), Some(b)) = (a.as_bytes(), b.as_bytes()) {
        budget.charge_bytes(a.len().min(b.len()))?;
        return Ok(Some(a.cmp(b)));
    }
    match (a, b) {
        (Val::Bool(a), Val::Bool(b)) => Ok(Some(a.cmp(b))),
        (Val::Timestamp(a), Val::Timestamp(b)) => Ok(Some(a.cmp(b))),
        (Val::Duration(a), Val::Duration(b)) => Ok(Some(a.cmp(b))),
        _ => Err(Overload::binary(operation, a.type_name(), b.type_name())),
    }
}

/// The order of an integer and a double, for the operators of order: as doubles, as the specification's conformance tests
/// have it. Equality is by mathematical value.
fn mixed_order(a: &Val<'_>, b: &Val<'_>) -> Option<Option<Ordering>> {
    let (a, b) = match (a, b) {
        (Val::Int(a), Val::Double(b)) => (*a as f64, *b),
        (Val::Uint(a), Val::Double(b)) => (*a as f64, *b),
        (Val::Double(a), Val::Int(b)) => (*a, *b as f64),
        (Val::Double(a), Val::Uint(b)) => (*a, *b as f64),
        _ => return None,
    };
    Some(a.partial_cmp(&b))
}

/// `None` where one is not a number, `Some(None)` where one is NaN.
fn numeric_order(a: &Val<'_>, b: &Val<'_>) -> Option<Option<Ordering>> {
    Some(match (a, b) {
        (Val::Int(a), Val::Int(b)) => Some(a.cmp(b)),
        (Val::Uint(a), Val::Uint(b)) => Some(a.cmp(b)),
        (Val::Double(a), Val::Double(b)) => a.partial_cmp(b),
        (Val::Int(a), Val::Uint(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Val::Uint(a), Val::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Val::Int(a), Val::Double(b)) => integer_to_double(i128::from(*a), *b),
        (Val::Uint(a), Val::Double(b)) => integer_to_double(i128::from(*a), *b),
        (Val::Double(a), Val::Int(b)) => integer_to_double(i128::from(*b), *a).map(Ordering::reverse),
        (Val::Double(a), Val::Uint(b)) => integer_to_double(i128::from(*b), *a).map(Ordering::reverse),
        _ => return None,
    })
}

/// The order of an integer of at most 64 bits and a double, by mathematical value.
fn integer_to_double(integer: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    // A cast saturates, and every integer of 64 bits lies well inside i128.
    let whole = double.trunc() as i128;
    Some(integer.cmp(&whole).then_with(|| 0.0_f64.partial_cmp(&double.fract()).unwrap_or(Ordering::Equal)))
}
