//! Types and names: finds what every node is, and reports what cannot work.

use crate::diag::did_you_mean;

use super::ast::{Ast, Kind, Local, Macro, MacroKind, NodeId, Part};
use super::functions::{FOREIGN_NAMES, Function, SIGNATURES, Signature};
use super::path::path_of;
use super::scope::{Meaning, Scope, Slot};
use super::source::{Place, Problem};
use super::types::Ty;
use super::value::{Const, TypeName};

/// What the checker found out about a node.
#[derive(Debug, Clone)]
pub(super) struct Info {
    pub(super) ty: Ty,
    pub(super) meaning: NodeMeaning,
}

/// What a node stands for, where that is not plain from the tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum NodeMeaning {
    /// What the tree says.
    Plain,
    /// A slot of the request; for a selection in `has`, its presence.
    Slot(Slot),
    /// A key below what the operand stands for, which is a slot or itself such a path.
    Path(Slot),
    /// A type.
    Type(TypeName),
    /// The first part of a qualified name.
    Prefix,
    /// A call.
    Call(Function),
}

/// The types and meanings of all nodes, by number, and everything that is wrong.
pub(super) struct Checked {
    infos: Vec<Info>,
    pub(super) problems: Vec<Problem>,
}

impl Checked {
    pub(super) fn ty(&self, id: NodeId) -> &Ty {
        self.infos.get(id.index()).map_or(&Ty::Unknown, |info| &info.ty)
    }

    pub(super) fn meaning(&self, id: NodeId) -> NodeMeaning {
        self.infos.get(id.index()).map_or(NodeMeaning::Plain, |info| info.meaning)
    }
}

/// Checks every node. Operands come before the nodes that use them, so one loop does.
pub(super) fn check(ast: &Ast, scope: &Scope) -> Checked {
    let checked = Checked { infos: Vec::with_capacity(ast.len()), problems: Vec::new() };
    let mut checker = Checker { ast, scope, checked };
    for (id, node) in ast.iter() {
        let (ty, meaning) = checker.node(id, &node.kind);
        checker.checked.infos.push(Info { ty, meaning });
    }
    checker.checked
}

/// Reports a root that is not a condition.
pub(super) fn check_is_bool(ast: &Ast, scope: &Scope, checked: &mut Checked) {
    let root = ast.root();
    match checked.ty(root) {
        Ty::Bool => {}
        ty if ty.is_dynamic() => {}
        ty => {
            let message = match (ty, ast.kind(root)) {
                (Ty::Entity(name), _) => format!("`{name}` is not a value by itself"),
                _ => format!("the condition is {}, not bool", with_article(ty)),
            };
            let problem = Problem::error("type-mismatch", Place::When(ast.range(root)), message)
                .help(format!("a condition compares or tests something, for example `{}`", scope.example));
            checked.problems.push(problem);
        }
    }
}

/// Reports a root that is not a value.
pub(super) fn check_is_value(ast: &Ast, scope: &Scope, checked: &mut Checked) {
    let infos = std::mem::take(&mut checked.infos);
    let problems = std::mem::take(&mut checked.problems);
    let mut checker = Checker { ast, scope, checked: Checked { infos, problems } };
    checker.operand(ast.root());
    *checked = checker.checked;
}

pub(super) fn with_article(ty: &Ty) -> String {
    let name = ty.to_string();
    let article = if name.starts_with(['a', 'i', 'u']) && name != "uint" { "an" } else { "a" };
    if *ty == Ty::Null { name } else { format!("{article} {name}") }
}

/// Checks node by node.
pub(super) struct Checker<'s> {
    pub(super) ast: &'s Ast,
    scope: &'s Scope,
    checked: Checked,
}

type Found = (Ty, NodeMeaning);

fn plain(ty: Ty) -> Found {
    (ty, NodeMeaning::Plain)
}

