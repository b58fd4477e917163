//! Tests of one attribute against constants, which most conditions are made of. Evaluated without a stack and without
//! allocating.

use std::cmp::Ordering;

use hashbrown::HashSet;

use crate::model::{Text, Value, same_text};

use super::ast::BinaryOp;
use super::error::{Budget, ConditionError, Overload};
use super::list::ListTest;
use super::path::{AttributePath, AttributeRef, Bindings};
use super::pattern::Pattern;
use super::value::{Const, TypeName};

/// A test of the attribute at a path.
#[derive(Debug, Clone)]
pub(super) struct Predicate {
    pub(super) path: AttributePath,
    pub(super) test: Test,
    pub(super) negated: bool,
}

/// What is tested.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// `has(path)`.
    Present,
    /// `path`, which must be a bool.
    True,
    /// `path == constant`.
    Equals(Scalar),
    /// `path < number` and the like.
    Number(Relation, f64),
    /// `path < "text"` and the like.
    Text(Relation, Text),
    /// `path in [constants]`.
    OneOf(Set),
    /// `constant in path`.
    Holds(Scalar),
    StartsWith(Text),
    EndsWith(Text),
    Contains(Text),
    Matches(Box<Pattern>),
    /// An entry of the structured list, which never errors.
    List(Box<ListTest>),
}

/// A constant that an attribute can equal.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Number(f64),
    Text(Text),
}

/// An ordering operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Relation {
    pub(super) fn of(operator: BinaryOp) -> Option<Self> {
        Some(match operator {
            BinaryOp::Less => Self::Less,
            BinaryOp::LessEqual => Self::LessEqual,
            BinaryOp::Greater => Self::Greater,
            BinaryOp::GreaterEqual => Self::GreaterEqual,
            _ => return None,
        })
    }

    /// The relation with its sides exchanged.
    pub(super) fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
        }
    }

    /// Whether it holds for this order; nothing holds for NaN.
    #[inline]
    pub(super) fn holds(self, order: Option<Ordering>) -> bool {
        match (self, order) {
            (_, None) => false,
            (Self::Less, Some(order)) => order.is_lt(),
            (Self::LessEqual, Some(order)) => order.is_le(),
            (Self::Greater, Some(order)) => order.is_gt(),
            (Self::GreaterEqual, Some(order)) => order.is_ge(),
        }
    }
}

impl Scalar {
    /// The constant, if an attribute can equal it. Integers that no double holds are left out.
    pub(super) fn of_const(value: &Const) -> Option<Self> {
        Some(match value {
            Const::Null => Self::Null,
            Const::Bool(value) => Self::Bool(*value),
            Const::Str(text) => Self::Text(text.clone()),
            number => Self::Number(number.as_exact_double()?),
        })
    }

    pub(super) fn of_value(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(value) => Self::Number(*value),
            Value::String(text) => Self::Text(text.clone()),
            Value::List(_) | Value::Map(_) => return None,
        })
    }

    #[inline]
    pub(super) fn equals(&self, seen: AttributeRef<'_>) -> bool {
        match (self, seen) {
            (Self::Text(text), AttributeRef::Text(other)) => same_text(text, other),
            (_, AttributeRef::Value(value)) => self.equals_value(value),
            _ => false,
        }
    }

    #[inline]
    pub(super) fn equals_value(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(text), Value::String(other)) => same_text(text, other),
            (Self::Number(number), Value::Number(other)) => number == other,
            (Self::Bool(value), Value::Bool(other)) => value == other,
            (Self::Null, Value::Null) => true,
            _ => false,
        }
    }

    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(value) => Value::Number(*value),
            Self::Text(text) => Value::String(text.clone()),
        }
    }
}

/// Constants to look a value up in.
#[derive(Debug, Clone)]
pub(super) struct Set {
    texts: Texts,
    others: Box<[Scalar]>,
}

#[derive(Debug, Clone)]
enum Texts {
    Few(Box<[Text]>),
    Many(HashSet<Text, foldhash::fast::FixedState>),
}

/// Up to this many strings, comparing each is faster than hashing.
const FEW: usize = 8;

impl Set {
    pub(super) fn new(scalars: impl IntoIterator<Item = Scalar>) -> Self {
        let mut texts = Vec::new();
        let mut others = Vec::new();
        for scalar in scalars {
            match scalar {
                Scalar::Text(text) => texts.push(text),
                other => others.push(other),
            }
        }
        let texts =
            if texts.len() <= FEW { Texts::Few(texts.into()) } else { Texts::Many(texts.into_iter().collect()) };
        Self { texts, others: others.into() }
    }

    /// All constants, strings first.
    pub(super) fn scalars(&self) -> Vec<Scalar> {
        let mut scalars: Vec<Scalar> = match &self.texts {
            Texts::Few(texts) => texts.iter().cloned().map(Scalar::Text).collect(),
            Texts::Many(texts) => {
                let mut texts: Vec<_> = texts.iter().cloned().collect();
                texts.sort_unstable();
                texts.into_iter().map(Scalar::Text).collect()
            }
        };
        scalars.extend_from_slice(&self.others);
        scalars
    }

