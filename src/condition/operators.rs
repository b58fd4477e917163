//! Which operators exist for which types.

use super::ast::{BinaryOp, Kind, NodeId};
use super::checker::{Checker, with_article};
use super::source::Problem;
use super::types::Ty;
use super::value::{Const, TypeName};

impl Checker<'_> {
    pub(super) fn negate(&mut self, id: NodeId, operand: NodeId) -> Ty {
        let ty = self.operand(operand);
        if ty == Ty::Attribute {
            return Ty::Double;
        }
        if ty.is_dynamic() || matches!(ty, Ty::Int | Ty::Double | Ty::Duration) {
            return ty;
        }
        let message = format!("no matching overload for `-` on {ty}");
        self.report(Problem::error("type-mismatch", self.place(id), message))
    }

    pub(super) fn binary(&mut self, id: NodeId, operator: BinaryOp, left: NodeId, right: NodeId) -> Ty {
        let (left_ty, right_ty) = (self.operand(left), self.operand(right));
        match operator {
            BinaryOp::Equal | BinaryOp::NotEqual => {
                if !left_ty.may_equal(&right_ty) {
                    let outcome = if operator == BinaryOp::Equal { "never" } else { "always" };
                    let message =
                        format!("no matching overload for `{}` on {left_ty} and {right_ty}", operator.as_str());
                    let help = self.time_help(id, &left_ty, &right_ty).unwrap_or_else(|| {
                        "compare values of one type; convert with `string(…)`, `double(…)` or `int(…)`".to_owned()
                    });
                    let problem = Problem::error("type-mismatch", self.place(id), message)
                        .label(format!("{outcome} true"))
                        .help(help);
                    self.report(problem);
                }
                Ty::Bool
            }
            BinaryOp::In => {
                self.inclusion(id, &left_ty, &right_ty);
                Ty::Bool
            }
            BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual => {
                const ORDERED: [TypeName; 8] = [
                    TypeName::Bool,
                    TypeName::Int,
                    TypeName::Uint,
                    TypeName::Double,
                    TypeName::String,
                    TypeName::Bytes,
                    TypeName::Timestamp,
                    TypeName::Duration,
                ];
                let numeric = |ty: &Ty| ty.is_numeric() || ty.is_dynamic();
                let comparable = numeric(&left_ty) && numeric(&right_ty)
                    || ORDERED.iter().any(|name| left_ty.may_be(*name) && right_ty.may_be(*name));
                if !comparable {
                    self.no_overload(id, operator, &left_ty, &right_ty);
                }
                Ty::Bool
            }
            _ => self.arithmetic(id, operator, &left_ty, &right_ty),
        }
    }

    fn inclusion(&mut self, id: NodeId, left: &Ty, right: &Ty) {
        let problem = match right {
            Ty::List(element) if !element.may_equal(left) => {
                format!("no matching overload for `in` on {left} and {right}")
            }
            Ty::Map(key, _) if !key.may_equal(left) => format!("no matching overload for `in` on {left} and {right}"),
            Ty::List(_) | Ty::Map(..) => return,
            other if other.is_dynamic() => return,
            other => format!("`in` takes a list or a map on its right, found {}", with_article(other)),
        };
        let mut problem = Problem::error("type-mismatch", self.place(id), problem);
        if *right == Ty::String {
            problem = problem.help("write `text.contains(\"part\")` to look into a string");
        }
        self.report(problem);
    }

    fn arithmetic(&mut self, id: NodeId, operator: BinaryOp, left: &Ty, right: &Ty) -> Ty {
        use BinaryOp::{Add, Divide, Modulo, Multiply, Subtract};
        if let (Add, Ty::List(a), Ty::List(b)) = (operator, left, right) {
            return Ty::list(a.join(b));
        }
        let shapes: &[(TypeName, TypeName, Ty)] = match operator {
            Add => &[
                (TypeName::Int, TypeName::Int, Ty::Int),
                (TypeName::Uint, TypeName::Uint, Ty::Uint),
                (TypeName::Double, TypeName::Double, Ty::Double),
                (TypeName::String, TypeName::String, Ty::String),
                (TypeName::Bytes, TypeName::Bytes, Ty::Bytes),
                (TypeName::List, TypeName::List, Ty::Dyn),
                (TypeName::Timestamp, TypeName::Duration, Ty::Timestamp),
                (TypeName::Duration, TypeName::Timestamp, Ty::Timestamp),
                (TypeName::Duration, TypeName::Duration, Ty::Duration),
            ],
            Subtract => &[
                (TypeName::Int, TypeName::Int, Ty::Int),
                (TypeName::Uint, TypeName::Uint, Ty::Uint),
                (TypeName::Double, TypeName::Double, Ty::Double),
                (TypeName::Timestamp, TypeName::Timestamp, Ty::Duration),
                (TypeName::Timestamp, TypeName::Duration, Ty::Timestamp),
                (TypeName::Duration, TypeName::Duration, Ty::Duration),
            ],
            Multiply | Divide => &[
                (TypeName::Int, TypeName::Int, Ty::Int),
                (TypeName::Uint, TypeName::Uint, Ty::Uint),
                (TypeName::Double, TypeName::Double, Ty::Double),
            ],
            _ => &[(TypeName::Int, TypeName::Int, Ty::Int), (TypeName::Uint, TypeName::Uint, Ty::Uint)],
        };
        let mut result: Option<Ty> = None;
        for (_, _, gives) in shapes.iter().filter(|(a, b, _)| left.may_be(*a) && right.may_be(*b)) {
            result = Some(result.map_or_else(|| gives.clone(), |joined| joined.join(gives)));
        }
        let Some(result) = result else {
            if operator == Modulo && (*left == Ty::Attribute || *right == Ty::Attribute) {
                let message = "`%` takes integers, and attribute numbers are doubles";
                let problem = Problem::error("type-mismatch", self.place(id), message)
                    .help("convert first, for example `int(context.n) % 2 == 0`");
                return self.report(problem);
            }
            return self.no_overload(id, operator, left, right);
        };
        // An attribute is never an integer, so a sum of two is at most a double, a string or a list.
        if result == Ty::Dyn && (*left == Ty::Attribute || *right == Ty::Attribute) { Ty::Attribute } else { result }
    }

    fn no_overload(&mut self, id: NodeId, operator: BinaryOp, left: &Ty, right: &Ty) -> Ty {
        let message = format!("no matching overload for `{}` on {left} and {right}", operator.as_str());
        let mut problem = Problem::error("type-mismatch", self.place(id), message);
        let integer = |ty: &Ty| matches!(ty, Ty::Int | Ty::Uint);
        let double = |ty: &Ty| matches!(ty, Ty::Attribute | Ty::Double);
        if (integer(left) && double(right)) || (double(left) && integer(right)) {
            let (help, label) = match self.integer_literal(id) {
                Some(literal) => (format!("write `{literal}.0` instead of `{literal}`"), "int and double do not mix"),
                None => ("convert the integer: `double(…)`".to_owned(), "int and double do not mix"),
            };
            problem = problem.label(if *left == Ty::Attribute || *right == Ty::Attribute {
                "attribute numbers are doubles"
            } else {
                label
            });
            problem = problem.help(help);
        } else if let Some(help) = self.time_help(id, left, right) {
            problem = problem.help(help);
        } else if operator == BinaryOp::Add && (*left == Ty::String || *right == Ty::String) {
            problem = problem.help("convert first: `string(…)`");
        } else {
            problem = problem.help("convert one side with `int(…)`, `uint(…)`, `double(…)` or `string(…)`");
        }
        self.report(problem)
    }

    /// What to write where a time meets something else.
    fn time_help(&self, id: NodeId, left: &Ty, right: &Ty) -> Option<String> {
        let (time, other) = match (left, right) {
            (Ty::Timestamp | Ty::Duration, other) => (left, other),
            (other, Ty::Timestamp | Ty::Duration) => (right, other),
            _ => return None,
        };
        match (time, other) {
            (_, Ty::Attribute) => Some(format!("convert the attribute: `{time}(…)`")),
            (_, Ty::String) => Some(format!("convert the string: `{time}(…)`")),
            (Ty::Duration, Ty::Int) => {
                let seconds = self.integer_literal(id)?;
                Some(format!("write a duration: `duration(\"{seconds}s\")`"))
            }
            _ => None,
        }
    }

    /// The integer literal among the operands of a binary node, as written.
    fn integer_literal(&self, id: NodeId) -> Option<String> {
        let Kind::Binary { left, right, .. } = self.ast.kind(id) else { return None };
        [left, right].into_iter().find_map(|side| match self.ast.kind(*side) {
            Kind::Literal(Const::Int(value)) => Some(value.to_string()),
            _ => None,
        })
    }
}