impl Checker<'_> {
    fn node(&mut self, id: NodeId, kind: &Kind) -> Found {
        match kind {
            Kind::Literal(value) => plain(Ty::of_const(value)),
            Kind::Ident(name) => self.identifier(id, name),
            Kind::Local(local) => plain(self.local(*local)),
            Kind::Select { operand, field, test } => self.select(id, *operand, field, *test),
            Kind::Index { operand, index } => self.index(id, *operand, *index),
            Kind::Not(operand) => {
                self.require_bool(*operand, "`!`");
                plain(Ty::Bool)
            }
            Kind::Negate(operand) => plain(self.negate(id, *operand)),
            Kind::Binary { operator, left, right } => plain(self.binary(id, *operator, *left, *right)),
            Kind::And(terms) | Kind::Or(terms) => {
                let operator = if matches!(kind, Kind::And(_)) { "`&&`" } else { "`||`" };
                for term in terms {
                    self.require_bool(*term, operator);
                }
                plain(Ty::Bool)
            }
            Kind::Ternary { condition, yes, no } => {
                self.require_bool(*condition, "`? :`");
                let (yes, no) = (self.operand(*yes), self.operand(*no));
                plain(yes.join(&no))
            }
            Kind::Call { name, receiver, arguments, name_at } => self.call(id, name, *receiver, arguments, *name_at),
            Kind::List(items) => {
                let mut element = None;
                for item in items {
                    let ty = self.operand(*item);
                    element = Some(element.map_or(ty.clone(), |joined: Ty| joined.join(&ty)));
                }
                plain(Ty::list(element.unwrap_or(Ty::Dyn)))
            }
            Kind::Map(entries) => plain(self.map(entries)),
            Kind::Macro(body) => plain(self.macro_call(body)),
        }
    }

    /// The type of a node that is used as a value.
    pub(super) fn operand(&mut self, id: NodeId) -> Ty {
        let ty = self.checked.ty(id).clone();
        if let Ty::Entity(name) = ty {
            let fields = self.fields_of(name);
            let problem = Problem::error("type-mismatch", self.place(id), format!("`{name}` is not a value by itself"))
                .help(format!("choose one of its fields: {fields}"));
            self.checked.problems.push(problem);
            return Ty::Unknown;
        }
        if self.checked.meaning(id) == NodeMeaning::Prefix {
            if let Kind::Ident(name) = self.ast.kind(id) {
                let problem = self.unknown_variable(id, name);
                self.checked.problems.push(problem);
            }
            return Ty::Unknown;
        }
        ty
    }

    pub(super) fn place(&self, id: NodeId) -> Place {
        Place::When(self.ast.range(id))
    }

    pub(super) fn report(&mut self, problem: Problem) -> Ty {
        self.checked.problems.push(problem);
        Ty::Unknown
    }

    fn require_bool(&mut self, id: NodeId, operator: &str) {
        let ty = self.operand(id);
        if !ty.may_be(TypeName::Bool) {
            let message = format!("{operator} takes bool, found {}", with_article(&ty));
            let mut problem = Problem::error("type-mismatch", self.place(id), message);
            if let Some(path) = self.path_text(id) {
                problem = problem.help(format!("compare it with something, for example `{path} == \"…\"`"));
            }
            self.report(problem);
        }
    }

    // === names

    fn identifier(&mut self, id: NodeId, name: &str) -> Found {
        if let Some(variable) = self.scope.variable(name) {
            return match variable.meaning {
                Meaning::Entity(_) => (Ty::Entity(variable.name), NodeMeaning::Plain),
                Meaning::Slot(slot) => (slot.ty(), NodeMeaning::Slot(slot)),
            };
        }
        if let Some(ty) = TypeName::ALL.iter().find(|ty| ty.as_str() == name) {
            return (Ty::Type, NodeMeaning::Type(*ty));
        }
        if name == "google" || name == "strings" {
            return (Ty::Unknown, NodeMeaning::Prefix);
        }
        let problem = self.unknown_variable(id, name);
        plain(self.report(problem))
    }

    fn unknown_variable(&self, id: NodeId, name: &str) -> Problem {
        let problem = Problem::error("unknown-variable", self.place(id), format!("unknown variable `{name}`"));
        let variables = || self.scope.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let help = if let Some(ours) = self.scope.hint(name) {
            format!("write `{ours}`")
        } else if let Some(near) = did_you_mean(name, self.scope.names()) {
            format!("did you mean `{near}`?")
        } else if matches!(name, "True" | "False" | "TRUE" | "FALSE") {
            format!("write `{}`", name.to_ascii_lowercase())
        } else if matches!(name, "None" | "nil" | "undefined") {
            "write `null`, or `has(…)` to test that an attribute is there".to_owned()
        } else {
            format!("the variables are {}; text stands in quotation marks", variables())
        };
        problem.help(help)
    }

    fn fields_of(&self, entity: &str) -> String {
        match self.scope.variable(entity).map(|variable| &variable.meaning) {
            Some(Meaning::Entity(fields)) => {
                fields.iter().map(|field| format!("`{entity}.{}`", field.name)).collect::<Vec<_>>().join(", ")
            }
            _ => String::new(),
        }
    }

    fn local(&self, local: Local) -> Ty {
        match (self.checked.ty(local.range), local.part) {
            (Ty::List(element), Part::Item | Part::Value) => (**element).clone(),
            (Ty::List(_), Part::Index) => Ty::Int,
            (Ty::Map(key, _), Part::Item | Part::Index) => (**key).clone(),
            (Ty::Map(_, value), Part::Value) => (**value).clone(),
            (Ty::Attribute, Part::Item | Part::Value) => Ty::Attribute,
            _ => Ty::Dyn,
        }
    }

    fn select(&mut self, id: NodeId, operand: NodeId, field: &str, test: bool) -> Found {
        if self.checked.meaning(operand) == NodeMeaning::Prefix {
            return self.qualified(id, operand, field);
        }
        let result = |ty: Ty| if test { Ty::Bool } else { ty };
        let ty = self.checked.ty(operand).clone();
        let meaning = match self.checked.meaning(operand) {
            NodeMeaning::Slot(slot) | NodeMeaning::Path(slot) if slot.is_attribute() => NodeMeaning::Path(slot),
            _ => NodeMeaning::Plain,
        };
        match ty {
            Ty::Entity(name) => {
                let Some(Meaning::Entity(fields)) = self.scope.variable(name).map(|variable| &variable.meaning) else {
                    return plain(Ty::Unknown);
                };
                match fields.iter().find(|known| known.name == field) {
                    Some(known) => (result(known.slot.ty()), NodeMeaning::Slot(known.slot)),
                    None => {
                        let names = fields.iter().map(|known| known.name);
                        let near = did_you_mean(field, names).or(match field {
                            "role" => Some("roles"),
                            "kind" => Some("type"),
                            _ => None,
                        });
                        let help = match near.filter(|near| fields.iter().any(|known| known.name == *near)) {
                            Some(near) => format!("did you mean `{name}.{near}`?"),
                            None => {
                                let others = match name {
                                    "step" => format!("; its parameters are in `step.params.{field}`"),
                                    "ir" => "; its steps are in `ir.steps`".to_owned(),
                                    _ => format!("; other attributes are in `{name}.properties.{field}`"),
                                };
                                format!("its fields are {}{others}", self.fields_of(name))
                            }
                        };
                        let message = format!("unknown field `{field}` of `{name}`");
                        let problem = Problem::error("unknown-field", self.place(id), message).help(help);
                        plain(self.report(problem))
                    }
                }
            }
            Ty::Map(key, value) if key.may_be(TypeName::String) => (result((*value).clone()), meaning),
            Ty::Record(record) => match record.field(field) {
                Some(ty) => plain(result(ty)),
                None => {
                    let names = record.fields.iter().map(|known| known.name);
                    let message = format!("a {} has no field `{field}`", record.name);
                    let problem = Problem::error("unknown-field", self.place(id), message);
                    let help = match did_you_mean(field, names.clone()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!(
                            "its fields are {}",
                            names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
                        ),
                    };
                    plain(self.report(problem.help(help)))
                }
            },
            Ty::Attribute => (result(Ty::Attribute), meaning),
            Ty::Dyn | Ty::Unknown => (result(ty), meaning),
            ty => {
                let message = format!("{} has no fields, so not `{field}`", with_article(&ty));
                let mut problem = Problem::error("type-mismatch", self.place(id), message);
                if matches!(ty, Ty::List(_)) {
                    problem = problem.help("look into its elements: `list.exists(x, x.…)`");
                }
                plain(self.report(problem))
            }
        }
    }

    /// A selection below the first part of a qualified name.
    fn qualified(&mut self, id: NodeId, operand: NodeId, field: &str) -> Found {
        let prefix = self.qualified_name(operand);
        let name = format!("{prefix}.{field}");
        if let Some(ty) = TypeName::ALL.iter().find(|ty| ty.as_str() == name) {
            return (Ty::Type, NodeMeaning::Type(*ty));
        }
        if name == "google.protobuf" {
            return (Ty::Unknown, NodeMeaning::Prefix);
        }
        let problem = Problem::error("unknown-variable", self.place(id), format!("unknown name `{name}`"));
        plain(self.report(problem))
    }

    fn qualified_name(&self, id: NodeId) -> String {
        match self.ast.kind(id) {
            Kind::Ident(name) => name.to_string(),
            Kind::Select { operand, field, .. } => format!("{}.{field}", self.qualified_name(*operand)),
            _ => String::new(),
        }
    }

    /// The path that a node reads, as written.
    fn path_text(&self, id: NodeId) -> Option<String> {
        path_of(self.ast, &self.checked, id).map(|path| path.as_str().to_owned())
    }

    fn index(&mut self, id: NodeId, operand: NodeId, index: NodeId) -> Found {
        let ty = self.operand(operand);
        let index_ty = self.operand(index);
        match &ty {
            Ty::Map(key, value) => {
                if !key.may_equal(&index_ty) || index_ty == Ty::Null {
                    let message = format!("the keys of the map are {key}, found {}", with_article(&index_ty));
                    return plain(self.report(Problem::error("type-mismatch", self.place(index), message)));
                }
                let meaning = match (self.checked.meaning(operand), self.ast.kind(index)) {
                    (NodeMeaning::Slot(slot) | NodeMeaning::Path(slot), Kind::Literal(Const::Str(_)))
                        if slot.is_attribute() =>
                    {
                        NodeMeaning::Path(slot)
                    }
                    _ => NodeMeaning::Plain,
                };
                ((**value).clone(), meaning)
            }
            Ty::List(element) => {
                if !index_ty.is_dynamic() && !index_ty.is_numeric() {
                    let message = format!("a list is indexed by int, found {}", with_article(&index_ty));
                    return plain(self.report(Problem::error("type-mismatch", self.place(index), message)));
                }
                plain((**element).clone())
            }
            Ty::Attribute => match (self.checked.meaning(operand), self.ast.kind(index)) {
                (NodeMeaning::Slot(slot) | NodeMeaning::Path(slot), Kind::Literal(Const::Str(_))) => {
                    (Ty::Attribute, NodeMeaning::Path(slot))
                }
                _ => plain(Ty::Attribute),
            },
            Ty::Dyn | Ty::Unknown => plain(ty),
            other => {
                let message = format!("{} cannot be indexed", with_article(other));
                plain(self.report(Problem::error("type-mismatch", self.place(id), message)))
            }
        }
    }

    // === calls, lists, maps

    fn map(&mut self, entries: &[(NodeId, NodeId)]) -> Ty {
        let (mut key, mut value) = (None, None);
        let join = |joined: Option<Ty>, ty: Ty| Some(joined.map_or(ty.clone(), |joined| joined.join(&ty)));
        for (key_id, value_id) in entries {
            let key_ty = self.operand(*key_id);
            const KEYS: [TypeName; 4] = [TypeName::Int, TypeName::Uint, TypeName::Bool, TypeName::String];
            if !KEYS.iter().any(|name| key_ty.may_be(*name)) {
                let message = format!("a map key is int, uint, bool or string, found {}", with_article(&key_ty));
                self.report(Problem::error("type-mismatch", self.place(*key_id), message));
            }
            key = join(key, key_ty);
            value = join(value, self.operand(*value_id));
        }
        Ty::map(key.unwrap_or(Ty::Dyn), value.unwrap_or(Ty::Dyn))
    }

    fn macro_call(&mut self, body: &Macro) -> Ty {
        let range = self.operand(body.range);
        if !range.may_be(TypeName::List) && !range.may_be(TypeName::Map) {
            let message = format!("a macro runs over a list or a map, found {}", with_article(&range));
            self.report(Problem::error("type-mismatch", self.place(body.range), message));
        }
        if let Some(condition) = body.condition {
            self.require_bool(condition, "the condition of a macro");
        }
        let transform = body.transform.map(|transform| self.operand(transform));
        match (body.kind, transform, &range) {
            (MacroKind::Map, Some(element), _) => Ty::list(element),
            (MacroKind::TransformMap, Some(value), Ty::Map(key, _)) => Ty::map((**key).clone(), value),
            (MacroKind::TransformMap, Some(value), Ty::List(_)) => Ty::map(Ty::Int, value),
            (MacroKind::TransformMap, Some(value), _) => Ty::map(Ty::Dyn, value),
            (MacroKind::Filter, _, Ty::List(_)) => range,
            (MacroKind::Filter, _, Ty::Map(key, _)) => Ty::list((**key).clone()),
            (MacroKind::Filter, _, Ty::Attribute) => Ty::list(Ty::Attribute),
            (MacroKind::Filter, ..) => Ty::list(Ty::Dyn),
            _ => Ty::Bool,
        }
    }

    fn call(
        &mut self,
        id: NodeId,
        name: &str,
        receiver: Option<NodeId>,
        arguments: &[NodeId],
        name_at: (u32, u32),
    ) -> Found {
        let mut full_name = name.to_owned();
        let mut receiver = receiver;
        if let Some(namespace) = receiver.filter(|id| self.checked.meaning(*id) == NodeMeaning::Prefix) {
            full_name = format!("{}.{name}", self.qualified_name(namespace));
            receiver = None;
        }
        let types: Vec<Ty> = receiver.iter().chain(arguments).map(|argument| self.operand(*argument)).collect();
        if full_name == "dyn" && receiver.is_none() && types.len() == 1 {
            return (Ty::Dyn, NodeMeaning::Call(Function::ToDyn));
        }
        let named: Vec<&Signature> = SIGNATURES.iter().filter(|known| known.name == full_name).collect();
        if named.is_empty() {
            let problem = unknown_function(name, &full_name, name_at);
            return plain(self.report(problem));
        }
        let styled: Vec<&&Signature> = named.iter().filter(|known| known.method == receiver.is_some()).collect();
        let fits = |known: &Signature| {
            known.takes.len() == types.len() && known.takes.iter().zip(&types).all(|(takes, ty)| takes.fits(ty))
        };
        let mut found = styled.iter().filter(|known| fits(known));
        match found.next() {
            Some(known) => {
                let ty = match known.gives {
                    TypeName::List => Ty::list(Ty::String),
                    name => ty_of(name),
                };
                (ty, NodeMeaning::Call(known.function))
            }
            None => {
                let problem = self.no_call_overload(id, &full_name, receiver.is_some(), &types, &named);
                plain(self.report(problem))
            }
        }
    }

    fn no_call_overload(&self, id: NodeId, name: &str, method: bool, types: &[Ty], named: &[&Signature]) -> Problem {
        let list = |types: &[Ty]| types.iter().map(Ty::to_string).collect::<Vec<_>>().join(", ");
        let found = match types.split_first() {
            Some((receiver, rest)) if method => format!("{receiver}.{name}({})", list(rest)),
            _ => format!("{name}({})", list(types)),
        };
        let shapes: Vec<String> = named.iter().map(|known| format!("`{}`", known.shape())).collect();
        let message = format!("no matching overload for `{found}`");
        let mut help = format!("it exists as {}", shapes.join(", "));
        if name == "contains" && types.first().is_some_and(|ty| matches!(ty, Ty::List(_))) {
            help = "write `\"element\" in list` to look into a list".to_owned();
        }
        Problem::error("type-mismatch", self.place(id), message).help(help)
    }
}