    #[inline]
    pub(super) fn has_text(&self, text: &str) -> bool {
        match &self.texts {
            Texts::Few(texts) => texts.iter().any(|known| same_text(known, text)),
            Texts::Many(texts) => texts.contains(text),
        }
    }

    #[inline]
    pub(super) fn has(&self, seen: AttributeRef<'_>) -> bool {
        match seen.as_str() {
            Some(text) => self.has_text(text),
            None => self.others.iter().any(|scalar| scalar.equals(seen)),
        }
    }

    /// What looking up costs besides the instruction.
    fn cost(&self) -> usize {
        let texts = match &self.texts {
            Texts::Few(texts) => texts.len(),
            Texts::Many(_) => 2,
        };
        (texts + self.others.len()) / 4
    }
}

impl Predicate {
    /// Whether the test holds.
    #[inline]
    pub(super) fn holds(&self, bindings: &Bindings<'_>, budget: &mut Budget) -> Result<bool, ConditionError> {
        budget.charge(1)?;
        let result = match &self.test {
            Test::Present => self.path.is_present(bindings, budget)?,
            Test::List(test) => test.holds(&self.path, bindings, budget)?,
            test => self.compare(test, self.path.require(bindings, budget)?, budget)?,
        };
        Ok(result != self.negated)
    }

    #[inline]
    fn compare(&self, test: &Test, seen: AttributeRef<'_>, budget: &mut Budget) -> Result<bool, ConditionError> {
        match test {
            Test::Equals(scalar) => {
                if let Scalar::Text(text) = scalar {
                    budget.charge_bytes(text.len())?;
                }
                Ok(scalar.equals(seen))
            }
            Test::Number(relation, number) => match seen {
                AttributeRef::Value(Value::Number(value)) => Ok(relation.holds(value.partial_cmp(number))),
                _ => Err(self.no_overload(relation.as_str(), seen, Some(TypeName::Double))),
            },
            Test::Text(relation, bound) => {
                let text = self.text(relation.as_str(), seen)?;
                budget.charge_bytes(text.len().min(bound.len()))?;
                Ok(relation.holds(Some(text.cmp(bound.as_str()))))
            }
            Test::OneOf(set) => {
                budget.charge(set.cost())?;
                Ok(set.has(seen))
            }
            Test::Holds(scalar) => self.element(scalar, seen, budget),
            Test::True => match seen {
                AttributeRef::Value(Value::Bool(value)) => Ok(*value),
                _ => Err(self.no_overload("bool", seen, None)),
            },
            Test::StartsWith(part) => {
                budget.charge_bytes(part.len())?;
                Ok(self.text("startsWith", seen)?.starts_with(part.as_str()))
            }
            Test::EndsWith(part) => {
                budget.charge_bytes(part.len())?;
                Ok(self.text("endsWith", seen)?.ends_with(part.as_str()))
            }
            Test::Contains(part) => {
                let text = self.text("contains", seen)?;
                budget.charge_bytes(text.len())?;
                Ok(text.contains(part.as_str()))
            }
            Test::Matches(pattern) => {
                let text = self.text("matches", seen)?;
                budget.charge(pattern.cost(text))?;
                Ok(pattern.is_match(text))
            }
            Test::Present | Test::List(_) => Ok(false),
        }
    }

    fn element(&self, scalar: &Scalar, seen: AttributeRef<'_>, budget: &mut Budget) -> Result<bool, ConditionError> {
        match seen {
            AttributeRef::Open(open) => match scalar {
                Scalar::Text(text) => open.map().has(text),
                _ => Ok(false),
            },
            AttributeRef::Texts(texts) => {
                budget.charge(texts.len() / 2)?;
                Ok(matches!(scalar, Scalar::Text(text) if texts.iter().any(|known| same_text(known, text))))
            }
            AttributeRef::Value(Value::List(items)) => {
                budget.charge(items.len())?;
                Ok(items.iter().any(|item| scalar.equals_value(item)))
            }
            AttributeRef::Map(map) | AttributeRef::Value(Value::Map(map)) => {
                budget.charge(map.len() / 8)?;
                Ok(matches!(scalar, Scalar::Text(text) if map.get(text).is_some()))
            }
            _ => Err(self.no_overload("in", seen, None)),
        }
    }

    #[inline]
    fn text<'a>(&self, operation: &'static str, seen: AttributeRef<'a>) -> Result<&'a str, ConditionError> {
        seen.as_str().ok_or_else(|| self.no_overload(operation, seen, Some(TypeName::String)))
    }

    #[cold]
    fn no_overload(&self, operation: &'static str, seen: AttributeRef<'_>, other: Option<TypeName>) -> ConditionError {
        Overload::on_attribute(operation, seen.type_name(), other, self.path.as_str())
    }
}