fn ty_of(name: TypeName) -> Ty {
    match name {
        TypeName::Null => Ty::Null,
        TypeName::Bool => Ty::Bool,
        TypeName::Int => Ty::Int,
        TypeName::Uint => Ty::Uint,
        TypeName::Double => Ty::Double,
        TypeName::String => Ty::String,
        TypeName::Bytes => Ty::Bytes,
        TypeName::List => Ty::list(Ty::Dyn),
        TypeName::Map => Ty::map(Ty::Dyn, Ty::Dyn),
        TypeName::Timestamp => Ty::Timestamp,
        TypeName::Duration => Ty::Duration,
        TypeName::Type => Ty::Type,
    }
}

fn unknown_function(name: &str, full_name: &str, name_at: (u32, u32)) -> Problem {
    let place = Place::When(name_at.0 as usize..name_at.1 as usize);
    let problem = Problem::error("unknown-function", place, format!("unknown function `{full_name}`"));
    let macros = ["all", "exists", "exists_one", "map", "filter", "has"];
    let foreign = FOREIGN_NAMES.iter().find(|(foreign, _)| *foreign == name).map(|(_, ours)| *ours);
    let names = SIGNATURES.iter().map(|known| known.name).chain(macros);
    match foreign.or_else(|| did_you_mean(name, names)) {
        Some("now") => problem.help("`now` is a variable: write it without brackets"),
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help("docs/cel.md lists the functions"),
    }
}
